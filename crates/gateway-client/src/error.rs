//! Errors of the client, and advice on how to resolve them.
//!
//! Text from the gateway is escaped when an error is displayed; the fields hold it unescaped.

use std::fmt;
use std::time::Duration;

use gateway_protocol::{DetailCode, ErrorCode, ErrorShape, PairingDetails};
use pairing_core::escape;

use crate::{Fingerprint, KeepError};

/// Reason why a connection could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The URL cannot be used with these settings.
    #[error("the gateway's URL cannot be used: {reason}")]
    Url {
        /// Description of the fault.
        reason: &'static str,
    },
    /// A field of this client's own description is malformed.
    #[error("what this client says of itself is malformed: {field}: {reason}")]
    Malformed {
        /// Name of the field in the protocol.
        field: &'static str,
        /// Description of the fault.
        reason: &'static str,
    },
    /// The gateway does not answer, or the connection broke off.
    #[error("the gateway cannot be reached")]
    Io(#[source] std::io::Error),
    /// A secret would have gone, without encryption, to a process of another user of this machine.
    #[error("what listens there is a process of user {user}: no secret was sent")]
    OtherUser {
        /// The user id.
        user: u32,
    },
    /// A secret would have gone, without encryption, to a listener that showed a proof and does not know it.
    #[error("what listens there does not know this secret: it was not sent")]
    NotProven,
    /// The owner's socket cannot be used.
    #[cfg(unix)]
    #[error(transparent)]
    OwnerSocket(#[from] crate::OwnerSocketError),
    /// TLS failed, or this machine does not trust the certificate.
    #[error("no encrypted connection")]
    Tls(#[source] Cause),
    /// The certificate is not the pinned one.
    #[error("another certificate than the one that was named: expected {expected}, found {found}")]
    Fingerprint {
        /// Fingerprint of the pinned certificate.
        expected: Fingerprint,
        /// Fingerprint of the certificate that the gateway presented.
        found: Fingerprint,
    },
    /// The gateway answered with an HTTP response instead of a WebSocket.
    #[error("the gateway answered HTTP {status}: {}", escape(body).limit(400))]
    Http {
        /// HTTP status code.
        status: u16,
        /// Beginning of the response body.
        body: String,
    },
    /// The WebSocket could not be established or failed.
    #[error("no WebSocket")]
    WebSocket(#[source] Cause),
    /// The other side speaks WebSocket, but not the gateway protocol.
    #[error("not the gateway protocol: {reason}")]
    Protocol {
        /// Description of the fault.
        reason: &'static str,
    },
    /// The gateway closed the connection before it answered.
    #[error("the gateway closed the connection: {0}")]
    Closed(Closed),
    /// The gateway refused the connection.
    #[error("{0}")]
    Refused(Box<Refused>),
    /// The handshake took too long.
    #[error("no connection within {} s", .0.as_secs_f32())]
    Timeout(Duration),
    /// The device token could not be read, or the new one could not be stored.
    #[error("the connection was given up for a device token")]
    Keep(#[source] KeepError),
}

/// The gateway's refusal of a `connect`.
#[derive(Debug, Clone, PartialEq)]
pub struct Refused {
    /// The error as sent.
    pub error: ErrorShape,
    /// The understood part of its details.
    pub details: PairingDetails,
    /// Code of the close frame that followed.
    pub close_code: Option<u16>,
}

impl Refused {
    pub(crate) fn new(error: ErrorShape, close_code: Option<u16>) -> Self {
        let details = PairingDetails::of(&error);
        Self {
            error,
            details,
            close_code,
        }
    }

    /// Whether the owner has to approve first.
    pub fn is_pairing(&self) -> bool {
        self.details.is_pairing(&self.error)
    }

    /// Returns the `details.code` of the refusal; empty if absent.
    pub fn code(&self) -> &str {
        self.details.code.as_deref().unwrap_or_default()
    }

    /// Whether the refusal concerns a secret, so that an early retry would look like guessing.
    pub(crate) fn is_auth(&self) -> bool {
        self.code().starts_with("AUTH_")
    }

    /// Returns the understood code of the refusal. For gateways of the other program that send none, it is recognised by
    /// the message.
    pub fn detail_code(&self) -> Option<DetailCode> {
        self.error.detail_code()
    }

    /// Whether this is what gateways of 2026.2 say of a newer proof, or of a device token in a member of its own.
    fn is_of_older_gateway(&self) -> bool {
        match self.detail_code() {
            Some(DetailCode::DeviceAuthSignatureInvalid) => true,
            Some(DetailCode::InvalidConnect) => self.error.message.contains("'deviceToken'"),
            _ => false,
        }
    }

    /// Whether the same client is certain to be refused every time.
    fn is_final(&self) -> bool {
        match self.detail_code() {
            Some(
                DetailCode::AuthBootstrapTokenInvalid
                | DetailCode::DeviceIdentityRequired
                | DetailCode::DeviceAuthPublicKeyInvalid
                | DetailCode::DeviceAuthDeviceIdMismatch,
            ) => true,
            Some(
                DetailCode::ProtocolMismatch
                | DetailCode::InvalidConnect
                | DetailCode::InvalidRole
                | DetailCode::ConnectExpected,
            ) => self.error.code == ErrorCode::InvalidRequest,
            _ => false,
        }
    }

    fn advice(&self) -> Option<String> {
        if self.is_pairing() {
            let id = self.details.request_id.as_deref()?;
            let id = escape(id);
            return Some(format!(
                "have the owner run `openclaw devices approve {id}` on the gateway's machine"
            ));
        }
        let told = match self.detail_code() {
            Some(DetailCode::AuthTokenMissing | DetailCode::AuthPasswordMissing) => {
                "pass the gateway's token or password by a file, or pair with a setup code"
            }
            Some(DetailCode::AuthTokenMismatch | DetailCode::AuthPasswordMismatch) => {
                "the gateway has another secret: take the one from its configuration"
            }
            Some(DetailCode::AuthDeviceTokenMismatch) => {
                "this device was revoked, or its token rotated: connect with the gateway's token, or \
                 pair with a new setup code; the old token was kept"
            }
            Some(DetailCode::AuthBootstrapTokenInvalid) => {
                "the setup code was used before, or is too old: make a new one with `openclaw qr`"
            }
            Some(DetailCode::AuthRateLimited) => {
                "too many wrong secrets came from this address: wait"
            }
            Some(DetailCode::DeviceIdentityRequired) => "connect with a device's key",
            Some(DetailCode::ProtocolMismatch) => {
                "the gateway speaks other versions of the protocol: update the older of the two"
            }
            _ => {
                return self
                    .details
                    .hint
                    .as_deref()
                    .map(|hint| escape(hint).to_string());
            }
        };
        Some(told.to_owned())
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.detail_code() {
            Some(DetailCode::AuthBootstrapTokenInvalid) => {
                f.write_str("the setup code was used, or has expired")
            }
            _ => write!(f, "{}", escape(&self.error.message).limit(400)),
        }
    }
}

impl ConnectError {
    /// Whether the gateway refused a form that gateways of 2026.2 do not know.
    pub(crate) fn is_of_older_gateway(&self) -> bool {
        self.refused().is_some_and(Refused::is_of_older_gateway)
    }

    pub(crate) fn refused(&self) -> Option<&Refused> {
        match self {
            Self::Refused(refused) => Some(refused),
            _ => None,
        }
    }

    /// Returns the id of the request that awaits the owner's approval, if any, as the gateway wrote it.
    pub fn request_id(&self) -> Option<&str> {
        let refused = self.refused().filter(|refused| refused.is_pairing())?;
        refused.details.request_id.as_deref()
    }

    /// Whether a retry is certain to fail in the same way.
    pub fn is_final(&self) -> bool {
        match self {
            Self::Url { .. } | Self::Malformed { .. } | Self::Fingerprint { .. } => true,
            Self::Refused(refused) => refused.is_final(),
            _ => false,
        }
    }

    /// Returns the retry delay that the gateway asked for.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        let refused = self.refused()?;
        refused.error.retry_after_ms.map(Duration::from_millis)
    }

    /// Returns advice on how to resolve the error, in one line.
    pub fn advice(&self) -> Option<String> {
        let told = match self {
            Self::Refused(refused) => return refused.advice(),
            Self::Io(_) => {
                "is the gateway running, and is this its address? `openclaw gateway status`"
            }
            Self::OtherUser { .. } => {
                "find out what holds the port; the gateway of another user takes wss:// and its fingerprint"
            }
            Self::NotProven => {
                "is it this gateway's secret? If it is, find out what else holds the port"
            }
            Self::Tls(_) => {
                "for a certificate that the gateway made itself, pin its fingerprint: setup codes carry it"
            }
            Self::Fingerprint { .. } => {
                "either the gateway has a new certificate, or somebody is in between: get a new setup \
                 code from the gateway's owner before connecting again"
            }
            Self::Http { .. } | Self::WebSocket(_) | Self::Protocol { .. } => {
                "is this the gateway's address, and not that of another server?"
            }
            _ => return None,
        };
        Some(told.to_owned())
    }
}

/// Reason why a call failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The gateway refused the call.
    #[error("{}", escape(&.0.message).limit(400))]
    Refused(ErrorShape),
    /// The connection ended before an answer arrived: the request may or may not have been carried out.
    #[error("the connection ended: {0}")]
    Closed(Closed),
    /// No answer arrived in time: the request may or may not have been carried out.
    #[error("no answer within {} s", .0.as_secs_f32())]
    Timeout(Duration),
    /// The request is larger than the gateway accepts. It was not sent.
    #[error("the request has {found} bytes, the gateway takes at most {at_most}")]
    TooLarge {
        /// Size of the request, in bytes.
        found: usize,
        /// Limit of the gateway, in bytes.
        at_most: usize,
    },
    /// The parameters could not be serialised as JSON. Nothing was sent.
    #[error("the parameters cannot be written as JSON")]
    Params(#[source] serde_json::Error),
    /// The answer does not have the expected form.
    #[error("the gateway's answer is not what the protocol has")]
    Answer(#[source] Cause),
}

/// Reason why a connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// Code of the close frame; 1005 if it had none, 1006 if the connection broke off.
    pub code: u16,
    /// Reason given in the close frame, unescaped.
    pub reason: String,
}

impl Closed {
    pub(crate) fn new(code: u16, reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self { code, reason }
    }

    pub(crate) fn broke_off() -> Self {
        Self::new(1006, "it broke off")
    }
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason.as_str() {
            "" => write!(f, "code {}", self.code),
            reason => write!(f, "{} (code {})", escape(reason), self.code),
        }
    }
}

/// Error text of a library, escaped because it may contain names and texts from the other side.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Cause(String);

impl Cause {
    pub(crate) fn new(text: &str) -> Self {
        Self(escape(text).limit(400).to_string())
    }

    pub(crate) fn of(error: &dyn std::error::Error) -> Self {
        Self::new(&error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(json: serde_json::Value) -> ConnectError {
        let error = serde_json::from_value(json).unwrap();
        ConnectError::Refused(Box::new(Refused::new(error, None)))
    }

    #[test]
    fn texts_of_the_gateway_cannot_command_a_terminal() {
        let hostile = "a\u{1b}[2J\u{202e}b";
        let shape = ErrorShape::invalid(DetailCode::Internal, hostile);
        let shown = [
            refused(serde_json::json!({ "code": "INVALID_REQUEST", "message": hostile }))
                .to_string(),
            CallError::Refused(shape).to_string(),
            Closed::new(1008, hostile).to_string(),
            Cause::new(hostile).to_string(),
            ConnectError::Http {
                status: 403,
                body: hostile.to_owned(),
            }
            .to_string(),
        ];
        for text in shown {
            assert!(text.contains(r"a\u{1b}[2J\u{202e}b"), "{text}");
        }
        let id = serde_json::json!({ "code": "PAIRING_REQUIRED", "requestId": hostile });
        let pairing = refused(
            serde_json::json!({ "code": "NOT_PAIRED", "message": "pairing required", "details": id }),
        );
        assert_eq!(pairing.request_id(), Some(hostile));
        assert!(pairing.advice().unwrap().contains(r"\u{1b}[2J"));
    }

    #[test]
    fn only_what_no_retry_mends_is_final() {
        let auth = |code: &str| {
            serde_json::json!({ "code": "INVALID_REQUEST", "message": "unauthorized: …",
                "details": { "code": code } })
        };
        assert!(refused(auth("AUTH_BOOTSTRAP_TOKEN_INVALID")).is_final());
        assert!(!refused(auth("AUTH_TOKEN_MISMATCH")).is_final());
        assert!(!refused(auth("AUTH_DEVICE_TOKEN_MISMATCH")).is_final());
        assert!(!refused(auth("DEVICE_AUTH_SIGNATURE_EXPIRED")).is_final());
        let said =
            |message: &str| serde_json::json!({ "code": "INVALID_REQUEST", "message": message });
        assert!(refused(said("protocol mismatch")).is_final());
        assert!(
            refused(said(
                "invalid connect params: at client: expected an object"
            ))
            .is_final()
        );
        assert!(!refused(said("something new")).is_final());
        assert!(!ConnectError::Timeout(Duration::from_secs(1)).is_final());
    }
}
