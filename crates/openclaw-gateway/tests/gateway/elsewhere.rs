//! Decisions of another process on the same directory.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use pairing_core::device::{RequestId, Role};
use pairing_core::{Approver, Channels, Pairing, PairingBuilder};
use pairing_fs::{FsStore, StateDir, SystemClock, SystemEntropy};
use serde_json::json;

use crate::stores::Probe;
use crate::support::{Counting, Running, settings, start, start_on};
use crate::talk::revoked;

struct Shared {
    gateway: Running,
    /// As another process sees it.
    other: Pairing,
    reads: Arc<AtomicUsize>,
    ranges: Arc<AtomicUsize>,
    _dir: tempfile::TempDir,
}

async fn shared() -> Shared {
    let dir = tempfile::tempdir().unwrap();
    let state = StateDir::at(dir.path());
    let (reads, ranges) = <(Arc<AtomicUsize>, Arc<AtomicUsize>)>::default();
    let store = Probe {
        inner: FsStore::new(&state, Channels::builtin()),
        reads: reads.clone(),
        ranges: ranges.clone(),
    };
    let spare = start().await;
    let clock = spare.clock.clone();
    spare.stop().await;
    let pairing = PairingBuilder::new(store, SystemClock, SystemEntropy).build();
    let entropy = Counting::default();
    let gateway = start_on(pairing, clock, entropy, settings(""), |builder| builder).await;
    Shared {
        gateway,
        other: pairing_fs::open(&state),
        reads,
        ranges,
        _dir: dir,
    }
}

fn owner() -> Approver {
    Approver::terminal("ann")
}

#[tokio::test]
async fn what_another_process_decides_is_told_and_ends_sessions() {
    let shared = shared().await;
    let gateway = &shared.gateway;
    let device = gateway.device();
    let mut admin = gateway.admin().await;
    let request = gateway.node_asks(&device, &["ping"]).await;
    admin.event("device.pair.requested").await;
    let id = RequestId::parse(&request).unwrap();
    shared.other.devices().approve(&id, &owner()).unwrap();
    let event = admin.event("device.pair.resolved").await;
    assert_eq!(
        (&event["requestId"], &event["decision"]),
        (&json!(request), &json!("approved"))
    );

    let mut node = gateway.node_device(&device, &["ping"]).await;
    let role = Role::Node;
    shared
        .other
        .devices()
        .revoke(device.identity.id(), role, &owner())
        .unwrap();
    assert_eq!(node.closed().await, revoked());

    let stranger = shared
        .other
        .channel("telegram")
        .unwrap()
        .account("default")
        .unwrap();
    stranger.request_or_reuse("111").unwrap();
    assert_eq!(admin.event("pairing.requested").await["id"], "111");
    stranger.reject("111", &owner()).unwrap();
    assert_eq!(
        admin.event("pairing.resolved").await["decision"],
        "rejected"
    );
    shared.gateway.stop().await;
}

#[tokio::test]
async fn t9_what_another_process_rotates_or_removes_ends_sessions() {
    let shared = shared().await;
    let gateway = &shared.gateway;
    let device = gateway.device();
    let mut node = gateway.node_device(&device, &[]).await;
    let mut operator = gateway.operator_device(&device, &["operator.read"]).await;
    let devices = shared.other.devices();
    devices
        .rotate(device.identity.id(), Role::Operator, None, &owner())
        .unwrap();
    assert_eq!(operator.closed().await, revoked());
    node.call("skills.bins", json!({})).await.unwrap();
    devices.remove(device.identity.id(), &owner()).unwrap();
    assert_eq!(node.closed().await, revoked());
    shared.gateway.stop().await;
}

#[tokio::test]
async fn while_nothing_happens_the_store_is_left_alone() {
    let mut settings = settings("");
    settings.limits.tick_interval = Duration::from_millis(700);
    let shared = shared().await;
    shared.gateway.handle.reload(settings);
    let mut admin = shared.gateway.admin().await;
    admin.event("presence").await;
    let (reads, ranges) = (
        shared.reads.load(Ordering::SeqCst),
        shared.ranges.load(Ordering::SeqCst),
    );
    // What goes on between the gateway's own wakings, one a second, and no more.
    let mut waits = 0;
    let now = std::time::Instant::now();
    while now.elapsed() < Duration::from_secs(2) {
        let pairing = shared.other.clone();
        let position = pairing.changes(None, Duration::ZERO).unwrap().position;
        let wait = Duration::from_secs(2).saturating_sub(now.elapsed());
        let waited = move || pairing.changes(Some(position), wait).unwrap();
        tokio::task::spawn_blocking(waited).await.unwrap();
        waits += 1;
    }
    let read = shared.reads.load(Ordering::SeqCst) - reads;
    assert!(read <= 4, "{read} reads in 2 s, {waits} waits");
    assert_eq!(shared.ranges.load(Ordering::SeqCst), ranges);
    shared.gateway.stop().await;
}
