//! The methods of the Bot API that are used, and what is wrong when they fail.

use std::time::Duration;

use channel_kit::http::{Body, HttpError, Response};
use pairing_core::escape;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json, value::RawValue};

use crate::http::Http;

/// A call did not do what it should. Holds no token, and what the server says is escaped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CallError {
    /// The server says no, as the Bot API does.
    #[error("{description} ({status})")]
    Refused {
        status: u16,
        description: String,
        retry_after: Option<Duration>,
    },
    /// Something stands between, or the server is not well.
    #[error("the server answers with status {status}, and not as the Bot API does")]
    Elsewhere { status: u16 },
    /// All is well, but for what it says.
    #[error("the server's answer is no {what}")]
    Malformed { what: &'static str },
    /// No answer.
    #[error(transparent)]
    Http(#[from] HttpError),
}

impl CallError {
    /// The server knows no bot by this token.
    pub(crate) fn is_wrong_token(&self) -> bool {
        // 404 is what a token gets that never was one.
        matches!(
            self,
            Self::Refused {
                status: 401 | 404,
                ..
            }
        )
    }

    /// The server has too much to do.
    pub(crate) fn is_limit(&self) -> bool {
        self.status() == Some(429)
    }

    /// It was not done, and may be later: the server has too much to do, is not well, or was not reached.
    pub(crate) fn is_passing(&self) -> bool {
        match self.status() {
            Some(status) => status == 429 || status >= 500,
            None => matches!(self, Self::Http(HttpError::Connect | HttpError::Proxy(_))),
        }
    }

    fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } | Self::Elsewhere { status } => Some(*status),
            Self::Malformed { .. } | Self::Http(_) => None,
        }
    }

    /// Somebody else gets the updates.
    pub(crate) fn is_conflict(&self) -> bool {
        matches!(self, Self::Refused { status: 409, .. })
    }

    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

/// The bot itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Me {
    pub(crate) id: i64,
    #[serde(default)]
    pub(crate) username: String,
}

/// Everything that the Bot API answers has this shape.
#[derive(Deserialize)]
struct Envelope<'a> {
    ok: bool,
    #[serde(borrow, default)]
    result: Option<&'a RawValue>,
    #[serde(default)]
    error_code: Option<u16>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    parameters: Option<Parameters>,
}

#[derive(Deserialize)]
struct Parameters {
    /// Whole seconds; what stands between may be more exact.
    #[serde(default)]
    retry_after: Option<f64>,
}

/// Calls a method, and gives its result as it was written.
pub(crate) async fn call(
    http: &Http,
    method: &str,
    body: Body,
    within: Duration,
) -> Result<Box<RawValue>, CallError> {
    let answer = http.post(method, body, within).await?;
    opened(http, &answer)
}

pub(crate) async fn get_me(http: &Http, within: Duration) -> Result<Me, CallError> {
    let result = call(http, "getMe", Body::json(&json!({})), within).await?;
    read(&result, "bot")
}

/// What came in after `offset`, at once or as soon as something does, at most `wait` later.
pub(crate) async fn get_updates(
    http: &Http,
    offset: Option<i64>,
    wait: Duration,
    within: Duration,
) -> Result<Box<RawValue>, CallError> {
    let mut params = json!({
        "timeout": wait.as_secs(),
        "allowed_updates": ["message", "callback_query"],
    });
    if let Some(offset) = offset {
        params["offset"] = offset.into();
    }
    call(http, "getUpdates", Body::json(&params), within + wait).await
}

/// A call whose result says nothing more.
pub(crate) async fn done(
    http: &Http,
    method: &str,
    params: &Value,
    within: Duration,
) -> Result<(), CallError> {
    call(http, method, Body::json(params), within)
        .await
        .map(drop)
}

/// The id of the message that a call has made.
pub(crate) fn message_id(result: &RawValue) -> Result<i64, CallError> {
    #[derive(Deserialize)]
    struct Message {
        message_id: i64,
    }
    read::<Message>(result, "message").map(|message| message.message_id)
}

fn read<T: DeserializeOwned>(result: &RawValue, what: &'static str) -> Result<T, CallError> {
    serde_json::from_str(result.get()).map_err(|_| CallError::Malformed { what })
}

fn opened(http: &Http, answer: &Response) -> Result<Box<RawValue>, CallError> {
    let status = answer.status;
    let Ok(envelope) = serde_json::from_slice::<Envelope<'_>>(&answer.bytes) else {
        return Err(if status == 200 {
            CallError::Malformed {
                what: "JSON of the Bot API",
            }
        } else {
            CallError::Elsewhere { status }
        });
    };
    match envelope.result {
        Some(result) if envelope.ok => Ok(result.to_owned()),
        _ if envelope.ok => Err(CallError::Malformed { what: "result" }),
        _ => {
            let description = envelope.description.unwrap_or_default();
            let after = envelope.parameters.and_then(|found| found.retry_after);
            Err(CallError::Refused {
                status: envelope.error_code.unwrap_or(status),
                description: escape(&http.without_token(&description)).to_string(),
                retry_after: after.and_then(|secs| Duration::try_from_secs_f64(secs).ok()),
            })
        }
    }
}
