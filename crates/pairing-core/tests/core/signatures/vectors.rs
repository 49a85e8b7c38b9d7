//! Signatures made by other programs.

use pairing_core::{Challenge, PayloadVersion, SignedFields, Timestamp, signed_token};
use serde_json::Value;

use super::{NONCE, challenge};

const VECTORS: &str = include_str!("../../vectors/device-signatures.json");
const CONNECTS: &str = include_str!("../../vectors/connects-2026.2.17.jsonl");

fn text<'v>(value: &'v Value, name: &str) -> Option<&'v str> {
    value.get(name).map(|value| value.as_str().unwrap())
}

fn scopes(value: &Value) -> Vec<String> {
    serde_json::from_value(value["scopes"].clone()).unwrap()
}

fn token(auth: &Value) -> &str {
    let of = |name| text(auth, name);
    signed_token(of("token"), of("deviceToken"), of("bootstrapToken"))
}

#[test]
fn t96_signatures_of_another_implementation_for_every_choice_of_token() {
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    let cases = vectors["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 20);
    for case in cases {
        let of = |name| text(case, name).unwrap();
        let scopes = scopes(case);
        let fields = SignedFields {
            device_id: of("deviceId"),
            client_id: of("clientId"),
            client_mode: of("clientMode"),
            role: of("role"),
            scopes: &scopes,
            signed_at: case["signedAt"].as_i64().unwrap(),
            token: token(&case["auth"]),
            nonce: of("nonce"),
            platform: text(case, "platform"),
            device_family: text(case, "deviceFamily"),
        };
        let version = match of("version") {
            "v2" => PayloadVersion::V2,
            "v3" => PayloadVersion::V3,
            other => panic!("{other}"),
        };
        let name = of("name");
        assert_eq!(*fields.payload(version).unwrap(), of("payload"), "{name}");
        for key in ["publicKey", "publicKeyPem"] {
            let proven = fields.verify(of(key), of("signature"), &challenge(NONCE));
            let proven = proven.unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(proven.version(), version, "{name}");
            assert_eq!(proven.id().to_string(), of("deviceId"), "{name}");
            assert_eq!(proven.key().to_base64url(), of("publicKey"), "{name}");
        }
        // The signature does not fit any other token.
        for wrong in ["", "a", "b", "c", "p", "secret-tok"] {
            let other = SignedFields {
                token: wrong,
                ..fields
            };
            let refused = other.verify(of("publicKey"), of("signature"), &challenge(NONCE));
            assert_eq!(refused.is_ok(), wrong == fields.token, "{name}: {wrong}");
        }
    }
}

#[test]
fn recorded_connects_are_proven() {
    let connects: Vec<Value> = CONNECTS
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(connects.len(), 7);
    for connect in connects {
        let params = &connect["frame"]["params"];
        let (client, device) = (&params["client"], &params["device"]);
        let scopes = scopes(params);
        let signed_at = device["signedAt"].as_i64().unwrap();
        let fields = SignedFields {
            device_id: text(device, "id").unwrap(),
            client_id: text(client, "id").unwrap(),
            client_mode: text(client, "mode").unwrap(),
            role: text(params, "role").unwrap(),
            scopes: &scopes,
            signed_at,
            token: token(&params["auth"]),
            nonce: text(device, "nonce").unwrap(),
            platform: text(client, "platform"),
            device_family: text(client, "deviceFamily"),
        };
        let challenge = Challenge {
            now: Timestamp::from_millis(signed_at),
            ..challenge(fields.nonce)
        };
        let (key, signature) = (text(device, "publicKey"), text(device, "signature"));
        let proven = fields.verify(key.unwrap(), signature.unwrap(), &challenge);
        let proven = proven.unwrap();
        assert_eq!(proven.version(), PayloadVersion::V2);
        assert_eq!(proven.role(), fields.role);
        assert_eq!(proven.scopes(), scopes);
        assert_eq!(proven.client_id(), fields.client_id);
        assert_eq!(proven.client_mode(), fields.client_mode);
    }
}
