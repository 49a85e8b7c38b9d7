//! Costs of decisions from async code, on the files of an install: what the documentation of `AsyncPairing` states.
//!
//! `cargo bench -p pairing-async`; with `-- --quick` it takes some seconds.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a benchmark has no callers, and stops where something fails"
)]

use std::fs::File;
use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use pairing_async::{AsyncAccount, AsyncPairing};
use pairing_core::{Approver, Channels, PairingBuilder, Requested};
use pairing_fs::{FsStore, StateDir, SystemClock, SystemEntropy};
use tokio::runtime::{Builder, Runtime};

struct Install {
    dir: tempfile::TempDir,
    pairing: AsyncPairing,
    runtime: Runtime,
}

fn install() -> Install {
    let dir = tempfile::tempdir().unwrap();
    let state = StateDir::at(dir.path());
    let store = FsStore::new(&state, Channels::builtin());
    let pairing = PairingBuilder::new(store, SystemClock, SystemEntropy).build();
    Install {
        dir,
        pairing: AsyncPairing::new(pairing),
        runtime: Builder::new_multi_thread()
            .worker_threads(2)
            .build()
            .unwrap(),
    }
}

fn account(pairing: &AsyncPairing) -> AsyncAccount {
    pairing.account("telegram", "default").unwrap()
}

fn costs(criterion: &mut Criterion) {
    let install = install();
    let (account, runtime) = (account(&install.pairing), &install.runtime);
    let owner = Approver::terminal("ann");
    runtime.block_on(account.allow("1", &owner)).unwrap();
    let mut group = criterion.benchmark_group("async");
    group.bench_function("admit, not async", |bencher| {
        let account = account.account();
        bencher.iter(|| account.admit(black_box("1")).unwrap());
    });
    group.bench_function("admit", |bencher| {
        bencher.iter(|| runtime.block_on(account.admit(black_box("1"))).unwrap());
    });
    group.bench_function("request", |bencher| {
        bencher.iter_batched(
            // Removes the request of the previous iteration.
            || drop(runtime.block_on(account.reject("2", &owner))),
            |()| match runtime.block_on(account.request_or_reuse("2")) {
                Ok(Requested::Created(created)) => created,
                other => panic!("{other:?}"),
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

fn at_once(criterion: &mut Criterion) {
    let install = install();
    let pairing = install.pairing.never_waiting();
    let (account, runtime) = (account(&pairing), &install.runtime);
    let owner = Approver::terminal("ann");
    runtime.block_on(account.allow("1", &owner)).unwrap();
    // As another program would.
    let lock = install.dir.path().join("credentials/.telegram.oslock");
    let lock = File::open(lock).unwrap();
    lock.lock().unwrap();
    criterion.bench_function("async/locked by another, never waiting", |bencher| {
        bencher.iter(|| runtime.block_on(account.allow("2", &owner)).unwrap_err());
    });
}

criterion_group!(benches, costs, at_once);
criterion_main!(benches);
