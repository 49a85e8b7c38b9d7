//! Its HTTP server.

use std::sync::Arc;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, DATE};
use hyper::{Request, Response};
use serde_json::{Value, json};

use super::api::refusal;
use super::{Answer, Shared};

pub(super) async fn handle(
    request: Request<Incoming>,
    shared: Arc<Shared>,
) -> Result<Response<Full<Bytes>>, std::io::Error> {
    let (head, body) = request.into_parts();
    let body = body
        .collect()
        .await
        .map_err(std::io::Error::other)?
        .to_bytes();
    let path = head.uri.path().strip_prefix("/v26.0/").unwrap_or_default();
    let (number, rest) = path.split_once('/').unwrap_or((path, ""));
    let kind = match (head.method.as_str(), rest) {
        ("GET", "") => "number",
        ("POST", "messages") => "message",
        ("POST", "media") => "media",
        _ => {
            return Ok(response(
                404,
                "{\"error\":{\"code\":2500,\"message\":\"Unknown path\"}}",
            ));
        }
    };
    let authorization = head
        .headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let kind_of_body = head
        .headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let (answer, failed) = {
        let mut state = shared.state();
        state.calls.push(kind);
        let wanted = format!("Bearer {}", state.token);
        let queued = state
            .answers
            .get_mut(kind)
            .and_then(std::collections::VecDeque::pop_front);
        let mut failed = None;
        let mut carry_out = || {
            if authorization != Some(&wanted) {
                return refusal(190, "Error validating access token: Session has expired");
            }
            if !state.numbers.iter().any(|(id, _)| id == number) && kind != "number" {
                return refusal(100, "Object does not exist");
            }
            match kind {
                "number" => state.shown(number),
                "media" => state.upload(&fields(&body, kind_of_body.unwrap_or_default())),
                _ => {
                    let call: Value = serde_json::from_slice(&body).unwrap_or_default();
                    match state.send(&call) {
                        Ok((answer, sent)) => {
                            let is_person = sent.to.starts_with('+');
                            if state.has_window && is_person && !state.writers.contains(&sent.to) {
                                let errors = json!([{
                                    "code": 131_047, "title": "Re-engagement message",
                                    "message": "Re-engagement message",
                                    "error_data": { "details": "Message failed to send because more than 24 hours have \
                                        passed since the customer last replied to this number." },
                                }]);
                                failed = Some(state.status(&sent.id, &sent.to, "failed", &errors));
                            }
                            (200, answer)
                        }
                        Err(refused) => refused,
                    }
                }
            }
        };
        let answer = match queued {
            None => Ok(carry_out()),
            Some(Answer::Code(code, text)) => Ok(refusal(code, text)),
            Some(Answer::Raw(status, text)) => {
                drop(state);
                shared.changed.notify_waiters();
                return Ok(response(status, text));
            }
            Some(Answer::HangUp { done }) => {
                if done {
                    carry_out();
                }
                Err(std::io::Error::other("hung up"))
            }
        };
        (answer, failed)
    };
    shared.changed.notify_waiters();
    if let Some(failed) = failed {
        // Meta notices later.
        let shared = Arc::clone(&shared);
        tokio::spawn(async move { shared.deliver(failed.to_string()).await });
    }
    let (status, answer) = answer?;
    Ok(response(status, answer.to_string()))
}

fn response(status: u16, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let response = Response::builder()
        .status(status)
        .header(DATE, "Fri, 27 Nov 2026 22:00:00 GMT")
        .header(CONTENT_TYPE, "application/json");
    response.body(Full::new(body.into())).unwrap()
}

/// The fields of a form, with the file.
fn fields(body: &[u8], kind: &str) -> Vec<(String, Vec<u8>)> {
    let boundary = kind.split("boundary=").nth(1).unwrap_or_default();
    let border = format!("--{}", boundary.trim_matches('"'));
    let find = |from: usize, what: &[u8]| {
        let rest = body.get(from..)?;
        let at = rest.windows(what.len()).position(|part| part == what)?;
        Some(from + at)
    };
    let mut found = Vec::new();
    let mut at = find(0, border.as_bytes());
    while let Some(start) = at {
        let start = start + border.len();
        let end = find(start, format!("\r\n{border}").as_bytes());
        if let (Some(head), Some(end)) = (find(start, b"\r\n\r\n"), end) {
            let text = String::from_utf8_lossy(&body[start..head]).into_owned();
            let name = text
                .split("name=\"")
                .nth(1)
                .and_then(|name| name.split('"').next());
            found.push((
                name.unwrap_or_default().to_owned(),
                body[head + 4..end].to_vec(),
            ));
        }
        at = end.map(|end| end + 2);
    }
    found
}
