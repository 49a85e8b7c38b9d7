//! What operations cost at 10, 10,000 and 1,000,000 (in OpenClaw's database also 100,000) allowed senders, and a
//! tenth as many devices:
//! `cargo bench -p pairing-sqlite [-- own/]`. Commits are durable: they wait for the disk.
#![allow(missing_docs, clippy::unwrap_used, reason = "a program for developers")]

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use pairing_conformance::seeded;
use pairing_core::device::{Device, DeviceInfo};
use pairing_core::store::{AllowEntry, Batch, Change, Condition, PageRequest};
use pairing_core::{
    AccountId, ChannelId, Channels, DeviceId, DeviceKey, Entropy, ManualClock, PairingStore, Range,
    Record, SenderId, Timestamp,
};
use pairing_sqlite::{OpenClawStore, OwnStore, Settings};
use rusqlite::Connection;

const SIZES: [usize; 3] = [10, 10_000, 1_000_000];
const AT_ONCE: usize = 5_000;
const SCHEMA: &str = include_str!("../tests/sqlite/openclaw-2026.9.6/pairing.sql");

fn allow(number: usize) -> Record {
    Record::Allow(AllowEntry {
        channel: ChannelId::parse("telegram").unwrap(),
        account: AccountId::default(),
        entry: SenderId::try_from(number.to_string()).unwrap(),
        written: None,
        grant: None,
    })
}

fn device(number: usize) -> Record {
    let entropy = seeded(number as u64);
    let key = loop {
        let mut bytes = [0; 32];
        entropy.fill(&mut bytes).unwrap();
        if let Ok(key) = DeviceKey::from_bytes(bytes) {
            break key;
        }
    };
    let at = Timestamp::from_millis(1_795_354_077_013);
    Record::from(Device {
        id: DeviceId::of(&key),
        key,
        info: DeviceInfo::default(),
        roles: std::collections::BTreeMap::new(),
        created_at: at,
        approved_at: at,
        label: None,
        surface: None,
        signs_v3: true,
        pairing_token: None,
    })
}

/// Writes records so that they change together.
fn fill(store: &dyn PairingStore, count: usize, record: fn(usize) -> Record) {
    for from in (0..count).step_by(AT_ONCE) {
        let here = from..(from + AT_ONCE).min(count);
        commit(
            store,
            Vec::new(),
            here.map(|number| Change::Put(record(number))).collect(),
        );
    }
}

fn commit(store: &dyn PairingStore, conditions: Vec<Condition>, changes: Vec<Change>) {
    store
        .commit(&Batch {
            conditions,
            changes,
        })
        .unwrap();
}

/// Puts a record on condition that it is as it was read, as a decision does.
fn decide(store: &dyn PairingStore, record: &Record, change: Change) {
    let version = store.read(&record.key()).unwrap().version;
    commit(
        store,
        vec![Condition::Record(record.key(), version)],
        vec![change],
    );
}

fn measure(criterion: &mut Criterion, kind: &str, size: usize, store: &dyn PairingStore) {
    let mut group = criterion.benchmark_group(kind);
    group
        .sample_size(20)
        .measurement_time(Duration::from_secs(3))
        .warm_up_time(Duration::from_millis(500));
    let next = AtomicUsize::new(2_000_000);
    let fresh = || next.fetch_add(1, Ordering::Relaxed);
    let known = allow(size / 2).key();
    group.bench_with_input(BenchmarkId::new("is allowed", size), &size, |bench, _| {
        bench.iter(|| assert!(store.read(&known).unwrap().record.is_some()));
    });
    group.bench_with_input(
        BenchmarkId::new("is a stranger", size),
        &size,
        |bench, _| {
            bench.iter(|| assert!(store.read(&allow(fresh()).key()).unwrap().record.is_none()));
        },
    );
    group.bench_with_input(BenchmarkId::new("approve", size), &size, |bench, _| {
        bench.iter(|| {
            let record = allow(fresh());
            decide(store, &record, Change::Put(record.clone()));
        });
    });
    group.bench_with_input(BenchmarkId::new("revoke", size), &size, |bench, _| {
        let record = allow(fresh());
        bench.iter_custom(|rounds| {
            let mut took = Duration::ZERO;
            for _ in 0..rounds {
                commit(store, Vec::new(), vec![Change::Put(record.clone())]);
                let began = std::time::Instant::now();
                decide(store, &record, Change::Delete(record.key()));
                took += began.elapsed();
            }
            took
        });
    });
    group.bench_with_input(BenchmarkId::new("new device", size), &size, |bench, _| {
        bench.iter_custom(|rounds| {
            let mut took = Duration::ZERO;
            for _ in 0..rounds {
                let record = device(fresh());
                let began = std::time::Instant::now();
                decide(store, &record, Change::Put(record.clone()));
                took += began.elapsed();
            }
            took
        });
    });
    if kind == "own" || size <= 10_000 {
        let range = Range::Allowed {
            channel: ChannelId::parse("telegram").unwrap(),
            account: None,
        };
        group.bench_with_input(
            BenchmarkId::new("a page of 100", size),
            &size,
            |bench, _| {
                bench.iter(|| store.range(&range, &PageRequest::first(100)).unwrap());
            },
        );
    }
    group.finish();
}

fn own(criterion: &mut Criterion) {
    for size in SIZES {
        let dir = tempfile::tempdir().unwrap();
        let store = OwnStore::open(&dir.path().join("pairing.sqlite")).unwrap();
        fill(&store, size, allow);
        fill(&store, size / 10, device);
        measure(criterion, "own", size, &store);
    }
}

fn openclaw(criterion: &mut Criterion) {
    for size in [10, 10_000, 100_000, 1_000_000] {
        let dir = tempfile::tempdir().unwrap();
        let store = theirs(dir.path());
        fill(&store, size, allow);
        fill(&store, size / 10, device);
        measure(criterion, "openclaw", size, &store);
    }
}

fn theirs(dir: &Path) -> OpenClawStore {
    let path = dir.join("openclaw.sqlite");
    let connection = Connection::open(&path).unwrap();
    connection
        .pragma_update(None, "journal_mode", "wal")
        .unwrap();
    connection.execute_batch(SCHEMA).unwrap();
    let clock = ManualClock::new(Timestamp::from_millis(0));
    let settings = Settings::new(Channels::builtin(), clock, seeded(1));
    OpenClawStore::open(&path, &dir.join("beside.sqlite"), settings).unwrap()
}

criterion_group!(benches, own, openclaw);
criterion_main!(benches);
