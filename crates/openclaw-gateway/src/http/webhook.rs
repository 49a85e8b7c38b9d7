//! Webhooks: requests by which a chat system delivers messages to an adapter.

use std::sync::Arc;
use std::time::Duration;

use channel_kit::{Adapter, Delivery, Verification, Webhook, WebhookHead};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use hyper::header::{HeaderValue, RETRY_AFTER};
use hyper::http::request;
use hyper::{Method, Request, StatusCode};
use tokio::time::{sleep, timeout};

use super::answer::{HttpAnswer, text, with_type};
use crate::budget::{Cause, Share, Step};
use crate::edge::Arrival;
use crate::lockout::Subject;
use crate::parts::Parts;

/// Time limit for the body of a request.
const BODY: Duration = Duration::from_secs(30);

/// Why a request is refused, for the log.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("it shows no password of an account here")]
    Password,
    #[error("its body is not signed by the chat system, or its account here has another secret")]
    Signature,
    #[error("it does not show the verify token of an account here")]
    Token,
    #[error(
        "several accounts have this path and this password: there is no telling which is meant"
    )]
    Ambiguous,
}

/// The adapters whose webhook has this path; `None` if there are none.
pub(super) fn at(path: &str, parts: &Parts) -> Option<Vec<Arc<dyn Adapter>>> {
    let settings = parts.settings.load();
    let found = parts.channels.with_webhook(&settings.config, path);
    (!found.is_empty()).then_some(found)
}

/// Answers a request. Its body is read once it is known whose it may be.
pub(super) async fn answer(
    request: Request<Incoming>,
    arrival: &Arrival,
    adapters: Vec<Arc<dyn Adapter>>,
    parts: &Parts,
) -> HttpAnswer {
    let is_get = *request.method() == Method::GET;
    if !is_get && *request.method() != Method::POST {
        return text(StatusCode::METHOD_NOT_ALLOWED, "POST only");
    }
    let (now, subject) = (parts.pairing.now(), Subject::webhook(arrival.address));
    let budget = &parts.entrance.budget;
    if !budget.may(Step::Frame, arrival.address, now) {
        return text(StatusCode::TOO_MANY_REQUESTS, "too many requests");
    }
    if let Err(locked) = parts.entrance.lockouts.check(subject, now) {
        let mut limited = text(StatusCode::TOO_MANY_REQUESTS, locked.to_string());
        let wait = HeaderValue::from(locked.retry_after.as_secs().max(1));
        limited.headers_mut().insert(RETRY_AFTER, wait);
        return limited;
    }
    let (head, body) = request.into_parts();
    let webhooks: Vec<_> = adapters
        .iter()
        .filter_map(|adapter| adapter.webhook())
        .collect();
    let answered = if is_get {
        verified(&head, &webhooks)
    } else {
        let share = budget.bytes_before(arrival);
        delivered((&head, body), webhooks, share).await
    };
    let answer = match answered {
        Ok(answer) => answer,
        Err(refused) => return turned_away(&refused, arrival, parts).await,
    };
    if let Answer::Authentic(_) = answer {
        parts.entrance.lockouts.succeeded(subject);
    }
    match answer {
        Answer::Other(answer) => answer,
        Answer::Authentic(Replied::Challenge(answer)) => {
            with_type(StatusCode::OK, answer, "text/plain; charset=utf-8")
        }
        Answer::Authentic(Replied::Delivery(delivery)) => match delivery {
            Delivery::Taken => text(StatusCode::OK, "ok"),
            Delivery::Malformed => text(StatusCode::BAD_REQUEST, "not what this chat system sends"),
            Delivery::Elsewhere => {
                if let Some(left_out) = parts.may_log(Cause::Webhook, arrival.address) {
                    tracing::warn!(
                        path = %pairing_core::quoted(head.uri.path()).limit(128), left_out,
                        "messages for an account that is not set up here"
                    );
                }
                // It would be delivered again for days.
                text(StatusCode::OK, "ok")
            }
            _ => text(StatusCode::SERVICE_UNAVAILABLE, "busy"),
        },
    }
}

/// What is answered to a request that was not refused.
enum Answer {
    /// It is the chat system's.
    Authentic(Replied),
    /// Nobody can tell.
    Other(HttpAnswer),
}

enum Replied {
    Challenge(String),
    Delivery(Delivery),
}

/// Answers a request that makes sure of the endpoint.
fn verified(head: &request::Parts, webhooks: &[&dyn Webhook]) -> Result<Answer, Refused> {
    // Each of them is asked, so that the time says nothing about which one it was.
    let all: Vec<_> = shown(head, |shown| {
        let asked = webhooks.iter().map(|webhook| webhook.verify(shown));
        asked.collect()
    });
    let mut is_refused = false;
    for verification in all {
        match verification {
            Verification::Answer(answer) => {
                return Ok(Answer::Authentic(Replied::Challenge(answer)));
            }
            Verification::Refused => is_refused = true,
            _ => {}
        }
    }
    if is_refused {
        return Err(Refused::Token);
    }
    Ok(Answer::Other(text(
        StatusCode::METHOD_NOT_ALLOWED,
        "POST only",
    )))
}

/// Hands a delivery to those that it may concern.
async fn delivered(
    (head, body): (&request::Parts, Incoming),
    mut webhooks: Vec<&dyn Webhook>,
    share: Share,
) -> Result<Answer, Refused> {
    // Each of them is asked here, too.
    shown(head, |shown| {
        webhooks.retain(|webhook| webhook.admits(shown));
    });
    if webhooks.len() > 1 && !webhooks.iter().all(|webhook| webhook.is_shared()) {
        return Err(Refused::Ambiguous);
    }
    let Some(longest) = webhooks.iter().map(|webhook| webhook.longest_body()).max() else {
        return Err(Refused::Password);
    };
    let body = match timeout(BODY, read(body, longest, share)).await {
        Ok(Ok(body)) => body,
        Ok(Err(status)) => return Ok(Answer::Other(text(status, "the body is too long"))),
        Err(_) => {
            let late = text(
                StatusCode::REQUEST_TIMEOUT,
                "the body does not come in time",
            );
            return Ok(Answer::Other(late));
        }
    };
    shown(head, |shown| {
        webhooks.retain(|webhook| webhook.is_signed(shown, &body));
    });
    let received = webhooks.iter().map(|webhook| webhook.receive(&body));
    let received = received.reduce(both).ok_or(Refused::Signature)?;
    Ok(Answer::Authentic(Replied::Delivery(received)))
}

/// What became of a delivery that several have got. One that was too busy gets it again, and the others know it then.
fn both(one: Delivery, other: Delivery) -> Delivery {
    let rank = |delivery: &Delivery| match delivery {
        Delivery::Elsewhere => 0,
        Delivery::Taken => 1,
        Delivery::Malformed => 2,
        _ => 3,
    };
    if rank(&one) < rank(&other) {
        other
    } else {
        one
    }
}

/// Refuses a request. Wrong guesses are counted.
async fn turned_away(refused: &Refused, arrival: &Arrival, parts: &Parts) -> HttpAnswer {
    parts.metrics.refused("webhook");
    if let Some(left_out) = parts.may_log(Cause::Webhook, arrival.address) {
        tracing::warn!(
            peer = %arrival.address, reason = %refused, left_out,
            "call of a webhook refused"
        );
    }
    let counts = !matches!(refused, Refused::Ambiguous);
    let subject = Subject::webhook(arrival.address);
    let lockouts = &parts.entrance.lockouts;
    let delay = counts.then(|| lockouts.failed(subject, parts.pairing.now()));
    sleep(delay.flatten().unwrap_or_default()).await;
    text(StatusCode::UNAUTHORIZED, "unauthorized")
}

/// Shows what precedes the body.
fn shown<T>(head: &request::Parts, look: impl FnOnce(&WebhookHead<'_>) -> T) -> T {
    let header = |name: &str| value_of(head, name);
    look(&WebhookHead::new(head.uri.query(), &header))
}

/// The value of a header, by its name. Of two there is no telling which is meant.
fn value_of<'h>(head: &'h request::Parts, name: &str) -> Option<&'h str> {
    let mut values = head.headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

/// Reads a body, whose bytes count for the address that it comes from.
async fn read(mut body: Incoming, longest: usize, mut share: Share) -> Result<Vec<u8>, StatusCode> {
    if body.size_hint().lower() > longest as u64 {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| StatusCode::BAD_REQUEST)?;
        let Some(data) = frame.data_ref() else {
            continue;
        };
        if bytes.len() + data.len() > longest {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        if !share.hold(bytes.len() + data.len()) {
            return Err(StatusCode::SERVICE_UNAVAILABLE);
        }
        bytes.extend_from_slice(data);
    }
    Ok(bytes)
}
