//! Secrets and tokens: which one counts, and what is said of one that does not.

use openclaw_config::Config;
use openclaw_gateway::{Overrides, Settings};
use serde_json::{Value, json};

use crate::access::answer;
use crate::refusals::{connect, refused};
use crate::support::{
    Device, Running, TOKEN, node_params, operator_params, settings, start, start_with,
};

/// Guesses here are not slowed.
const SWIFT: &str = "limits: { loopbackDelayMs: 0 }";

/// A gateway with `gateway.auth` of one's own, and more of `gateway`.
pub(crate) async fn start_asking(auth: &str, more: &str) -> Running {
    let text = format!("{{ gateway: {{ auth: {{ {auth} }}, localAdmin: true, {more} }} }}");
    let config = Config::parse(&text).unwrap();
    let settings = Settings::from_config(&config, &Overrides::default()).unwrap();
    start_with(settings, |builder| builder).await
}

/// The refusal of a node with this `auth`.
async fn refusal(gateway: &Running, auth: Value) -> (Value, Value) {
    let mut raw = gateway.raw().await;
    let nonce = raw.challenge().await;
    let mut params = node_params();
    params["auth"] = auth;
    params["device"] = gateway
        .device()
        .claim(&nonce, gateway.pairing.now(), &params);
    raw.send(connect(&params)).await;
    refused(&mut raw).await
}

fn unauthorized(message: &str, code: &str, reason: &str, can_retry: bool, step: &str) -> Value {
    json!({
        "code": "INVALID_REQUEST",
        "message": format!("unauthorized: {message}"),
        "details": {
            "code": code, "authReason": reason, "canRetryWithDeviceToken": can_retry,
            "recommendedNextStep": step,
        },
    })
}

#[tokio::test]
async fn what_is_wrong_with_a_secret_is_said_by_code() {
    let token = start_with(settings(SWIFT), |builder| builder).await;
    let password = start_asking("mode: 'password', password: 'sesame'", SWIFT).await;
    let token_missing = unauthorized(
        "gateway token missing (provide gateway auth token)",
        "AUTH_TOKEN_MISSING",
        "token_missing",
        false,
        "update_auth_configuration",
    );
    let token_mismatch = unauthorized(
        "gateway token mismatch (provide gateway auth token)",
        "AUTH_TOKEN_MISMATCH",
        "token_mismatch",
        true,
        "retry_with_device_token",
    );
    let password_missing = unauthorized(
        "gateway password missing (provide gateway auth password)",
        "AUTH_PASSWORD_MISSING",
        "password_missing",
        false,
        "update_auth_configuration",
    );
    let password_mismatch = unauthorized(
        "gateway password mismatch (provide gateway auth password)",
        "AUTH_PASSWORD_MISMATCH",
        "password_mismatch",
        true,
        "retry_with_device_token",
    );
    let device_mismatch = unauthorized(
        "device token mismatch (connect with the gateway token, or pair again)",
        "AUTH_DEVICE_TOKEN_MISMATCH",
        "device_token_mismatch",
        false,
        "update_auth_credentials",
    );
    let code_invalid = unauthorized(
        "setup code used or expired (ask for a new one)",
        "AUTH_BOOTSTRAP_TOKEN_INVALID",
        "bootstrap_token_invalid",
        false,
        "update_auth_credentials",
    );
    for (gateway, auth, expected) in [
        (&token, json!(null), &token_missing),
        (&token, json!({}), &token_missing),
        (&token, json!({ "token": "" }), &token_missing),
        (&token, json!({ "password": TOKEN }), &token_missing),
        (&token, json!({ "token": "guess" }), &token_mismatch),
        (
            &token,
            json!({ "token": "guess", "password": TOKEN }),
            &token_mismatch,
        ),
        (&password, json!(null), &password_missing),
        (&password, json!({ "token": "sesame" }), &password_missing),
        (
            &password,
            json!({ "password": "guess" }),
            &password_mismatch,
        ),
        (&token, json!({ "deviceToken": "guess" }), &device_mismatch),
        (
            &token,
            json!({ "token": "guess", "deviceToken": "guess" }),
            &device_mismatch,
        ),
        (&token, json!({ "bootstrapToken": "guess" }), &code_invalid),
        (
            &password,
            json!({ "bootstrapToken": "guess" }),
            &code_invalid,
        ),
    ] {
        let (error, end) = refusal(gateway, auth.clone()).await;
        assert_eq!(error, *expected, "{auth}");
        assert_eq!(end, json!({ "close": 1008, "reason": "unauthorized" }));
    }
    token.stop().await;
    password.stop().await;
}

#[tokio::test]
async fn who_needs_the_owner_is_told_the_command_for_it() {
    let gateway = start().await;
    let (error, end) = refusal(&gateway, json!({ "token": TOKEN })).await;
    let id = error["details"]["requestId"].as_str().unwrap();
    assert_eq!(
        error,
        json!({
            "code": "NOT_PAIRED", "message": "pairing required", "retryable": true,
            "details": {
                "code": "PAIRING_REQUIRED", "reason": "not-paired", "requestId": id,
                "recommendedNextStep": "wait_then_retry", "retryable": true,
                "pauseReconnect": false, "hint": format!("openclaw devices approve {id}"),
            },
        })
    );
    assert_eq!(end, json!({ "close": 1008, "reason": "pairing required" }));
    gateway.stop().await;
}

/// Pairs a device as an operator with these scopes, at the terminal; its token.
async fn paired(gateway: &Running, device: &Device, scopes: &Value) -> String {
    let own = format!("http://{}", gateway.address);
    let mut params = operator_params();
    params["scopes"] = scopes.clone();
    // Of a page, so that the owner is asked.
    let page = [("Origin", own.as_str())];
    let mut raw = gateway.raw_with(&page).await.unwrap();
    let asked = raw.connect_as(device, gateway, params.clone()).await;
    gateway.approve(asked["error"]["details"]["requestId"].as_str().unwrap());
    let mut raw = gateway.raw_with(&page).await.unwrap();
    let hello = raw.connect_as(device, gateway, params).await;
    assert_eq!(
        hello["payload"]["auth"]["issuedAtMs"],
        gateway.pairing.now().as_millis()
    );
    hello["payload"]["auth"]["deviceToken"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[tokio::test]
async fn a_device_token_is_good_in_either_field_for_its_device_and_its_scopes() {
    let gateway = start().await;
    let device = gateway.device();
    let scopes = json!(["operator.pairing", "operator.read"]);
    let token = paired(&gateway, &device, &scopes).await;
    let show = async |device: &Device, auth: Value, scopes: Value| {
        let mut params = operator_params();
        params["maxProtocol"] = json!(4);
        params["auth"] = auth;
        params["scopes"] = scopes;
        gateway
            .raw()
            .await
            .connect_as(device, &gateway, params)
            .await
    };
    for auth in [
        json!({ "deviceToken": token }),
        json!({ "token": token }),
        json!({ "token": "stale", "deviceToken": token }),
        json!({ "password": "anything", "deviceToken": token }),
    ] {
        let hello = show(&device, auth.clone(), scopes.clone()).await;
        // No token comes with it: it has one.
        assert_eq!(
            hello["payload"]["auth"],
            json!({ "role": "operator", "scopes": scopes, "method": "device-token" }),
            "{auth}: {hello}"
        );
        // In nobody else's hands.
        let refused = show(&gateway.device(), auth, scopes.clone()).await;
        assert_eq!(refused["ok"], false);
        assert_ne!(refused["error"]["code"], "NOT_PAIRED");
    }
    let less = show(&device, json!({ "token": token }), json!(["operator.read"])).await;
    assert_eq!(less["payload"]["auth"]["scopes"], json!(["operator.read"]));
    let more = show(
        &device,
        json!({ "token": token }),
        json!(["operator.admin"]),
    )
    .await;
    assert_eq!(
        more["error"]["details"]["reason"], "scope-upgrade",
        "{more}"
    );
    // Beside the gateway's own secret, that one counts.
    let both = show(
        &device,
        json!({ "token": TOKEN, "deviceToken": token }),
        scopes,
    )
    .await;
    assert_eq!(both["payload"]["auth"]["method"], "token");
    // And for this role alone.
    let mut params = node_params();
    params["auth"] = json!({ "deviceToken": token });
    let node = gateway
        .raw()
        .await
        .connect_as(&device, &gateway, params)
        .await;
    assert_eq!(
        node["error"]["details"]["code"],
        "AUTH_DEVICE_TOKEN_MISMATCH"
    );
    gateway.stop().await;
}

#[tokio::test]
async fn a_password_is_as_good_as_a_token() {
    let gateway = start_asking("mode: 'password', password: 'sesame'", SWIFT).await;
    let mut params = operator_params();
    params["maxProtocol"] = json!(4);
    params["auth"] = json!({ "password": "sesame" });
    let hello = answer(&gateway, &[], &params).await;
    assert_eq!(
        hello["payload"]["auth"],
        json!({ "role": "operator", "scopes": ["operator.admin"], "method": "password" })
    );
    for auth in [
        json!({ "token": "sesame" }),
        json!({ "password": "Sesame" }),
    ] {
        params["auth"] = auth;
        let refused = answer(&gateway, &[], &params).await;
        assert_eq!(refused["error"]["message"], "device identity required");
    }
    gateway.stop().await;
}

/// Nothing is asked for; but pairing is not given up with it, nor is what pages may do.
#[tokio::test]
async fn an_open_gateway_still_pairs() {
    let gateway = start_asking("mode: 'none'", SWIFT).await;
    let mut params = operator_params();
    params["maxProtocol"] = json!(4);
    params.as_object_mut().unwrap().remove("auth");
    let hello = answer(&gateway, &[], &params).await;
    assert_eq!(
        hello["payload"]["auth"],
        json!({ "role": "operator", "scopes": ["operator.admin"] })
    );
    let mut node = node_params();
    node.as_object_mut().unwrap().remove("auth");
    let mut raw = gateway.raw().await;
    let asked = raw.connect_as(&gateway.device(), &gateway, node).await;
    assert_eq!(asked["error"]["message"], "pairing required");
    let page = gateway
        .raw_with(&[("Origin", "https://evil.example")])
        .await;
    assert!(page.is_err());
    gateway.stop().await;
}
