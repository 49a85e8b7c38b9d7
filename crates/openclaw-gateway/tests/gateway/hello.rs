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
        if entry.get("deviceId").is_none() && entry.get("instanceId").is_some() {
            hide(&mut entry["instanceId"], "uuid");
        }
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

#[tokio::test]
async fn t120_nobody_is_present_as_somebody_else() {
    let (gateway, mut company) = start_with_company().await;
    let reader = &mut company[1];
    reader.request("system-presence", json!({})).await;
    let all = reader.answer().await["payload"].as_array().unwrap().clone();
    let node = all.iter().find(|entry| entry["deviceId"] != json!(null));
    let node = node.unwrap()["deviceId"].clone();
    // One without scopes and one with, neither of them a device, and both say that they are it.
    let mut claiming = Vec::new();
    for scopes in [json!([]), json!(["operator.read"])] {
        let mut params = operator_params();
        params["scopes"] = scopes;
        params["client"]["instanceId"] = node.clone();
        let mut raw = gateway.raw().await;
        assert_eq!(raw.connect(params).await["ok"], true);
        claiming.push(raw);
    }
    reader.request("system-presence", json!({})).await;
    let all = reader.answer().await["payload"].clone();
    let all = all.as_array().unwrap();
    let of_node = all.iter().filter(|entry| entry["instanceId"] == node);
    let of_node: Vec<_> = of_node.collect();
    assert_eq!(of_node.len(), 1, "{all:?}");
    assert_eq!(of_node[0]["deviceId"], node);
    // And each entry is one of its own.
    let mut instances: Vec<_> = all
        .iter()
        .map(|entry| entry["instanceId"].to_string())
        .collect();
    instances.sort();
    let count = instances.len();
    instances.dedup();
    assert_eq!(instances.len(), count, "{all:?}");
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
