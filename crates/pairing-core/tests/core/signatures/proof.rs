//! Known failures of other programs in checking the proof of a device.

use std::time::Duration;

use base64::engine::{Engine as _, general_purpose::URL_SAFE_NO_PAD};
use ed25519_dalek::Signer as _;
use pairing_core::PayloadVersion::{V2, V3};
use pairing_core::{Challenge, ProofError, SIGNATURE_TOLERANCE, SignedFields, Timestamp};
use proptest::prelude::*;

use super::{Device, NONCE, NOW, challenge};

#[test]
fn t35_a_platform_that_was_not_signed_is_no_proof_of_it() {
    let device = Device::new();
    let fields = device.fields();
    let challenge = challenge(NONCE);
    let v3 = device.send(&fields, V3, &fields, &challenge).unwrap();
    assert_eq!(
        (v3.platform(), v3.device_family()),
        (Some("ios"), Some("iphone"))
    );
    let v2 = device.send(&fields, V2, &fields, &challenge).unwrap();
    assert_eq!((v2.platform(), v2.device_family()), (None, None));

    for spoofed in [
        SignedFields {
            platform: Some("android"),
            ..fields
        },
        SignedFields {
            device_family: Some("iPad"),
            ..fields
        },
        SignedFields {
            platform: None,
            ..fields
        },
    ] {
        let refused = device.send(&fields, V3, &spoofed, &challenge);
        assert_eq!(refused, Err(ProofError::Signature), "{spoofed:?}");
    }
    // Values moved from one field to another.
    let moved = SignedFields {
        platform: Some("iphone"),
        device_family: Some("ios"),
        ..fields
    };
    assert_eq!(
        device.send(&fields, V3, &moved, &challenge),
        Err(ProofError::Signature)
    );
}

#[test]
fn t35_a_device_once_seen_on_v3_does_not_fall_back() {
    let device = Device::new();
    let fields = device.fields();
    let strict = Challenge {
        v3_only: true,
        ..challenge(NONCE)
    };
    assert_eq!(
        device.send(&fields, V2, &fields, &strict),
        Err(ProofError::Signature)
    );
    assert!(device.send(&fields, V3, &fields, &strict).is_ok());
}

#[test]
fn t36_the_nonce_is_signed_and_that_of_this_connection() {
    let device = Device::new();
    let fields = device.fields();
    let none = SignedFields {
        nonce: "",
        ..fields
    };
    assert_eq!(
        device.send(&none, V3, &none, &challenge(NONCE)),
        Err(ProofError::NonceMissing)
    );
    assert_eq!(
        device.send(&none, V3, &none, &challenge("")),
        Err(ProofError::NonceMissing)
    );
    // A recorded connect replayed on another connection, as it is and with that connection's nonce.
    let other = "5ab67a10-77d2-4447-94b6-e240d3e598eb";
    let replayed = device.send(&fields, V3, &fields, &challenge(other));
    assert_eq!(replayed, Err(ProofError::NonceMismatch));
    let forged = SignedFields {
        nonce: other,
        ..fields
    };
    assert_eq!(
        device.send(&fields, V3, &forged, &challenge(other)),
        Err(ProofError::Signature)
    );
}

#[test]
fn t37_a_field_that_holds_a_separator_is_refused_by_name() {
    type Spoil = fn(&mut SignedFields<'_>);
    let device = Device::new();
    let spoil: [(&str, Spoil); 9] = [
        ("device.id", |fields| fields.device_id = "a|b"),
        ("client.id", |fields| fields.client_id = "cli|cli"),
        ("client.mode", |fields| fields.client_mode = "ui\u{0}"),
        ("role", |fields| fields.role = "operator|"),
        ("auth", |fields| fields.token = "a|b"),
        ("device.nonce", |fields| fields.nonce = "n|"),
        ("client.platform", |fields| {
            fields.platform = Some("ios|ipad");
        }),
        ("client.platform", |fields| {
            fields.platform = Some("ios\u{85}");
        }),
        ("client.deviceFamily", |fields| {
            fields.device_family = Some("|");
        }),
    ];
    for (field, spoil) in spoil {
        let mut fields = device.fields();
        spoil(&mut fields);
        assert_refused_by_name(&fields, field);
    }
    for scope in [
        "operator.read,operator.admin",
        "operator.read|x",
        "operator.read\n",
        "",
    ] {
        let scopes = ["operator.write".to_owned(), scope.to_owned()];
        let fields = SignedFields {
            scopes: &scopes,
            ..device.fields()
        };
        assert_refused_by_name(&fields, "scopes");
    }
}

fn assert_refused_by_name(fields: &SignedFields<'_>, field: &str) {
    for version in [V2, V3] {
        assert_eq!(fields.payload(version).unwrap_err().field, field);
    }
    let key = Device::new().key;
    let refused = fields.verify(&key, "", &challenge(NONCE)).unwrap_err();
    assert!(
        matches!(&refused, ProofError::Field(error) if error.field == field),
        "{refused}"
    );
    assert_eq!((refused.code(), refused.reason()), (None, None));
    let message = refused.message();
    assert!(
        message.starts_with(&format!("invalid connect params: {field}: ")),
        "{message}"
    );
}

#[test]
fn t95_a_clock_that_is_off_is_reported_with_how_much() {
    let device = Device::new();
    for (skew_ms, accepted) in [
        (0, true),
        (120_000, true),
        (-120_000, true),
        (120_001, false),
        (-120_001, false),
        (i64::MAX - NOW, false),
        (i64::MIN, false),
    ] {
        let signed_at = NOW.saturating_add(skew_ms);
        let fields = SignedFields {
            signed_at,
            ..device.fields()
        };
        let result = device.send(&fields, V3, &fields, &challenge(NONCE));
        assert_eq!(result.is_ok(), accepted, "{skew_ms}");
        if let Err(error) = result {
            let skew_ms = signed_at.saturating_sub(NOW);
            let tolerance = SIGNATURE_TOLERANCE;
            assert_eq!(error, ProofError::Stale { skew_ms, tolerance });
        }
    }
    let says = |skew_ms| {
        ProofError::Stale {
            skew_ms,
            tolerance: Duration::from_secs(120),
        }
        .to_string()
    };
    assert_eq!(
        says(125_000),
        "signed 125000 ms ahead of this clock, at most 120000 ms are tolerated"
    );
    assert_eq!(
        says(-125_000),
        "signed 125000 ms behind this clock, at most 120000 ms are tolerated"
    );
}

#[test]
fn failures_come_in_the_order_of_the_protocol_each_with_its_code() {
    let device = Device::new();
    let mut fields = SignedFields {
        device_id: "15eef72ff15d1a91a6aa964a144fde0002b3bf191cc05da41538a49da7a7653f",
        client_id: "a|b",
        signed_at: 0,
        nonce: "",
        ..device.fields()
    };
    let mut key = "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let mut signature = "AA".to_owned();
    let challenge = challenge(NONCE);
    // Everything is wrong at first; each failure is then corrected in turn.
    let refused = |fields: &SignedFields<'_>, key, signature: &str| {
        let error = fields.verify(key, signature, &challenge).unwrap_err();
        (error.message().into_owned(), error.code(), error.reason())
    };
    let expected = |message: &str, code, reason| (message.to_owned(), Some(code), Some(reason));

    assert!(
        refused(&fields, key, &signature)
            .0
            .starts_with("invalid connect params: client.id")
    );
    fields.client_id = "cli";
    assert_eq!(
        refused(&fields, key, &signature),
        expected(
            "device public key invalid",
            "DEVICE_AUTH_PUBLIC_KEY_INVALID",
            "device-public-key"
        )
    );
    key = &device.key;
    assert_eq!(
        refused(&fields, key, &signature),
        expected(
            "device identity mismatch",
            "DEVICE_AUTH_DEVICE_ID_MISMATCH",
            "device-id-mismatch"
        )
    );
    fields.device_id = &device.id;
    assert_eq!(
        refused(&fields, key, &signature),
        expected(
            "device signature expired",
            "DEVICE_AUTH_SIGNATURE_EXPIRED",
            "device-signature-stale"
        )
    );
    fields.signed_at = NOW;
    assert_eq!(
        refused(&fields, key, &signature),
        expected(
            "device nonce required",
            "DEVICE_AUTH_NONCE_REQUIRED",
            "device-nonce-missing"
        )
    );
    fields.nonce = "another";
    assert_eq!(
        refused(&fields, key, &signature),
        expected(
            "device nonce mismatch",
            "DEVICE_AUTH_NONCE_MISMATCH",
            "device-nonce-mismatch"
        )
    );
    fields.nonce = NONCE;
    for wrong in [
        signature.clone(),
        String::new(),
        "A".repeat(86),
        device.sign(&fields, V3) + "AA",
    ] {
        assert_eq!(
            refused(&fields, key, &wrong),
            expected(
                "device signature invalid",
                "DEVICE_AUTH_SIGNATURE_INVALID",
                "device-signature"
            )
        );
    }
    signature = device.sign(&fields, V3);
    assert!(fields.verify(key, &signature, &challenge).is_ok());
}

#[test]
fn a_signature_with_another_scalar_for_the_same_point_is_refused() {
    let device = Device::new();
    let fields = device.fields();
    let payload = fields.payload(V3).unwrap();
    let mut signature = device.signing.sign(payload.as_bytes()).to_bytes();
    // The order of the group added to the scalar: the same number to a verifier that does not check the
    // range.
    let order: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
        0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut carry = 0;
    for (byte, add) in signature[32..].iter_mut().zip(order) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        *byte = sum.to_le_bytes()[0];
        carry = sum >> 8;
    }
    let text = URL_SAFE_NO_PAD.encode(signature);
    let refused = fields.verify(&device.key, &text, &challenge(NONCE));
    assert_eq!(refused, Err(ProofError::Signature));
}

#[test]
fn debug_shows_no_signed_token() {
    let device = Device::new();
    let fields = device.fields();
    let proven = device
        .send(&fields, V3, &fields, &challenge(NONCE))
        .unwrap();
    assert!(!format!("{fields:?} {proven:?}").contains("hunter2"));
}

proptest! {
    /// No two sets of fields have the same bytes, so a signature is valid only for the signed fields.
    #[test]
    fn t37_different_fields_are_different_bytes(
        one in proptest::array::uniform6("[ab|,]{0,3}"),
        two in proptest::array::uniform6("[ab|,]{0,3}"),
        some in proptest::collection::vec("[ab|,]{0,2}", 0..3),
        others in proptest::collection::vec("[ab|,]{0,2}", 0..3),
    ) {
        fn fields<'a>(texts: &'a [String; 6], scopes: &'a [String]) -> SignedFields<'a> {
            let [device_id, client_id, role, token, nonce, platform] = texts;
            SignedFields {
                device_id, client_id, client_mode: "ui", role, scopes, signed_at: 1, token, nonce,
                platform: Some(platform), device_family: None,
            }
        }
        let (a, b) = (fields(&one, &some), fields(&two, &others));
        if let (Ok(first), Ok(second)) = (a.payload(V3), b.payload(V3)) {
            prop_assert_eq!(*first == *second, one == two && some == others);
            prop_assert!(*first != *b.payload(V2).unwrap());
        }
    }

    #[test]
    fn verifying_never_panics(key: String, signature: String, text: String, signed_at: i64, now: i64) {
        let device = Device::new();
        let fields = SignedFields { client_id: &text, token: &text, signed_at, ..device.fields() };
        let challenge = Challenge { now: Timestamp::from_millis(now), ..challenge(NONCE) };
        prop_assert!(fields.verify(&key, &signature, &challenge).is_err());
        prop_assert!(fields.verify(&device.key, &signature, &challenge).is_err());
    }
}
