//! Who is there, and where.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use openclaw_gateway::peers::{Contents, Directory, DirectoryError, MemoryLease, Peers};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Notify;

use super::{Cluster, has, place, until};
use crate::shown::shown;
use crate::support::settings;
use crate::talk::node_of;

#[tokio::test]
async fn nodes_are_listed_with_the_gateway_that_they_are_connected_to() {
    let cluster = Cluster::new();
    let (one, _) = cluster.gateway("one").await;
    let (two, two_id) = cluster.gateway("two").await;
    let (here, there) = (one.device(), one.device());
    let mut params = node_of(&["ping"]);
    params["client"]["displayName"] = json!("here");
    let _here = one.paired(&here, params.clone()).await;
    params["client"]["displayName"] = json!("there");
    params["client"]["modelIdentifier"] = json!("Pi5");
    params["permissions"] = json!({ "camera": true });
    params["caps"] = json!(["camera"]);
    // What has not been approved is not offered, wherever it is.
    let _there = two.paired(&there, params.clone()).await;
    params["commands"] = json!(["ping", "system.run"]);
    let _there = two.enter(&there, params).await;
    let mut admin = one.admin().await;
    until(&mut admin, |all| has(all, &there.id())).await;

    let mut list = admin.call("node.list", json!({})).await.unwrap();
    for node in list["nodes"].as_array_mut().unwrap() {
        if let Some(url) = node.pointer_mut("/gateway/url") {
            assert_eq!(*url, two.url().as_str());
            *url = json!("[url]");
        }
    }
    insta::assert_snapshot!("nodes", shown(&list));
    assert_eq!(place(&mut admin, &here).await, Value::Null);
    assert_eq!(place(&mut admin, &there).await, two_id);
    // Each sees it from its own side.
    let mut admin = two.admin().await;
    until(&mut admin, |all| has(all, &here.id())).await;
    assert_eq!(place(&mut admin, &there).await, Value::Null);
    one.stop().await;
    two.stop().await;
}

#[tokio::test]
async fn other_gateways_and_their_nodes_are_among_who_is_there() {
    let cluster = Cluster::new();
    let (one, one_id) = cluster.gateway("one").await;
    let (two, two_id) = cluster.gateway("two").await;
    let node = two.device();
    let _node = two.node_device(&node, &["ping"]).await;
    let mut admin = one.admin().await;
    let all = until(&mut admin, |all| has(all, &node.id())).await;
    assert_eq!(all[0]["instanceId"], one_id.as_str());
    let gateway = &all[all.len() - 2];
    assert_eq!(gateway["instanceId"], two_id.as_str());
    assert_eq!(all[all.len() - 1]["gateway"], two_id.as_str());
    insta::assert_snapshot!("presence", shown(&json!(all)));
    // Who may not know who is connected here may not know it of elsewhere.
    let mut keeper = one.asks(&["operator.pairing"]).await;
    let told = keeper.hello["snapshot"]["presence"].to_string();
    assert!(!told.contains(&two_id) && !told.contains(&node.id()));
    keeper.call("node.list", json!({})).await.unwrap_err();
    one.stop().await;
    two.stop().await;
}

#[tokio::test]
async fn who_comes_and_goes_elsewhere_is_told_here() {
    let cluster = Cluster::new();
    let (one, _) = cluster.gateway("one").await;
    let mut admin = one.admin().await;
    let (two, two_id) = cluster.gateway("two").await;
    until(&mut admin, |all| has(all, &two_id)).await;
    let device = two.device();
    let node = two.node_device(&device, &["ping"]).await;
    let told = async |admin: &mut crate::talk::Talk, is_there: bool| {
        while has(
            admin.event("presence").await["presence"]
                .as_array()
                .unwrap(),
            &device.id(),
        ) != is_there
        {}
    };
    told(&mut admin, true).await;
    drop(node);
    told(&mut admin, false).await;
    let describe = json!({ "nodeId": device.id() });
    let entry = admin.call("node.describe", describe).await.unwrap();
    assert_eq!(entry["connected"], false);
    // A gateway that stops says so.
    two.stop().await;
    until(&mut admin, |all| !has(all, &two_id)).await;
    one.stop().await;
}

#[tokio::test]
async fn the_newest_connection_of_a_node_counts() {
    let cluster = Cluster::new();
    let (one, one_id) = cluster.gateway("one").await;
    let (two, two_id) = cluster.gateway("two").await;
    let (mut first, mut second) = (one.admin().await, two.admin().await);
    let device = one.device();
    let _elder = one.node_device(&device, &["ping"]).await;
    until(&mut second, |all| has(all, &device.id())).await;
    assert_eq!(place(&mut second, &device).await, one_id);
    one.pass(1);
    let _newer = two.node_device(&device, &["ping"]).await;
    let is_two = |entry: &Value| entry["gateway"] == two_id.as_str();
    until(&mut first, |all| all.iter().any(is_two)).await;
    assert_eq!(place(&mut first, &device).await, two_id);
    assert_eq!(place(&mut second, &device).await, Value::Null);
    let list = first.call("node.list", json!({})).await.unwrap();
    assert_eq!(list["nodes"].as_array().unwrap().len(), 1);
    one.stop().await;
    two.stop().await;
}

#[tokio::test]
async fn a_gateway_that_is_killed_is_gone_with_all_it_published() {
    let cluster = Cluster::new();
    let (one, _) = cluster.gateway("one").await;
    let (two, two_id) = cluster.gateway("two").await;
    let mut admin = one.admin().await;
    let device = two.device();
    let _node = two.node_device(&device, &["ping"]).await;
    until(&mut admin, |all| has(all, &device.id())).await;
    two.kill();
    until(&mut admin, |all| {
        !has(all, &two_id) && !has(all, &device.id())
    })
    .await;
    one.stop().await;
}

#[tokio::test]
async fn a_gateway_that_has_vanished_has_no_nodes() {
    let cluster = Cluster::new();
    let (one, _) = cluster.gateway("one").await;
    let mut admin = one.admin().await;
    let device = one.device();
    drop(one.node_device(&device, &["ping"]).await);
    let forged = cluster.forged();
    let later = one.pairing.now().as_millis() + 1;
    forged.publish(&json!({}), &[(&forged.id, &device, later)]);
    until(&mut admin, |all| has(all, &forged.id)).await;
    assert_eq!(place(&mut admin, &device).await, forged.id);
    let id = forged.id.clone();
    drop(forged);
    until(&mut admin, |all| !has(all, &id)).await;
    let describe = json!({ "nodeId": device.id() });
    let entry = admin.call("node.describe", describe).await.unwrap();
    assert_eq!(entry["connected"], false);
    one.stop().await;
}

#[tokio::test]
async fn what_is_not_understood_is_passed_over() {
    let cluster = Cluster::new();
    let (one, one_id) = cluster.gateway("one").await;
    let mut admin = one.admin().await;
    let device = one.device();
    drop(one.node_device(&device, &["ping"]).await);
    let now = one.pairing.now().as_millis();
    let nowhere = "00000000-0000-4000-8000-000000000000";
    let (clear, key, good) = (cluster.forged(), cluster.forged(), cluster.forged());
    // Nobody is called in clear where others listen in; a key of small order proves nothing.
    clear.publish(&json!({ "url": "ws://192.0.2.1:18789" }), &[]);
    key.publish(
        &json!({ "key": "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" }),
        &[],
    );
    let odd = BTreeMap::from([
        ("odd".to_owned(), b"{".to_vec()),
        ("new".to_owned(), br#"{"kind":"other"}"#.to_vec()),
    ]);
    let lease = cluster.directory.lease();
    lease.publish(&odd).unwrap();
    // Nor does a node count at a gateway that is not announced, or at this one because another says so.
    good.publish(
        &json!({}),
        &[(nowhere, &device, now + 1), (&one_id, &device, now + 2)],
    );
    let all = until(&mut admin, |all| has(all, &good.id)).await;
    assert!(!has(&all, &clear.id) && !has(&all, &key.id) && !has(&all, &device.id()));
    one.stop().await;
}

/// A directory that can be cut off.
struct Fragile {
    inner: MemoryLease,
    is_cut: Arc<AtomicBool>,
    /// It has been asked in vain.
    failed: Arc<Notify>,
}

impl Directory for Fragile {
    fn publish(&self, values: &BTreeMap<String, Vec<u8>>) -> Result<(), DirectoryError> {
        self.inner.publish(values)
    }

    fn read(&self, known: Option<u64>, wait: Duration) -> Result<Option<Contents>, DirectoryError> {
        let contents = self.inner.read(known, wait)?;
        if self.is_cut.load(Ordering::SeqCst) {
            self.failed.notify_one();
            return Err(DirectoryError::new("cut off"));
        }
        Ok(contents)
    }
}

#[tokio::test]
async fn what_a_directory_said_is_believed_for_30_seconds() {
    let cluster = Cluster::new();
    let (is_cut, failed) = <(Arc<AtomicBool>, Arc<Notify>)>::default();
    let cut = Fragile {
        inner: cluster.directory.lease(),
        is_cut: is_cut.clone(),
        failed: failed.clone(),
    };
    let peers = Peers::new(cut, &cluster.entropy).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let one = cluster.start(listener, settings(""), |builder| builder.peers(peers));
    let (two, two_id) = cluster.gateway("two").await;
    let mut admin = one.admin().await;
    until(&mut admin, |all| has(all, &two_id)).await;

    is_cut.store(true, Ordering::SeqCst);
    failed.notified().await;
    one.pass(30);
    // What came of it the first time has been seen when it is asked again.
    for _ in 0..2 {
        failed.notified().await;
    }
    let all = admin.call("system-presence", json!({})).await.unwrap();
    assert!(has(all.as_array().unwrap(), &two_id));
    one.pass(1);
    until(&mut admin, |all| !has(all, &two_id)).await;
    is_cut.store(false, Ordering::SeqCst);
    until(&mut admin, |all| has(all, &two_id)).await;
    one.stop().await;
    two.stop().await;
}
