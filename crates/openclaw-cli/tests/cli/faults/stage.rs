//! A gateway with all that is around it.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use openclaw_config::Config;
use openclaw_gateway::peers::{Directory as _, MemoryDirectory, MemoryLease, Peers};
use openclaw_gateway::{
    Gateway, GatewayBuilder, Handle, Instance, Metrics, Overrides, OwnerSocket, Settings, Space,
    Timed, Tls,
};
use pairing_core::device::Identity;
use pairing_core::{Clock as _, ManualClock, MemoryStore, PairingBuilder};
use pairing_fs::{AuditLog, StateDir};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use test_support::Logs;
use tokio::sync::oneshot;

use super::world::{Account, Lease, Store, World};
use crate::session::Session;

/// The gateway, and all that is around it.
pub(crate) struct Stage {
    pub(crate) session: Session,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) world: Arc<World>,
    pub(crate) logs: Logs,
    directory: MemoryDirectory,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    handle: Handle,
    config: Value,
}

impl Stage {
    pub(crate) fn start() -> Self {
        let mut session = Session::new();
        session.looks = true;
        let tls = session.state().join("tls");
        let config = json!({
            "gateway": { "auth": { "token": "a-token-of-this-test" }, "port": 1,
                "tls": { "enabled": true, "certPath": tls.join("cert.pem"), "keyPath": tls.join("key.pem") } },
            "channels": { "telegram": {}, "discord": {} },
            "commands": { "ownerAllowFrom": ["telegram:1", "discord:111111111111111111"] },
            "pairing": { "notifyFaults": true },
        });
        session.write_in(".", "openclaw.json", config.to_string());
        let world = Arc::new(World::default());
        world.free.store(u64::MAX, Ordering::SeqCst);
        let (logs, directory) = (Logs::default(), MemoryDirectory::new());
        let (stop, stopped) = oneshot::channel::<()>();
        let (tell, told) = std::sync::mpsc::channel();
        let used = config.clone();
        let state = StateDir::at(session.state());
        let (clock, entropy) = (session.clock(), session.entropy());
        let parts = (world.clone(), logs.clone(), directory.lease());
        let thread = std::thread::spawn(move || {
            let (world, logs, lease) = parts;
            // What is logged by tasks of this runtime is caught.
            let _listening = logs.listen();
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async move {
                let config = Config::parse(&used.to_string()).unwrap();
                let settings = Settings::from_config(&config, &Overrides::default()).unwrap();
                let instance = Instance::acquire(&state, clock.now()).unwrap();
                let parts = (world, lease, &instance);
                let builder = builder(settings, &state, (clock, entropy), parts);
                let stopped = async {
                    let _ = stopped.await;
                };
                let gateway = builder.shutdown(stopped).build();
                tell.send(gateway.handle()).unwrap();
                gateway.run().await;
            });
        });
        let handle = told.recv().unwrap();
        Self {
            clock: session.clock(),
            session,
            world,
            logs,
            directory,
            stop: Some(stop),
            thread: Some(thread),
            handle,
            config,
        }
    }

    /// Has the gateway go by its configuration, after a change.
    pub(crate) fn configure(&self, change: impl FnOnce(&mut Value)) {
        let mut config = self.config.clone();
        change(&mut config);
        let config = Config::parse(&config.to_string()).unwrap();
        self.handle.reload_channels(config);
    }

    /// A page, by the owner's socket.
    pub(crate) fn page(&self, path: &str) -> (u16, String) {
        let socket = self.session.state().join(gateway_client::OWNER_SOCKET);
        let mut socket = UnixStream::connect(socket).unwrap();
        let request =
            format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        socket.write_all(request.as_bytes()).unwrap();
        let mut text = String::new();
        socket.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        (
            head.split(' ').nth(1).unwrap().parse().unwrap(),
            body.to_owned(),
        )
    }

    /// The parts that do not work, as `/readyz` names them. Asking it is what has the gateway look.
    pub(crate) fn ready(&self) -> (u16, BTreeMap<String, String>) {
        let (status, body) = self.page("/readyz");
        let body: Value = serde_json::from_str(&body).unwrap();
        let parts = serde_json::from_value(body["parts"].clone());
        (status, parts.unwrap_or_default())
    }

    pub(crate) fn until(&self, what: &str, is_so: impl Fn(&BTreeMap<String, String>) -> bool) {
        for _ in 0..20_000 {
            let (_, parts) = self.ready();
            if is_so(&parts) {
                return;
            }
            std::thread::yield_now();
        }
        panic!("{what}: {:?}", self.ready());
    }

    pub(crate) fn says(&self, line: &str) -> String {
        let ran = self.session.run(&line.split(' ').collect::<Vec<_>>());
        format!("{}{}", ran.stdout, ran.stderr)
    }

    /// Waits for a notice with this text by each of these channels; by which it came.
    pub(crate) fn noticed(&self, text: &str, by: &[&str]) -> Vec<String> {
        let sent = self.world.sent.lock().unwrap();
        let has = |sent: &Vec<(String, String)>| {
            let came = |channel: &&str| {
                let mut sent = sent.iter();
                sent.any(|(by, said)| by == channel && said.contains(text))
            };
            by.iter().all(came)
        };
        let waited = self
            .world
            .more
            .wait_timeout_while(sent, Duration::from_secs(20), |sent| !has(sent));
        let (sent, _) = waited.unwrap();
        let found = sent.iter().filter(|(_, said)| said.contains(text));
        found.map(|(channel, _)| channel.clone()).collect()
    }

    /// Asks a node that is connected to another gateway, which cannot be reached.
    pub(crate) fn invoke(&self, node: &str) {
        let url = gateway_protocol::GatewayUrl::parse("ws://127.0.0.1:1").unwrap();
        let connect = gateway_client::Connect::to(url)
            .by_owner_socket(self.session.state())
            .scopes(pairing_core::ScopeSet::admin());
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let (client, _events) = connect.open().await.unwrap();
            let params = json!({ "nodeId": node, "command": "ping", "idempotencyKey": "k" });
            // The directory is read in a thread of its own.
            for _ in 0..10_000 {
                let asked = client.call::<_, Value>("node.invoke", params.clone()).await;
                if asked.unwrap_err().to_string().contains("attic") {
                    return;
                }
                tokio::task::yield_now().await;
            }
            panic!("the other gateway is never seen");
        });
    }

    /// Another gateway that is announced, and is not there. A node is said to be connected to it.
    pub(crate) fn silent_peer(&self) -> (MemoryLease, String) {
        let lease = self.directory.lease();
        let identities = [(); 2].map(|()| Identity::generate(&self.session.entropy()).unwrap());
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("ws://{}", closed.local_addr().unwrap());
        let (id, node) = ("00000000-0000-4000-8000-000000000001", identities[1].id());
        let gateway = json!({
            "kind": "gateway", "id": id, "key": identities[0].key(), "version": "1", "platform": "linux",
            "startedAtMs": 5, "name": "attic", "url": url,
        });
        let at = json!({
            "kind": "node", "gateway": id, "nodeId": node, "connectedAtMs": 5, "client": "node-host",
            "version": "1", "platform": "linux", "mode": "node", "commands": ["ping"],
        });
        let values = [(id.to_owned(), gateway), (format!("{id}/{node}"), at)];
        let values = values.map(|(name, value)| (name, value.to_string().into_bytes()));
        lease.publish(&values.into_iter().collect()).unwrap();
        (lease, node.to_string())
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            if !std::thread::panicking() {
                ended.unwrap();
            }
        }
    }
}

/// A gateway of which everything can be broken.
fn builder(
    settings: Settings,
    state: &StateDir,
    (clock, entropy): (Arc<ManualClock>, Arc<Mutex<ChaCha8Rng>>),
    (world, lease, instance): (Arc<World>, MemoryLease, &Instance),
) -> GatewayBuilder {
    let metrics = Metrics::new();
    let store = Timed::new(Store(MemoryStore::new(), world.clone()), metrics.clone());
    let audit = AuditLog::new(state);
    let pairing = PairingBuilder::new(store, clock, entropy.clone());
    let pairing = pairing.audit(audit.clone()).build();
    let tls = Tls::self_made(&state.root().join("tls"), pairing.now()).unwrap();
    let space = world.clone();
    let peers = Peers::new(Lease(lease, world.clone()), &entropy).unwrap();
    Gateway::builder(pairing, settings)
        .metrics(metrics)
        .entropy(entropy)
        .tls(tls)
        .doctor(state, |_| None)
        .instance(instance)
        .audit_log(audit)
        .space(move |_: &Path| {
            Some(Space {
                bytes: space.free.load(Ordering::SeqCst),
                has_files: true,
                is_read_only: space.is_read_only.load(Ordering::SeqCst),
            })
        })
        .peers(peers)
        .adapter(Account::of("telegram", &world))
        .adapter(Account::of("discord", &world))
        .pair_commands(None)
        .owner_socket(OwnerSocket::bind(state, instance).unwrap())
}
