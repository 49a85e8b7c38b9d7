//! What a client is told once it is in.

use serde_json::{Value, json};

use crate::support::{Running, TOKEN, node_params, operator_params, start};

/// The payload as text, without what differs each time.
fn shown(mut hello: Value) -> String {
    let hide = |value: &mut Value, kind: &str| {
        if !value.is_null() {
            *value = json!(format!("<{kind}>"));
        }
    };
    let payload = &mut hello["payload"];
    hide(&mut payload["server"]["connId"], "uuid");
    hide(&mut payload["server"]["version"], "version");
    assert!(payload["snapshot"]["uptimeMs"].is_u64());
    hide(&mut payload["snapshot"]["uptimeMs"], "ms");
    assert!(payload["snapshot"]["stateVersion"]["presence"].is_u64());
    hide(
        &mut payload["snapshot"]["stateVersion"]["presence"],
        "count",
    );
    hide(&mut payload["features"], "features");
    if payload["auth"].get("deviceToken").is_some() {
        assert_eq!(payload["auth"]["deviceToken"].as_str().unwrap().len(), 43);
        hide(&mut payload["auth"]["deviceToken"], "token");
    }
    for entry in payload["snapshot"]["presence"].as_array_mut().unwrap() {
        if entry["mode"] == "gateway" {
            hide(&mut entry["version"], "version");
            hide(&mut entry["text"], "text");
            hide(&mut entry["platform"], "platform");
        }
    }
    format!("{hello:#}")
}

/// A gateway to which a node and an operator are connected already.
async fn start_with_company() -> (Running, Vec<crate::support::Raw>) {
    let gateway = start().await;
    let device = gateway.device();
    let mut asking = gateway.raw().await;
    let asked = asking.connect_as(&device, &gateway, node_params()).await;
    gateway.approve(asked["error"]["details"]["requestId"].as_str().unwrap());
    let (mut node, mut operator) = (gateway.raw().await, gateway.raw().await);
    assert_eq!(
        node.connect_as(&device, &gateway, node_params()).await["ok"],
        true
    );
    assert_eq!(operator.connect(operator_params()).await["ok"], true);
    (gateway, vec![node, operator])
}

#[tokio::test]
async fn an_operator_is_told_who_is_there() {
    let (gateway, _company) = start_with_company().await;
    for version in [3, 4] {
        let mut params = operator_params();
        params["maxProtocol"] = json!(version);
        params["client"]["instanceId"] = json!("instance");
        let hello = gateway.raw().await.connect(params).await;
        let presence = hello["payload"]["snapshot"]["presence"].as_array().unwrap();
        assert!(presence.len() >= 4, "{hello}");
        assert_eq!(hello["payload"]["protocol"], version);
        let method = &hello["payload"]["auth"]["method"];
        assert_eq!(
            *method,
            if version == 4 {
                json!("token")
            } else {
                json!(null)
            }
        );
    }
    gateway.stop().await;
}

/// Neither paths nor other devices.
#[tokio::test]
async fn a_node_is_told_of_the_gateway_and_itself() {
    let (gateway, _company) = start_with_company().await;
    for version in [3, 4] {
        let device = gateway.device();
        let mut params = node_params();
        params["maxProtocol"] = json!(version);
        params["client"]["displayName"] = json!("Test node");
        let asked = gateway
            .raw()
            .await
            .connect_as(&device, &gateway, params.clone())
            .await;
        gateway.approve(asked["error"]["details"]["requestId"].as_str().unwrap());
        let hello = gateway
            .raw()
            .await
            .connect_as(&device, &gateway, params)
            .await;
        let id = device.identity.id().to_string();
        let shown = shown(hello).replace(&id, "<device>");
        assert!(!shown.contains('/') && !shown.contains(TOKEN), "{shown}");
        let others = shown.matches("\"deviceId\"").count();
        assert_eq!(others, 1, "{shown}");
        insta::assert_snapshot!(format!("node-{version}"), shown);
    }
    gateway.stop().await;
}

#[tokio::test]
async fn an_operator_alone_is_told_this() {
    for version in [3, 4] {
        let gateway = start().await;
        let mut params = operator_params();
        params["maxProtocol"] = json!(version);
        let hello = gateway.raw().await.connect(params).await;
        insta::assert_snapshot!("features", format!("{:#}", hello["payload"]["features"]));
        insta::assert_snapshot!(format!("operator-{version}"), shown(hello));
        gateway.stop().await;
    }
}

/// An operator that may not read is told of nobody else.
#[tokio::test]
async fn an_operator_without_a_right_to_read_is_told_of_nobody() {
    let (gateway, _company) = start_with_company().await;
    for scopes in [
        json!([]),
        json!(["operator.pairing"]),
        json!(["operator.approvals"]),
    ] {
        let mut params = operator_params();
        params["scopes"] = scopes.clone();
        let hello = gateway.raw().await.connect(params).await;
        let presence = hello["payload"]["snapshot"]["presence"].as_array().unwrap();
        assert_eq!(presence.len(), 2, "{scopes}: {hello}");
        assert!(presence.iter().all(|entry| entry["deviceId"].is_null()));
    }
    gateway.stop().await;
}
