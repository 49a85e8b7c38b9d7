//! Connecting devices: the payloads that they sign, and the proofs.

mod proof;
mod vectors;

use base64::engine::{Engine as _, general_purpose::URL_SAFE_NO_PAD};
use ed25519_dalek::{Signer as _, SigningKey};
use pairing_core::{
    Challenge, DeviceId, DeviceKey, PayloadVersion, ProofError, ProvenDevice, SIGNATURE_TOLERANCE,
    SignedFields, Timestamp,
};

const NONCE: &str = "9e491d8a-beca-4ec4-b097-1bb69021fbc5";
const NOW: i64 = 1_795_353_766_600;

fn challenge(nonce: &str) -> Challenge<'_> {
    Challenge {
        nonce,
        now: Timestamp::from_millis(NOW),
        tolerance: SIGNATURE_TOLERANCE,
        v3_only: false,
    }
}

/// A test device, and the fields that it signs by default.
struct Device {
    signing: SigningKey,
    key: String,
    id: String,
    scopes: Vec<String>,
}

impl Device {
    fn new() -> Self {
        let signing = SigningKey::from_bytes(&[7; 32]);
        let key = DeviceKey::from_bytes(signing.verifying_key().to_bytes()).unwrap();
        Self {
            signing,
            key: key.to_base64url(),
            id: DeviceId::of(&key).to_string(),
            scopes: vec!["operator.read".to_owned()],
        }
    }

    fn fields(&self) -> SignedFields<'_> {
        SignedFields {
            device_id: &self.id,
            client_id: "openclaw-ios",
            client_mode: "ui",
            role: "operator",
            scopes: &self.scopes,
            signed_at: NOW,
            token: "hunter2",
            nonce: NONCE,
            platform: Some(" iOS "),
            device_family: Some("iPhone"),
        }
    }

    fn sign(&self, fields: &SignedFields<'_>, version: PayloadVersion) -> String {
        let payload = fields.payload(version).unwrap();
        URL_SAFE_NO_PAD.encode(self.signing.sign(payload.as_bytes()).to_bytes())
    }

    /// Signs some fields, and sends others.
    fn send(
        &self,
        signed: &SignedFields<'_>,
        version: PayloadVersion,
        sent: &SignedFields<'_>,
        challenge: &Challenge<'_>,
    ) -> Result<ProvenDevice, ProofError> {
        sent.verify(&self.key, &self.sign(signed, version), challenge)
    }
}
