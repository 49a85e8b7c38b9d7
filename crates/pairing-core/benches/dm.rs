//! Costs of direct messages on `MemoryStore`: the decisions themselves, without a disk.
//!
//! `cargo bench -p pairing-core`; with `-- --quick` it takes some seconds.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a benchmark has no callers, and stops where something fails"
)]

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use pairing_conformance::seeded;
use pairing_core::store::{AllowEntry, Batch, Change};
use pairing_core::{
    Account, AccountId, Approver, ChannelId, Channels, ManualClock, MemoryStore, Pairing,
    PairingStore, Record, Requested, Timestamp,
};

/// Makes an account whose allowlist holds the ids from 100,000,000 on.
fn account(entries: u32) -> Account {
    let channel = ChannelId::parse("telegram").unwrap();
    let channels = Channels::builtin();
    let rules = channels.get(&channel).unwrap();
    let entry = |n: u32| AllowEntry {
        channel: channel.clone(),
        account: AccountId::default(),
        entry: rules.sender(&(100_000_000 + n).to_string()).unwrap(),
        written: None,
        grant: None,
    };
    let changes = (0..entries).map(|n| Change::Put(Record::Allow(entry(n))));
    let store = MemoryStore::new();
    let batch = Batch {
        conditions: Vec::new(),
        changes: changes.collect(),
    };
    store.commit(&batch).unwrap();
    let clock = ManualClock::new(Timestamp::from_millis(1_795_354_077_013));
    let pairing = Pairing::new(store, clock, seeded(1));
    pairing
        .channel("telegram")
        .unwrap()
        .account("default")
        .unwrap()
}

fn is_allowed(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("is_allowed");
    for entries in [10, 1_000, 100_000] {
        let account = account(entries);
        let known = (100_000_000 + entries / 2).to_string();
        for (name, sender, expected) in [("known", known.as_str(), true), ("stranger", "5", false)]
        {
            assert_eq!(account.is_allowed(sender).unwrap(), expected);
            group.bench_function(BenchmarkId::new(name, entries), |bencher| {
                bencher.iter(|| account.is_allowed(black_box(sender)).unwrap());
            });
        }
    }
}

fn request(account: &Account) -> String {
    match account.request_or_reuse("12345").unwrap() {
        Requested::Created(created) => created.request.code.as_str().to_owned(),
        other => panic!("{other:?}"),
    }
}

fn decisions(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("memory");
    let owner = Approver::terminal("ann");
    let account = account(1_000);
    group.bench_function("request", |bencher| {
        bencher.iter_batched(
            // Removes the request of the previous iteration.
            || drop(account.reject("12345", &owner)),
            |()| request(&account),
            BatchSize::PerIteration,
        );
    });
    group.bench_function("reuse", |bencher| {
        account.request_or_reuse("12345").unwrap();
        bencher.iter(|| account.request_or_reuse(black_box("12345")).unwrap());
    });
    account.reject("12345", &owner).unwrap();
    group.bench_function("approve", |bencher| {
        bencher.iter_batched(
            || {
                account.revoke("12345", &owner).unwrap();
                request(&account)
            },
            |code| account.approve(&code, &owner).unwrap(),
            BatchSize::PerIteration,
        );
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    targets = is_allowed, decisions
}
criterion_main!(benches);
