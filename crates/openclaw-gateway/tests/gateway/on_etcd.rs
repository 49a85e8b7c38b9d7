//! Several gateways on a real cluster. What they share is tried in memory elsewhere (`peers`); this is what
//! the cluster adds: the configuration, the watch, the lease, and bad weather.

use gateway_protocol::GatewayUrl;
use std::sync::Arc;
use std::time::{Duration, Instant};

use openclaw_gateway::peers::Peers;
use pairing_core::{Admission, Channels, Limits, ManualClock, Pairing, PairingBuilder, Timestamp};
use pairing_etcd::{EtcdStore, Settings};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::invoke::{answer, ask};
use crate::members::Members;
use crate::serving::{Served, options, try_serve};
use crate::support::{Counting, Hands, NEVER, Running, TOKEN, settings, start_at};
use crate::talk::{Talk, node_of, revoked};

const GRACE: Duration = Duration::from_secs(3);

/// A gateway on the cluster, reached by others.
async fn gateway(cluster: &Settings, number: u64) -> Running {
    let store = EtcdStore::open(cluster).unwrap();
    let directory = store.directory();
    let now = Timestamp::from_millis(1_795_353_726_325);
    let clock = Hands(Arc::new(ManualClock::new(now)));
    let entropy = Counting::from(number);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    let peers = Peers::new(directory, &entropy).unwrap();
    let peers = peers.url(GatewayUrl::parse(&url).unwrap());
    let pairing = PairingBuilder::new(store, clock.clone(), entropy.clone());
    let pairing = pairing
        .channels(Channels::builtin())
        .limits(Limits::default());
    let build = |builder: openclaw_gateway::GatewayBuilder| builder.peers(peers).grace(GRACE);
    start_at(
        listener,
        pairing.build(),
        clock,
        entropy,
        settings(""),
        build,
    )
}

/// Asks again and again until it is so.
async fn until<T: Send + 'static>(
    pairing: &Pairing,
    ask: impl Fn(&Pairing) -> Option<T> + Send + 'static,
) -> T {
    let pairing = pairing.clone();
    let asking = tokio::task::spawn_blocking(move || {
        let began = Instant::now();
        while began.elapsed() < NEVER {
            if let Some(found) = ask(&pairing) {
                return found;
            }
            std::thread::yield_now();
        }
        panic!("it never comes to be so")
    });
    asking.await.unwrap()
}

async fn is_connected(admin: &mut Talk, node: &str) -> Value {
    loop {
        let list = admin.call("node.list", json!({})).await.unwrap();
        let nodes = list["nodes"].as_array().unwrap();
        if let Some(found) = nodes
            .iter()
            .find(|n| n["nodeId"] == node && n["connected"] == true)
        {
            return found.clone();
        }
        admin.event("presence").await;
    }
}

#[tokio::test]
async fn a_device_asks_at_one_is_approved_asked_and_removed_at_another() {
    let members = Members::start(1);
    let cluster = members.settings();
    let one = gateway(&cluster, 1).await;
    let two = gateway(&cluster, 2).await;
    let (mut admin, mut other) = (two.admin().await, one.admin().await);
    let device = one.device();
    let request = one.node_asks(&device, &["ping"]).await;
    let told = admin.event("device.pair.requested").await;
    assert_eq!(told["requestId"], request.as_str());
    let params = json!({ "requestId": request });
    admin.call("device.pair.approve", params).await.unwrap();

    // What was approved there counts here as soon as this gateway's copy has it. Before, the answer to a request that
    // is repeated within its refresh interval comes from the copy.
    let resolved = other.event("device.pair.resolved").await;
    assert_eq!(resolved["requestId"], request.as_str());
    let mut node = one.enter(&device, node_of(&["ping"])).await;
    let shown = is_connected(&mut admin, &device.id()).await;
    assert!(shown["gateway"]["id"].is_string(), "{shown}");

    let id = admin.send("node.invoke", ask(&device, "ping")).await;
    let asked = node.event("node.invoke.request").await;
    answer(&mut node, &asked, json!({ "payload": "pong" })).await;
    assert_eq!(admin.answer(&id).await.unwrap()["payload"], "pong");

    let params = json!({ "deviceId": device.id() });
    admin.call("device.pair.remove", params).await.unwrap();
    assert_eq!(node.closed().await, revoked());
    one.stop().await;
    two.stop().await;
}

#[tokio::test]
async fn a_gateway_that_dies_is_gone_from_the_list_with_its_nodes() {
    let members = Members::start(1);
    let cluster = members.settings();
    let one = gateway(&cluster, 1).await;
    let two = gateway(&cluster, 2).await;
    let mut admin = two.admin().await;
    let device = one.device();
    let _node = one.node_device(&device, &["ping"]).await;
    is_connected(&mut admin, &device.id()).await;
    one.stop().await;
    loop {
        let list = admin.call("node.list", json!({})).await.unwrap();
        if list["nodes"][0]["connected"] == false {
            break;
        }
        admin.event("presence").await;
    }
    two.stop().await;
}

#[tokio::test]
async fn without_a_majority_the_gateway_stays_and_lets_nobody_new_in() {
    let members = Members::start(3);
    let cluster = members
        .settings()
        .grace(GRACE)
        .patience(Duration::from_millis(1_500));
    let one = gateway(&cluster, 1).await;
    let device = one.device();
    let mut node = one.node_device(&device, &["ping"]).await;
    let mut operator = one.operator_device(&one.device(), &["operator.read"]).await;
    let gate = one.pairing.channel("telegram").unwrap();
    let gate = gate.account("default").unwrap();
    gate.allow("1001", &pairing_core::Approver::terminal("ann"))
        .unwrap();
    let approved = |pairing: &Pairing| {
        let gate = pairing
            .channel("telegram")
            .unwrap()
            .account("default")
            .unwrap();
        matches!(gate.admit("1001"), Ok(Admission::Approved(_)))
    };
    assert!(approved(&one.pairing));

    members.stop(0);
    members.stop(1);
    until(&one.pairing, |pairing| {
        pairing.probe().is_err().then_some(())
    })
    .await;
    // The gateway answers, and says how it is.
    while operator.call("health", json!({})).await.unwrap()["ok"] == true {}
    assert_eq!(crate::http::status(&one, "/readyz").await, 503);
    assert_eq!(crate::http::status(&one, "/healthz").await, 200);
    // Who is connected goes on, for a while.
    operator.call("node.list", json!({})).await.unwrap_err();
    node.call("skills.bins", json!({})).await.unwrap();
    one.pass(GRACE.as_secs() + 1);
    let refused = node.call("skills.bins", json!({})).await.unwrap_err();
    assert_eq!(refused["code"], "UNAVAILABLE", "{refused}");
    assert_eq!(refused["details"]["code"], "STORE_UNAVAILABLE", "{refused}");
    // In the end senders are refused, too.
    until(&one.pairing, move |pairing| {
        (!approved(pairing)).then_some(())
    })
    .await;

    members.go_on(0);
    members.go_on(1);
    until(&one.pairing, move |pairing| approved(pairing).then_some(())).await;
    while operator.call("health", json!({})).await.unwrap()["ok"] == false {}
    assert_eq!(crate::http::status(&one, "/readyz").await, 200);
    node.call("skills.bins", json!({})).await.unwrap();
    one.stop().await;
}

#[tokio::test]
async fn two_are_run_by_their_configurations() {
    let members = Members::start(1);
    let serve = async |dir: &std::path::Path| -> Served {
        let endpoints = members.endpoints();
        let config = json!({
            "gateway": { "auth": { "token": TOKEN }, "localAdmin": true },
            "state": { "store": "etcd", "endpoints": endpoints, "prefix": "home" },
        });
        std::fs::write(dir.join("openclaw.json"), config.to_string()).unwrap();
        try_serve(options(dir)).await.unwrap()
    };
    let dirs = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let (one, two) = (serve(dirs[0].path()).await, serve(dirs[1].path()).await);
    let (first, _events) = one.admin(TOKEN).await.unwrap();
    let (second, _others) = two.admin(TOKEN).await.unwrap();
    loop {
        let presence: Value = first.call("system-presence", json!({})).await.unwrap();
        let gateways = presence.as_array().unwrap().iter();
        if gateways.filter(|entry| entry["mode"] == "gateway").count() == 2 {
            break;
        }
    }
    let params = json!({ "channel": "telegram", "entry": "1001" });
    let _: Value = first.call("pairing.allow", params).await.unwrap();
    loop {
        let params = json!({ "channel": "telegram" });
        let allowed: Value = second.call("pairing.allowed", params).await.unwrap();
        if allowed.to_string().contains("1001") {
            break;
        }
    }
    // Nothing of it is in their directories.
    for dir in &dirs {
        assert!(!dir.path().join("credentials").exists());
    }
    one.stop().await;
    two.stop().await;
}
