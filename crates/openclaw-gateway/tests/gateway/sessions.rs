//! Sessions end with the right that they stand on, and nothing else ends them.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use pairing_core::Approver;
use serde_json::json;

use crate::stores::{Odd, blind, over, over_with};
use crate::support::{Device, Running, operator_params, settings, start};
use crate::talk::{Talk, node_of, revoked};

const KEEPER: &[&str] = &["operator.pairing", "operator.read"];

/// The socket has its close by now, and what it asks is not answered any more.
async fn is_ended(mut session: Talk) {
    session.send("health", json!({})).await;
    assert_eq!(session.closed().await, revoked());
}

#[tokio::test]
async fn t9_revoking_ends_every_session_of_the_role_before_the_reply() {
    for method in ["device.token.revoke", "device.token.rotate"] {
        let gateway = over(blind()).await;
        let device = gateway.device();
        let one = gateway.operator_device(&device, KEEPER).await;
        let two = gateway.operator_device(&device, KEEPER).await;
        let mut by_secret = operator_params();
        by_secret["scopes"] = json!(KEEPER);
        let three = gateway.enter(&device, by_secret).await;
        let mut node = gateway.node_device(&device, &[]).await;
        let mut admin = gateway.admin().await;
        let params = json!({ "deviceId": device.id(), "role": "operator" });
        admin.call(method, params).await.unwrap();
        is_ended(one).await;
        is_ended(two).await;
        is_ended(three).await;
        // The other role goes on.
        node.call("skills.bins", json!({})).await.unwrap();
        gateway.stop().await;
    }
}

#[tokio::test]
async fn t9_removing_ends_all_sessions_of_the_device_before_the_reply() {
    let gateway = over(blind()).await;
    let (device, other) = (gateway.device(), gateway.device());
    let operator = gateway.operator_device(&device, KEEPER).await;
    let node = gateway.node_device(&device, &[]).await;
    let mut stays = gateway.operator_device(&other, KEEPER).await;
    let mut admin = gateway.admin().await;
    admin
        .call("device.pair.remove", json!({ "deviceId": device.id() }))
        .await
        .unwrap();
    is_ended(operator).await;
    is_ended(node).await;
    stays.call("health", json!({})).await.unwrap();
    admin.call("health", json!({})).await.unwrap();
    gateway.stop().await;
}

#[tokio::test]
async fn the_answer_comes_before_the_callers_own_end_also_among_other_calls() {
    for method in [
        "device.token.rotate",
        "device.token.revoke",
        "device.pair.remove",
    ] {
        let gateway = start().await;
        let device = gateway.device();
        let mut own = gateway.operator_device(&device, KEEPER).await;
        let mut params = json!({ "deviceId": device.id() });
        if method != "device.pair.remove" {
            params["role"] = json!("operator");
        }
        // Others are under way when the end comes.
        let mut frames =
            vec![json!({ "type": "req", "id": "own", "method": method, "params": params })];
        for n in 0..5 {
            frames.push(json!({
                "type": "req", "id": format!("n{n}"), "method": "device.pair.list", "params": {},
            }));
        }
        for frame in frames {
            own.raw.send(frame.to_string()).await;
        }
        let mut is_answered = false;
        let close = loop {
            let frame = own.raw.next().await;
            if frame["id"] == "own" {
                assert_eq!(frame["ok"], true, "{frame}");
                is_answered = true;
            } else if frame["close"].is_u64() {
                break frame;
            }
        };
        assert_eq!((is_answered, close), (true, revoked()), "{method}");
        gateway.stop().await;
    }
}

#[tokio::test]
async fn rejecting_and_approving_end_nothing() {
    let gateway = start().await;
    let device = gateway.device();
    let mut session = gateway.operator_device(&device, KEEPER).await;
    let mut admin = gateway.admin().await;
    for method in ["device.pair.reject", "device.pair.approve"] {
        let more = [KEEPER, &["operator.write"]].concat();
        let request = gateway.operator_asks(&device, &more).await;
        admin
            .call(method, json!({ "requestId": request }))
            .await
            .unwrap();
        session.call("health", json!({})).await.unwrap();
    }
    // So is a node that would do more.
    let mut node = gateway.node_device(&device, &["a"]).await;
    let wider = gateway.node_device(&device, &["a", "b"]).await;
    drop(wider);
    let list = admin.call("device.pair.list", json!({})).await.unwrap();
    let request = &list["pending"][0]["requestId"];
    admin
        .call("device.pair.reject", json!({ "requestId": request }))
        .await
        .unwrap();
    node.call("skills.bins", json!({})).await.unwrap();
    gateway.stop().await;
}

#[tokio::test]
async fn the_newest_connection_of_a_node_is_asked_and_then_the_one_before() {
    let gateway = start().await;
    let device = gateway.device();
    let mut older = gateway.node_device(&device, &["ping"]).await;
    let mut newer = gateway.node_device(&device, &["ping"]).await;
    let mut admin = gateway.admin().await;
    let invoke = json!({ "nodeId": device.id(), "command": "ping", "idempotencyKey": "k" });
    for node in [&mut newer, &mut older] {
        let id = admin.send("node.invoke", invoke.clone()).await;
        let asked = node.event("node.invoke.request").await;
        let result = json!({ "id": asked["id"], "nodeId": device.id(), "ok": true });
        node.call("node.invoke.result", result).await.unwrap();
        admin.answer(&id).await.unwrap();
        node.raw.0.close(None).await.unwrap();
        while !node.raw.next().await["gone"].is_boolean() {}
    }
    let error = admin.call("node.invoke", invoke).await.unwrap_err();
    assert_eq!(error["details"]["code"], "NOT_CONNECTED");
    gateway.stop().await;
}

#[tokio::test]
async fn t10_a_device_that_is_removed_while_it_comes_in_is_not_let_in() {
    let store = Arc::new(blind());
    let gateway = over(store.clone()).await;
    let device = gateway.device();
    drop(gateway.node_device(&device, &[]).await);
    // A connect that changes nothing: the device is read, gone once it has been, and looked for again.
    store.forgets_in.store(1, Ordering::SeqCst);
    let mut raw = gateway.raw().await;
    let answer = raw.connect_as(&device, &gateway, node_of(&[])).await;
    assert_eq!(answer["error"]["code"], "UNAVAILABLE", "{answer}");
    assert!(raw.next().await["close"].is_u64());
    gateway.stop().await;
}

#[tokio::test]
async fn a_handshake_that_runs_out_of_time_at_its_end_leaves_no_session() {
    let store = Arc::new(blind());
    let mut settings = settings("");
    settings.limits.handshake = Duration::from_millis(100);
    let gateway = over_with(store.clone(), settings).await;
    let device = gateway.device();
    drop(gateway.node_device(&device, &[]).await);
    let mut admin = gateway.admin().await;
    while admin.call("status", json!({})).await.unwrap()["connections"] != 1 {
        admin.event("presence").await;
    }
    // Decided about, and stuck where it is confirmed.
    let mut raw = gateway.raw().await;
    store.stuck_after(1);
    let nonce = raw.challenge().await;
    let mut params = node_of(&[]);
    params["device"] = device.claim(&nonce, gateway.pairing.now(), &params);
    raw.request("connect", params).await;
    let close = raw.next().await;
    assert_eq!(close["reason"], "handshake timeout", "{close}");
    assert_eq!(gateway.handle.connections(), 1);
    store.stuck_after(usize::MAX);
    gateway.stop().await;
}

/// Somebody decides at the terminal.
type Decide = fn(&Running, &Device, &Approver, pairing_core::device::Role);

#[tokio::test]
async fn t9_whoever_decides_outside_the_gateway_ends_sessions_too() {
    let owner = Approver::terminal("ann");
    let node = pairing_core::device::Role::Node;
    let decisions: [Decide; 3] = [
        |gateway, device, owner, role| {
            let devices = gateway.pairing.devices();
            devices.revoke(device.identity.id(), role, owner).unwrap();
        },
        |gateway, device, owner, role| {
            let devices = gateway.pairing.devices();
            devices
                .rotate(device.identity.id(), role, None, owner)
                .unwrap();
        },
        |gateway, device, owner, _| {
            gateway
                .pairing
                .devices()
                .remove(device.identity.id(), owner)
                .unwrap();
        },
    ];
    for decide in decisions {
        let gateway = start().await;
        let device = gateway.device();
        // By the shared secret: there is no token that would tell.
        let mut session = gateway.node_device(&device, &[]).await;
        gateway.pass(1);
        decide(&gateway, &device, &owner, node);
        assert_eq!(session.closed().await, revoked());
        gateway.stop().await;
    }
}

#[tokio::test]
async fn t9_what_cannot_be_read_when_it_changes_is_looked_at_again() {
    let store = Arc::new(Odd::default());
    let gateway = over(store.clone()).await;
    let device = gateway.device();
    let mut session = gateway.node_device(&device, &[]).await;
    let owner = Approver::terminal("ann");
    store.fails_after_write.store(true, Ordering::SeqCst);
    let (devices, id) = (gateway.pairing.devices(), device.identity.id());
    let role = pairing_core::device::Role::Node;
    devices.revoke(id, role, &owner).unwrap();
    while store.failed.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    session.call("skills.bins", json!({})).await.unwrap();
    store.mend();
    assert_eq!(session.closed().await, revoked());
    gateway.stop().await;
}
