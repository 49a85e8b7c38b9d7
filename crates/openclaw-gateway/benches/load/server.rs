//! The gateway as a process of its own: this program, started again.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use openclaw_gateway::{Gateway, Overrides, ServeOptions, Settings, serve as serve_dir};
use pairing_core::device::Identity;
use pairing_core::store::{
    Batch, Changes, PageRequest, PairingStore, Position, Range, Read, StoreError,
};
use pairing_core::{Channels, Key, PairingBuilder};
use pairing_fs::{FsStore, StateDir, SystemClock, SystemEntropy};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

pub(crate) const TOKEN: &str = "a-token-for-measurements-only";

/// Devices that clients connect as; the rest is only there.
pub(crate) const CLIENTS: usize = 8;

pub(crate) struct Server {
    child: Child,
    pub(crate) port: u16,
    /// Its state directory, gone when this is.
    _state: TempDir,
    /// Paired operators, with their device tokens.
    pub(crate) devices: Vec<(Arc<Identity>, String)>,
}

impl Server {
    /// Starts one, with so many paired devices, and waits until it listens.
    pub(crate) fn start(devices: usize, failing: bool) -> Self {
        let state = tempfile::tempdir().unwrap();
        let devices = write_state(&state, devices);
        let mode = if failing { "failing" } else { "sound" };
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["serve", state.path().to_str().unwrap(), mode])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        Self {
            child,
            port: line.trim().parse().expect("the port that it listens on"),
            _state: state,
            devices,
        }
    }

    /// Its resident memory.
    pub(crate) fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The files of an install with paired devices, the first of which clients use.
fn write_state(state: &TempDir, devices: usize) -> Vec<(Arc<Identity>, String)> {
    let mut paired = Map::new();
    let mut used = Vec::new();
    for number in 0..devices.max(CLIENTS) {
        let identity = Identity::generate(&SystemEntropy).unwrap();
        let token = pairing_core::device::SecretToken::generate(&SystemEntropy).unwrap();
        let scopes = json!(["operator.admin"]);
        let id = identity.id().to_string();
        paired.insert(
            id.clone(),
            json!({
                "deviceId": id, "publicKey": identity.key(),
                "displayName": format!("device {number}"), "platform": "linux",
                "clientId": "cli", "clientMode": "cli",
                "role": "operator", "roles": ["operator"], "scopes": scopes,
                "tokens": { "operator": {
                    "token": token.expose(), "role": "operator", "scopes": scopes,
                    "createdAtMs": 1_795_354_072_718_i64,
                } },
                "createdAtMs": 1_795_354_072_718_i64, "approvedAtMs": 1_795_354_072_718_i64,
            }),
        );
        if number < CLIENTS {
            used.push((Arc::new(identity), token.expose().to_owned()));
        }
    }
    let dir = state.path().join("devices");
    std::fs::create_dir(&dir).unwrap();
    std::fs::write(dir.join("paired.json"), Value::Object(paired).to_string()).unwrap();
    let config = json!({ "gateway": { "auth": { "token": TOKEN } } });
    std::fs::write(state.path().join("openclaw.json"), config.to_string()).unwrap();
    used
}

/// The process that is measured.
pub(crate) fn serve(dir: &str, failing: bool) {
    let state = StateDir::at(dir);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        if failing {
            return serve_failing(&state).await;
        }
        let options = ServeOptions {
            state,
            var: Arc::new(|_| None),
            port: Some(0),
            bind: None,
            token: None,
            reread: Arc::default(),
            alive: None,
        };
        let tell = |told: &openclaw_gateway::Announcement| println!("{}", told.addresses[0].port());
        serve_dir(options, tell, std::future::pending())
            .await
            .unwrap();
    });
}

/// The same on a store of which every 50th operation fails.
async fn serve_failing(state: &StateDir) {
    let store = Failing {
        store: FsStore::new(state, Channels::builtin()),
        count: AtomicU64::new(0),
    };
    let pairing = PairingBuilder::new(store, SystemClock, SystemEntropy).build();
    let config = openclaw_config::Config::load(state.config(), |_| None).unwrap();
    let settings = Settings::from_config(&config, &Overrides::default()).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap().port());
    Gateway::builder(pairing, settings)
        .listener(listener)
        .build()
        .run()
        .await;
}

#[derive(Debug)]
struct Failing {
    store: FsStore,
    count: AtomicU64,
}

impl Failing {
    fn now_and_then(&self) -> Result<(), StoreError> {
        if self.count.fetch_add(1, Ordering::Relaxed) % 50 == 49 {
            return Err(StoreError::Unwritable {
                resource: "the disk".to_owned(),
                source: "failed on purpose".into(),
            });
        }
        Ok(())
    }
}

impl PairingStore for Failing {
    fn read(&self, key: &Key) -> Result<Read, StoreError> {
        self.now_and_then()?;
        self.store.read(key)
    }

    fn range(
        &self,
        range: &Range,
        page: &PageRequest,
    ) -> Result<pairing_core::store::Page, StoreError> {
        self.now_and_then()?;
        self.store.range(range, page)
    }

    fn commit(&self, batch: &Batch) -> Result<(), StoreError> {
        self.now_and_then()?;
        self.store.commit(batch)
    }

    fn changes(
        &self,
        after: Option<Position>,
        timeout: std::time::Duration,
    ) -> Result<Changes, StoreError> {
        self.store.changes(after, timeout)
    }
}
