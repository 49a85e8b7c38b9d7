//! Who a device is: its Ed25519 public key, and the fingerprint of it.

use std::fmt;

use ed25519_dalek::pkcs8::DecodePublicKey as _;
use ed25519_dalek::{Signature, VerifyingKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::text;

/// A device's Ed25519 public key.
///
/// - A point of the curve in its one canonical encoding, so that one key has one id.
/// - Not of small order: one constant signature would "prove" such a key for any message.
/// - Shown and serialised as base64url without padding.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct DeviceKey([u8; 32]);

/// Why a text is no device's public key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceKeyError {
    /// Neither 32 bytes in base64 nor SPKI in PEM, or no point of the curve.
    #[error("not an Ed25519 public key in base64url or PEM")]
    Malformed,
    /// A point of small order.
    #[error("an Ed25519 key of small order, which proves nothing")]
    Weak,
}

impl DeviceKeyError {
    /// `details.code` of the answer to `connect`.
    pub fn code(&self) -> &'static str {
        "DEVICE_AUTH_PUBLIC_KEY_INVALID"
    }

    /// `details.reason` of the answer to `connect`.
    pub fn reason(&self) -> &'static str {
        "device-public-key"
    }
}

impl DeviceKey {
    /// Longer texts are not looked at: a PEM has 113 characters.
    const MAX_TEXT: usize = 1024;

    /// Reads base64url, padded or not, the standard alphabet too, or SPKI in PEM.
    pub fn parse(text: &str) -> Result<Self, DeviceKeyError> {
        let text = text.trim();
        if text.len() > Self::MAX_TEXT {
            return Err(DeviceKeyError::Malformed);
        }
        if text.starts_with("-----") {
            let key = VerifyingKey::from_public_key_pem(text);
            return Self::checked(&key.map_err(|_| DeviceKeyError::Malformed)?);
        }
        let bytes = text::array_from_base64(text).ok_or(DeviceKeyError::Malformed)?;
        Self::from_bytes(bytes)
    }

    /// The key with this encoding.
    pub fn from_bytes(bytes: [u8; 32]) -> Result<Self, DeviceKeyError> {
        let key = VerifyingKey::from_bytes(&bytes).map_err(|_| DeviceKeyError::Malformed)?;
        Self::checked(&key)
    }

    fn checked(key: &VerifyingKey) -> Result<Self, DeviceKeyError> {
        if key.is_weak() {
            return Err(DeviceKeyError::Weak);
        }
        // Some points have a second encoding, which would be a second device.
        if VerifyingKey::from(key.to_edwards()) != *key {
            return Err(DeviceKeyError::Malformed);
        }
        Ok(Self(key.to_bytes()))
    }

    /// The encoded point.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Base64url without padding: 43 characters.
    pub fn to_base64url(self) -> String {
        text::to_base64url(&self.0)
    }

    /// Did this key sign the message? By the strict rules only: one message, one key, no leniency that
    /// other implementations do not share.
    pub(super) fn signed(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        let signature = Signature::from_bytes(signature);
        VerifyingKey::from_bytes(&self.0)
            .is_ok_and(|key| key.verify_strict(message, &signature).is_ok())
    }
}

impl fmt::Display for DeviceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_base64url())
    }
}

impl fmt::Debug for DeviceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceKey({self})")
    }
}

impl From<DeviceKey> for String {
    fn from(key: DeviceKey) -> Self {
        key.to_base64url()
    }
}

impl TryFrom<String> for DeviceKey {
    type Error = DeviceKeyError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

/// A device's id: the SHA-256 of its raw public key.
///
/// - Shown and serialised as 64 lower-case hexadecimal digits, and read in that spelling alone.
/// - Only the holder of the key can prove to be the device; the id by itself proves nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct DeviceId([u8; 32]);

/// The text is not 64 lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a device id has 64 digits of 0-9 and a-f")]
pub struct ParseDeviceIdError;

impl DeviceId {
    /// The fingerprint of a key.
    pub fn of(key: &DeviceKey) -> Self {
        Self(Sha256::digest(key.0).into())
    }

    /// Reads 64 lower-case hexadecimal digits.
    pub fn parse(text: &str) -> Result<Self, ParseDeviceIdError> {
        text::array_from_hex(text)
            .map(Self)
            .ok_or(ParseDeviceIdError)
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text::to_hex(&self.0))
    }
}

impl fmt::Debug for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceId({self})")
    }
}

impl From<DeviceId> for String {
    fn from(id: DeviceId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for DeviceId {
    type Error = ParseDeviceIdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}
