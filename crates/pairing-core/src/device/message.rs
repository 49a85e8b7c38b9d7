//! Signed messages between programs, apart from the payloads that devices sign when they connect.

use super::identity::Identity;
use super::key::DeviceKey;
use super::text;

impl Identity {
    /// Signs the parts of a message for one purpose; returns base64url without padding.
    ///
    /// - The purpose and each part are signed with their lengths in front, so the signature does not fit
    ///   another purpose, or another division of the same bytes.
    /// - It does not fit a `connect` either: the signed bytes begin with a zero byte, and no `connect`
    ///   payload does.
    pub fn sign_parts(&self, purpose: &str, parts: &[&[u8]]) -> String {
        text::to_base64url(&self.sign_bytes(&message(purpose, parts)))
    }
}

impl DeviceKey {
    /// Whether the holder of this key signed these parts for this purpose, by strict verification.
    pub fn signed_parts(&self, purpose: &str, parts: &[&[u8]], signature: &str) -> bool {
        let signature = text::array_from_base64(signature);
        signature.is_some_and(|signature| self.signed(&message(purpose, parts), &signature))
    }
}

fn message(purpose: &str, parts: &[&[u8]]) -> Vec<u8> {
    let mut message = Vec::new();
    for part in std::iter::once(&purpose.as_bytes()).chain(parts) {
        message.extend((part.len() as u64).to_be_bytes());
        message.extend_from_slice(part);
    }
    message
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng as _;

    use super::*;
    use crate::device::{PayloadVersion, SignedFields};

    fn identity(seed: u64) -> Identity {
        Identity::generate(&Mutex::new(ChaCha20Rng::seed_from_u64(seed))).unwrap()
    }

    #[test]
    fn a_signature_is_good_for_its_key_purpose_and_parts_alone() {
        let own = identity(1);
        let signature = own.sign_parts("call", &[b"ab", b"c", b""]);
        let key = own.key();
        assert!(key.signed_parts("call", &[b"ab", b"c", b""], &signature));
        assert!(
            !identity(2)
                .key()
                .signed_parts("call", &[b"ab", b"c", b""], &signature)
        );
        for (purpose, parts) in [
            ("call", &[&b"a"[..], b"bc", b""][..]),
            ("call", &[b"ab", b"c"]),
            ("call", &[b"abc"]),
            ("call", &[b"", b"ab", b"c"]),
            ("calla", &[b"b", b"c", b""]),
            ("", &[b"call", b"ab", b"c", b""]),
        ] {
            assert!(!key.signed_parts(purpose, parts, &signature), "{parts:?}");
        }
        for other in ["", "AA", &signature[1..], &format!("{signature}A")] {
            assert!(!key.signed_parts("call", &[b"ab", b"c", b""], other));
        }
    }

    #[test]
    fn what_a_connect_signs_is_no_message_of_parts() {
        let own = identity(1);
        let fields = SignedFields {
            device_id: "",
            client_id: "",
            client_mode: "",
            role: "",
            scopes: &[],
            signed_at: 0,
            token: "",
            nonce: "",
            platform: None,
            device_family: None,
        };
        for version in [PayloadVersion::V2, PayloadVersion::V3] {
            let payload = fields.payload(version).unwrap();
            assert_ne!(payload.as_bytes().first(), Some(&0));
            let signature = own.sign(&fields, version).unwrap();
            assert!(!own.key().signed_parts(&payload, &[], &signature));
        }
        assert_eq!(message("", &[]).first(), Some(&0));
    }
}
