//! The proof that a device holds its key.

use std::borrow::Cow;
use std::time::Duration;

use super::key::{DeviceId, DeviceKey, DeviceKeyError};
use super::payload::{InvalidField, PayloadVersion, SignedFields, normal};
#[cfg(feature = "ed25519")]
use super::text;
use crate::Timestamp;

/// Usual maximum deviation of a device's clock, in either direction.
pub const SIGNATURE_TOLERANCE: Duration = Duration::from_secs(120);

/// The values that a signature is checked against.
#[derive(Debug, Clone, Copy)]
pub struct Challenge<'a> {
    /// The nonce that was sent on this connection.
    pub nonce: &'a str,
    /// The present time.
    pub now: Timestamp,
    /// Maximum deviation of the device's clock, in either direction; clients expect
    /// [`SIGNATURE_TOLERANCE`].
    pub tolerance: Duration,
    /// Whether this device has used v3 before. If so, a v2 payload, which does not cover the platform,
    /// proves nothing.
    pub v3_only: bool,
}

impl SignedFields<'_> {
    /// Verifies everything that `connect` says about the device, in the order of the protocol.
    ///
    /// `public_key` and `signature` are `device.publicKey` and `device.signature`.
    #[cfg(feature = "ed25519")]
    pub fn verify(
        &self,
        public_key: &str,
        signature: &str,
        challenge: &Challenge<'_>,
    ) -> Result<ProvenDevice, ProofError> {
        self.check()?;
        let key = DeviceKey::parse(public_key)?;
        let id = DeviceId::of(&key);
        if DeviceId::parse(self.device_id) != Ok(id) {
            return Err(ProofError::IdMismatch);
        }
        challenge.accepts_time(self.signed_at)?;
        challenge.accepts_nonce(self.nonce)?;
        let version = self
            .signed_version(&key, signature, challenge.v3_only)?
            .ok_or(ProofError::Signature)?;
        Ok(ProvenDevice::new(id, key, version, self))
    }

    #[cfg(feature = "ed25519")]
    fn signed_version(
        &self,
        key: &DeviceKey,
        signature: &str,
        v3_only: bool,
    ) -> Result<Option<PayloadVersion>, InvalidField> {
        let Some(signature) = text::array_from_base64(signature) else {
            return Ok(None);
        };
        for version in [PayloadVersion::V3, PayloadVersion::V2] {
            if version == PayloadVersion::V2 && v3_only {
                continue;
            }
            if key.signed(self.payload(version)?.as_bytes(), &signature) {
                return Ok(Some(version));
            }
        }
        Ok(None)
    }
}

impl Challenge<'_> {
    fn accepts_time(&self, signed_at: i64) -> Result<(), ProofError> {
        let skew_ms = signed_at.saturating_sub(self.now.as_millis());
        if u128::from(skew_ms.unsigned_abs()) > self.tolerance.as_millis() {
            let tolerance = self.tolerance;
            return Err(ProofError::Stale { skew_ms, tolerance });
        }
        Ok(())
    }

    fn accepts_nonce(&self, nonce: &str) -> Result<(), ProofError> {
        if nonce.is_empty() {
            return Err(ProofError::NonceMissing);
        }
        if nonce != self.nonce {
            return Err(ProofError::NonceMismatch);
        }
        Ok(())
    }
}

/// The reason that a device has not proven its identity.
///
/// There are three texts: [`code`](Self::code) and [`reason`](Self::reason) for programs,
/// [`message`](Self::message) for the client, and `Display` for the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// The request is malformed.
    #[error(transparent)]
    Field(#[from] InvalidField),
    /// The public key is not valid.
    #[error(transparent)]
    Key(#[from] DeviceKeyError),
    /// The device id is not the fingerprint of the key.
    #[error("the device id is not the fingerprint of the public key")]
    IdMismatch,
    /// The signature is too old, or lies in the future.
    #[error(
        "signed {} ms {} this clock, at most {} ms are tolerated",
        skew_ms.unsigned_abs(), if *skew_ms < 0 { "behind" } else { "ahead of" }, tolerance.as_millis()
    )]
    Stale {
        /// Deviation of the device's clock in milliseconds: positive if it is ahead, negative if it is
        /// behind.
        skew_ms: i64,
        /// Maximum deviation.
        tolerance: Duration,
    },
    /// There is no nonce.
    #[error("no nonce was signed")]
    NonceMissing,
    /// The nonce is not that of this connection.
    #[error("the nonce signed is not that of this connection")]
    NonceMismatch,
    /// The signature was not made with that key, or covers a payload version that this device may no
    /// longer use.
    #[error("the signature does not fit")]
    Signature,
}

impl ProofError {
    /// Returns `details.code` of the answer; `None` if the request itself is malformed.
    pub fn code(&self) -> Option<&'static str> {
        match self {
            Self::Field(_) => None,
            Self::Key(error) => Some(error.code()),
            Self::IdMismatch => Some("DEVICE_AUTH_DEVICE_ID_MISMATCH"),
            Self::Stale { .. } => Some("DEVICE_AUTH_SIGNATURE_EXPIRED"),
            Self::NonceMissing => Some("DEVICE_AUTH_NONCE_REQUIRED"),
            Self::NonceMismatch => Some("DEVICE_AUTH_NONCE_MISMATCH"),
            Self::Signature => Some("DEVICE_AUTH_SIGNATURE_INVALID"),
        }
    }

    /// Returns `details.reason` of the answer; `None` if the request itself is malformed.
    pub fn reason(&self) -> Option<&'static str> {
        match self {
            Self::Field(_) => None,
            Self::Key(error) => Some(error.reason()),
            Self::IdMismatch => Some("device-id-mismatch"),
            Self::Stale { .. } => Some("device-signature-stale"),
            Self::NonceMissing => Some("device-nonce-missing"),
            Self::NonceMismatch => Some("device-nonce-mismatch"),
            Self::Signature => Some("device-signature"),
        }
    }

    /// Returns `message` of the answer.
    pub fn message(&self) -> Cow<'static, str> {
        match self {
            Self::Field(error) => format!("invalid connect params: {error}").into(),
            Self::Key(_) => "device public key invalid".into(),
            Self::IdMismatch => "device identity mismatch".into(),
            Self::Stale { .. } => "device signature expired".into(),
            Self::NonceMissing => "device nonce required".into(),
            Self::NonceMismatch => "device nonce mismatch".into(),
            Self::Signature => "device signature invalid".into(),
        }
    }
}

/// A device that has proven on this connection that it holds its key, and the fields that it signed.
///
/// - Only [`SignedFields::verify`] makes one.
/// - It proves which device asks, and for which role and scopes; whether the device gets them is decided
///   elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvenDevice {
    id: DeviceId,
    key: DeviceKey,
    version: PayloadVersion,
    client_id: String,
    client_mode: String,
    role: String,
    scopes: Vec<String>,
    platform: Option<String>,
    device_family: Option<String>,
}

impl ProvenDevice {
    fn new(
        id: DeviceId,
        key: DeviceKey,
        version: PayloadVersion,
        fields: &SignedFields<'_>,
    ) -> Self {
        let signed = |text| {
            Some(normal(text)).filter(|text| version == PayloadVersion::V3 && !text.is_empty())
        };
        Self {
            id,
            key,
            version,
            client_id: fields.client_id.to_owned(),
            client_mode: fields.client_mode.to_owned(),
            role: fields.role.to_owned(),
            scopes: fields.scopes.to_vec(),
            platform: signed(fields.platform),
            device_family: signed(fields.device_family),
        }
    }

    /// Returns its id.
    pub fn id(&self) -> DeviceId {
        self.id
    }

    /// Returns its public key.
    pub fn key(&self) -> DeviceKey {
        self.key
    }

    /// Returns the payload version that was signed. Once it is v3, the device may not fall back to v2.
    pub fn version(&self) -> PayloadVersion {
        self.version
    }

    /// Returns the role that it asks for.
    pub fn role(&self) -> &str {
        &self.role
    }

    /// Returns the scopes that it asks for, as it sent them.
    pub fn scopes(&self) -> &[String] {
        &self.scopes
    }

    /// Returns the client's own id for itself. Never decides about access.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// Returns the client's own description of its use. Never decides about access.
    pub fn client_mode(&self) -> &str {
        &self.client_mode
    }

    /// Returns the platform, trimmed and in lower case; `None` also if a v2 payload left it unsigned.
    pub fn platform(&self) -> Option<&str> {
        self.platform.as_deref()
    }

    /// Returns the device family, trimmed and in lower case; `None` also if a v2 payload left it
    /// unsigned.
    pub fn device_family(&self) -> Option<&str> {
        self.device_family.as_deref()
    }
}
