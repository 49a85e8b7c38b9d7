//! Handshake refusals: the error code, message, details and close code of each.

use std::time::Duration;

use pairing_core::device::{ProofError, RequestId, UpgradeReason};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{DetailCode, ErrorCode, ErrorShape, close};

/// Reason why a handshake fails. The variants are in the order in which they are checked.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Refusal {
    /// The first frame is not a valid `connect` request.
    NotConnect,
    /// The parameters of `connect` are invalid.
    Params(ErrorShape),
    /// The two sides have no protocol version in common.
    Protocol,
    /// The requested role does not exist.
    Role,
    /// The browser page's origin is not allowed to connect.
    Origin,
    /// The client sent no device identity, but one is required.
    IdentityRequired,
    /// The device has not proven its identity.
    Proof(ProofError),
    /// A secret or a token is missing or wrong.
    Auth(AuthFailure),
    /// The owner has to approve first, and has been asked.
    PairingRequired {
        /// The kind of approval that is missing.
        reason: UpgradeReason,
        /// Id of the pending request.
        request: RequestId,
    },
    /// The gateway cannot decide at present.
    Unavailable,
    /// The gateway is full or shutting down.
    TryAgain,
}

/// Reason why a client's secret or token was rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuthFailure {
    /// The gateway requires a token, and the client sent none.
    TokenMissing,
    /// The token is not the gateway's.
    TokenMismatch,
    /// The gateway requires a password, and the client sent none.
    PasswordMissing,
    /// The password is not the gateway's.
    PasswordMismatch,
    /// The gateway takes the word of a proxy for who somebody is, and no proxy has named a user who may come.
    UserMissing,
    /// The device token is not the one issued to this device for this role.
    DeviceTokenMismatch,
    /// The pairing token belongs to no valid setup code.
    PairingTokenInvalid,
    /// Too many failed attempts from this address.
    RateLimited {
        /// Time until the next attempt is considered.
        retry_after: Duration,
    },
}

impl Refusal {
    /// Returns the error for the response.
    pub fn error(&self) -> ErrorShape {
        let not_paired = |detail, message| ErrorShape::new(ErrorCode::NotPaired, detail, message);
        match self {
            Self::NotConnect => ErrorShape::invalid(
                DetailCode::ConnectExpected,
                "invalid handshake: first request must be connect",
            ),
            Self::Params(error) => error.clone(),
            Self::Protocol => {
                let (oldest, newest) = crate::VERSIONS.into_inner();
                ErrorShape::invalid(DetailCode::ProtocolMismatch, "protocol mismatch").with_details(
                    json!({
                        "expectedProtocol": newest,
                        "minProtocol": oldest,
                        "maxProtocol": newest,
                    }),
                )
            }
            Self::Role => ErrorShape::invalid(DetailCode::InvalidRole, "invalid role"),
            Self::Origin => ErrorShape::invalid(
                DetailCode::OriginNotAllowed,
                "origin not allowed (open the page from the gateway itself, or name its origin in \
                 gateway.controlUi.allowedOrigins)",
            ),
            Self::IdentityRequired => not_paired(
                DetailCode::DeviceIdentityRequired,
                "device identity required",
            ),
            Self::Proof(error) => proof(error),
            Self::Auth(failure) => failure.error(),
            Self::PairingRequired { reason, request } => ErrorShape {
                retryable: Some(true),
                ..not_paired(DetailCode::PairingRequired, "pairing required").with_details(json!({
                    "reason": reason.as_str(),
                    "requestId": request,
                    "recommendedNextStep": "wait_then_retry",
                    "retryable": true,
                    "pauseReconnect": false,
                    "hint": format!("openclaw devices approve {request}"),
                }))
            },
            Self::Unavailable => ErrorShape::unavailable(
                DetailCode::StoreUnavailable,
                "the gateway cannot read its state",
            ),
            Self::TryAgain => ErrorShape::unavailable(
                DetailCode::TooManyConnections,
                "the gateway takes no more connections",
            ),
        }
    }

    /// Returns the code of the close frame that follows the response.
    pub fn close_code(&self) -> u16 {
        match self {
            Self::Protocol => close::PROTOCOL,
            Self::Unavailable | Self::TryAgain => close::TRY_AGAIN,
            _ => close::POLICY,
        }
    }

    /// Returns a short label for logs and metrics, from a small fixed set.
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
    let (Some(code), Some(reason)) = (error.code(), error.reason()) else {
        return ErrorShape::invalid(DetailCode::InvalidConnect, error.message());
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
    ErrorShape::invalid(DetailCode::DeviceAuthInvalid, error.message()).with_details(details)
}

impl AuthFailure {
    /// Returns the code in the details of the error.
    pub fn code(self) -> DetailCode {
        match self {
            Self::TokenMissing => DetailCode::AuthTokenMissing,
            Self::TokenMismatch => DetailCode::AuthTokenMismatch,
            Self::PasswordMissing => DetailCode::AuthPasswordMissing,
            Self::PasswordMismatch => DetailCode::AuthPasswordMismatch,
            Self::UserMissing => DetailCode::AuthIdentityHeaderRequired,
            Self::DeviceTokenMismatch => DetailCode::AuthDeviceTokenMismatch,
            Self::PairingTokenInvalid => DetailCode::AuthBootstrapTokenInvalid,
            Self::RateLimited { .. } => DetailCode::AuthRateLimited,
        }
    }

    /// Returns the `details.authReason` of the error.
    pub fn reason(self) -> &'static str {
        match self {
            Self::TokenMissing => "token_missing",
            Self::TokenMismatch => "token_mismatch",
            Self::PasswordMissing => "password_missing",
            Self::PasswordMismatch => "password_mismatch",
            Self::UserMissing => "trusted_proxy_user_missing",
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
            Self::UserMissing => {
                "no user of a trusted proxy (come by the proxy that signs people in)"
            }
            Self::DeviceTokenMismatch => {
                "device token mismatch (connect with the gateway token, or pair again)"
            }
            Self::PairingTokenInvalid => "setup code used or expired (ask for a new one)",
            Self::RateLimited { .. } => "too many failed authentication attempts (retry later)",
        }
    }

    fn next_step(self) -> &'static str {
        match self {
            Self::TokenMissing | Self::PasswordMissing | Self::UserMissing => {
                "update_auth_configuration"
            }
            Self::TokenMismatch | Self::PasswordMismatch => "retry_with_device_token",
            Self::DeviceTokenMismatch | Self::PairingTokenInvalid => "update_auth_credentials",
            Self::RateLimited { .. } => "wait_then_retry",
        }
    }

    fn error(self) -> ErrorShape {
        let can_retry = matches!(self, Self::TokenMismatch | Self::PasswordMismatch);
        let shape = ErrorShape::invalid(self.code(), format!("unauthorized: {}", self.message()));
        let shape = shape.with_details(json!({
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

/// The `details` of a refusal, as a client reads them. Every field may be absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PairingDetails {
    /// Code of the refusal.
    pub code: Option<String>,
    /// The kind of approval that is missing, or the fault in the proof.
    pub reason: Option<String>,
    /// The fault in the secret or token.
    pub auth_reason: Option<String>,
    /// Id of the pending request.
    pub request_id: Option<String>,
    /// Whether the device's own token would have been accepted.
    pub can_retry_with_device_token: Option<bool>,
    /// Recommended next step, for programs.
    pub recommended_next_step: Option<String>,
    /// Recommended next step, for people.
    pub hint: Option<String>,
    /// Lead of the client's clock over the gateway's, in milliseconds.
    pub skew_ms: Option<i64>,
}

impl PairingDetails {
    /// Reads the details of an error. Early gateways send little more than the request id.
    pub fn of(error: &ErrorShape) -> Self {
        let read = |details: &serde_json::Value| serde_json::from_value(details.clone()).ok();
        error.details.as_ref().and_then(read).unwrap_or_default()
    }

    /// Whether the refusal means that the owner has to approve.
    pub fn is_pairing(&self, error: &ErrorShape) -> bool {
        let coded = self.code.as_deref().map(|code| code == "PAIRING_REQUIRED");
        error.code == ErrorCode::NotPaired && coded.unwrap_or(self.request_id.is_some())
    }
}
