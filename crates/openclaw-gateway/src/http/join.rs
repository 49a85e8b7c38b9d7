//! `GET /j/<code>`: exchanges a join code for the content of a setup code.

use hyper::header::{HeaderValue, RETRY_AFTER};
use hyper::{Method, StatusCode};
use serde_json::json;
use tokio::time::sleep;

use super::answer::{HttpAnswer, json as program};
use crate::edge::Arrival;
use crate::lockout::Subject;
use crate::parts::Parts;

/// Answers with the content of the setup code, once. Wrong codes count like wrong pairing tokens.
pub(super) async fn answer(
    method: &Method,
    code: &str,
    query: Option<&str>,
    arrival: &Arrival,
    parts: &Parts,
) -> HttpAnswer {
    let (now, subject) = (parts.pairing.now(), Subject::pairing_token(arrival.address));
    if let Err(locked) = parts.entrance.lockouts.check(subject, now) {
        let body = json!({ "error": "rate_limited" }).to_string();
        let mut limited = program(StatusCode::TOO_MANY_REQUESTS, body);
        let wait = HeaderValue::from(locked.retry_after.as_secs().max(1));
        limited.headers_mut().insert(RETRY_AFTER, wait);
        return limited;
    }
    // A HEAD request would end the code, and tell nobody what it stands for.
    let is_asked = *method == Method::GET && query.is_none();
    let payload = is_asked.then(|| parts.join_codes.redeem(code, now));
    if let Some(payload) = payload.flatten() {
        parts.entrance.lockouts.succeeded(subject);
        return program(StatusCode::OK, payload.to_string());
    }
    let delay = parts.entrance.lockouts.failed(subject, now);
    sleep(delay.unwrap_or_default()).await;
    let body = json!({ "error": "not_found" }).to_string();
    program(StatusCode::NOT_FOUND, body)
}
