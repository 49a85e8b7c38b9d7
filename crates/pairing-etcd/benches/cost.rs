//! What operations cost on files, on one member and on three, with few records and with many:
//! `cargo bench -p pairing-etcd --features client --bench cost [-- RECORDS …]`.
//!
//! Members and gateways share the machine. Figures are medians; a change at one gateway is told to another
//! over the members.
#![allow(
    missing_docs,
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a program for developers"
)]

#[path = "../tests/etcd/members.rs"]
mod members;
#[path = "faults/phone.rs"]
mod phone;

use std::sync::mpsc;
use std::time::{Duration, Instant};

use members::Members;
use pairing_core::device::{Credential, Device, DeviceId, DeviceKey};
use pairing_core::store::{AllowEntry, Batch, Change, Changed, PageRequest};
use pairing_core::{
    Approver, Channels, Connection, Entropy as _, Pairing, PairingBuilder, PairingStore, Range,
    Record, Requested,
};
use pairing_etcd::EtcdStore;
use pairing_fs::{FsStore, StateDir, SystemClock, SystemEntropy};

/// Records written at once while filling a cluster. Files are written anew by each commit, so whole.
const AT_ONCE: usize = 1_000;

/// Devices at most: files hold no more than 64 MiB.
const MOST_DEVICES: usize = 10_000;

fn main() {
    let given: Vec<usize> = std::env::args()
        .filter_map(|arg| arg.parse().ok())
        .collect();
    let sizes = if given.is_empty() {
        vec![100, 100_000]
    } else {
        given
    };
    for records in sizes {
        println!("{records} senders, {} devices", records.min(MOST_DEVICES));
        println!(
            "{:>14} {:>12} {:>12} {:>12} {:>12} {:>14}",
            "", "admit", "stranger", "request", "approve", "connect"
        );
        let dir = tempfile::tempdir().unwrap();
        let files = || FsStore::new(&StateDir::at(dir.path()), Channels::builtin());
        measure("files", &files(), records, usize::MAX);
        for count in [1, 3] {
            let members = Members::start(count);
            let settings = members.settings();
            let store = EtcdStore::open(&settings).unwrap();
            measure(&format!("{count} member(s)"), &store, records, AT_ONCE);
            let far = EtcdStore::open(&settings).unwrap();
            news(&store, &far);
        }
    }
}

fn service(store: impl PairingStore + 'static) -> Pairing {
    PairingBuilder::new(store, SystemClock, SystemEntropy).build()
}

/// Fills a store and prints a row.
fn measure(
    name: &str,
    store: &(impl PairingStore + Clone + 'static),
    records: usize,
    at_once: usize,
) {
    let pairing = service(store.clone());
    let owner = Approver::terminal("ann");
    let gate = pairing
        .channel("telegram")
        .unwrap()
        .account("default")
        .unwrap();
    gate.allow("1", &owner).unwrap();
    let token = phone::pair(&pairing, 7, &owner);
    fill(store, records, at_once);

    let mut next = 0_u64;
    let admit = median(2_000, || assert!(gate.is_allowed("1").unwrap()));
    let stranger = median(2_000, || assert!(!gate.is_allowed("2").unwrap()));
    let mut codes = Vec::new();
    let request = median(100, || {
        next += 1;
        let account = pairing.channel("telegram").unwrap();
        let account = account.account(&format!("account{next}")).unwrap();
        match account.request_or_reuse("3").unwrap() {
            Requested::Created(created) => codes.push((account, created.request.code)),
            other => panic!("{other:?}"),
        }
    });
    let mut codes = codes.into_iter();
    let approve = median(100, || {
        let (account, code) = codes.next().unwrap();
        account.approve(code.as_str(), &owner).unwrap();
    });
    let connecting = phone::connecting(&pairing, 7);
    let connect = median(500, || {
        let credential = Credential::DeviceToken(&token);
        let connected = pairing.devices().connect(&connecting, credential).unwrap();
        assert!(matches!(connected, Connection::Admitted { .. }));
    });
    println!(
        "{name:>14} {:>12} {:>12} {:>12} {:>12} {:>14}",
        shown(admit),
        shown(stranger),
        shown(request),
        shown(approve),
        shown(connect)
    );
}

/// Writes so many allowed senders, and so many paired devices.
fn fill(store: &impl PairingStore, records: usize, at_once: usize) {
    let template = |range| {
        let page = store.range(&range, &PageRequest::first(1)).unwrap();
        (*page.records[0]).clone()
    };
    let channel = pairing_core::ChannelId::parse("telegram").unwrap();
    let allowed = Range::Allowed {
        channel: channel.clone(),
        account: None,
    };
    let (Record::Allow(allow), Record::Device(device)) =
        (template(allowed), template(Range::Devices))
    else {
        panic!("other records than were asked for")
    };
    let rules = Channels::builtin();
    let rules = rules.get(&channel).unwrap();
    let senders = (0..records).map(|number| {
        let entry = rules.sender(&(1_000_000 + number).to_string()).unwrap();
        Record::Allow(AllowEntry {
            entry,
            ..allow.clone()
        })
    });
    let devices = (0..records.min(MOST_DEVICES)).map(|number| {
        let key = key(number as u64);
        Record::from(Device {
            id: DeviceId::of(&key),
            key,
            ..(*device).clone()
        })
    });
    write(store, senders, at_once);
    write(store, devices, at_once);
}

fn write(store: &impl PairingStore, records: impl Iterator<Item = Record>, at_once: usize) {
    let mut records = records.map(Change::Put).peekable();
    while records.peek().is_some() {
        let changes = records.by_ref().take(at_once).collect();
        store
            .commit(&Batch {
                conditions: Vec::new(),
                changes,
            })
            .unwrap();
    }
}

fn key(number: u64) -> DeviceKey {
    let entropy = pairing_conformance::seeded(number);
    loop {
        let mut bytes = [0; 32];
        entropy.fill(&mut bytes).unwrap();
        // Half of all byte strings are points of the curve.
        if let Ok(key) = DeviceKey::from_bytes(bytes) {
            return key;
        }
    }
}

/// How long after a change was acknowledged at one gateway another knows of it.
fn news(here: &EtcdStore, far: &EtcdStore) {
    let pairing = service(here.clone());
    let gate = pairing
        .channel("discord")
        .unwrap()
        .account("default")
        .unwrap();
    let owner = Approver::terminal("ann");
    let far = far.clone();
    let (sender, told) = mpsc::channel();
    let (started, begun) = mpsc::channel();
    std::thread::spawn(move || {
        let mut position = far.changes(None, Duration::from_secs(10)).unwrap().position;
        started.send(()).unwrap();
        loop {
            let Ok(changes) = far.changes(Some(position), Duration::from_secs(10)) else {
                return;
            };
            position = changes.position;
            let is_news = changes.changed != Changed::Keys(Vec::new());
            if is_news && sender.send(Instant::now()).is_err() {
                return;
            }
        }
    });
    begun.recv().unwrap();
    let mut took: Vec<_> = (0..300)
        .map(|number| {
            let began = Instant::now();
            gate.allow(&(1_000_000 + number).to_string(), &owner)
                .unwrap();
            told.recv().unwrap().duration_since(began)
        })
        .collect();
    took.sort_unstable();
    println!(
        "{:>14} an allowlist change is written here and known there in {} (p50), {} (p99)",
        "",
        shown(took[150]),
        shown(took[297])
    );
}

fn median(times: usize, mut run: impl FnMut()) -> Duration {
    let mut took: Vec<_> = (0..times)
        .map(|_| {
            let began = Instant::now();
            run();
            began.elapsed()
        })
        .collect();
    took.sort_unstable();
    took[times / 2]
}

fn shown(time: Duration) -> String {
    let micros = time.as_nanos() as f64 / 1000.0;
    if micros < 1000.0 {
        format!("{micros:.2} µs")
    } else {
        format!("{:.2} ms", micros / 1000.0)
    }
}
