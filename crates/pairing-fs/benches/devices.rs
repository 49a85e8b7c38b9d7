//! Devices on files: the cost of a connection and of a change, with few and with many devices.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a benchmark fails by panicking, and criterion's macros write no documentation"
)]

use std::fs::{self, File};
use std::hint::black_box;
use std::io::Write as _;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use pairing_conformance::seeded;
use pairing_core::device::Role;
use pairing_core::store::{Batch, Change, PageRequest};
use pairing_core::{
    Channels, DeviceId, DeviceKey, Entropy as _, Key, PairingStore as _, Range, Record, Timestamp,
};
use pairing_fs::{FsStore, StateDir};
use tempfile::TempDir;

/// Returns an install with this number of paired devices, and the id of one of them.
fn install(devices: usize) -> (TempDir, FsStore, DeviceId) {
    let entropy = seeded(1);
    let mut entries = Vec::with_capacity(devices);
    let mut one = None;
    while entries.len() < devices {
        let mut bytes = [0; 32];
        entropy.fill(&mut bytes).unwrap();
        let Ok(key) = DeviceKey::from_bytes(bytes) else {
            continue;
        };
        let id = DeviceId::of(&key);
        one = Some(id);
        entries.push(format!(
            "  \"{id}\": {{\n    \"deviceId\": \"{id}\",\n    \"publicKey\": \"{key}\",\n    \
             \"displayName\": \"Phone\",\n    \"platform\": \"ios\",\n    \"role\": \"operator\",\n    \
             \"roles\": [\n      \"operator\"\n    ],\n    \"scopes\": [\n      \"operator.read\",\n      \
             \"operator.write\"\n    ],\n    \"tokens\": {{\n      \"operator\": {{\n        \
             \"tokenHash\": \"sha256:{id}\",\n        \"role\": \"operator\",\n        \
             \"scopes\": [\n          \"operator.read\",\n          \"operator.write\"\n        ],\n        \
             \"createdAtMs\": 1795354072718\n      }}\n    }},\n    \"createdAtMs\": 1795354072718,\n    \
             \"approvedAtMs\": 1795354072718\n  }}"
        ));
    }
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("devices")).unwrap();
    let text = format!("{{\n{}\n}}", entries.join(",\n"));
    fs::write(dir.path().join("devices/paired.json"), text).unwrap();
    let store = FsStore::new(&StateDir::at(dir.path()), Channels::builtin());
    (dir, store, one.unwrap())
}

fn devices(c: &mut Criterion) {
    let mut group = c.benchmark_group("devices");
    group.sample_size(20);
    for number in [10, 10_000] {
        let (dir, store, id) = install(number);
        let key = Key::Device { device: id };
        group.bench_function(BenchmarkId::new("read one", number), |b| {
            b.iter(|| assert!(store.read(black_box(&key)).unwrap().record.is_some()));
        });
        group.bench_function(BenchmarkId::new("read a page of 100", number), |b| {
            let page = PageRequest::first(100);
            b.iter(|| store.range(black_box(&Range::Devices), &page).unwrap());
        });

        let record = store.read(&key).unwrap().record.unwrap();
        let mut device = record.as_device().unwrap().clone();
        let mut used_at = 1_795_354_072_718;
        group.bench_function(BenchmarkId::new("commit its last use", number), |b| {
            b.iter(|| {
                used_at += 60_000;
                let role = device.roles.get_mut(&Role::Operator).unwrap();
                let token = role.token.as_mut().unwrap();
                token.last_used_at = Some(Timestamp::from_millis(used_at));
                let batch = Batch {
                    conditions: Vec::new(),
                    changes: vec![Change::Put(Record::from(device.clone()))],
                };
                store.commit(&batch).unwrap();
            });
        });

        // The minimum that replaces a file of that size atomically and durably.
        let bytes = fs::read(dir.path().join("devices/paired.json")).unwrap();
        let bare = tempfile::tempdir().unwrap();
        group.bench_function(BenchmarkId::new("the bare staged write", number), |b| {
            b.iter(|| {
                let mut file = tempfile::NamedTempFile::new_in(bare.path()).unwrap();
                file.write_all(&bytes).unwrap();
                file.as_file().sync_all().unwrap();
                file.persist(bare.path().join("paired.json")).unwrap();
                File::open(bare.path()).unwrap().sync_all().unwrap();
            });
        });
    }
}

criterion_group!(benches, devices);
criterion_main!(benches);
