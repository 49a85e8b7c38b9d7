//! Errors, as a response carries them.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Stable code of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub enum ErrorCode {
    /// The request is invalid as it stands.
    InvalidRequest,
    /// The owner has not approved this device for the requested access.
    NotPaired,
    /// The request cannot be served at present.
    Unavailable,
    /// No account is linked.
    NotLinked,
    /// An agent did not answer in time.
    AgentTimeout,
    /// A code that is unknown to this version.
    #[serde(other)]
    Other,
}

/// The `error` of a response.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorShape {
    /// Stable code, for programs.
    pub code: ErrorCode,
    /// Message for the caller. Reveals nothing that the caller may not know.
    pub message: String,
    /// Further details, depending on the code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Value>,
    /// Whether the same request may succeed later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retryable: Option<bool>,
    /// Delay before a retry, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

impl ErrorShape {
    /// Returns an error with a code and a message only.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            details: None,
            retryable: None,
            retry_after_ms: None,
        }
    }

    /// Returns an error with the code `INVALID_REQUEST`.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::InvalidRequest, message)
    }

    /// Returns a retryable error with the code `UNAVAILABLE`.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self {
            retryable: Some(true),
            ..Self::new(ErrorCode::Unavailable, message)
        }
    }

    /// Adds details to the error.
    pub fn with_details(self, details: Value) -> Self {
        Self {
            details: Some(details),
            ..self
        }
    }

    /// Sets the delay after which to retry.
    pub fn retry_after(self, after: std::time::Duration) -> Self {
        Self {
            retryable: Some(true),
            retry_after_ms: Some(u64::try_from(after.as_millis()).unwrap_or(u64::MAX)),
            ..self
        }
    }

    /// Returns the named text from the details.
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
