//! Several gateways on one pairing state.

mod decisions;
mod encrypted;
mod invoking;
mod listing;
mod proving;

use gateway_protocol::GatewayUrl;
use std::sync::Arc;

use openclaw_gateway::peers::{Directory as _, MemoryDirectory, MemoryLease, Peers};
use openclaw_gateway::{GatewayBuilder, Settings, Tls};
use pairing_core::device::Identity;
use pairing_core::{ManualClock, MemoryStore, PairingBuilder, Timestamp};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::{Counting, Device, Hands, Running, settings, start_at};
use crate::talk::Talk;

/// What gateways have in common.
pub(crate) struct Cluster {
    store: Arc<MemoryStore>,
    directory: MemoryDirectory,
    clock: Hands,
    entropy: Counting,
}

impl Cluster {
    fn new() -> Self {
        let now = Timestamp::from_millis(1_795_353_726_325);
        Self {
            store: Arc::default(),
            directory: MemoryDirectory::new(),
            clock: Hands(Arc::new(ManualClock::new(now))),
            entropy: Counting::default(),
        }
    }

    async fn gateway(&self, name: &str) -> (Running, String) {
        self.gateway_with(name, settings(""), None).await
    }

    /// A gateway, and its id.
    async fn gateway_with(
        &self,
        name: &str,
        settings: Settings,
        tls: Option<Tls>,
    ) -> (Running, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let scheme = if tls.is_some() { "wss" } else { "ws" };
        let url = format!("{scheme}://{}", listener.local_addr().unwrap());
        let peers = Peers::new(self.directory.lease(), &self.entropy).unwrap();
        let peers = peers.name(name).url(GatewayUrl::parse(&url).unwrap());
        let id = peers.id().to_string();
        let build = |builder: GatewayBuilder| match tls {
            Some(tls) => builder.peers(peers).tls(tls),
            None => builder.peers(peers),
        };
        (self.start(listener, settings, build), id)
    }

    fn start(
        &self,
        listener: TcpListener,
        settings: Settings,
        build: impl FnOnce(GatewayBuilder) -> GatewayBuilder,
    ) -> Running {
        let (clock, entropy) = (self.clock.clone(), self.entropy.clone());
        let pairing = PairingBuilder::new(self.store.clone(), clock.clone(), entropy.clone());
        start_at(listener, pairing.build(), clock, entropy, settings, build)
    }

    /// A place in the directory for something that only looks like a gateway.
    fn forged(&self) -> Forged {
        let mut id = [0; 16];
        pairing_core::Entropy::fill(&self.entropy, &mut id).unwrap();
        Forged {
            lease: self.directory.lease(),
            id: uuid::Builder::from_random_bytes(id).into_uuid().to_string(),
            identity: Identity::generate(&self.entropy).unwrap(),
        }
    }
}

/// What somebody publishes who can write to the directory.
struct Forged {
    lease: MemoryLease,
    id: String,
    identity: Identity,
}

impl Forged {
    /// A gateway with more about it, and nodes that are said to be connected to a gateway.
    fn publish(&self, more: &Value, nodes: &[(&str, &Device, i64)]) {
        let mut gateway = json!({
            "kind": "gateway", "id": self.id, "key": self.identity.key(), "version": "9",
            "platform": "linux", "startedAtMs": 5, "from": "a later version",
        });
        for (name, value) in more.as_object().unwrap() {
            gateway[name] = value.clone();
        }
        let nodes = nodes.iter().map(|(gateway, node, at)| {
            let value = json!({
                "kind": "node", "gateway": gateway, "nodeId": node.id(), "connectedAtMs": at,
                "client": "node-host", "version": "1", "platform": "linux", "mode": "node",
                "commands": ["ping"],
            });
            (format!("{gateway}/{}", node.id()), value)
        });
        let values = std::iter::once((self.id.clone(), gateway)).chain(nodes);
        let values = values.map(|(name, value)| (name, value.to_string().into_bytes()));
        self.lease.publish(&values.collect()).unwrap();
    }
}

/// Waits until who is there is as it should be: looked at again whenever that is told to have changed.
async fn until(admin: &mut Talk, is_so: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    loop {
        let presence = admin.call("system-presence", json!({})).await.unwrap();
        let presence = presence.as_array().unwrap().clone();
        if is_so(&presence) {
            return presence;
        }
        admin.event("presence").await;
    }
}

/// Whether this gateway, or this device, is present.
fn has(presence: &[Value], instance: &str) -> bool {
    presence.iter().any(|entry| entry["instanceId"] == instance)
}

/// Where `node.describe` says that a node is: null for here.
async fn place(admin: &mut Talk, node: &Device) -> Value {
    let node = json!({ "nodeId": node.id() });
    let entry = admin.call("node.describe", node).await.unwrap();
    assert_eq!(entry["connected"], true, "{entry}");
    entry["gateway"]["id"].clone()
}
