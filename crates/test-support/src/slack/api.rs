//! The Web API: who calls, what goes wrong, and what the parameters are.

use http_body_util::Full;
use hyper::Response;
use hyper::body::Bytes;
use hyper::http::request::Parts;
use serde_json::{Map, Value, json};

use super::{APP_TOKEN, Answer, BOT_TOKEN, Call, Shared, methods};

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
    let kind = header("content-type");
    let method = path.strip_prefix("/api/");
    let params = method.map_or(Value::Null, |_| params(kind, body, head.uri.query()));
    let method = method.unwrap_or("upload").to_owned();
    let next = {
        let mut state = shared.state.lock().unwrap();
        state.calls.push(Call {
            method: method.clone(),
            params: params.clone(),
        });
        let next = state.next.get_mut(&method);
        next.and_then(std::collections::VecDeque::pop_front)
    };
    shared.changed.notify_waiters();
    let mut hangs_up = false;
    let error = |error: &str| json!({ "ok": false, "error": error });
    let refused = match next {
        Some(Answer::Error(name)) => Some(error(name)),
        Some(Answer::Scope(needed, provided)) => Some(json!({
            "ok": false, "error": "missing_scope", "needed": needed, "provided": provided,
        })),
        Some(Answer::Later(after)) => {
            let response = Response::builder().status(429).header("retry-after", after);
            let response = response.header("content-type", "application/json; charset=utf-8");
            let body = error("ratelimited").to_string();
            return Ok(response.body(Full::from(body)).unwrap());
        }
        Some(Answer::Raw(status, body)) => {
            return Ok(Response::builder()
                .status(status)
                .body(Full::from(body))
                .unwrap());
        }
        Some(Answer::HangUp { done: false }) => return Err(HungUp),
        Some(Answer::HangUp { done: true }) => {
            hangs_up = true;
            None
        }
        Some(Answer::Silence) => std::future::pending().await,
        None => None,
    };
    let scopes;
    let body = {
        let mut state = shared.state.lock().unwrap();
        scopes = state.behaviour.scopes;
        if let Some(file) = path.strip_prefix("/upload/") {
            match state.files.get_mut(file) {
                Some(found) => found.0 = content(kind, body),
                None => {
                    return Ok(Response::builder()
                        .status(404)
                        .body(Full::default())
                        .unwrap());
                }
            }
            json!("OK")
        } else {
            let needed = if method == "apps.connections.open" {
                APP_TOKEN
            } else {
                BOT_TOKEN
            };
            let given = header("authorization").strip_prefix("Bearer ");
            match given {
                None => error("not_authed"),
                Some(given) if given != needed => {
                    let is_other = given == APP_TOKEN || given == BOT_TOKEN;
                    error(if is_other {
                        "not_allowed_token_type"
                    } else {
                        "invalid_auth"
                    })
                }
                Some(_) => {
                    refused.unwrap_or_else(|| methods::carry_out(&mut state, &method, &params))
                }
            }
        }
    };
    shared.changed.notify_waiters();
    if hangs_up {
        return Err(HungUp);
    }
    let response = Response::builder()
        .header("content-type", "application/json; charset=utf-8")
        .header("x-oauth-scopes", scopes);
    Ok(response.body(Full::from(body.to_string())).unwrap())
}

/// The parameters: JSON, or a form in which lists and objects are JSON.
fn params(kind: &str, body: &Bytes, query: Option<&str>) -> Value {
    if kind.starts_with("application/json") {
        return serde_json::from_slice(body).unwrap_or_default();
    }
    let text = String::from_utf8_lossy(body);
    let mut params = Map::new();
    for pair in text.split('&').chain(query.unwrap_or_default().split('&')) {
        let Some((name, value)) = pair.split_once('=') else {
            continue;
        };
        let value = decoded(value);
        let is_nested = value.starts_with(['[', '{']);
        let nested = is_nested
            .then(|| serde_json::from_str(&value).ok())
            .flatten();
        params.insert(decoded(name), nested.unwrap_or_else(|| value.into()));
    }
    params.into()
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let hex: String = rest.by_ref().take(2).map(char::from).collect();
                u8::from_str_radix(&hex, 16).unwrap_or(b'?')
            }
            byte => byte,
        });
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What was uploaded, as it is or as the file of a form.
fn content(kind: &str, body: &Bytes) -> Vec<u8> {
    let Some((_, boundary)) = kind.split_once("boundary=") else {
        return body.to_vec();
    };
    let find = |what: &[u8], from: usize| {
        let places = body[from..]
            .windows(what.len())
            .position(|part| part == what);
        places.map(|at| from + at)
    };
    let begin = find(b"\r\n\r\n", 0).map_or(0, |at| at + 4);
    let end = find(format!("\r\n--{boundary}").as_bytes(), begin).unwrap_or(body.len());
    body[begin..end].to_vec()
}
