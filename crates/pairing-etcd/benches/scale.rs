//! How it grows: `cargo bench -p pairing-etcd --features client --bench scale [-- SENDERS GATEWAYS]`
//! (1,000,000 senders and 10 gateways unless told). All of them share this machine, and one member.
//!
//! Prints what a cluster and a gateway hold for each record, how long a gateway takes to list them, and
//! how long a change takes until every gateway knows.
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

#[path = "../tests/etcd/asking.rs"]
mod asking;
#[path = "../tests/etcd/members.rs"]
mod members;

use std::fs;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use asking::run;
use etcd_client::Client;
use members::Members;
use pairing_core::store::{AllowEntry, Batch, Change, Changed, Position};
use pairing_core::{AccountId, ChannelId, Channels, PairingStore, Record};
use pairing_etcd::EtcdStore;

const AT_ONCE: usize = 2_000;
const LONG: Duration = Duration::from_secs(120);

fn main() {
    let given: Vec<usize> = std::env::args()
        .filter_map(|arg| arg.parse().ok())
        .collect();
    let senders = given.first().copied().unwrap_or(1_000_000);
    let gateways = given.get(1).copied().unwrap_or(10);
    let members = Members::start_with(1, "http", &["--quota-backend-bytes", "8589934592"]);
    let settings = members.settings();
    let writer = EtcdStore::direct(&settings).unwrap();

    let began = Instant::now();
    for from in (0..senders).step_by(AT_ONCE) {
        put(&writer, from..(from + AT_ONCE).min(senders));
    }
    let took = began.elapsed();
    println!(
        "{senders} senders written in {took:.1?}, {:.0} a second",
        senders as f64 / took.as_secs_f64()
    );
    let size = run(async {
        let mut client = Client::connect(members.endpoints(), None).await.unwrap();
        client.status().await.unwrap().db_size()
    });
    println!(
        "on the member's disk: {:.0} bytes a sender",
        size as f64 / senders as f64
    );

    let before = resident();
    let began = Instant::now();
    let first = EtcdStore::open(&settings).unwrap();
    let position = present(&first);
    println!("listed by a gateway in {:.2?}", began.elapsed());
    let of_one = resident() - before;
    println!(
        "in a gateway's memory: {:.0} bytes a sender, {:.0} MiB",
        of_one as f64 / senders as f64,
        of_one as f64 / f64::from(1 << 20)
    );

    let mut others = vec![(first, position)];
    // As many as the memory of this machine bears, half of it left free.
    let bears = free() / 2 / of_one.max(1);
    let more = (gateways - 1).min(usize::try_from(bears).unwrap_or(usize::MAX));
    for _ in 0..more {
        let store = EtcdStore::open(&settings).unwrap();
        let position = present(&store);
        others.push((store, position));
    }
    println!("gateways that follow: {}", others.len());
    let mut took: Vec<Duration> = (0..200)
        .map(|number| {
            let barrier = Barrier::new(others.len() + 1);
            std::thread::scope(|scope| {
                let followers: Vec<_> = others
                    .iter_mut()
                    .map(|(store, position)| {
                        let barrier = &barrier;
                        scope.spawn(move || {
                            barrier.wait();
                            *position = news(store, *position);
                            Instant::now()
                        })
                    })
                    .collect();
                barrier.wait();
                let began = Instant::now();
                put(&writer, senders + number..senders + number + 1);
                let known = followers
                    .into_iter()
                    .map(|follower| follower.join().unwrap());
                known.max().unwrap().duration_since(began)
            })
        })
        .collect();
    took.sort_unstable();
    println!(
        "a change is written and known to all of them in {:.2?} (p50), {:.2?} (p99)",
        took[100], took[197]
    );
}

fn put(store: &EtcdStore, numbers: std::ops::Range<usize>) {
    let channel = ChannelId::parse("telegram").unwrap();
    let rules = Channels::builtin();
    let rules = rules.get(&channel).unwrap();
    let changes = numbers.map(|number| {
        let entry = rules.sender(&(1_000_000_000 + number).to_string()).unwrap();
        Change::Put(Record::Allow(AllowEntry {
            channel: channel.clone(),
            account: AccountId::parse("default").unwrap(),
            entry,
            written: None,
            grant: None,
        }))
    });
    let batch = Batch {
        conditions: Vec::new(),
        changes: changes.collect(),
    };
    store.commit(&batch).unwrap();
}

fn present(store: &EtcdStore) -> Position {
    let mut tries = 0..100;
    loop {
        tries.next().expect("it is listed at last");
        if let Ok(changes) = store.changes(None, LONG) {
            return changes.position;
        }
    }
}

fn news(store: &EtcdStore, mut position: Position) -> Position {
    loop {
        let changes = store.changes(Some(position), LONG).unwrap();
        position = changes.position;
        if changes.changed != Changed::Keys(Vec::new()) {
            return position;
        }
    }
}

fn resident() -> u64 {
    kib("/proc/self/status", "VmRSS:") << 10
}

fn free() -> u64 {
    kib("/proc/meminfo", "MemAvailable:") << 10
}

fn kib(file: &str, name: &str) -> u64 {
    let text = fs::read_to_string(file).unwrap();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
