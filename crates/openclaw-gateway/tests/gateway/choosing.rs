//! Commands of a node that are left out of its approval.

use pairing_core::DeviceId;
use serde_json::json;

use crate::support::{settings, start, start_with};

const SOME: [&str; 3] = ["ping", "system.run", "file.read"];

#[tokio::test]
async fn t33_what_is_left_out_at_approval_is_not_granted() {
    let gateway = start().await;
    let device = gateway.device();
    let request = gateway.node_asks(&device, &SOME).await;
    let mut admin = gateway.admin().await;
    let params = json!({ "requestId": request, "commands": ["ping", "system.rum"] });
    let error = admin.call("device.pair.approve", params).await.unwrap_err();
    assert_eq!(
        error["message"],
        "invalid device.pair.approve params: the request does not ask for the command system.rum"
    );
    let params = json!({ "requestId": request, "commands": ["ping", "file.read"] });
    let approved = admin.call("device.pair.approve", params).await.unwrap();
    let device_id = device.id();
    assert_eq!(approved["device"]["deviceId"], device_id.as_str());
    let granted = gateway
        .pairing
        .devices()
        .commands(DeviceId::parse(&device_id).unwrap());
    let granted = granted.unwrap().unwrap();
    assert_eq!(granted.iter().collect::<Vec<_>>(), ["file.read", "ping"]);
    let _node = gateway.node_device(&device, &SOME).await;
    let invoke = json!({ "nodeId": device_id, "command": "system.run", "idempotencyKey": "k" });
    let error = admin.call("node.invoke", invoke).await.unwrap_err();
    assert_eq!(error["details"]["reason"], "not-approved", "{error}");
    gateway.stop().await;
}

#[tokio::test]
async fn t121_what_the_configuration_denies_is_neither_asked_for_nor_granted() {
    let gateway = start().await;
    let (early, late) = (gateway.device(), gateway.device());
    let request = gateway.node_asks(&early, &SOME).await;
    let denied = "nodes: { commands: { deny: ['system.run'], allow: [] } }";
    gateway.handle.reload(settings(denied));
    let mut admin = gateway.admin().await;
    // It asked before the configuration denied it.
    let params = json!({ "requestId": request });
    admin.call("device.pair.approve", params).await.unwrap();
    let granted = gateway
        .pairing
        .devices()
        .commands(DeviceId::parse(&early.id()).unwrap());
    let granted = granted.unwrap().unwrap();
    assert_eq!(granted.iter().collect::<Vec<_>>(), ["file.read", "ping"]);
    // Nobody is asked for it any more.
    gateway
        .node_asks(&late, &["ping", "system.run", "camera.snap"])
        .await;
    let listed = admin.call("device.pair.list", json!({})).await.unwrap();
    assert_eq!(
        listed["pending"][0]["commands"],
        json!(["ping"]),
        "{listed}"
    );
    gateway.stop().await;
}

#[tokio::test]
async fn t121_commands_that_need_to_be_listed() {
    let allowed = "nodes: { commands: { allow: ['camera.snap'] } }";
    let gateway = start_with(settings(allowed), |builder| builder).await;
    let device = gateway.device();
    let _node = gateway
        .node_device(&device, &["camera.snap", "screen.record"])
        .await;
    let mut admin = gateway.admin().await;
    let invoke =
        json!({ "nodeId": device.id(), "command": "screen.record", "idempotencyKey": "k" });
    let error = admin.call("node.invoke", invoke).await.unwrap_err();
    assert_eq!(error["details"]["reason"], "not-allowed", "{error}");
    let granted = gateway
        .pairing
        .devices()
        .commands(DeviceId::parse(&device.id()).unwrap());
    assert!(granted.unwrap().unwrap().contains("camera.snap"));
    gateway.stop().await;
}
