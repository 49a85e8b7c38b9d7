//! The key pair of a client.

use std::fmt;

use base64::engine::{Engine as _, general_purpose::STANDARD};
use ed25519_dalek::pkcs8::DecodePrivateKey as _;
use ed25519_dalek::{Signer as _, SigningKey};
use zeroize::Zeroizing;

use super::key::{DeviceId, DeviceKey, DeviceKeyError};
use super::payload::{InvalidField, PayloadVersion, SignedFields};
use super::text;
use crate::{Entropy, EntropyError};

/// The key pair with which a client proves that it is a certain device.
///
/// - `Debug` shows only the id; the private key is wiped from memory when dropped.
/// - Make it once and keep it: a client that loses it has to be paired again.
#[derive(Clone)]
pub struct Identity {
    signing: SigningKey,
    key: DeviceKey,
}

/// The text is not a private key. The error does not repeat the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an Ed25519 private key in PKCS#8 PEM")]
pub struct ParseIdentityError;

impl Identity {
    /// Makes a new key pair from 256 random bits.
    pub fn generate(entropy: &dyn Entropy) -> Result<Self, EntropyError> {
        let mut seed = Zeroizing::new([0; 32]);
        entropy.fill(&mut *seed)?;
        // The public key of a generated pair is never of small order.
        Self::of(SigningKey::from_bytes(&seed)).map_err(EntropyError::new)
    }

    /// Parses PKCS#8, with or without the public key; if present, the public key must match.
    pub fn from_pem(pem: &str) -> Result<Self, ParseIdentityError> {
        let signing = SigningKey::from_pkcs8_pem(pem.trim()).map_err(|_| ParseIdentityError)?;
        Self::of(signing).map_err(|_| ParseIdentityError)
    }

    fn of(signing: SigningKey) -> Result<Self, DeviceKeyError> {
        let key = DeviceKey::from_bytes(signing.verifying_key().to_bytes())?;
        Ok(Self { signing, key })
    }

    /// Returns the private key in PKCS#8 without the public key, as Node writes it.
    pub fn private_key_pem(&self) -> Zeroizing<String> {
        let mut der = Zeroizing::new([0; 48]);
        der[..16].copy_from_slice(&PKCS8);
        der[16..].copy_from_slice(self.signing.as_bytes());
        pem("PRIVATE", &*der)
    }

    /// Returns the public key in SPKI, as Node writes it.
    pub fn public_key_pem(&self) -> String {
        let mut der = [0; 44];
        der[..12].copy_from_slice(&SPKI);
        der[12..].copy_from_slice(self.key.as_bytes());
        pem("PUBLIC", &der).to_string()
    }

    /// Returns the device's id.
    pub fn id(&self) -> DeviceId {
        DeviceId::of(&self.key)
    }

    /// Returns the public key.
    pub fn key(&self) -> DeviceKey {
        self.key
    }

    /// Signs the fields of a `connect`; returns base64url without padding, for `device.signature`.
    pub fn sign(
        &self,
        fields: &SignedFields<'_>,
        version: PayloadVersion,
    ) -> Result<String, InvalidField> {
        let payload = fields.payload(version)?;
        Ok(text::to_base64url(&self.sign_bytes(payload.as_bytes())))
    }

    pub(super) fn sign_bytes(&self, message: &[u8]) -> [u8; 64] {
        self.signing.sign(message).to_bytes()
    }
}

/// The bytes before the 32 bytes of every Ed25519 key, in PKCS#8 and in SPKI.
const PKCS8: [u8; 16] = [
    0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20,
];
const SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];

/// Encodes at most 48 bytes, which fit into one line, as PEM.
fn pem(label: &str, der: &[u8]) -> Zeroizing<String> {
    let body = Zeroizing::new(STANDARD.encode(der));
    // `concat` allocates the whole length at once, so it leaves no copy behind.
    let parts = [
        "-----BEGIN ",
        label,
        " KEY-----\n",
        &body,
        "\n-----END ",
        label,
        " KEY-----\n",
    ];
    Zeroizing::new(parts.concat())
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Identity");
        shown.field("id", &self.id()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    // Made with `crypto.generateKeyPairSync('ed25519')` of Node 20.
    const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----\n\
        MC4CAQAwBQYDK2VwBCIEIAOMAUeubeG1sWYOpKAO0f8KPqZlH6tnfZV0HBWlmPzW\n\
        -----END PRIVATE KEY-----\n";
    const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\n\
        MCowBQYDK2VwAyEAZz0gfPL5foPuPozCpq+gA7++Jag8b4gWRG0Nz+sBqwo=\n\
        -----END PUBLIC KEY-----\n";

    #[test]
    fn keys_are_written_as_node_writes_them() {
        let identity = Identity::from_pem(PRIVATE).unwrap();
        assert_eq!(*identity.private_key_pem(), PRIVATE);
        assert_eq!(identity.public_key_pem(), PUBLIC);
        assert_eq!(DeviceKey::parse(PUBLIC), Ok(identity.key()));
        assert_eq!(identity.id(), DeviceId::of(&identity.key()));
    }

    #[test]
    fn what_is_no_private_key_is_refused() {
        for bad in [
            "",
            "-----",
            PUBLIC,
            &PRIVATE[..60],
            &PRIVATE.replace("K2Vw", "K2Vu"),
            &PRIVATE.replace("PRIVATE", "EC PRIVATE"),
        ] {
            assert_eq!(
                Identity::from_pem(bad).unwrap_err(),
                ParseIdentityError,
                "{bad}"
            );
        }
    }

    #[test]
    fn debug_shows_no_private_key() {
        let identity = Identity::from_pem(PRIVATE).unwrap();
        assert_eq!(
            format!("{identity:?}"),
            format!("Identity {{ id: DeviceId({}), .. }}", identity.id())
        );
    }

    struct Seed([u8; 32]);

    impl Entropy for Seed {
        fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
            bytes.copy_from_slice(&self.0);
            Ok(())
        }
    }

    proptest! {
        #[test]
        fn a_pair_survives_being_written(seed: [u8; 32]) {
            let identity = Identity::generate(&Seed(seed)).unwrap();
            let read = Identity::from_pem(&identity.private_key_pem()).unwrap();
            prop_assert_eq!(read.signing.to_bytes(), seed);
            prop_assert_eq!(read.id(), identity.id());
            prop_assert_eq!(DeviceKey::parse(&identity.public_key_pem()), Ok(identity.key()));
        }

        #[test]
        fn parsing_never_panics(text: String, body in "[A-Za-z0-9+/=\n]{0,80}") {
            let _ = Identity::from_pem(&text);
            let _ = Identity::from_pem(&format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----"));
        }
    }
}
