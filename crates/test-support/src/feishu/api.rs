//! The Open API: who calls, what goes wrong, and what the parameters are.

use http_body_util::Full;
use hyper::Response;
use hyper::body::Bytes;
use hyper::http::request::Parts;

use super::objects::refused;
use super::{Answer, Call, Shared, calls};

/// What closes the connection.
#[derive(Debug)]
pub(super) struct HungUp;

impl std::fmt::Display for HungUp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("hung up")
    }
}

impl std::error::Error for HungUp {}

pub(super) async fn answer(
    head: &Parts,
    body: &Bytes,
    shared: &Shared,
) -> Result<Response<Full<Bytes>>, HungUp> {
    let header = |name: &str| {
        let value = head.headers.get(name);
        value.map_or("", |value| value.to_str().unwrap_or_default())
    };
    let path = head.uri.path();
    let Some(kind) = kind(head.method.as_str(), path) else {
        let missing = Response::builder().status(404);
        return Ok(missing.body(Full::from("404 page not found")).unwrap());
    };
    let next = {
        let mut state = shared.state.lock().unwrap();
        state.calls.push(Call {
            kind,
            path: head.uri.path_and_query().unwrap().to_string(),
            params: serde_json::from_slice(body).unwrap_or_default(),
        });
        let next = state.next.get_mut(kind);
        next.and_then(std::collections::VecDeque::pop_front)
    };
    shared.changed.notify_waiters();
    let mut hangs_up = false;
    let planned = match next {
        Some(Answer::Code(code, text)) => Some(refused(code, text)),
        Some(Answer::Later(after)) => {
            let response = Response::builder().status(429);
            let response = response.header("x-ogw-ratelimit-reset", after);
            let body = refused(99_991_400, "request trigger frequency limit").to_string();
            return Ok(response.body(Full::from(body)).unwrap());
        }
        Some(Answer::Raw(status, body)) => {
            let response = Response::builder().status(status);
            return Ok(response.body(Full::from(body)).unwrap());
        }
        Some(Answer::HangUp { done: false }) => return Err(HungUp),
        Some(Answer::HangUp { done: true }) => {
            hangs_up = true;
            None
        }
        Some(Answer::Silence) => std::future::pending().await,
        None => None,
    };
    let answer = {
        let mut state = shared.state.lock().unwrap();
        let token = header("authorization").strip_prefix("Bearer ");
        let needs_token = !matches!(kind, "endpoint" | "token");
        match (planned, token) {
            (Some(planned), _) => planned,
            (None, None) if needs_token => {
                refused(99_991_661, "Missing access token for authorization.")
            }
            (None, Some(token)) if needs_token && !state.tokens.contains(token) => {
                refused(99_991_663, "Invalid access token for authorization.")
            }
            (None, _) => {
                let form = header("content-type");
                calls::carry_out(&mut state, kind, &head.uri, form, body)
            }
        }
    };
    shared.changed.notify_waiters();
    if hangs_up {
        return Err(HungUp);
    }
    // The Open API says so by the status, too; the address of a connection does not.
    let is_refused = answer["code"] != 0 && kind != "endpoint";
    let response = Response::builder()
        .status(if is_refused { 400 } else { 200 })
        .header("content-type", "application/json; charset=utf-8");
    Ok(response.body(Full::from(answer.to_string())).unwrap())
}

fn kind(method: &str, path: &str) -> Option<&'static str> {
    let rest = path.strip_prefix("/open-apis/im/v1/messages");
    let is_one = rest.is_some_and(|rest| rest.starts_with('/') && !rest[1..].contains('/'));
    Some(match (method, path) {
        ("POST", "/callback/ws/endpoint") => "endpoint",
        ("POST", "/open-apis/auth/v3/tenant_access_token/internal") => "token",
        ("GET", "/open-apis/bot/v3/info") => "bot",
        ("POST", "/open-apis/im/v1/images") => "image",
        ("POST", "/open-apis/im/v1/messages") => "send",
        ("PUT", _) if is_one => "edit",
        ("PATCH", _) if is_one => "card",
        ("DELETE", _) if is_one => "delete",
        _ => return None,
    })
}
