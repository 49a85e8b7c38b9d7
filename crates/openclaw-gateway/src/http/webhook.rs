//! Webhooks: requests by which a chat system delivers messages to an adapter.

use std::sync::Arc;
use std::time::Duration;

use channel_kit::{Adapter, Delivery, WebhookHead};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::header::{HeaderValue, RETRY_AFTER};
use hyper::{Method, Request, StatusCode};
use tokio::time::{sleep, timeout};

use super::answer::{HttpAnswer, text};
use crate::budget::{Cause, Step};
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

/// Answers a request. Its body is read once it is known whose it is.
pub(super) async fn answer(
    request: Request<Incoming>,
    arrival: &Arrival,
    adapters: Vec<Arc<dyn Adapter>>,
    parts: &Parts,
) -> HttpAnswer {
    if *request.method() != Method::POST {
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
    let adapter = match meant(&request, adapters) {
        Ok(adapter) => adapter,
        Err(refused) => {
            parts.metrics.refused("webhook");
            if let Some(left_out) = parts.may_log(Cause::Webhook, arrival.address) {
                tracing::warn!(
                    peer = %arrival.address, reason = %refused, left_out,
                    "call of a webhook refused"
                );
            }
            let counts = matches!(refused, Refused::Password);
            let delay = counts.then(|| parts.entrance.lockouts.failed(subject, now));
            sleep(delay.flatten().unwrap_or_default()).await;
            return text(StatusCode::UNAUTHORIZED, "unauthorized");
        }
    };
    parts.entrance.lockouts.succeeded(subject);
    let Some(webhook) = adapter.webhook() else {
        return text(StatusCode::NOT_FOUND, "there is no webhook here");
    };
    let body = match read(request.into_body(), webhook.longest_body()).await {
        Ok(body) => body,
        Err(status) => return text(status, "the body is too long, or does not come in time"),
    };
    match webhook.receive(&body) {
        Delivery::Taken => text(StatusCode::OK, "ok"),
        Delivery::Malformed => text(StatusCode::BAD_REQUEST, "not what this chat system sends"),
        _ => text(StatusCode::SERVICE_UNAVAILABLE, "busy"),
    }
}

/// The one adapter that admits a request.
fn meant(
    request: &Request<Incoming>,
    adapters: Vec<Arc<dyn Adapter>>,
) -> Result<Arc<dyn Adapter>, Refused> {
    let header = |name: &str| request.headers().get(name)?.to_str().ok();
    let head = WebhookHead::new(request.uri().query(), &header);
    let admits = |adapter: &Arc<dyn Adapter>| {
        let webhook = adapter.webhook();
        webhook.is_some_and(|webhook| webhook.admits(&head))
    };
    // Each of them is asked, so that the time says nothing about which one it was.
    let admitting: Vec<_> = adapters.into_iter().filter(admits).collect();
    match <[_; 1]>::try_from(admitting) {
        Ok([adapter]) => Ok(adapter),
        Err(none) if none.is_empty() => Err(Refused::Password),
        Err(_) => Err(Refused::Ambiguous),
    }
}

async fn read(body: Incoming, longest: usize) -> Result<Bytes, StatusCode> {
    if body.size_hint().lower() > longest as u64 {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    match timeout(BODY, Limited::new(body, longest).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(_)) => Err(StatusCode::PAYLOAD_TOO_LARGE),
        Err(_) => Err(StatusCode::REQUEST_TIMEOUT),
    }
}
