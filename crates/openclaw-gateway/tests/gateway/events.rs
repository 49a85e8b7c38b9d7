//! Events: their contents and their receivers.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use pairing_core::Approver;
use serde_json::{Value, json};

use crate::shown::shown;
use crate::stores::{Odd, over};
use crate::support::{NEVER, Running, settings, start, start_with};
use crate::talk::{Talk, node_of};

const KEEPER: &[&str] = &["operator.pairing", "operator.read"];

fn owner() -> Approver {
    Approver::terminal("ann")
}

/// Whatever happened before, everybody who may has been told of it once they are told of this.
fn mark(gateway: &Running) {
    gateway.stranger("signal", "default", "+15550001111");
}

async fn marked(session: &mut Talk) -> Vec<String> {
    let mut names = session.events_until("pairing.requested").await;
    names.retain(|name| !["presence", "tick", "pairing.changed"].contains(&&**name));
    names
}

async fn resolved(session: &mut Talk) -> Value {
    session.event("device.pair.resolved").await["decision"].clone()
}

#[tokio::test]
async fn t133_a_decision_that_cannot_be_read_is_told_later_and_is_no_rejection() {
    let store = Arc::new(Odd::default());
    let gateway = over(store.clone()).await;
    let mut admin = gateway.admin().await;
    let code = gateway.stranger("telegram", "default", "111");
    admin.event("pairing.requested").await;
    let channel = gateway.pairing.channel("telegram").unwrap();
    store.fails_after_write.store(true, Ordering::SeqCst);
    channel.approve(&code, &owner()).unwrap();
    while store.failed.load(Ordering::SeqCst) < 2 {
        tokio::task::yield_now().await;
    }
    admin.call("health", json!({})).await.unwrap();
    assert!(!admin.has_event("pairing.resolved"));
    store.mend();
    let told = admin.event("pairing.resolved").await;
    assert_eq!(told["decision"], "approved");
    gateway.stop().await;
}

/// Asks until this is known of the records of devices.
async fn until_known(admin: &mut Talk, wanted: &str) {
    loop {
        let health = admin.call("health", json!({})).await.unwrap();
        let why = &health["faults"][0]["why"];
        if why.as_str().unwrap_or_default() == wanted {
            return;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn t133_a_device_that_cannot_be_read_hides_nobody_s_request() {
    let store = Arc::new(Odd::default());
    let gateway = over(store.clone()).await;
    let mut admin = gateway.admin().await;
    let node = gateway.node_device(&gateway.device(), &[]).await;
    store.fails.store(true, Ordering::SeqCst);
    gateway.node_asks(&gateway.device(), &["ping"]).await;
    admin.event("device.pair.requested").await;
    until_known(&mut admin, "a device: torn").await;
    let health = admin.call("health", json!({})).await.unwrap();
    assert_eq!(health["faults"][0]["state"], "degraded", "{health}");
    store.mend();
    drop(node);
    gateway.stop().await;
}

#[tokio::test]
async fn t133_any_device_that_cannot_be_understood_is_told_of() {
    let store = Arc::new(Odd::default());
    let gateway = over(store.clone()).await;
    for _ in 0..2 {
        gateway.node_device(&gateway.device(), &[]).await;
    }
    gateway.stop().await;
    store.has_bad_device.store(true, Ordering::SeqCst);
    let gateway = over(store.clone()).await;
    let mut admin = gateway.admin().await;
    until_known(&mut admin, "device/bad: passed over").await;
    let listed = store.listed.load(Ordering::SeqCst);
    // The first ones are paired.
    for device in [(); 5].map(|()| gateway.device()).iter().skip(2) {
        gateway.node_asks(device, &["ping"]).await;
        admin.event("device.pair.requested").await;
    }
    until_known(&mut admin, "device/bad: passed over").await;
    assert_eq!(store.listed.load(Ordering::SeqCst), listed);
    store.has_bad_device.store(false, Ordering::SeqCst);
    gateway.pass(30);
    until_known(&mut admin, "").await;
    gateway.stop().await;
}

#[tokio::test]
async fn a_device_that_asks_and_what_becomes_of_it_are_told() {
    let gateway = start().await;
    let device = gateway.device();
    let mut admin = gateway.admin().await;
    let request = gateway.node_asks(&device, &["ping"]).await;
    let mut told = shown(&admin.event("device.pair.requested").await);
    gateway.pass(1);
    gateway.approve(&request);
    let event = admin.event("device.pair.resolved").await;
    told += &shown(&event);
    insta::assert_snapshot!("device-events", told);
    assert_eq!(event["requestId"], request.as_str());

    // More commands: another request, rejected.
    let mut node = gateway.node_device(&device, &["ping", "more"]).await;
    let more = admin.event("device.pair.requested").await["requestId"].clone();
    gateway.pass(1);
    let params = json!({ "requestId": more });
    admin.call("device.pair.reject", params).await.unwrap();
    assert_eq!(resolved(&mut admin).await, "rejected");
    node.call("skills.bins", json!({})).await.unwrap();
    gateway.stop().await;
}

#[tokio::test]
async fn a_request_that_asks_for_more_supersedes_the_one_before() {
    let gateway = start().await;
    let device = gateway.device();
    gateway.operator_device(&device, &["operator.read"]).await;
    let mut admin = gateway.admin().await;
    let first = gateway
        .operator_asks(&device, &["operator.read", "operator.write"])
        .await;
    assert_eq!(
        admin.event("device.pair.requested").await["requestId"],
        first.as_str()
    );
    let second = gateway.operator_asks(&device, &["operator.admin"]).await;
    assert_ne!(first, second);
    let event = admin.event("device.pair.resolved").await;
    assert_eq!(
        (&event["requestId"], &event["decision"]),
        (&json!(first), &json!("superseded"))
    );
    assert_eq!(
        admin.event("device.pair.requested").await["requestId"],
        second.as_str()
    );
    gateway.stop().await;
}

#[tokio::test]
async fn what_nobody_decides_in_time_is_told_to_have_expired() {
    let gateway = start().await;
    let mut admin = gateway.admin().await;
    gateway.node_asks(&gateway.device(), &[]).await;
    admin.event("device.pair.requested").await;
    admin
        .call("node.pair.request", json!({ "nodeId": "mac" }))
        .await
        .unwrap();
    admin.event("node.pair.requested").await;
    gateway.pass(301);
    let mut decisions = vec![
        admin.event("device.pair.resolved").await["decision"].clone(),
        admin.event("node.pair.resolved").await["decision"].clone(),
    ];
    gateway.stranger("telegram", "default", "111");
    admin.event("pairing.requested").await;
    gateway.pass(3601);
    decisions.push(admin.event("pairing.resolved").await["decision"].clone());
    assert_eq!(decisions, ["expired", "expired", "expired"]);
    gateway.stop().await;
}

#[tokio::test]
async fn legacy_nodes_and_senders_are_told_of() {
    let gateway = start().await;
    let mut admin = gateway.admin().await;
    let mut told = String::new();
    for method in ["node.pair.approve", "node.pair.reject"] {
        gateway.pass(1);
        let node = json!({ "nodeId": method });
        let asked = admin.call("node.pair.request", node).await.unwrap();
        told += &shown(&admin.event("node.pair.requested").await);
        gateway.pass(1);
        let request = json!({ "requestId": asked["request"]["requestId"] });
        admin.call(method, request).await.unwrap();
        told += &shown(&admin.event("node.pair.resolved").await);
    }
    let telegram = gateway.pairing.channel("telegram").unwrap();
    let code = gateway.stranger("telegram", "default", "111");
    told += &shown(&admin.event("pairing.requested").await);
    telegram.approve(&code, &owner()).unwrap();
    told += &shown(&admin.event("pairing.resolved").await);
    gateway.stranger("telegram", "work", "222");
    admin.event("pairing.requested").await;
    telegram.reject("222", &owner()).unwrap();
    told += &shown(&admin.event("pairing.resolved").await);
    insta::assert_snapshot!("other-events", told);
    gateway.stop().await;
}

#[tokio::test]
async fn events_reach_only_those_entitled() {
    let gateway = start().await;
    let (own, node) = (gateway.device(), gateway.device());
    let mut admin = gateway.admin().await;
    let mut keeper = gateway.operator_device(&own, KEEPER).await;
    let mut reader = gateway.asks(&["operator.read", "operator.write"]).await;
    let mut node = gateway.node_device(&node, &[]).await;
    mark(&gateway);
    for session in [&mut admin, &mut keeper] {
        session.event("pairing.requested").await;
    }
    let foreign = gateway.device();
    let request = gateway.node_asks(&foreign, &[]).await;
    admin.event("device.pair.requested").await;
    gateway.approve(&request);
    admin.event("device.pair.resolved").await;
    admin
        .call("node.pair.request", json!({ "nodeId": "mac" }))
        .await
        .unwrap();
    admin.event("node.pair.requested").await;
    gateway.operator_asks(&own, &["operator.admin"]).await;
    gateway.stranger("telegram", "default", "111");
    assert_eq!(marked(&mut admin).await, ["device.pair.requested"]);
    // Its own, and nothing of the others.
    assert_eq!(marked(&mut keeper).await, ["device.pair.requested"]);
    // Those who may not know of anything are told when the gateway stops.
    gateway.stop().await;
    for session in [&mut reader, &mut node] {
        let mut names = session.events_until("shutdown").await;
        names.retain(|name| !["presence", "tick", "pairing.changed"].contains(&&**name));
        assert!(names.is_empty(), "{names:?}");
    }
}

#[tokio::test]
async fn a_node_is_not_told_who_is_there() {
    let gateway = start().await;
    let device = gateway.device();
    let mut reader = gateway.asks(&["operator.read"]).await;
    let mut node = gateway.node_device(&device, &[]).await;
    let other = gateway.admin().await;
    let ids = |presence: &Value| -> Vec<String> {
        let all = presence.as_array().unwrap().iter();
        all.map(|entry| entry["mode"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        ids(&node.hello["snapshot"]["presence"]),
        ["gateway", "node"]
    );
    assert_eq!(
        ids(&reader.hello["snapshot"]["presence"]),
        ["gateway", "cli"]
    );
    let mut seen = Vec::new();
    while seen.len() != 4 {
        seen = ids(&reader.event("presence").await["presence"]);
    }
    assert_eq!(seen, ["gateway", "cli", "node", "cli"]);
    drop(other);
    while seen.len() != 3 {
        seen = ids(&reader.event("presence").await["presence"]);
    }
    gateway.stop().await;
    assert_eq!(node.events_until("shutdown").await, Vec::<String>::new());
}

#[tokio::test]
async fn presence_counts_up_and_says_which_version_it_is() {
    let gateway = start().await;
    let mut reader = gateway.asks(&["operator.read"]).await;
    let before = reader.hello["snapshot"]["stateVersion"]["presence"]
        .as_u64()
        .unwrap();
    let event = loop {
        let event = reader.any_event().await;
        if event["event"] == "presence" {
            break event;
        }
    };
    assert!(event["stateVersion"]["presence"].as_u64().unwrap() > before);
    gateway.stop().await;
}

#[tokio::test]
async fn everybody_hears_that_the_gateway_is_alive() {
    let mut settings = settings("");
    settings.limits.tick_interval = Duration::from_millis(20);
    let gateway = start_with(settings, |builder| builder).await;
    let mut node = gateway.node_device(&gateway.device(), &[]).await;
    let mut nobody = gateway.asks(&[]).await;
    assert_eq!(node.hello["policy"]["tickIntervalMs"], 20);
    for session in [&mut node, &mut nobody] {
        for _ in 0..3 {
            let tick = session.event("tick").await;
            assert_eq!(tick, json!({ "ts": gateway.pairing.now().as_millis() }));
        }
    }
    gateway.stop().await;
}

#[tokio::test]
async fn t88_a_node_that_stays_keeps_its_request_alive() {
    let gateway = start().await;
    let device = gateway.device();
    drop(gateway.node_device(&device, &["ping"]).await);
    let mut admin = gateway.admin().await;
    let mut node = gateway.enter(&device, node_of(&["ping", "more"])).await;
    let request = admin.event("device.pair.requested").await["requestId"].clone();
    for _ in 0..3 {
        gateway.pass(200);
        a_minute_of_upkeep(&gateway).await;
        // Both answer pings, or they would be dropped.
        node.call("skills.bins", json!({})).await.unwrap();
        admin.call("health", json!({})).await.unwrap();
    }
    let list = admin.call("device.pair.list", json!({})).await.unwrap();
    assert_eq!(list["pending"][0]["requestId"], request);
    node.call("skills.bins", json!({})).await.unwrap();
    gateway.stop().await;
}

/// Until the gateway has done what it does once a minute.
async fn a_minute_of_upkeep(gateway: &Running) {
    let pairing = gateway.pairing.clone();
    let mut position = pairing.changes(None, NEVER).unwrap().position;
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(61)).await;
    tokio::time::resume();
    let held = move || {
        let is_held = || {
            let list = pairing.devices().list(&owner()).unwrap();
            list.pending[0].refreshed_at == pairing.now()
        };
        while !is_held() {
            let changes = pairing.changes(Some(position), NEVER).unwrap();
            assert_ne!(changes.position, position);
            position = changes.position;
        }
    };
    tokio::task::spawn_blocking(held).await.unwrap();
}

/// What has changed, as it is told until all of this has been.
async fn changed(session: &mut Talk, until: &Value) -> Value {
    let mut all = json!({});
    while all != *until {
        let told = session.event("pairing.changed").await;
        for (name, value) in told.as_object().unwrap() {
            all[name] = value.clone();
        }
    }
    all
}

#[tokio::test]
async fn what_changes_is_told_whoever_changes_it() {
    let gateway = start().await;
    let mut admin = gateway.admin().await;
    let telegram = gateway.pairing.channel("telegram").unwrap();
    let account = telegram.account("default").unwrap();
    // What no request tells of: an allowlist, a device's name, a setup code, a legacy node.
    let of_telegram = json!({ "channels": ["telegram"] });
    account.allow("111", &owner()).unwrap();
    changed(&mut admin, &of_telegram).await;
    account.revoke("111", &owner()).unwrap();
    changed(&mut admin, &of_telegram).await;
    let device = gateway.device();
    let request = gateway.node_asks(&device, &[]).await;
    changed(&mut admin, &json!({ "devices": true })).await;
    gateway.approve(&request);
    changed(&mut admin, &json!({ "devices": true })).await;
    let devices = gateway.pairing.devices();
    devices
        .rename(device.identity.id(), "Kitchen", &owner())
        .unwrap();
    changed(&mut admin, &json!({ "devices": true })).await;
    let profile = pairing_core::device::SetupProfile::Node;
    devices
        .issue_pairing_token(profile, None, &owner())
        .unwrap();
    changed(&mut admin, &json!({ "devices": true })).await;
    let node = json!({ "nodeId": "mac" });
    admin.call("node.pair.request", node).await.unwrap();
    changed(&mut admin, &json!({ "nodes": true })).await;
    // Nor does anybody write down that nobody decided in time.
    gateway.pass(301);
    changed(&mut admin, &json!({ "nodes": true })).await;
    gateway.stop().await;
}

#[tokio::test]
async fn many_changes_at_once_are_told_a_few_times() {
    let gateway = start().await;
    let mut admin = gateway.admin().await;
    let signal = gateway.pairing.channel("signal").unwrap();
    let account = signal.account("default").unwrap();
    for n in 0..200 {
        let sender = format!("+1555000{n:04}");
        account.allow(&sender, &owner()).unwrap();
    }
    let telegram = gateway.pairing.channel("telegram").unwrap();
    let account = telegram.account("default").unwrap();
    account.allow("111", &owner()).unwrap();
    let mut times = 1;
    loop {
        let told = admin.event("pairing.changed").await;
        let channels = told["channels"].as_array().unwrap();
        if channels.contains(&json!("telegram")) {
            break;
        }
        times += 1;
    }
    assert!(times < 100, "{times}");
    gateway.stop().await;
}

#[tokio::test]
async fn t14_that_something_changed_is_told_to_whom_it_concerns() {
    let gateway = start().await;
    let (own, other) = (gateway.device(), gateway.device());
    let mut keeper = gateway.operator_device(&own, KEEPER).await;
    let mut reader = gateway.asks(&["operator.read"]).await;
    // What came before, pairing itself.
    mark(&gateway);
    while keeper.event("pairing.changed").await["channels"] != json!(["signal"]) {}
    gateway.node_asks(&other, &[]).await;
    let mut admin = gateway.admin().await;
    let node = json!({ "nodeId": "mac" });
    admin.call("node.pair.request", node).await.unwrap();
    gateway.stranger("telegram", "default", "111");
    let told = keeper.event("pairing.changed").await;
    assert_eq!(told, json!({ "channels": ["telegram"] }));
    let devices = gateway.pairing.devices();
    devices.rename(own.identity.id(), "Mine", &owner()).unwrap();
    changed(&mut keeper, &json!({ "devices": true })).await;
    reader.call("health", json!({})).await.unwrap();
    assert!(!reader.has_event("pairing.changed"));
    gateway.stop().await;
}
