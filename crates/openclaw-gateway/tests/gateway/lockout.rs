//! Guessing, and what comes of it.

use std::time::{Duration, Instant};

use pairing_core::Approver;
use pairing_core::device::SetupProfile;
use serde_json::{Value, json};

use crate::access::start_behind_proxy;
use crate::support::{Device, Running, TOKEN, node_params, operator_params, settings, start_with};

pub(crate) const ATTACKER: &str = "192.0.2.1";

/// What comes of a node's `connect` from an address: `in`, or the code of the refusal.
pub(crate) async fn outcome(gateway: &Running, from: &str, device: &Device, auth: Value) -> String {
    let headers = [("X-Forwarded-For", from)];
    let mut params = node_params();
    params["commands"] = json!([]);
    params["auth"] = auth;
    let mut raw = gateway.raw_with(&headers).await.unwrap();
    let answer = raw.connect_as(device, gateway, params).await;
    if answer["ok"] == true {
        return "in".to_owned();
    }
    let details = &answer["error"]["details"];
    if details["code"] == "AUTH_RATE_LIMITED" {
        assert_eq!(details["recommendedNextStep"], "wait_then_retry");
        assert_eq!(details["canRetryWithDeviceToken"], false);
        assert!(
            answer["error"]["retryAfterMs"].as_u64().unwrap() > 0,
            "{answer}"
        );
    }
    details["code"].as_str().unwrap().to_owned()
}

/// A device that was paired as a node by this `auth`, and its token.
pub(crate) async fn paired(gateway: &Running, auth: Value) -> (Device, String) {
    let device = gateway.device();
    let mut params = node_params();
    params["commands"] = json!([]);
    params["auth"] = auth;
    let mut raw = gateway.raw().await;
    let asked = raw.connect_as(&device, gateway, params.clone()).await;
    gateway.approve(asked["error"]["details"]["requestId"].as_str().unwrap());
    let hello = gateway
        .raw()
        .await
        .connect_as(&device, gateway, params)
        .await;
    let token = hello["payload"]["auth"]["deviceToken"].as_str().unwrap();
    (device, token.to_owned())
}

/// The token of a new setup code for a node.
pub(crate) fn setup_code(gateway: &Running) -> String {
    let owner = Approver::terminal("ann");
    let devices = gateway.pairing.devices();
    let issued = devices.issue_pairing_token(SetupProfile::Node, None, &owner);
    issued.unwrap().0.expose().to_owned()
}

#[tokio::test]
async fn t99_ten_wrong_secrets_lock_an_address_out_of_secrets_alone() {
    let gateway = start_behind_proxy("").await;
    let (device, token) = paired(&gateway, json!({ "token": TOKEN })).await;
    let code = setup_code(&gateway);
    for _ in 0..10 {
        let stranger = gateway.device();
        let guess = outcome(&gateway, ATTACKER, &stranger, json!({ "token": "guess" })).await;
        assert_eq!(guess, "AUTH_TOKEN_MISMATCH");
    }
    // Not even the right one is looked at, from this address however it is written,
    let right = json!({ "token": TOKEN });
    for from in [ATTACKER, "::ffff:192.0.2.1", "[::ffff:c000:201]:4711"] {
        let locked = outcome(&gateway, from, &gateway.device(), right.clone()).await;
        assert_eq!(locked, "AUTH_RATE_LIMITED", "{from}");
    }
    let mut raw = gateway
        .raw_with(&[("X-Forwarded-For", ATTACKER)])
        .await
        .unwrap();
    let locked = raw.connect(operator_params()).await;
    assert_eq!(
        locked["error"]["details"]["code"], "AUTH_RATE_LIMITED",
        "{locked}"
    );
    // but from every other, and every other kind of credential from this one.
    let elsewhere = outcome(&gateway, "192.0.2.2", &gateway.device(), right.clone()).await;
    assert_eq!(elsewhere, "PAIRING_REQUIRED");
    for auth in [json!({ "deviceToken": token }), json!({ "token": token })] {
        assert_eq!(outcome(&gateway, ATTACKER, &device, auth).await, "in");
    }
    let paired = outcome(
        &gateway,
        ATTACKER,
        &gateway.device(),
        json!({ "bootstrapToken": code }),
    )
    .await;
    assert_eq!(paired, "PAIRING_REQUIRED");

    // Until its time is over.
    gateway.clock.0.advance(Duration::from_secs(299));
    let still = outcome(&gateway, ATTACKER, &gateway.device(), right.clone()).await;
    assert_eq!(still, "AUTH_RATE_LIMITED");
    gateway.clock.0.advance(Duration::from_secs(1));
    let again = outcome(&gateway, ATTACKER, &gateway.device(), right).await;
    assert_eq!(again, "PAIRING_REQUIRED");
    gateway.stop().await;
}

#[tokio::test]
async fn t99_a_missing_secret_and_one_after_a_while_are_no_guesses() {
    let gateway = start_behind_proxy("").await;
    for _ in 0..20 {
        let missing = outcome(&gateway, ATTACKER, &gateway.device(), json!({})).await;
        assert_eq!(missing, "AUTH_TOKEN_MISSING");
    }
    for _ in 0..20 {
        let guess = outcome(
            &gateway,
            ATTACKER,
            &gateway.device(),
            json!({ "token": "guess" }),
        )
        .await;
        assert_eq!(guess, "AUTH_TOKEN_MISMATCH");
        gateway.clock.0.advance(Duration::from_secs(7));
    }
    gateway.stop().await;
}

/// Tokens of devices are counted for the device that was proven, setup codes for the address.
#[tokio::test]
async fn t99_each_kind_of_token_is_counted_by_itself() {
    let gateway = start_behind_proxy("").await;
    let (device, token) = paired(&gateway, json!({ "token": TOKEN })).await;
    let (other, its_token) = paired(&gateway, json!({ "token": TOKEN })).await;
    for _ in 0..10 {
        let wrong = outcome(
            &gateway,
            ATTACKER,
            &device,
            json!({ "deviceToken": "wrong" }),
        )
        .await;
        assert_eq!(wrong, "AUTH_DEVICE_TOKEN_MISMATCH");
    }
    let locked = outcome(&gateway, ATTACKER, &device, json!({ "deviceToken": token })).await;
    assert_eq!(locked, "AUTH_RATE_LIMITED");
    let fine = outcome(
        &gateway,
        ATTACKER,
        &other,
        json!({ "deviceToken": its_token }),
    )
    .await;
    assert_eq!(fine, "in");
    let fine = outcome(
        &gateway,
        "192.0.2.2",
        &device,
        json!({ "deviceToken": token }),
    )
    .await;
    assert_eq!(fine, "in");
    let fine = outcome(&gateway, ATTACKER, &device, json!({ "token": TOKEN })).await;
    assert_eq!(fine, "in");

    // A new key each time does not help with codes, nor does a token of a device beside them.
    for count in 0..10 {
        let mut auth = json!({ "bootstrapToken": "wrong" });
        if count % 2 == 0 {
            auth["deviceToken"] = json!("wrong");
        }
        outcome(&gateway, ATTACKER, &gateway.device(), auth).await;
    }
    let code = setup_code(&gateway);
    let locked = outcome(
        &gateway,
        ATTACKER,
        &gateway.device(),
        json!({ "bootstrapToken": code }),
    )
    .await;
    assert_eq!(locked, "AUTH_RATE_LIMITED");
    let fine = outcome(
        &gateway,
        "192.0.2.2",
        &gateway.device(),
        json!({ "bootstrapToken": code }),
    )
    .await;
    assert_eq!(fine, "PAIRING_REQUIRED");
    gateway.stop().await;
}

#[tokio::test]
async fn t99_this_machine_is_slowed_and_not_locked_out() {
    let limits = "limits: { loopbackDelayMs: 20, maxLoopbackDelayMs: 40 }";
    let gateway = start_with(settings(limits), |builder| builder).await;
    let begun = Instant::now();
    for _ in 0..12 {
        let mut params = operator_params();
        params["auth"] = json!({ "token": "guess" });
        let refused = gateway.raw().await.connect(params).await;
        assert_eq!(refused["error"]["message"], "device identity required");
    }
    // 20 ms, and then 40 each.
    assert!(
        begun.elapsed() >= Duration::from_millis(460),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(
        gateway.raw().await.connect(operator_params()).await["ok"],
        true
    );
    gateway.stop().await;
}

/// Whoever is locked out costs less than whoever guesses: the secret is not looked at, and the count
/// stays where it was.
#[tokio::test]
async fn t99_being_locked_out_does_not_go_on_for_ever() {
    let gateway = start_behind_proxy("limits: { secretFailures: 2, lockoutSeconds: 10 }").await;
    let guess = json!({ "token": "guess" });
    for expected in [
        "AUTH_TOKEN_MISMATCH",
        "AUTH_TOKEN_MISMATCH",
        "AUTH_RATE_LIMITED",
    ] {
        let device = gateway.device();
        assert_eq!(
            outcome(&gateway, ATTACKER, &device, guess.clone()).await,
            expected
        );
    }
    gateway.clock.0.advance(Duration::from_secs(9));
    let device = gateway.device();
    assert_eq!(
        outcome(&gateway, ATTACKER, &device, guess.clone()).await,
        "AUTH_RATE_LIMITED"
    );
    gateway.clock.0.advance(Duration::from_secs(1));
    assert_eq!(
        outcome(&gateway, ATTACKER, &device, guess).await,
        "AUTH_TOKEN_MISMATCH"
    );
    gateway.stop().await;
}
