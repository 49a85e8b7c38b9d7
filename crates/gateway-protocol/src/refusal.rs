//! Why a handshake fails: code, message, details and close code of each reason.

use std::time::Duration;

use pairing_core::device::{ProofError, RequestId, UpgradeReason};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{ErrorCode, ErrorShape, close};

/// A handshake that fails. The variants stand in the order in which they are checked.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Refusal {
    /// The first frame asks for something else, or is no request.
    NotConnect,
    /// The parameters of `connect` are not.
    Params(ErrorShape),
    /// No version in common.
    Protocol,
    /// No such role.
    Role,
    /// A browser page that may not connect.
    Origin,
    /// No device, where one has to be.
    IdentityRequired,
    /// The device has not proven who it is.
    Proof(ProofError),
    /// A secret or a token is missing or wrong.
    Auth(AuthFailure),
    /// The owner has to approve first, and has been asked.
    PairingRequired {
        /// What is lacking.
        reason: UpgradeReason,
        /// The request that waits.
        request: RequestId,
    },
    /// The gateway cannot decide now.
    Unavailable,
    /// The gateway is full, or shuts down.
    TryAgain,
}

/// What is wrong with what a client shows besides its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuthFailure {
    /// No token where one is asked for.
    TokenMissing,
    /// Not the gateway's token.
    TokenMismatch,
    /// No password where one is asked for.
    PasswordMissing,
    /// Not the gateway's password.
    PasswordMismatch,
    /// Not this device's token, for this role.
    DeviceTokenMismatch,
    /// Not a setup code's token, or no longer.
    PairingTokenInvalid,
    /// Too many wrong ones from this address.
    RateLimited {
        /// When the next one counts.
        retry_after: Duration,
    },
}

impl Refusal {
    /// The error of the response.
    pub fn error(&self) -> ErrorShape {
        let not_paired = |message| ErrorShape::new(ErrorCode::NotPaired, message);
        match self {
            Self::NotConnect => {
                ErrorShape::invalid("invalid handshake: first request must be connect")
            }
            Self::Params(error) => error.clone(),
            Self::Protocol => {
                let (oldest, newest) = crate::VERSIONS.into_inner();
                ErrorShape::invalid("protocol mismatch").with_details(json!({
                    "expectedProtocol": newest,
                    "minProtocol": oldest,
                    "maxProtocol": newest,
                }))
            }
            Self::Role => ErrorShape::invalid("invalid role"),
            Self::Origin => ErrorShape::invalid(
                "origin not allowed (open the page from the gateway itself, or name its origin in \
                 gateway.controlUi.allowedOrigins)",
            )
            .with_details(json!({ "code": "ORIGIN_NOT_ALLOWED" })),
            Self::IdentityRequired => not_paired("device identity required")
                .with_details(json!({ "code": "DEVICE_IDENTITY_REQUIRED" })),
            Self::Proof(error) => proof(error),
            Self::Auth(failure) => failure.error(),
            Self::PairingRequired { reason, request } => ErrorShape {
                retryable: Some(true),
                ..not_paired("pairing required").with_details(json!({
                    "code": "PAIRING_REQUIRED",
                    "reason": reason.as_str(),
                    "requestId": request,
                    "recommendedNextStep": "wait_then_retry",
                    "retryable": true,
                    "pauseReconnect": false,
                    "hint": format!("openclaw devices approve {request}"),
                }))
            },
            Self::Unavailable => ErrorShape::unavailable("the gateway cannot read its state"),
            Self::TryAgain => ErrorShape::unavailable("the gateway takes no more connections"),
        }
    }

    /// The code of the close frame that follows.
    pub fn close_code(&self) -> u16 {
        match self {
            Self::Protocol => close::PROTOCOL,
            Self::Unavailable | Self::TryAgain => close::TRY_AGAIN,
            _ => close::POLICY,
        }
    }

    /// A short name for logs and metrics, of which there are few.
    pub fn label(&self) -> &'static str {
        match self {
            Self::NotConnect => "not-connect",
            Self::Params(_) => "params",
            Self::Protocol => "protocol",
            Self::Role => "role",
            Self::Origin => "origin",
            Self::IdentityRequired => "identity-required",
            Self::Proof(error) => error.reason().unwrap_or("params"),
            Self::Auth(failure) => failure.reason(),
            Self::PairingRequired { .. } => "pairing-required",
            Self::Unavailable => "unavailable",
            Self::TryAgain => "try-again",
        }
    }
}

fn proof(error: &ProofError) -> ErrorShape {
    let shape = ErrorShape::invalid(error.message());
    let (Some(code), Some(reason)) = (error.code(), error.reason()) else {
        return shape;
    };
    let mut details = json!({ "code": code, "reason": reason });
    if let ProofError::Stale { skew_ms, .. } = error {
        let seconds = skew_ms.unsigned_abs() / 1000;
        let side = if *skew_ms < 0 { "behind" } else { "ahead of" };
        details["skewMs"] = json!(skew_ms);
        details["hint"] = json!(format!(
            "this clock is {seconds} s {side} the gateway's: set it"
        ));
    }
    shape.with_details(details)
}

impl AuthFailure {
    /// `details.code`.
    pub fn code(self) -> &'static str {
        match self {
            Self::TokenMissing => "AUTH_TOKEN_MISSING",
            Self::TokenMismatch => "AUTH_TOKEN_MISMATCH",
            Self::PasswordMissing => "AUTH_PASSWORD_MISSING",
            Self::PasswordMismatch => "AUTH_PASSWORD_MISMATCH",
            Self::DeviceTokenMismatch => "AUTH_DEVICE_TOKEN_MISMATCH",
            Self::PairingTokenInvalid => "AUTH_BOOTSTRAP_TOKEN_INVALID",
            Self::RateLimited { .. } => "AUTH_RATE_LIMITED",
        }
    }

    /// `details.authReason`.
    pub fn reason(self) -> &'static str {
        match self {
            Self::TokenMissing => "token_missing",
            Self::TokenMismatch => "token_mismatch",
            Self::PasswordMissing => "password_missing",
            Self::PasswordMismatch => "password_mismatch",
            Self::DeviceTokenMismatch => "device_token_mismatch",
            Self::PairingTokenInvalid => "bootstrap_token_invalid",
            Self::RateLimited { .. } => "rate_limited",
        }
    }

    fn message(self) -> &'static str {
        match self {
            Self::TokenMissing => "gateway token missing (provide gateway auth token)",
            Self::TokenMismatch => "gateway token mismatch (provide gateway auth token)",
            Self::PasswordMissing => "gateway password missing (provide gateway auth password)",
            Self::PasswordMismatch => "gateway password mismatch (provide gateway auth password)",
            Self::DeviceTokenMismatch => {
                "device token mismatch (connect with the gateway token, or pair again)"
            }
            Self::PairingTokenInvalid => "setup code used or expired (ask for a new one)",
            Self::RateLimited { .. } => "too many failed authentication attempts (retry later)",
        }
    }

    fn next_step(self) -> &'static str {
        match self {
            Self::TokenMissing | Self::PasswordMissing => "update_auth_configuration",
            Self::TokenMismatch | Self::PasswordMismatch => "retry_with_device_token",
            Self::DeviceTokenMismatch | Self::PairingTokenInvalid => "update_auth_credentials",
            Self::RateLimited { .. } => "wait_then_retry",
        }
    }

    fn error(self) -> ErrorShape {
        let can_retry = matches!(self, Self::TokenMismatch | Self::PasswordMismatch);
        let shape = ErrorShape::invalid(format!("unauthorized: {}", self.message()));
        let shape = shape.with_details(json!({
            "code": self.code(),
            "authReason": self.reason(),
            "canRetryWithDeviceToken": can_retry,
            "recommendedNextStep": self.next_step(),
        }));
        match self {
            Self::RateLimited { retry_after } => shape.retry_after(retry_after),
            _ => shape,
        }
    }
}

/// `details` of a refusal, as a client reads them: everything may be missing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PairingDetails {
    /// Which refusal.
    pub code: Option<String>,
    /// What is lacking, or what is wrong with the proof.
    pub reason: Option<String>,
    /// What is wrong with the secret.
    pub auth_reason: Option<String>,
    /// The request that waits.
    pub request_id: Option<String>,
    /// Whether the device's own token would have been accepted.
    pub can_retry_with_device_token: Option<bool>,
    /// What to do next, for programs.
    pub recommended_next_step: Option<String>,
    /// What to do next, for people.
    pub hint: Option<String>,
    /// How far this clock is ahead of the gateway's, in milliseconds.
    pub skew_ms: Option<i64>,
}

impl PairingDetails {
    /// The details of an error. Early gateways send little more than the request's id.
    pub fn of(error: &ErrorShape) -> Self {
        let read = |details: &serde_json::Value| serde_json::from_value(details.clone()).ok();
        error.details.as_ref().and_then(read).unwrap_or_default()
    }

    /// Whether the owner has to approve.
    pub fn is_pairing(&self, error: &ErrorShape) -> bool {
        let coded = self.code.as_deref().map(|code| code == "PAIRING_REQUIRED");
        error.code == ErrorCode::NotPaired && coded.unwrap_or(self.request_id.is_some())
    }
}
