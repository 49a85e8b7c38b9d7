//! Answers over HTTP.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use hyper::{Response, StatusCode};

/// An answer, whole in memory.
pub(crate) type HttpAnswer = Response<Full<Bytes>>;

/// An answer in JSON, for programs.
pub(crate) fn json(status: StatusCode, body: String) -> HttpAnswer {
    let mut answer = Response::new(Full::from(body));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let sniffing = HeaderValue::from_static("nosniff");
    headers.insert(X_CONTENT_TYPE_OPTIONS, sniffing);
    answer
}

/// An answer in one line of text, for people.
pub(crate) fn text(status: StatusCode, text: impl Into<String>) -> HttpAnswer {
    with_type(status, text.into() + "\n", "text/plain; charset=utf-8")
}

/// An answer of another content type.
pub(crate) fn with_type(status: StatusCode, body: String, kind: &'static str) -> HttpAnswer {
    let mut answer = json(status, body);
    let kind = HeaderValue::from_static(kind);
    answer.headers_mut().insert(CONTENT_TYPE, kind);
    answer
}
