//! Setup codes, from issue to the tokens that they lead to.

use pairing_core::Approver;
use pairing_core::device::SetupProfile;
use serde_json::{Value, json};

use crate::support::{Device, Running, node_params, operator_params, start};

/// The token of a new setup code.
fn issue(gateway: &Running, profile: SetupProfile) -> String {
    let owner = Approver::terminal("ann");
    let devices = gateway.pairing.devices();
    let (token, _) = devices.issue_pairing_token(profile, None, &owner).unwrap();
    token.expose().to_owned()
}

fn as_node(auth: Value) -> Value {
    let mut params = node_params();
    params["maxProtocol"] = json!(4);
    params["commands"] = json!([]);
    params["auth"] = auth;
    params
}

fn as_operator(auth: Value) -> Value {
    let mut params = operator_params();
    params["maxProtocol"] = json!(4);
    params["scopes"] = json!([
        "operator.approvals",
        "operator.read",
        "operator.talk.secrets",
        "operator.write"
    ]);
    params["auth"] = auth;
    params
}

async fn connect(gateway: &Running, device: &Device, params: Value) -> Value {
    gateway
        .raw()
        .await
        .connect_as(device, gateway, params)
        .await
}

fn request_of(asked: &Value) -> String {
    let details = &asked["error"]["details"];
    assert_eq!(details["code"], "PAIRING_REQUIRED", "{asked}");
    details["requestId"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn t40_t43_a_code_leads_one_device_to_the_tokens_of_its_profile() {
    let gateway = start().await;
    for field in ["bootstrapToken", "token"] {
        let code = issue(&gateway, SetupProfile::Limited);
        let auth = json!({ field: code });
        let (device, thief) = (gateway.device(), gateway.device());

        // Both connections of a phone ask together, for all of the profile.
        let asked = request_of(&connect(&gateway, &device, as_node(auth.clone())).await);
        let again = request_of(&connect(&gateway, &device, as_operator(auth.clone())).await);
        assert_eq!(asked, again);

        // The code is now this device's: another key is told that it is used.
        let refused = connect(&gateway, &thief, as_node(auth.clone())).await;
        let expected = match field {
            "token" => "AUTH_TOKEN_MISMATCH",
            _ => "AUTH_BOOTSTRAP_TOKEN_INVALID",
        };
        assert_eq!(refused["error"]["details"]["code"], expected, "{refused}");

        gateway.approve(&asked);
        let node = connect(&gateway, &device, as_node(auth.clone())).await;
        assert_eq!(
            node["payload"]["auth"]["method"], "bootstrap-token",
            "{node}"
        );
        let operator = connect(&gateway, &device, as_operator(auth.clone())).await;
        assert_eq!(
            operator["payload"]["auth"]["scopes"],
            as_operator(json!({}))["scopes"]
        );
        let token = |hello: &Value| {
            hello["payload"]["auth"]["deviceToken"]
                .as_str()
                .unwrap()
                .to_owned()
        };
        let (node, operator) = (token(&node), token(&operator));
        assert_ne!(node, operator);

        // Each is good for its role, and its first use ends the code.
        let hello = connect(&gateway, &device, as_node(json!({ "deviceToken": node }))).await;
        assert_eq!(
            hello["payload"]["auth"]["method"], "device-token",
            "{hello}"
        );
        let hello = connect(&gateway, &device, as_operator(json!({ "token": operator }))).await;
        assert_eq!(
            hello["payload"]["auth"]["method"], "device-token",
            "{hello}"
        );
        let used = connect(&gateway, &device, as_node(auth.clone())).await;
        assert_eq!(used["error"]["details"]["code"], expected, "{used}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn t41_a_code_asks_for_no_more_than_its_profile() {
    let gateway = start().await;
    let code = issue(&gateway, SetupProfile::Node);
    let auth = json!({ "bootstrapToken": code });
    let device = gateway.device();
    // Not in a role that is not in it.
    let refused = connect(&gateway, &device, as_operator(auth.clone())).await;
    assert_eq!(
        refused["error"]["details"]["code"],
        "AUTH_BOOTSTRAP_TOKEN_INVALID"
    );
    let asked = request_of(&connect(&gateway, &device, as_node(auth)).await);
    let owner = Approver::terminal("ann");
    let pending = gateway.pairing.devices().list(&owner).unwrap().pending;
    assert_eq!(pending[0].id.to_string(), asked);
    assert!(pending[0].ask.scopes.is_empty());
    gateway.stop().await;
}

#[tokio::test]
async fn t43_a_code_without_a_proof_is_not_used_up() {
    let gateway = start().await;
    let code = issue(&gateway, SetupProfile::Node);
    let params = as_node(json!({ "bootstrapToken": code }));
    // Without a device, and with a broken signature.
    let refused = gateway.raw().await.connect(params.clone()).await;
    assert_eq!(refused["error"]["message"], "device identity required");
    let thief = gateway.device();
    let mut raw = gateway.raw().await;
    raw.challenge().await;
    let mut forged = params.clone();
    forged["device"] = thief.claim("another nonce", gateway.pairing.now(), &params);
    raw.request("connect", forged).await;
    assert_eq!(
        raw.answer().await["error"]["message"],
        "device nonce mismatch"
    );
    request_of(&connect(&gateway, &gateway.device(), params).await);
    gateway.stop().await;
}

#[tokio::test]
async fn a_code_that_has_expired_is_told_apart_from_nothing() {
    let gateway = start().await;
    let code = issue(&gateway, SetupProfile::Node);
    gateway.clock.0.advance(std::time::Duration::from_secs(601));
    let params = as_node(json!({ "bootstrapToken": code }));
    let refused = connect(&gateway, &gateway.device(), params).await;
    assert_eq!(
        refused["error"]["message"],
        "unauthorized: setup code used or expired (ask for a new one)"
    );
    gateway.stop().await;
}
