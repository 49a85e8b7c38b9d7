//! Errors, as a response carries them.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{DetailCode, other_program};

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
    /// Returns an error with its code, the code in its details, and a message.
    pub fn new(code: ErrorCode, detail: DetailCode, message: impl Into<String>) -> Self {
        Self {
            details: Some(json!({ "code": detail.as_str() })),
            ..Self::without_details(code, message)
        }
    }

    /// Returns an error with the code `INVALID_REQUEST`.
    pub fn invalid(detail: DetailCode, message: impl Into<String>) -> Self {
        Self::new(ErrorCode::InvalidRequest, detail, message)
    }

    /// Returns a retryable error with the code `UNAVAILABLE`.
    pub fn unavailable(detail: DetailCode, message: impl Into<String>) -> Self {
        Self {
            retryable: Some(true),
            ..Self::new(ErrorCode::Unavailable, detail, message)
        }
    }

    /// Returns an error as other programs make them, without details.
    pub fn without_details(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            details: None,
            retryable: None,
            retry_after_ms: None,
        }
    }

    /// Adds members to the details. A member that is there already is replaced.
    pub fn with_details(mut self, more: Value) -> Self {
        match (&mut self.details, more) {
            (Some(Value::Object(details)), Value::Object(more)) => details.extend(more),
            (details, more) => *details = Some(more),
        }
        self
    }

    /// Returns the code in the details. For errors of the other program that have none, it is recognised by the message.
    /// `None` if it is not known to this version.
    pub fn detail_code(&self) -> Option<DetailCode> {
        match self.detail("code") {
            Some(code) => DetailCode::parse(code),
            None => other_program::code_of(&self.message),
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
