//! The parts of a running gateway, each with one job.
//!
//! A connection and a method see all of them. Whatever runs beside the connections (the change feed, the chats,
//! the gateways beside this one) gets only the parts that it needs.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use gateway_channels::Channels;
use gateway_protocol::StateVersion;
use gateway_protocol::health::Health;
use gateway_protocol::hello::Snapshot;
use pairing_core::{Entropy, EntropyError, Pairing};

use crate::budget::{Budget, Cause};
use crate::clients::Clients;
use crate::join_codes::JoinCodes;
use crate::lockout::Lockouts;
use crate::logins::Logins;
use crate::metrics::Metrics;
use crate::page_tickets::PageTickets;
use crate::presence::Shown;
use crate::probes::Probes;
use crate::requests::Requests;
use crate::sessions::Session;
use crate::settings::LiveSettings;
use crate::setup_outcomes::SetupOutcomes;
use crate::store::Kept;
use crate::store_health::StoreHealth;
use crate::upgrades::Upgrades;

/// The parts of a running gateway.
pub(crate) struct Parts {
    /// Decides, and reads and writes the store.
    pub(crate) pairing: Pairing,
    pub(crate) settings: LiveSettings,
    /// Who is connected, here and to other gateways.
    pub(crate) clients: Arc<Clients>,
    /// Bounds what connections may do before they are admitted.
    pub(crate) entrance: Entrance,
    /// Tells the rest of the gateway about pairing requests.
    pub(crate) requests: Arc<Requests>,
    /// The chat systems.
    pub(crate) channels: Arc<Channels>,
    /// Whether the store works.
    pub(crate) store: Arc<StoreHealth>,
    /// Which part does not work as it should.
    pub(crate) health: Arc<crate::health::Health>,
    pub(crate) metrics: Metrics,
    pub(crate) join_codes: JoinCodes,
    pub(crate) setup_outcomes: SetupOutcomes,
    pub(crate) upgrades: Upgrades,
    /// What the chat systems said of their accounts.
    pub(crate) probes: Probes,
    /// Accounts that are being linked.
    pub(crate) logins: Logins,
    pub(crate) page_tickets: PageTickets,
    pub(crate) entropy: Box<dyn Entropy>,
    pub(crate) about: Arc<GatewayFacts>,
}

/// The bounds on connections that are not admitted yet.
pub(crate) struct Entrance {
    /// Counts wrong secrets, and refuses further attempts for a while.
    pub(crate) lockouts: Lockouts,
    /// Counts what connections use.
    pub(crate) budget: Budget,
}

/// Facts about the gateway that do not change while it runs.
pub(crate) struct GatewayFacts {
    /// The port that it listens on.
    pub(crate) port: u16,
    /// The fingerprint of its certificate, as setup codes carry it.
    pub(crate) tls_fingerprint: Option<String>,
    pub(crate) started: Instant,
    /// Its store, where that is known.
    pub(crate) store_kind: Option<Kept>,
}

impl GatewayFacts {
    pub(crate) fn uptime_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Parts {
    /// A new id: a version 4 UUID.
    pub(crate) fn id(&self) -> Result<String, EntropyError> {
        let mut bytes = [0; 16];
        self.entropy.fill(&mut bytes)?;
        Ok(uuid::Builder::from_random_bytes(bytes)
            .into_uuid()
            .to_string())
    }

    /// Whether something about a connection that is not admitted may be logged now, and how many such lines
    /// were left out before it.
    pub(crate) fn may_log(&self, cause: Cause, address: IpAddr) -> Option<u64> {
        self.entrance
            .budget
            .may_log(cause, address, self.pairing.now())
    }

    /// The same for a line that is only for whoever debugs: nothing is counted where none is wanted.
    pub(crate) fn may_debug(&self, address: IpAddr) -> Option<u64> {
        let is_wanted = tracing::enabled!(tracing::Level::DEBUG);
        is_wanted
            .then(|| self.may_log(Cause::Socket, address))
            .flatten()
    }

    /// The gateway's health, as every client may see it.
    pub(crate) fn health(&self) -> Health {
        Health {
            ok: self.store.is_well(),
            ts: self.pairing.now().as_millis(),
            ..Health::default()
        }
    }

    /// The gateway's state as `hello-ok` shows it to this session.
    pub(crate) fn snapshot(&self, viewer: &Session) -> Snapshot<Shown> {
        Snapshot {
            presence: self.clients.presence(viewer, self.pairing.now()),
            health: serde_json::to_value(self.health()).unwrap_or_default(),
            state_version: self.state_version(),
            uptime_ms: self.about.uptime_ms(),
        }
    }

    pub(crate) fn state_version(&self) -> StateVersion {
        StateVersion {
            presence: self.clients.sessions.version(),
            health: u64::from(!self.store.is_well()),
        }
    }

    /// Whether this session may still do what it was approved for. A device may not once the store has failed
    /// for longer than the grace period, for its approval may have ended meanwhile.
    pub(crate) fn vouches_for(&self, session: &Session) -> bool {
        session.device().is_none() || self.store.vouches(self.pairing.now())
    }
}
