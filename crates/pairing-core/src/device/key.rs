//! The identity of a device: its Ed25519 public key, and the fingerprint of that key.

use std::fmt;

#[cfg(feature = "ed25519")]
use ed25519_dalek::pkcs8::DecodePublicKey as _;
#[cfg(feature = "ed25519")]
use ed25519_dalek::{Signature, VerifyingKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::text;

/// A device's Ed25519 public key.
///
/// - A point of the curve in its only canonical encoding, so that each key has one id.
/// - Not of small order: for such a key, one constant signature would verify for any message.
/// - Shown and serialised as base64url without padding.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct DeviceKey([u8; 32]);

/// The reason that a text is not a device's public key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceKeyError {
    /// Neither 32 bytes in base64 nor SPKI in PEM, or not a point of the curve.
    #[error("not an Ed25519 public key in base64url or PEM")]
    Malformed,
    /// A point of small order.
    #[error("an Ed25519 key of small order, which proves nothing")]
    Weak,
}

impl DeviceKeyError {
    /// Returns `details.code` of the answer to `connect`.
    pub fn code(&self) -> &'static str {
        "DEVICE_AUTH_PUBLIC_KEY_INVALID"
    }

    /// Returns `details.reason` of the answer to `connect`.
    pub fn reason(&self) -> &'static str {
        "device-public-key"
    }
}

impl DeviceKey {
    /// Maximum length of a text that is parsed; a PEM has 113 characters.
    const MAX_TEXT: usize = 1024;

    /// Parses base64url or standard base64, with or without padding, or SPKI in PEM.
    pub fn parse(text: &str) -> Result<Self, DeviceKeyError> {
        let text = text.trim();
        if text.len() > Self::MAX_TEXT {
            return Err(DeviceKeyError::Malformed);
        }
        #[cfg(feature = "ed25519")]
        if text.starts_with("-----") {
            let key = VerifyingKey::from_public_key_pem(text);
            return Self::checked(&key.map_err(|_| DeviceKeyError::Malformed)?);
        }
        let bytes = text::array_from_base64(text).ok_or(DeviceKeyError::Malformed)?;
        Self::from_bytes(bytes)
    }

    /// Makes a key from its encoding.
    ///
    /// Without the feature `ed25519` the encoding is not checked: a key is then nothing but part of a record that is
    /// kept, and proves nothing.
    #[cfg(not(feature = "ed25519"))]
    pub fn from_bytes(bytes: [u8; 32]) -> Result<Self, DeviceKeyError> {
        Ok(Self(bytes))
    }

    /// Makes a key from its encoding.
    #[cfg(feature = "ed25519")]
    pub fn from_bytes(bytes: [u8; 32]) -> Result<Self, DeviceKeyError> {
        let key = VerifyingKey::from_bytes(&bytes).map_err(|_| DeviceKeyError::Malformed)?;
        Self::checked(&key)
    }

    #[cfg(feature = "ed25519")]
    fn checked(key: &VerifyingKey) -> Result<Self, DeviceKeyError> {
        if key.is_weak() {
            return Err(DeviceKeyError::Weak);
        }
        // Some points have a second encoding, which would have a different device id.
        if VerifyingKey::from(key.to_edwards()) != *key {
            return Err(DeviceKeyError::Malformed);
        }
        Ok(Self(key.to_bytes()))
    }

    /// Returns the encoded point.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Returns the key in base64url without padding: 43 characters.
    pub fn to_base64url(self) -> String {
        text::to_base64url(&self.0)
    }

    /// Whether this key signed the message, by strict verification: one message, one key, and no
    /// leniency that other implementations do not share.
    #[cfg(feature = "ed25519")]
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

/// The id of a device: the SHA-256 of its raw public key.
///
/// - Shown and serialised as 64 lower-case hexadecimal digits, and parsed only from that form.
/// - Only the holder of the key can prove to be the device; the id alone proves nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct DeviceId([u8; 32]);

/// The text is not 64 lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a device id has 64 digits of 0-9 and a-f")]
pub struct ParseDeviceIdError;

impl DeviceId {
    /// An id that belongs to no device, because no key with this fingerprint is known.
    pub(crate) const NOBODY: Self = Self([0; 32]);

    /// Returns the fingerprint of a key.
    pub fn of(key: &DeviceKey) -> Self {
        Self(Sha256::digest(key.0).into())
    }

    /// Parses 64 lower-case hexadecimal digits.
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The key of a recorded install.
    const KEY: &str = "_5ewtfValsgeqVLqyXAUQUM5lUNiUJD3Pe6Ris22KHQ";
    const ID: &str = "15eef72ff15d1a91a6aa964a144fde0002b3bf191cc05da41538a49da7a7653f";
    const PEM: &str = "-----BEGIN PUBLIC KEY-----\n\
        MCowBQYDK2VwAyEA/5ewtfValsgeqVLqyXAUQUM5lUNiUJD3Pe6Ris22KHQ=\n\
        -----END PUBLIC KEY-----\n";

    /// The eight points of small order, then their other encodings.
    const WEAK: [&str; 14] = [
        "0100000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "0100000000000000000000000000000000000000000000000000000000000080",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    ];

    #[test]
    fn every_spelling_of_a_key_is_one_device() {
        let standard = KEY.replace('_', "/");
        for text in [
            KEY.to_owned(),
            format!("{KEY}="),
            format!(" {standard}=\n"),
            standard,
            PEM.to_owned(),
            PEM.trim().to_owned(),
            PEM.replace('\n', "\r\n"),
        ] {
            let key = DeviceKey::parse(&text).unwrap();
            assert_eq!(key.to_base64url(), KEY, "{text:?}");
            assert_eq!(DeviceId::of(&key).to_string(), ID);
        }
    }

    #[test]
    fn keys_of_small_order_are_refused() {
        for hex in WEAK {
            let bytes = text::array_from_hex(hex).unwrap();
            assert_eq!(
                DeviceKey::from_bytes(bytes),
                Err(DeviceKeyError::Weak),
                "{hex}"
            );
            let base64 = text::to_base64url(&bytes);
            assert_eq!(
                DeviceKey::parse(&base64),
                Err(DeviceKeyError::Weak),
                "{hex}"
            );
        }
    }

    #[test]
    fn the_constant_signature_that_proves_a_weak_key_elsewhere_proves_nothing() {
        let weak = DeviceKey(text::array_from_hex(WEAK[0]).unwrap());
        let mut signature = [0; 64];
        signature[0] = 1;
        assert!(!weak.signed(b"anything", &signature));
    }

    #[test]
    fn a_second_encoding_of_a_point_is_refused() {
        let mut refused = 0;
        // y and y + p are the same point; only for these y does the encoding of y + p fit into 255 bits.
        for y in 2..19_u8 {
            let mut canonical = [0; 32];
            canonical[0] = y;
            let mut other = [0xff; 32];
            (other[0], other[31]) = (0xed + y, 0x7f);
            if DeviceKey::from_bytes(canonical).is_ok() {
                assert_eq!(
                    DeviceKey::from_bytes(other),
                    Err(DeviceKeyError::Malformed),
                    "{y}"
                );
                refused += 1;
            }
        }
        assert!(refused > 0);
    }

    #[test]
    fn what_is_no_key_is_malformed() {
        let private = "-----BEGIN PRIVATE KEY-----\n\
            MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n\
            -----END PRIVATE KEY-----\n";
        let x25519 = PEM.replace("K2VwAyEA", "K2VuAyEA");
        let long = "A".repeat(DeviceKey::MAX_TEXT + 1);
        for text in [
            "",
            "-----",
            "A",
            &KEY[1..],
            &format!("{KEY}A"),
            &format!("{KEY}=="),
            ID,
            private,
            &x25519,
            &PEM.replace("END", "ENE"),
            &PEM[..60],
            &long,
            "AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        ] {
            assert_eq!(
                DeviceKey::parse(text),
                Err(DeviceKeyError::Malformed),
                "{text:?}"
            );
        }
        assert_eq!(
            DeviceKeyError::Weak.code(),
            "DEVICE_AUTH_PUBLIC_KEY_INVALID"
        );
        assert_eq!(DeviceKeyError::Malformed.reason(), "device-public-key");
    }

    #[test]
    fn an_id_has_one_spelling() {
        assert_eq!(DeviceId::parse(ID).unwrap().to_string(), ID);
        for bad in [
            "",
            &ID[1..],
            &format!("{ID}0"),
            &ID.to_uppercase(),
            &format!(" {}", &ID[1..]),
            &ID.replace('f', "g"),
        ] {
            assert_eq!(DeviceId::parse(bad), Err(ParseDeviceIdError), "{bad}");
        }
    }

    #[test]
    fn serialised_through_the_parsers() {
        assert_eq!(
            serde_json::from_str::<DeviceKey>(&format!("{KEY:?}"))
                .unwrap()
                .to_string(),
            KEY
        );
        assert!(serde_json::from_str::<DeviceKey>("\"AQ\"").is_err());
        let id: DeviceId = serde_json::from_str(&format!("{ID:?}")).unwrap();
        assert_eq!(serde_json::to_string(&id).unwrap(), format!("{ID:?}"));
        assert!(serde_json::from_str::<DeviceId>("\"x\"").is_err());
    }

    proptest! {
        #[test]
        fn parsing_never_panics(text: String, body in "[A-Za-z0-9+/=\n]{0,80}") {
            let _ = DeviceId::parse(&text);
            let pem = format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----");
            for text in [&text, &body, &pem] {
                if let Ok(key) = DeviceKey::parse(text) {
                    prop_assert_eq!(DeviceKey::parse(&key.to_base64url()), Ok(key));
                }
            }
        }

        #[test]
        fn whatever_is_accepted_round_trips(bytes: [u8; 32]) {
            if let Ok(key) = DeviceKey::from_bytes(bytes) {
                prop_assert_eq!(key.as_bytes(), &bytes);
                prop_assert_eq!(DeviceKey::parse(&key.to_base64url()), Ok(key));
                let id = DeviceId::of(&key);
                prop_assert_eq!(DeviceId::parse(&id.to_string()), Ok(id));
            }
        }
    }
}
