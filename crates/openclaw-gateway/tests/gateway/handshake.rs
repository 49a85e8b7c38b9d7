//! The checks of `connect`, in their order.

use pairing_core::device::Role;
use serde_json::json;

use crate::support::{node_params, operator_params, start};

#[tokio::test]
async fn an_operator_with_the_secret_is_in() {
    let gateway = start().await;
    let mut raw = gateway.raw().await;
    let answer = raw.connect(operator_params()).await;
    assert_eq!(answer["ok"], true, "{answer}");
    assert_eq!(answer["payload"]["type"], "hello-ok");
    assert_eq!(
        answer["payload"]["auth"]["scopes"],
        json!(["operator.admin"])
    );
    raw.request("health", json!({})).await;
    assert_eq!(raw.answer().await["payload"]["ok"], true);
    gateway.stop().await;
}

#[tokio::test]
async fn a_node_asks_is_approved_gets_its_token_and_comes_back_with_it() {
    let gateway = start().await;
    let device = gateway.device();
    let mut raw = gateway.raw().await;
    let answer = raw.connect_as(&device, &gateway, node_params()).await;
    assert_eq!(answer["error"]["code"], "NOT_PAIRED", "{answer}");
    let request = answer["error"]["details"]["requestId"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        raw.next().await,
        json!({ "close": 1008, "reason": "pairing required" })
    );
    gateway.approve(&request);

    let mut raw = gateway.raw().await;
    let answer = raw.connect_as(&device, &gateway, node_params()).await;
    let token = answer["payload"]["auth"]["deviceToken"]
        .as_str()
        .unwrap()
        .to_owned();

    let mut again = gateway.raw().await;
    let mut params = node_params();
    params["auth"] = json!({ "token": token });
    let answer = again.connect_as(&device, &gateway, params).await;
    assert_eq!(answer["ok"], true, "{answer}");
    assert_eq!(answer["payload"]["auth"]["deviceToken"], json!(null));
    gateway.stop().await;
}

#[tokio::test]
async fn the_client_and_the_gateway_understand_each_other() {
    let gateway = start().await;
    let device = gateway.device();
    let (node, _events) = device.paired_node(&gateway, &["device.info"]).await;
    let (operator, _events) = gateway.operator(&["operator.admin"]).await;
    let nodes: gateway_protocol::invoke::NodeEntries =
        operator.call("node.list", json!({})).await.unwrap();
    assert!(nodes.nodes[0].connected);
    assert_eq!(nodes.nodes[0].commands, ["device.info"]);
    let id = device.identity.id();
    let removed: serde_json::Value = operator
        .call("device.pair.remove", json!({ "deviceId": id }))
        .await
        .unwrap();
    assert_eq!(removed, json!({ "deviceId": id }));
    assert_eq!(node.closed().await.code, 1008);
    assert_eq!(node.hello().auth.role, Role::Node);
    gateway.stop().await;
}
