//! Costs of devices: checking a proof, connecting beside few and many devices, and a setup code.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a benchmark fails by panicking, and criterion's macros write no documentation"
)]

use std::hint::black_box;
use std::net::IpAddr;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use pairing_conformance::seeded;
use pairing_core::device::{
    Challenge, Connecting, Credential, Device, DeviceInfo, Identity, PayloadVersion, ProvenDevice,
    SIGNATURE_TOLERANCE, SecretToken, SetupProfile, SignedFields,
};
use pairing_core::store::{Batch, Change};
use pairing_core::{
    Approver, Clock as _, Connection, DeviceId, DeviceKey, Devices, Entropy as _, ManualClock,
    MemoryStore, Pairing, PairingStore as _, Record, Timestamp,
};

const NOW: i64 = 1_795_354_077_013;

struct Signed {
    id: String,
    key: String,
    signature: String,
}

impl Signed {
    fn fields(id: &str) -> SignedFields<'_> {
        SignedFields {
            device_id: id,
            client_id: "node-host",
            client_mode: "node",
            role: "node",
            scopes: &[],
            signed_at: NOW,
            token: "",
            nonce: "9e491d8a-beca-4ec4-b097-1bb69021fbc5",
            platform: Some("linux"),
            device_family: None,
        }
    }

    fn by(identity: &Identity) -> Self {
        let id = identity.id().to_string();
        let signature = identity
            .sign(&Self::fields(&id), PayloadVersion::V3)
            .unwrap();
        Self {
            key: identity.key().to_base64url(),
            signature,
            id,
        }
    }

    fn verify(&self) -> ProvenDevice {
        let challenge = Challenge {
            nonce: "9e491d8a-beca-4ec4-b097-1bb69021fbc5",
            now: Timestamp::from_millis(NOW),
            tolerance: SIGNATURE_TOLERANCE,
            v3_only: false,
        };
        let fields = Self::fields(&self.id);
        fields
            .verify(&self.key, &self.signature, &challenge)
            .unwrap()
    }

    fn connecting(&self) -> Connecting {
        let address = IpAddr::from([192, 168, 1, 7]);
        Connecting::new(self.verify(), DeviceInfo::default(), address).unwrap()
    }
}

fn owner() -> Approver {
    Approver::terminal("bench")
}

fn gateway() -> (Arc<MemoryStore>, Devices) {
    let store = Arc::new(MemoryStore::new());
    let clock = ManualClock::new(Timestamp::from_millis(NOW));
    assert_eq!(clock.now().as_millis(), NOW);
    let devices = Pairing::new(store.clone(), clock, seeded(1)).devices();
    (store, devices)
}

/// Pairs one device and fetches its token.
fn pair(devices: &Devices, connecting: &Connecting) -> SecretToken {
    let Connection::Asked(asked) = devices.connect(connecting, Credential::Shared).unwrap() else {
        panic!("paired already")
    };
    devices.approve(&asked.request.id, &owner()).unwrap();
    match devices.connect(connecting, Credential::Shared).unwrap() {
        Connection::Admitted {
            minted: Some(minted),
            ..
        } => minted.token,
        other => panic!("{other:?}"),
    }
}

/// Adds copies of a device to the store, each with its own id and key.
fn crowd(store: &MemoryStore, device: &Device, number: usize) {
    let entropy = seeded(2);
    let mut changes = Vec::with_capacity(number);
    while changes.len() < number {
        let mut bytes = [0; 32];
        entropy.fill(&mut bytes).unwrap();
        let Ok(key) = DeviceKey::from_bytes(bytes) else {
            continue;
        };
        changes.push(Change::Put(Record::from(Device {
            id: DeviceId::of(&key),
            key,
            ..device.clone()
        })));
    }
    let batch = Batch {
        changes,
        ..Batch::default()
    };
    store.commit(&batch).unwrap();
}

fn verify(c: &mut Criterion) {
    let signed = Signed::by(&Identity::generate(&seeded(3)).unwrap());
    c.bench_function("verify a proof", |b| b.iter(|| black_box(&signed).verify()));
}

fn admit(c: &mut Criterion) {
    let mut group = c.benchmark_group("admit by device token");
    for number in [10, 10_000] {
        let (store, devices) = gateway();
        let signed = Signed::by(&Identity::generate(&seeded(3)).unwrap());
        let connecting = signed.connecting();
        let token = pair(&devices, &connecting);
        let device = devices.list(&owner()).unwrap().paired.remove(0);
        crowd(&store, &device, number - 1);
        group.bench_function(BenchmarkId::from_parameter(number), |b| {
            b.iter(|| {
                let credential = Credential::DeviceToken(&token);
                devices.connect(black_box(&connecting), credential).unwrap()
            });
        });
    }
}

fn setup_code(c: &mut Criterion) {
    let signed = Signed::by(&Identity::generate(&seeded(3)).unwrap());
    let connecting = signed.connecting();
    c.bench_function("issue a setup code and redeem it", |b| {
        b.iter(|| {
            let (_, devices) = gateway();
            let issued = devices.issue_pairing_token(SetupProfile::Limited, None, &owner());
            let (code, _) = issued.unwrap();
            let credential = Credential::PairingToken(&code);
            devices.connect(&connecting, credential).unwrap()
        });
    });
}

criterion_group!(benches, verify, admit, setup_code);
criterion_main!(benches);
