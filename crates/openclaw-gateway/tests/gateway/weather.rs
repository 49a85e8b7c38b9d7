//! Bad weather: clients that do not read, floods, a store that fails.

use std::sync::Arc;
use std::time::Duration;

use pairing_conformance::{Fault, Faulty};
use pairing_core::MemoryStore;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::stores::over;
use crate::support::{Running, operator_params, settings, start_with};
use crate::talk::Talk;

/// The status of a page, and its body.
async fn page(gateway: &Running, path: &str) -> (u16, Value) {
    let mut socket = TcpStream::connect(gateway.address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    socket.read_to_string(&mut text).await.unwrap();
    let status = text.split(' ').nth(1).unwrap().parse().unwrap();
    let body = text.split_once("\r\n\r\n").unwrap().1;
    (status, serde_json::from_str(body).unwrap_or_default())
}

#[tokio::test]
async fn who_never_reads_is_dropped_and_nobody_else_notices() {
    let mut settings = settings("");
    settings.limits.max_buffered = 1 << 20;
    settings.limits.refused_calls = usize::MAX;
    settings.limits.refused_calls_close = usize::MAX;
    let gateway = start_with(settings, |builder| builder).await;
    let mut deaf = gateway.admin().await;
    let mut admin = gateway.admin().await;
    // It asks, and reads none of the answers: what the kernel keeps is full some time, then the queue.
    let ask = json!({ "type": "req", "id": "x".repeat(60_000), "method": "health", "params": {} });
    let ask = ask.to_string();
    let mut asked = 0;
    while gateway.handle.connections() == 2 {
        let sent = deaf.raw.0.get_mut().write_all(&masked(&ask)).await;
        if sent.is_err() {
            break;
        }
        asked += 1;
        assert!(asked < 10_000, "it is never dropped");
        admin.call("health", json!({})).await.unwrap();
    }
    while admin.call("status", json!({})).await.unwrap()["connections"] != 1 {
        admin.event("presence").await;
    }
    gateway.stop().await;
}

/// A text frame as a client sends it, by hand: a client that does not read cannot flush.
fn masked(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).unwrap().to_be_bytes();
    let mut frame = vec![0x81, 0xfe, length[0], length[1], 0, 0, 0, 0];
    frame.extend_from_slice(text.as_bytes());
    frame
}

/// Asks again and again until the gateway says that it is well, or is not.
async fn until_well(gateway: &Running, asking: &mut Talk, is_well: bool) {
    while asking.call("health", json!({})).await.unwrap()["ok"] != is_well {
        // Whoever is not approved may ask a hundred times a second.
        gateway.clock.0.advance(Duration::from_millis(10));
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_store_that_fails_is_said_to_and_recovers() {
    let store = Arc::new(Faulty::new(MemoryStore::new()));
    let gateway = over(store.clone()).await;
    let device = gateway.device();
    let mut node = gateway.node_device(&device, &[]).await;
    let mut admin = gateway.admin().await;
    assert_eq!(page(&gateway, "/readyz").await.0, 200);

    store.reads_after(0);
    let unavailable = json!({
        "code": "UNAVAILABLE",
        "message": "the gateway cannot read or write its state",
        "details": { "code": "STORE_UNAVAILABLE" },
        "retryable": true,
    });
    for (method, params) in [
        ("device.pair.list", json!({})),
        ("device.pair.remove", json!({ "deviceId": device.id() })),
        ("node.list", json!({})),
        ("node.pair.list", json!({})),
        ("pairing.list", json!({ "channel": "telegram" })),
        (
            "node.invoke",
            json!({ "nodeId": device.id(), "command": "a", "idempotencyKey": "k" }),
        ),
    ] {
        let answer = admin.call(method, params).await;
        if method == "node.invoke" {
            assert_eq!(
                answer.unwrap_err()["details"]["code"],
                "COMMAND_NOT_ALLOWED"
            );
        } else {
            assert_eq!(answer, Err(unavailable.clone()), "{method}");
        }
    }
    // Who comes by the secret alone comes in, and sees how it is.
    let mut other = gateway.admin().await;
    until_well(&gateway, &mut other, false).await;
    let (status, body) = page(&gateway, "/readyz").await;
    assert_eq!((status, &body["ok"]), (503, &json!(false)));
    assert_eq!(page(&gateway, "/healthz").await.0, 200);
    let mut raw = gateway.raw().await;
    let answer = raw
        .connect_as(&gateway.device(), &gateway, operator_params())
        .await;
    assert_eq!(answer["error"]["code"], "UNAVAILABLE", "{answer}");

    store.calm();
    admin.call("device.pair.list", json!({})).await.unwrap();
    until_well(&gateway, &mut other, true).await;
    assert_eq!(page(&gateway, "/readyz").await.0, 200);
    // Nobody lost their session, and what changes is told.
    node.call("skills.bins", json!({})).await.unwrap();
    gateway.node_asks(&gateway.device(), &[]).await;
    admin.event("device.pair.requested").await;
    gateway.stop().await;
}

#[tokio::test]
async fn what_cannot_be_written_is_said_to_be_and_nothing_has_happened() {
    let store = Arc::new(Faulty::new(MemoryStore::new()));
    let gateway = over(store.clone()).await;
    let device = gateway.device();
    let mut node = gateway.node_device(&device, &[]).await;
    let mut admin = gateway.admin().await;
    store.every_commit(Fault::Before);
    for (method, params) in [
        (
            "device.token.revoke",
            json!({ "deviceId": device.id(), "role": "node" }),
        ),
        ("device.pair.remove", json!({ "deviceId": device.id() })),
        (
            "pairing.allow",
            json!({ "channel": "telegram", "entry": "1" }),
        ),
    ] {
        let error = admin.call(method, params).await.unwrap_err();
        assert_eq!(error["code"], "UNAVAILABLE", "{method}");
    }
    store.calm();
    node.call("skills.bins", json!({})).await.unwrap();
    let list = admin.call("device.pair.list", json!({})).await.unwrap();
    assert_eq!(list["paired"][0]["roles"], json!(["node"]));
    gateway.stop().await;
}

#[tokio::test]
async fn t98_a_flood_of_refused_calls_is_cooled_and_then_cut_off() {
    let mut settings = settings("");
    settings.limits.refused_calls = 3;
    settings.limits.refused_calls_close = 6;
    let gateway = start_with(settings, |builder| builder).await;
    let mut flood = gateway.asks(&[]).await;
    let mut other = gateway.admin().await;
    for _ in 0..3 {
        assert_eq!(
            flood.refused("device.pair.list", json!({})).await,
            "INVALID_REQUEST missing scope: operator.pairing"
        );
    }
    for _ in 0..2 {
        let error = flood.call("device.pair.list", json!({})).await.unwrap_err();
        assert_eq!(error["code"], "UNAVAILABLE");
        assert_eq!(error["retryAfterMs"], 10_000);
    }
    flood.send("device.pair.list", json!({})).await;
    assert_eq!(
        flood.closed().await,
        json!({ "close": 1008, "reason": "too many refused requests" })
    );
    other.call("health", json!({})).await.unwrap();
    // Who waits is heard again.
    let mut patient = gateway.asks(&["operator.read"]).await;
    for _ in 0..3 {
        patient.refused("device.pair.list", json!({})).await;
    }
    patient.call("health", json!({})).await.unwrap_err();
    gateway.pass(11);
    patient.call("health", json!({})).await.unwrap();
    gateway.stop().await;
}

#[tokio::test]
async fn calls_beyond_the_limit_wait_and_none_is_lost() {
    let mut settings = settings("");
    settings.limits.in_flight_calls = 2;
    let gateway = start_with(settings, |builder| builder).await;
    let device = gateway.device();
    let mut node = gateway.node_device(&device, &["ping"]).await;
    let mut admin = gateway.admin().await;
    let params = json!({ "nodeId": device.id(), "command": "ping", "idempotencyKey": "k" });
    let mut asked = std::collections::BTreeSet::new();
    for _ in 0..6 {
        asked.insert(admin.send("node.invoke", params.clone()).await);
    }
    let mut requests = vec![
        node.event("node.invoke.request").await,
        node.event("node.invoke.request").await,
    ];
    // The others wait in the socket: nothing else is asked of the node before it has answered.
    node.call("skills.bins", json!({})).await.unwrap();
    assert!(!node.has_event("node.invoke.request"));
    for left in (0..6).rev() {
        let request = requests.pop().unwrap();
        let result = json!({ "id": request["id"], "nodeId": device.id(), "ok": true });
        node.call("node.invoke.result", result).await.unwrap();
        if left >= 2 {
            requests.push(node.event("node.invoke.request").await);
        }
    }
    while !asked.is_empty() {
        let answer = admin.raw.answer().await;
        assert_eq!(answer["ok"], true, "{answer}");
        assert!(asked.remove(answer["id"].as_str().unwrap()));
    }
    admin.call("health", json!({})).await.unwrap();
    gateway.stop().await;
}
