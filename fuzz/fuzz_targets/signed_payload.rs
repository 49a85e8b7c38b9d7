//! What devices sign: taken apart again it is what was put in, and only its own signature proves it.

use libfuzzer_sys::arbitrary::{self, Arbitrary};
use pairing_core::{
    Challenge, Entropy, EntropyError, Identity, PayloadVersion, ProofError, SIGNATURE_TOLERANCE,
    SignedFields, Timestamp,
};

#[derive(Debug, Arbitrary)]
struct Connect {
    client_id: String,
    client_mode: String,
    role: String,
    scopes: Vec<String>,
    signed_at: i64,
    now: i64,
    token: String,
    nonce: String,
    platform: Option<String>,
    device_family: Option<String>,
    signature: String,
    v3: bool,
    v3_only: bool,
}

struct Seed;

impl Entropy for Seed {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        bytes.fill(7);
        Ok(())
    }
}

target!(|connect: Connect| {
    let identity = Identity::generate(&Seed).expect("a key pair");
    let (id, key) = (identity.id().to_string(), identity.key().to_base64url());
    let fields = SignedFields {
        device_id: &id,
        client_id: &connect.client_id,
        client_mode: &connect.client_mode,
        role: &connect.role,
        scopes: &connect.scopes,
        signed_at: connect.signed_at,
        token: &connect.token,
        nonce: &connect.nonce,
        platform: connect.platform.as_deref(),
        device_family: connect.device_family.as_deref(),
    };
    let challenge = Challenge {
        nonce: &connect.nonce,
        now: Timestamp::from_millis(connect.now),
        tolerance: SIGNATURE_TOLERANCE,
        v3_only: connect.v3_only,
    };
    assert!(fields.verify(&key, &connect.signature, &challenge).is_err());

    let version = if connect.v3 {
        PayloadVersion::V3
    } else {
        PayloadVersion::V2
    };
    let Ok(payload) = fields.payload(version) else {
        return;
    };
    let parts: Vec<&str> = payload.split('|').collect();
    assert_eq!(parts.len(), if connect.v3 { 11 } else { 9 });
    let signed_at = connect.signed_at.to_string();
    let head = [
        if connect.v3 { "v3" } else { "v2" },
        &id,
        &connect.client_id,
        &connect.client_mode,
        &connect.role,
    ];
    assert_eq!(parts[..5], head);
    let scopes: Vec<&str> = parts[5]
        .split(',')
        .filter(|scope| !scope.is_empty())
        .collect();
    assert_eq!(scopes, connect.scopes);
    assert_eq!(parts[6..9], [&*signed_at, &*connect.token, &*connect.nonce]);

    let signature = identity
        .sign(&fields, version)
        .expect("the fields are sound");
    let skew = connect.signed_at.saturating_sub(challenge.now.as_millis());
    let expected = if skew.unsigned_abs() > 120_000 {
        Err(ProofError::Stale {
            skew_ms: skew,
            tolerance: SIGNATURE_TOLERANCE,
        })
    } else if connect.nonce.is_empty() {
        Err(ProofError::NonceMissing)
    } else if connect.v3_only && !connect.v3 {
        Err(ProofError::Signature)
    } else {
        Ok(version)
    };
    let proven = fields.verify(&key, &signature, &challenge);
    assert_eq!(proven.map(|proven| proven.version()), expected);
});
