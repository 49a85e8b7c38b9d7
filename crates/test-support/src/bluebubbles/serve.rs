//! Its HTTP server.

use std::sync::Arc;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::CONTENT_TYPE;
use hyper::{Request, Response};
use serde_json::{Value, json};

use super::Shared;

pub(super) async fn handle(
    request: Request<Incoming>,
    shared: Arc<Shared>,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let asked = shared.state().statuses.pop_front();
    if let Some(status) = asked {
        return Ok(response(status, Full::default()));
    }
    let shows = head.uri.query().unwrap_or_default();
    // A space is `+` in the queries of some clients.
    let shows = shows.strip_prefix("password=");
    let shows = shows.map(|shows| decoded(&shows.replace('+', " ")));
    if shows.as_deref() != Some(&shared.state().password) {
        let error = json!({ "type": "Authentication Error", "message": "Unauthorized" });
        let message = "You are not authorized to access this resource";
        let refusal = json!({ "status": 401, "message": message, "error": error });
        return Ok(response(401, refusal.to_string().into()));
    }
    let body = if body.starts_with(b"--") {
        form(&body)
    } else {
        serde_json::from_slice(&body).unwrap_or_default()
    };
    let path = head.uri.path().strip_prefix("/api/v1/").unwrap_or_default();
    let (status, answer) = {
        let mut state = shared.state();
        state.answer(head.method.as_str(), &decoded(path), &body)
    };
    shared.changed();
    Ok(response(status, answer.to_string().into()))
}

fn response(status: u16, body: Full<Bytes>) -> Response<Full<Bytes>> {
    let response = Response::builder()
        .status(status)
        .header(CONTENT_TYPE, "application/json");
    response.body(body).unwrap()
}

/// The fields of a form, without the file.
fn form(body: &[u8]) -> Value {
    let text = String::from_utf8_lossy(body);
    let mut fields = json!({});
    for part in text.split("\r\n--") {
        let Some((head, value)) = part.split_once("\r\n\r\n") else {
            continue;
        };
        let name = head.split("name=\"").nth(1);
        let name = name.and_then(|name| name.split('"').next());
        if let Some(name) = name.filter(|_| !head.contains("filename")) {
            fields[name] = value.into();
        }
    }
    fields
}

/// A text of a URL, with its `%20` and the like replaced.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, others @ ..] = rest {
        rest = others;
        let code = (*first == b'%').then(|| others.get(..2)).flatten();
        let code = code.and_then(|code| std::str::from_utf8(code).ok());
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &others[2..];
            }
            None => bytes.push(*first),
        }
    }
    String::from_utf8(bytes).unwrap()
}
