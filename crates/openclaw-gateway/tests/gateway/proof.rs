//! What a device proves, and what is no proof.

use std::time::Duration;

use pairing_core::device::PayloadVersion;
use serde_json::{Value, json};

use crate::refusals::{connect, refused};
use crate::support::{Device, Running, TOKEN, node_params, operator_params, start};

/// Connects with a claim that was changed after it was signed; the error.
async fn changed(
    gateway: &Running,
    device: &Device,
    mut params: Value,
    change: impl FnOnce(&mut Value),
) -> Value {
    let mut raw = gateway.raw().await;
    let nonce = raw.challenge().await;
    params["device"] = device.claim(&nonce, gateway.pairing.now(), &params);
    change(&mut params);
    raw.send(connect(&params)).await;
    let (error, end) = refused(&mut raw).await;
    assert_eq!(end["close"], 1008);
    error
}

/// Whatever is signed cannot be changed on the way.
#[tokio::test]
async fn t35_t96_what_is_signed_is_what_counts() {
    let gateway = start().await;
    let device = gateway.device();
    for (key, value) in [
        ("/client/id", json!("cli")),
        ("/client/mode", json!("ui")),
        ("/client/platform", json!("ios")),
        ("/role", json!("operator")),
        ("/scopes", json!(["operator.admin"])),
        ("/auth/token", json!("another")),
        ("/auth", json!({ "deviceToken": TOKEN, "token": "" })),
        (
            "/device/signedAt",
            json!(gateway.pairing.now().as_millis() + 1),
        ),
    ] {
        let error = changed(&gateway, &device, node_params(), |params| {
            *params.pointer_mut(key).unwrap() = value;
        });
        let error = error.await;
        assert_eq!(error["message"], "device signature invalid", "{key}");
        assert_eq!(
            error["details"],
            json!({ "code": "DEVICE_AUTH_SIGNATURE_INVALID", "reason": "device-signature" })
        );
    }
    // The kind of device is signed as well, and how it is written does not matter.
    let mut params = node_params();
    params["client"]["deviceFamily"] = json!(" Phone ");
    let error = changed(&gateway, &device, params.clone(), |params| {
        params["client"]["deviceFamily"] = json!("tablet");
    });
    assert_eq!(error.await["message"], "device signature invalid");
    let error = changed(&gateway, &device, params, |params| {
        params["client"]["deviceFamily"] = json!("phone");
    });
    assert_eq!(error.await["message"], "pairing required");
    gateway.stop().await;
}

/// Of several tokens, the first of `token`, `deviceToken`, `bootstrapToken` that is there is signed.
#[tokio::test]
async fn t96_the_token_that_is_signed_is_the_first_that_is_there() {
    let gateway = start().await;
    let all = json!({ "token": TOKEN, "deviceToken": "two", "bootstrapToken": "three" });
    for (auth, signed) in [
        (all.clone(), Some(TOKEN)),
        (
            json!({ "deviceToken": "two", "bootstrapToken": "three" }),
            Some("two"),
        ),
        (json!({ "bootstrapToken": "three" }), Some("three")),
        (json!({ "token": "", "deviceToken": "two" }), Some("")),
        (json!({ "password": "four" }), None),
    ] {
        let device = gateway.device();
        let mut raw = gateway.raw().await;
        let nonce = raw.challenge().await;
        let mut params = node_params();
        params["auth"] = signed.map_or(json!({}), |token| json!({ "token": token }));
        let claim = device.claim(&nonce, gateway.pairing.now(), &params);
        params["device"] = claim;
        params["auth"] = auth.clone();
        raw.send(connect(&params)).await;
        let (error, _) = refused(&mut raw).await;
        assert_ne!(
            error["details"]["code"], "DEVICE_AUTH_SIGNATURE_INVALID",
            "{auth}: {error}"
        );
    }
    gateway.stop().await;
}

#[tokio::test]
async fn t36_a_connect_is_good_for_its_own_connection_and_once() {
    let gateway = start().await;
    let device = gateway.device();
    drop(device.paired_node(&gateway, &[]).await);
    let (mut one, mut two) = (gateway.raw().await, gateway.raw().await);
    let nonce = one.challenge().await;
    assert_ne!(two.challenge().await, nonce);
    let mut params = node_params();
    params["device"] = device.claim(&nonce, gateway.pairing.now(), &params);
    two.send(connect(&params)).await;
    let (error, _) = refused(&mut two).await;
    assert_eq!(error["message"], "device nonce mismatch");
    assert_eq!(
        error["details"],
        json!({ "code": "DEVICE_AUTH_NONCE_MISMATCH", "reason": "device-nonce-mismatch" })
    );
    one.send(connect(&params)).await;
    assert_eq!(one.answer().await["ok"], true);
    // And not on a connection that comes later.
    let mut three = gateway.raw().await;
    three.challenge().await;
    three.send(connect(&params)).await;
    assert_eq!(
        refused(&mut three).await.0["message"],
        "device nonce mismatch"
    );
    gateway.stop().await;
}

#[tokio::test]
async fn t36_without_a_nonce_nothing_is_proven() {
    let gateway = start().await;
    let device = gateway.device();
    for nonce in [None, Some("")] {
        let error = changed(&gateway, &device, node_params(), |params| {
            let claim = params["device"].as_object_mut().unwrap();
            claim.remove("nonce");
            claim.extend(nonce.map(|nonce| ("nonce".to_owned(), json!(nonce))));
        });
        let error = error.await;
        assert_eq!(error["message"], "device nonce required");
        assert_eq!(
            error["details"],
            json!({ "code": "DEVICE_AUTH_NONCE_REQUIRED", "reason": "device-nonce-missing" })
        );
    }
    gateway.stop().await;
}

#[tokio::test]
async fn t95_a_clock_that_is_off_is_told_by_how_much() {
    let gateway = start().await;
    let device = gateway.device();
    let connect_at = async |skew_ms: i64| {
        let mut raw = gateway.raw().await;
        let nonce = raw.challenge().await;
        let at = pairing_core::Timestamp::from_millis(gateway.pairing.now().as_millis() + skew_ms);
        let mut params = node_params();
        params["device"] = device.claim(&nonce, at, &params);
        raw.send(connect(&params)).await;
        refused(&mut raw).await.0
    };
    for (skew_ms, hint) in [
        (-120_001, "this clock is 120 s behind the gateway's: set it"),
        (
            3_600_000,
            "this clock is 3600 s ahead of the gateway's: set it",
        ),
    ] {
        let error = connect_at(skew_ms).await;
        assert_eq!(error["message"], "device signature expired");
        assert_eq!(
            error["details"],
            json!({
                "code": "DEVICE_AUTH_SIGNATURE_EXPIRED", "reason": "device-signature-stale",
                "skewMs": skew_ms, "hint": hint,
            })
        );
    }
    for skew_ms in [-120_000, 0, 120_000] {
        assert_eq!(connect_at(skew_ms).await["message"], "pairing required");
    }
    gateway.clock.0.advance(Duration::from_secs(1));
    gateway.stop().await;
}

#[tokio::test]
async fn keys_that_are_none_or_prove_nothing_are_refused() {
    let gateway = start().await;
    let device = gateway.device();
    for key in [
        "AAAA",
        "not base64!",
        // Points of small order: the identity, and one of order 2.
        "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "7P________________________________________38",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    ] {
        let error = changed(&gateway, &device, node_params(), |params| {
            params["device"]["publicKey"] = json!(key);
        });
        let error = error.await;
        assert_eq!(error["code"], "INVALID_REQUEST");
        assert_eq!(error["message"], "device public key invalid", "{key}");
        assert_eq!(
            error["details"],
            json!({ "code": "DEVICE_AUTH_PUBLIC_KEY_INVALID", "reason": "device-public-key" })
        );
    }
    let other = gateway.device();
    let error = changed(&gateway, &device, node_params(), |params| {
        params["device"]["id"] = json!(other.identity.id());
    });
    assert_eq!(
        error.await["details"]["code"],
        "DEVICE_AUTH_DEVICE_ID_MISMATCH"
    );
    gateway.stop().await;
}

#[tokio::test]
async fn t37_a_signed_field_with_a_separator_is_refused_by_name() {
    let gateway = start().await;
    let device = gateway.device();
    for (key, value) in [
        ("/client/id", json!("cli|cli")),
        ("/client/mode", json!("cli\u{0}")),
        ("/client/platform", json!("linux|phone")),
        ("/scopes", json!(["operator.read,operator.admin"])),
        ("/scopes", json!(["operator.read|"])),
        ("/auth/token", json!("a|b")),
        ("/device/nonce", json!("a|b")),
    ] {
        let mut params = operator_params();
        params["maxProtocol"] = json!(4);
        let error = changed(&gateway, &device, params, |params| {
            *params.pointer_mut(key).unwrap() = value;
        });
        let error = error.await;
        assert_eq!(error["code"], "INVALID_REQUEST");
        let message = error["message"].as_str().unwrap();
        assert!(
            message.starts_with("invalid connect params: "),
            "{key}: {message}"
        );
        assert!(!message.contains("a|b"), "{message}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn t35_a_device_that_has_signed_v3_does_not_fall_back() {
    let gateway = start().await;
    let (old, new) = (gateway.device(), gateway.device());
    let connect_by = async |device: &Device, version, params: &Value| {
        let mut raw = gateway.raw().await;
        let nonce = raw.challenge().await;
        let mut params = params.clone();
        params["device"] = device.claim_by(version, &nonce, gateway.pairing.now(), &params);
        raw.send(connect(&params)).await;
        raw.answer().await
    };
    let (v2, v3) = (PayloadVersion::V2, PayloadVersion::V3);
    for (device, version) in [(&old, v2), (&new, v3)] {
        let asked = connect_by(device, version, &node_params()).await;
        gateway.approve(asked["error"]["details"]["requestId"].as_str().unwrap());
        assert_eq!(
            connect_by(device, version, &node_params()).await["ok"],
            true
        );
    }
    // What v2 leaves out can be changed by whoever replays it.
    let fallen = connect_by(&new, v2, &node_params()).await;
    assert_eq!(
        fallen["error"]["details"]["code"], "DEVICE_AUTH_SIGNATURE_INVALID",
        "{fallen}"
    );
    assert_eq!(connect_by(&old, v2, &node_params()).await["ok"], true);
    assert_eq!(connect_by(&old, v3, &node_params()).await["ok"], true);
    let fallen = connect_by(&old, v2, &node_params()).await;
    assert_eq!(fallen["error"]["message"], "device signature invalid");
    gateway.stop().await;
}
