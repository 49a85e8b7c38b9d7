//! The gateway as a process of its own: this program, started again.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
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

/// How many devices clients connect as, if there are so many; the rest is only there. A device may come 64 times, and
/// then once a second.
pub(crate) const CLIENTS: usize = 512;

pub(crate) struct Server {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
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
        Self::spawn(&["serve"], state, &[mode], devices)
    }

    /// Runs this program with these words and a state directory, and waits until it says its port.
    pub(crate) fn spawn(
        before: &[&str],
        state: TempDir,
        after: &[&str],
        devices: Vec<(Arc<Identity>, String)>,
    ) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(before)
            .arg(state.path())
            .args(after)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut server = Self {
            stdin: child.stdin.take().unwrap(),
            stdout: BufReader::new(child.stdout.take().unwrap()),
            child,
            port: 0,
            _state: state,
            devices,
        };
        server.port = server.line().parse().expect("the port that it listens on");
        server
    }

    /// The next line that it prints.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    /// Gives it a command, and returns its answer.
    pub(crate) fn tell(&mut self, command: &str) -> String {
        writeln!(self.stdin, "{command}").unwrap();
        self.line()
    }

    /// The CPU time that it has used, in seconds.
    pub(crate) fn cpu(&self) -> f64 {
        crate::cpu::of(self.child.id())
    }

    /// Its resident memory.
    pub(crate) fn resident_kib(&self) -> u64 {
        self.status("VmRSS:")
    }

    /// The most that it ever was.
    pub(crate) fn peak_kib(&self) -> u64 {
        self.status("VmHWM:")
    }

    fn status(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
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
pub(crate) fn write_state(state: &TempDir, devices: usize) -> Vec<(Arc<Identity>, String)> {
    let mut paired = Map::new();
    let mut used = Vec::new();
    for number in 0..devices {
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
            listeners: Arc::default(),
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
