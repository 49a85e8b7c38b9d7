//! What all connections share.

use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use gateway_protocol::StateVersion;
use gateway_protocol::hello::{Presence, Snapshot};
use pairing_core::device::Role;
use pairing_core::{DeviceId, Entropy, EntropyError, Pairing, StoreError};
use serde_json::{Value, json};
use tokio::sync::{Notify, broadcast};

use crate::VERSION;
use crate::feed::News;
use crate::invokes::Invokes;
use crate::lockout::Lockouts;
use crate::methods::Methods;
use crate::metrics::Metrics;
use crate::peers::Peers;
use crate::sessions::{Session, Sessions};
use crate::settings::Settings;
use crate::sockets::Waiting;
use crate::store::Kept;
use crate::store_health::StoreHealth;
use gateway_channels::Channels;

/// The state of a gateway that runs.
pub(crate) struct Shared {
    pub(crate) pairing: Pairing,
    pub(crate) settings: ArcSwap<Settings>,
    pub(crate) sessions: Sessions,
    pub(crate) lockouts: Lockouts,
    pub(crate) waiting: Waiting,
    pub(crate) invokes: Invokes,
    pub(crate) methods: Methods,
    pub(crate) metrics: Metrics,
    pub(crate) entropy: Box<dyn Entropy>,
    /// Told of requests by the feed.
    pub(crate) news: broadcast::Sender<News>,
    /// Signalled by the feed after it has read requests again. One task may wait for it.
    pub(crate) requests_read: Notify,
    pub(crate) channels: Arc<Channels>,
    /// Other gateways on the same state, where there may be any.
    pub(crate) peers: Option<Peers>,
    /// The port that it listens on.
    pub(crate) port: u16,
    /// What setup codes say of the certificate.
    pub(crate) tls_fingerprint: Option<String>,
    pub(crate) started: Instant,
    /// How the store is.
    pub(crate) store: StoreHealth,
    /// What it is called in the configuration, where that is known.
    pub(crate) store_kind: Option<Kept>,
}

/// Maximum number of connections in the presence list; the newest are kept.
const MOST_PRESENT: usize = 100;

impl Shared {
    /// A new id: a version 4 UUID.
    pub(crate) fn id(&self) -> Result<String, EntropyError> {
        let mut bytes = [0; 16];
        self.entropy.fill(&mut bytes)?;
        Ok(uuid::Builder::from_random_bytes(bytes)
            .into_uuid()
            .to_string())
    }

    pub(crate) fn uptime_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// How the gateway is, for anybody who is connected.
    pub(crate) fn health(&self) -> Value {
        json!({
            "ok": self.store.is_well(),
            "ts": self.pairing.now().as_millis(),
            "durationMs": 0,
        })
    }

    /// What a session is told of how things stand.
    pub(crate) fn snapshot(&self, viewer: &Session) -> Snapshot {
        Snapshot {
            presence: self.presence(viewer),
            health: self.health(),
            state_version: self.state_version(),
            uptime_ms: self.uptime_ms(),
        }
    }

    /// The gateway and all connections; a viewer without that right gets its own only.
    pub(crate) fn presence(&self, viewer: &Session) -> Vec<Presence> {
        let all = if viewer.may_see_presence() {
            self.sessions.all()
        } else {
            Vec::new()
        };
        let shown = all.iter().rev().take(MOST_PRESENT);
        let is_shown = shown.clone().any(|session| session.number == viewer.number);
        let mut presence = vec![self.own_presence()];
        presence.extend(shown.map(|session| session.presence()));
        if viewer.may_see_presence() {
            presence.extend(self.elsewhere());
        }
        // Where somebody connects from is for those who decide about them.
        if !viewer.may_see_nodes() {
            without_addresses(&mut presence);
        }
        if !is_shown {
            presence.push(viewer.presence());
        }
        presence
    }

    /// The gateway, everybody, and who is elsewhere.
    pub(crate) fn everybody(&self) -> Vec<Presence> {
        let all = self.sessions.all();
        let shown = all.iter().rev().take(MOST_PRESENT);
        std::iter::once(self.own_presence())
            .chain(shown.map(|session| session.presence()))
            .chain(self.elsewhere())
            .collect()
    }

    /// Other gateways, and the nodes that are connected there.
    fn elsewhere(&self) -> Vec<Presence> {
        let peers = self.peers.as_ref();
        peers.map_or_else(Vec::new, |peers| peers.presence(MOST_PRESENT))
    }

    pub(crate) fn own_presence(&self) -> Presence {
        Presence {
            host: Some("gateway".to_owned()),
            ip: None,
            version: Some(VERSION.to_owned()),
            platform: Some(std::env::consts::OS.to_owned()),
            device_family: None,
            model_identifier: None,
            mode: "gateway".to_owned(),
            device_id: None,
            roles: Vec::new(),
            scopes: pairing_core::ScopeSet::default(),
            instance_id: self.peers.as_ref().map(|peers| peers.id().to_string()),
            gateway: None,
            reason: "self".to_owned(),
            text: format!("Gateway: version {VERSION}"),
            ts: self.pairing.now().as_millis(),
        }
    }

    pub(crate) fn state_version(&self) -> StateVersion {
        StateVersion {
            presence: self.sessions.version(),
            health: u64::from(!self.store.is_well()),
        }
    }

    /// Ends the sessions that a decision about a device has ended: with a role, all of that; without, what
    /// does not hold any more, or cannot be told to. At once, but for the caller's own.
    pub(crate) fn end_sessions(
        &self,
        device: DeviceId,
        role: Option<Role>,
        caller: Option<&Session>,
    ) {
        let devices = self.pairing.devices();
        self.sessions.end_of_device(device, caller, |session| {
            if let Some(role) = role {
                session.role() == role
            } else {
                let holds = session.device().map(|proof| devices.still_holds(proof));
                !matches!(holds, Some(Ok(true)))
            }
        });
    }

    /// Notes what the store has come to.
    pub(crate) fn note_store(&self, failure: Option<&StoreError>) {
        self.store.note(failure, self.pairing.now());
    }

    /// Whether this session may still do what it was approved for.
    pub(crate) fn vouches_for(&self, session: &Session) -> bool {
        session.device().is_none() || self.store.vouches(self.pairing.now())
    }
}

/// Leaves out where everybody connects from.
pub(crate) fn without_addresses(presence: &mut [Presence]) {
    for entry in presence {
        entry.ip = None;
    }
}
