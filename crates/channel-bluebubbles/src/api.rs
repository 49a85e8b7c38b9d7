//! Requests to the server.

use std::time::Duration;

use channel_kit::http::{Body, HttpClient, HttpError, Method, Request};
use channel_kit::{ProbeError, Probed};
use pairing_core::{Timestamp, escape};
use serde::Deserialize;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::{Password, ServerUrl};

/// The longest explanation that is passed on, in characters.
const EXPLANATION: usize = 200;

/// A request failed. What the server says is escaped. The password, which is in every URL, is in none of these.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(crate) enum CallError {
    /// The password is not the server's.
    #[error("{method}: the server does not accept the password")]
    Password { method: &'static str },
    /// The server refuses it.
    #[error("{method}: {message}")]
    Refused {
        method: &'static str,
        status: u16,
        /// Whether Messages could not send it, and not the server.
        is_of_messages: bool,
        message: String,
    },
    /// Something stands between, or it is no BlueBubbles server.
    #[error("{method}: the server answers with status {status}, and not as BlueBubbles does")]
    Elsewhere { method: &'static str, status: u16 },
    /// The response lacks what it should have.
    #[error("{method}: the server's answer lacks what it should have")]
    Malformed { method: &'static str },
    /// There was no response.
    #[error("{method}: {error}")]
    Http {
        method: &'static str,
        error: HttpError,
    },
}

impl CallError {
    /// Whether it stays so until the configuration changes.
    pub(crate) fn is_final(&self) -> bool {
        matches!(self, Self::Password { .. })
    }

    /// Whether there is no such thing at the server.
    pub(crate) fn is_missing(&self) -> bool {
        matches!(self, Self::Refused { status: 404, .. })
    }

    /// Whether the server may have done it.
    pub(crate) fn may_be_done(&self) -> bool {
        match self {
            Self::Password { .. } | Self::Refused { .. } => false,
            Self::Http { error, .. } => !matches!(
                error,
                HttpError::Connect | HttpError::Proxy(_) | HttpError::Request
            ),
            Self::Elsewhere { .. } | Self::Malformed { .. } => true,
        }
    }
}

/// A server.
pub(crate) struct Api {
    http: HttpClient,
    url: ServerUrl,
    password: Password,
}

impl Api {
    pub(crate) fn new(http: HttpClient, url: ServerUrl, password: Password) -> Self {
        Self {
            http,
            url,
            password,
        }
    }

    pub(crate) fn url(&self) -> &ServerUrl {
        &self.url
    }

    pub(crate) fn password(&self) -> &Password {
        &self.password
    }

    /// Asks for something. `method` names it in errors; `path` is below `/api/v1/`.
    pub(crate) async fn get(
        &self,
        (method, path): (&'static str, &str),
        within: Duration,
    ) -> Result<Value, CallError> {
        let url = self.at(path);
        let request = Request::new(Method::Get, &url);
        self.done(method, request, within).await
    }

    /// Has something done. It is sent once.
    pub(crate) async fn post(
        &self,
        method: &'static str,
        body: Body,
        within: Duration,
    ) -> Result<Value, CallError> {
        let url = self.at(method);
        let request = Request::new(Method::Post, &url).body(body);
        self.done(method, request, within).await
    }

    /// Deletes something.
    pub(crate) async fn delete(
        &self,
        (method, path): (&'static str, &str),
        within: Duration,
    ) -> Result<Value, CallError> {
        let url = self.at(path);
        let request = Request::new(Method::Delete, &url);
        self.done(method, request, within).await
    }

    /// What the server's clock shows now.
    pub(crate) fn server_time(&self) -> Option<Timestamp> {
        self.http.server_time()
    }

    fn at(&self, path: &str) -> Zeroizing<String> {
        let (url, password) = (self.url.as_str(), self.password.in_query());
        Zeroizing::new(format!("{url}/api/v1/{path}?password={}", &*password))
    }

    async fn done(
        &self,
        method: &'static str,
        request: Request<'_>,
        within: Duration,
    ) -> Result<Value, CallError> {
        let response = self.http.send(request, within).await;
        let response = response.map_err(|error| CallError::Http { method, error })?;
        read(method, response.status, &response.bytes)
    }
}

/// Asks the server whether it accepts the password, and for which account it speaks.
pub(crate) async fn probe(api: &Api, within: Duration) -> Result<Probed, ProbeError> {
    let asked = async {
        api.get(("ping", "ping"), within).await?;
        api.get(("server/info", "server/info"), within).await
    };
    let info = asked.await;
    let info = info.map_err(|error| ProbeError::of(&error, error.is_final()))?;
    let name = ["detected_icloud", "detected_imessage", "computer_id"];
    let mut named = name.iter().filter_map(|key| info[*key].as_str());
    let name = named.find(|name| !name.is_empty());
    Ok(name.map_or_else(Probed::default, |name| {
        Probed::named(channel_kit::first_bytes(name.to_owned(), EXPLANATION))
    }))
}

/// Reads an answer; gives its data.
pub(crate) fn read(method: &'static str, status: u16, bytes: &[u8]) -> Result<Value, CallError> {
    #[derive(Deserialize)]
    struct Answer {
        message: String,
        #[serde(default)]
        data: Value,
        #[serde(default)]
        error: Option<Failure>,
    }
    #[derive(Deserialize)]
    struct Failure {
        #[serde(default)]
        r#type: Option<String>,
        #[serde(default)]
        message: Option<String>,
    }
    if status == 401 {
        return Err(CallError::Password { method });
    }
    let answer: Option<Answer> = serde_json::from_slice(bytes).ok();
    match (status, answer) {
        (200..=299, Some(answer)) => Ok(answer.data),
        (200..=299, None) => Err(CallError::Malformed { method }),
        (_, Some(Answer { message, error, .. })) => {
            let (kind, reason) = match error {
                Some(error) => (error.r#type, error.message),
                None => (None, None),
            };
            let message = reason.unwrap_or(message);
            Err(CallError::Refused {
                method,
                status,
                is_of_messages: kind.as_deref() == Some("iMessage Error"),
                message: escape(&message).limit(EXPLANATION).to_string(),
            })
        }
        (_, None) => Err(CallError::Elsewhere { method, status }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_and_refusals() {
        let ok = br#"{"status":200,"message":"Ping received!","data":"pong"}"#;
        assert_eq!(read("ping", 200, ok).unwrap(), "pong");
        let unauthorized = br#"{"status":401,"message":"You are not authorized to access this resource","error":{"type":"Authentication Error","message":"Unauthorized"}}"#;
        let error = read("ping", 401, unauthorized).unwrap_err();
        assert!(error.is_final() && !error.may_be_done());
        let missing = br#"{"status":404,"message":"The requested resource was not found","error":{"type":"Database Error","message":"Chat does not exist!"}}"#;
        let error = read("chat", 404, missing).unwrap_err();
        assert!(error.is_missing() && error.to_string().contains("Chat does not exist!"));
        let failed = br#"{"status":500,"message":"Message Send Error","error":{"type":"iMessage Error","message":"a\u001b[31mb"}}"#;
        let error = read("message/text", 500, failed).unwrap_err();
        let CallError::Refused {
            is_of_messages,
            message,
            ..
        } = &error
        else {
            panic!("{error}");
        };
        assert!(is_of_messages & !message.contains('\u{1b}'), "{message}");
    }

    #[test]
    fn answers_that_are_none() {
        for text in ["", "{", "<html>", "[]", "7"] {
            let error = read("ping", 200, text.as_bytes()).unwrap_err();
            assert_eq!(error, CallError::Malformed { method: "ping" }, "{text}");
            let error = read("ping", 502, text.as_bytes()).unwrap_err();
            let elsewhere = CallError::Elsewhere {
                method: "ping",
                status: 502,
            };
            assert_eq!(error, elsewhere, "{text}");
            assert!(error.may_be_done());
        }
    }
}
