//! DM pairing on files: the cost of a message, and of a decision compared with the bare writes.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a benchmark fails by panicking, and criterion's macros write no documentation"
)]

use std::fs::{self, File};
use std::hint::black_box;
use std::io::Write as _;
use std::path::Path;

use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use pairing_core::{Account, Approver, Pairing, Requested};
use pairing_fs::StateDir;
use tempfile::TempDir;

fn open(dir: &Path) -> (Pairing, Account) {
    let pairing = pairing_fs::open(&StateDir::at(dir));
    let account = pairing
        .channel("telegram")
        .unwrap()
        .account("default")
        .unwrap();
    (pairing, account)
}

/// Returns an install with this number of allowed senders.
fn install(entries: usize) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let credentials = dir.path().join("credentials");
    fs::create_dir(&credentials).unwrap();
    let entries: Vec<String> = (0..entries)
        .map(|n| format!("    \"{}\"", 1_000_000 + n))
        .collect();
    let text = format!(
        "{{\n  \"version\": 1,\n  \"allowFrom\": [\n{}\n  ]\n}}\n",
        entries.join(",\n")
    );
    fs::write(credentials.join("telegram-allowFrom.json"), text).unwrap();
    dir
}

fn is_allowed(c: &mut Criterion) {
    let mut group = c.benchmark_group("is_allowed");
    for entries in [10, 1_000, 100_000] {
        let dir = install(entries);
        let (_pairing, account) = open(dir.path());
        group.bench_function(BenchmarkId::new("yes", entries), |b| {
            b.iter(|| assert!(account.is_allowed(black_box("1000007")).unwrap()));
        });
        group.bench_function(BenchmarkId::new("no", entries), |b| {
            b.iter(|| assert!(!account.is_allowed(black_box("7")).unwrap()));
        });
    }
}

fn decisions(c: &mut Criterion) {
    let mut group = c.benchmark_group("durable");
    group.sample_size(30);
    let owner = Approver::terminal("bench");

    // Each run starts from a state of the same size, in which all files exist.
    let ready = || {
        let dir = install(10);
        let (pairing, account) = open(dir.path());
        request_and_approve(&account, "1", &owner);
        (dir, pairing, account)
    };
    group.bench_function("request + approve", |b| {
        b.iter_batched(
            ready,
            |(dir, pairing, account)| {
                request_and_approve(&account, "2", &owner);
                (dir, pairing)
            },
            BatchSize::PerIteration,
        );
    });

    // One file for the request and three for the approval, with their sizes at that point.
    let (dir, ..) = ready();
    let credentials = dir.path().join("credentials");
    let size = |name: &str| fs::metadata(credentials.join(name)).unwrap().len();
    let files = [
        ("telegram-pairing.json", 250),
        (
            "pairing-meta/telegram.json",
            2 * size("pairing-meta/telegram.json"),
        ),
        (
            "telegram-allowFrom.json",
            size("telegram-allowFrom.json") + 9,
        ),
        ("telegram-pairing.json", size("telegram-pairing.json")),
    ]
    .map(|(name, size)| (name, vec![b' '; usize::try_from(size).unwrap()]));
    group.bench_function("request + approve, the bare staged writes", |b| {
        b.iter_batched(
            ready,
            |(dir, pairing, account)| {
                let credentials = dir.path().join("credentials");
                for (name, bytes) in &files {
                    stage(&credentials.join(name), bytes);
                }
                (dir, pairing, account)
            },
            BatchSize::PerIteration,
        );
    });

    let dir = install(10);
    let (_pairing, account) = open(dir.path());
    account.request_or_reuse("1").unwrap();
    group.bench_function("reuse", |b| {
        b.iter(|| account.request_or_reuse(black_box("1")).unwrap());
    });
}

fn request_and_approve(account: &Account, sender: &str, owner: &Approver) {
    let Requested::Created(created) = account.request_or_reuse(sender).unwrap() else {
        unreachable!("{sender} is new")
    };
    account
        .approve(created.request.code.as_str(), owner)
        .unwrap();
}

/// Replaces a file with the minimum needed to do so atomically and durably.
fn stage(path: &Path, bytes: &[u8]) {
    let dir = path.parent().unwrap();
    let mut file = tempfile::NamedTempFile::new_in(dir).unwrap();
    file.write_all(bytes).unwrap();
    file.as_file().sync_all().unwrap();
    file.persist(path).unwrap();
    File::open(dir).unwrap().sync_all().unwrap();
}

criterion_group!(benches, is_allowed, decisions);
criterion_main!(benches);
