//! The gateway stops: everybody is told, what is under way is answered, what is to be kept is written.

use std::time::Duration;

use pairing_core::Approver;
use serde_json::json;
use tokio::io::AsyncWriteExt as _;

use crate::support::{settings, start, start_with};
use crate::talk::node_of;

#[tokio::test]
async fn everybody_is_told_and_what_is_under_way_is_answered_before_the_close() {
    let gateway = start().await;
    let device = gateway.device();
    let mut node = gateway.node_device(&device, &["ping"]).await;
    let mut admin = gateway.admin().await;
    let params = json!({ "nodeId": device.id(), "command": "ping", "idempotencyKey": "k" });
    let id = admin.send("node.invoke", params).await;
    let request = node.event("node.invoke.request").await;
    let stopped = tokio::spawn(gateway.stop());
    let told = json!({ "reason": "gateway stopping" });
    assert_eq!(admin.event("shutdown").await, told);
    assert_eq!(node.event("shutdown").await, told);
    // The node still answers, and whoever asked still hears it.
    let result = json!({ "id": request["id"], "nodeId": device.id(), "ok": true, "payload": 7 });
    node.call("node.invoke.result", result).await.unwrap();
    assert_eq!(admin.answer(&id).await.unwrap()["payload"], 7);
    let close = json!({ "close": 1001, "reason": "gateway stopping" });
    assert_eq!(admin.closed().await, close);
    drop(admin);
    assert_eq!(node.closed().await, close);
    drop(node);
    stopped.await.unwrap();
}

#[tokio::test]
async fn nobody_holds_up_the_end_for_longer_than_it_may_take() {
    let mut settings = settings("");
    settings.limits.drain = Duration::from_millis(50);
    settings.limits.max_buffered = 64 << 20;
    let gateway = start_with(settings, |builder| builder).await;
    let device = gateway.device();
    // One that does not read, with more queued than the kernel takes,
    let mut deaf = gateway.admin_device().await;
    let id = "x".repeat(60_000);
    let ask = json!({ "type": "req", "id": id, "method": "health", "params": {} }).to_string();
    let length = u16::try_from(ask.len()).unwrap().to_be_bytes();
    let mut frame = vec![0x81, 0xfe, length[0], length[1], 0, 0, 0, 0];
    frame.extend_from_slice(ask.as_bytes());
    for _ in 0..200 {
        deaf.raw.0.get_mut().write_all(&frame).await.unwrap();
    }
    // and a call that nobody answers.
    let mut node = gateway.node_device(&device, &["ping"]).await;
    let mut admin = gateway.admin().await;
    let params = json!({ "nodeId": device.id(), "command": "ping", "idempotencyKey": "k" });
    admin.send("node.invoke", params).await;
    node.event("node.invoke.request").await;
    let handle = gateway.handle.clone();
    gateway.stop().await;
    // Nor does anybody stay.
    assert!(admin.raw.next().await["event"].is_string());
    while handle.connections() > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn nobody_comes_in_any_more() {
    let gateway = start().await;
    let mut halfway = gateway.raw().await;
    halfway.challenge().await;
    let (address, handle) = (gateway.address, gateway.handle.clone());
    gateway.stop().await;
    halfway
        .request("connect", crate::support::operator_params())
        .await;
    let answer = halfway.next().await;
    assert_ne!(answer["ok"], true, "{answer}");
    assert_eq!(handle.connections(), 0);
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn last_uses_are_written_down_at_the_end() {
    let gateway = start().await;
    let device = gateway.device();
    drop(gateway.node_device(&device, &[]).await);
    gateway.pass(77);
    let node = gateway.enter(&device, node_of(&[])).await;
    let (pairing, at) = (gateway.pairing.clone(), gateway.pairing.now());
    drop(node);
    gateway.stop().await;
    let list = pairing.devices().list(&Approver::terminal("ann")).unwrap();
    let role = pairing_core::device::Role::Node;
    let token = list.paired[0].roles[&role].token.as_ref().unwrap();
    assert_eq!(token.last_used_at, Some(at));
}
