//! Sessions end with the right that they stand on, and nothing else ends them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pairing_core::store::{
    Batch, Change, Changes, Page, PageRequest, PairingStore, Position, Range, Read, StoreError,
};
use pairing_core::{Approver, Key, MemoryStore, PairingBuilder};
use serde_json::json;

use crate::support::{Device, Running, operator_params, settings, start, start_on};
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
        let gateway = start().await;
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
    let gateway = start().await;
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

/// A store in which the device is forgotten as soon as its connection has been decided about.
#[derive(Default)]
struct Treacherous {
    inner: MemoryStore,
    is_armed: AtomicBool,
}

impl Treacherous {
    fn forget(&self, key: &Key) {
        let changes = vec![Change::Delete(key.clone())];
        let batch = Batch {
            conditions: Vec::new(),
            changes,
        };
        self.inner.commit(&batch).unwrap();
    }
}

impl PairingStore for Treacherous {
    fn read(&self, key: &Key) -> Result<Read, StoreError> {
        let read = self.inner.read(key)?;
        let is_device = matches!(key, Key::Device { .. }) && read.record.is_some();
        if is_device && self.is_armed.swap(false, Ordering::SeqCst) {
            // The decision rests on what was there; the commit that rests on it is none.
            self.forget(key);
        }
        Ok(read)
    }

    fn range(&self, range: &Range, page: &PageRequest) -> Result<Page, StoreError> {
        self.inner.range(range, page)
    }

    fn commit(&self, batch: &Batch) -> Result<(), StoreError> {
        if batch.changes.is_empty() {
            return Ok(());
        }
        self.inner.commit(batch)
    }

    fn changes(&self, after: Option<Position>, timeout: Duration) -> Result<Changes, StoreError> {
        self.inner.changes(after, timeout)
    }
}

#[tokio::test]
async fn t10_a_device_that_is_removed_while_it_comes_in_is_not_let_in() {
    let store = Arc::new(Treacherous::default());
    let gateway = over(store.clone()).await;
    let device = gateway.device();
    drop(gateway.node_device(&device, &[]).await);
    // A connect that changes nothing: what it rests on is looked at once, and once more at the end.
    store.is_armed.store(true, Ordering::SeqCst);
    let mut raw = gateway.raw().await;
    let answer = raw.connect_as(&device, &gateway, node_of(&[])).await;
    assert_eq!(answer["ok"], false, "{answer}");
    assert!(!store.is_armed.load(Ordering::SeqCst));
    assert!(raw.next().await["close"].is_u64());
    gateway.stop().await;
}

async fn over(store: Arc<Treacherous>) -> Running {
    let spare = start().await;
    let (clock, entropy) = (spare.clock.clone(), spare.entropy.clone());
    spare.stop().await;
    let pairing = PairingBuilder::new(store, clock.clone(), entropy.clone()).build();
    start_on(pairing, clock, entropy, settings(""), |builder| builder).await
}

#[tokio::test]
async fn t9_whoever_decides_outside_the_gateway_ends_sessions_too() {
    let owner = Approver::terminal("ann");
    let node = pairing_core::device::Role::Node;
    type Decide = fn(&Running, &Device, &Approver, pairing_core::device::Role);
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
async fn what_cannot_be_read_when_it_changes_is_looked_at_again() {
    use pairing_conformance::Faulty;
    let store = Arc::new(Faulty::new(MemoryStore::new()));
    let spare = start().await;
    let (clock, entropy) = (spare.clock.clone(), spare.entropy.clone());
    spare.stop().await;
    let pairing = PairingBuilder::new(store.clone(), clock.clone(), entropy.clone()).build();
    let gateway = start_on(pairing, clock, entropy, settings(""), |builder| builder).await;
    let device = gateway.device();
    let mut session = gateway.node_device(&device, &[]).await;
    // Two reads for the decision itself, none for whoever follows it.
    let owner = Approver::terminal("ann");
    let id = device.identity.id();
    store.reads_after(1);
    let revoked_at = gateway
        .pairing
        .devices()
        .revoke(id, pairing_core::device::Role::Node, &owner);
    if revoked_at.is_err() {
        // The feed was quicker: without faults then, they are not what this is about.
        store.calm();
        gateway
            .pairing
            .devices()
            .revoke(id, pairing_core::device::Role::Node, &owner)
            .unwrap();
    }
    store.calm();
    assert_eq!(session.closed().await, revoked());
    gateway.stop().await;
}
