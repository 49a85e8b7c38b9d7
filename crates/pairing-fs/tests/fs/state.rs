//! A state directory with devices and nodes for tests.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use pairing_core::device::{Device, DeviceRequest, PairingToken};
use pairing_core::store::{Batch, Change, PageRequest};
use pairing_core::{Channels, DeviceId, Key, PairingStore, Problem, Range, Record, StoreError};
use pairing_fs::{FsStore, StateDir};
use tempfile::TempDir;

pub(crate) struct State {
    pub(crate) dir: TempDir,
    pub(crate) store: FsStore,
}

fn recorded() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/openclaw-2026.2.17")
}

pub(crate) const OPERATOR: &str =
    "f8fcb66b809727e7e8de7529380444f9e13cb706ab3bcd2b5ca671cf19f1d608";
pub(crate) const PHONE: &str = "8110e45971ac4b5c1d46390656f99136ffb66be14f0d1f53fa8b81b224f0c7e3";
pub(crate) const ADMIN: &str = "70e9e7d0c68055896eecaf71dce68342db6649e5c1d407ca05e0dbc08a2afde1";

impl State {
    pub(crate) fn empty() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path());
        Self { dir, store }
    }

    /// Returns a state with the files that OpenClaw 2026.2.17 wrote.
    pub(crate) fn recorded() -> Self {
        let state = Self::empty();
        for name in [
            "devices/paired.json",
            "devices/pending.json",
            "nodes/paired.json",
            "nodes/pending.json",
        ] {
            state.write(name, fs::read_to_string(recorded().join(name)).unwrap());
        }
        state
    }

    /// Opens the state again, as another process would.
    pub(crate) fn reopened(&self) -> FsStore {
        open(self.dir.path())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        let dir = path.parent().unwrap();
        if !dir.exists() {
            fs::DirBuilder::new().mode(0o700).create(dir).unwrap();
        }
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// Returns the content of all files under the state directory.
    pub(crate) fn everything(&self) -> String {
        let mut dirs = vec![self.dir.path().to_owned()];
        let mut all = String::new();
        while let Some(dir) = dirs.pop() {
            for entry in fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    dirs.push(path);
                } else {
                    all += &String::from_utf8_lossy(&fs::read(path).unwrap());
                }
            }
        }
        all
    }

    pub(crate) fn device(&self, id: &str) -> Device {
        let device = device(&self.store, id);
        device.unwrap_or_else(|| panic!("no device {id}"))
    }
}

pub(crate) fn open(dir: &Path) -> FsStore {
    FsStore::new(&StateDir::at(dir), Channels::builtin()).recheck_after(Duration::ZERO)
}

pub(crate) fn device_key(id: &str) -> Key {
    Key::Device {
        device: DeviceId::parse(id).unwrap(),
    }
}

pub(crate) fn request_key(id: &str) -> Key {
    Key::DeviceRequest {
        device: DeviceId::parse(id).unwrap(),
    }
}

pub(crate) fn record(store: &FsStore, key: &Key) -> Option<Record> {
    let record = store.read(key).unwrap().record;
    record.map(|record| (*record).clone())
}

pub(crate) fn device(store: &FsStore, id: &str) -> Option<Device> {
    record(store, &device_key(id))?.as_device().cloned()
}

pub(crate) fn request(store: &FsStore, id: &str) -> Option<DeviceRequest> {
    record(store, &request_key(id))?
        .as_device_request()
        .cloned()
}

pub(crate) fn tokens(store: &FsStore) -> Vec<PairingToken> {
    let (records, _) = all(store, &Range::PairingTokens);
    let tokens = records.iter().filter_map(Record::as_pairing_token);
    tokens.cloned().collect()
}

pub(crate) fn all(store: &FsStore, range: &Range) -> (Vec<Record>, Vec<Problem>) {
    let page = store.range(range, &PageRequest::first(100)).unwrap();
    let records = page.records.iter().map(|record| (**record).clone());
    (records.collect(), page.problems)
}

pub(crate) fn commit(store: &FsStore, changes: impl Into<Vec<Change>>) -> Result<(), StoreError> {
    store.commit(&Batch {
        conditions: Vec::new(),
        changes: changes.into(),
    })
}
