//! What went wrong, as a response says it.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The stable code of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub enum ErrorCode {
    /// The request cannot be answered as it is.
    InvalidRequest,
    /// The owner has not approved this device for this.
    NotPaired,
    /// Not now.
    Unavailable,
    /// No account is linked.
    NotLinked,
    /// An agent took too long.
    AgentTimeout,
    /// One that this version does not know.
    #[serde(other)]
    Other,
}

/// `error` of a response.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorShape {
    /// For programs.
    pub code: ErrorCode,
    /// For whoever asked. Says nothing that they may not know.
    pub message: String,
    /// More, by the code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Value>,
    /// Whether the same request may succeed later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retryable: Option<bool>,
    /// When to try again, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

impl ErrorShape {
    /// An error with a code and a message, and nothing else.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            details: None,
            retryable: None,
            retry_after_ms: None,
        }
    }

    /// `INVALID_REQUEST`.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::InvalidRequest, message)
    }

    /// `UNAVAILABLE`, to be tried again.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self {
            retryable: Some(true),
            ..Self::new(ErrorCode::Unavailable, message)
        }
    }

    /// The same with details.
    pub fn with_details(self, details: Value) -> Self {
        Self {
            details: Some(details),
            ..self
        }
    }

    /// The same with a time after which to try again.
    pub fn retry_after(self, after: std::time::Duration) -> Self {
        Self {
            retryable: Some(true),
            retry_after_ms: Some(u64::try_from(after.as_millis()).unwrap_or(u64::MAX)),
            ..self
        }
    }

    /// A text among the details.
    pub fn detail(&self, name: &str) -> Option<&str> {
        self.details.as_ref()?.get(name)?.as_str()
    }
}

impl fmt::Display for ErrorShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ErrorShape {}
