//! Several gateways on one pairing state.
//!
//! What was decided they have in common by the store. Here is the rest: they say in a [`Directory`] that they
//! are there and which nodes are connected to them, and ask each other for what only the other's nodes can do.
//!
//! - `directory` and `published`: what is said there; `follow` says it, and reads what the others say (`view`).
//! - `proof`: how a gateway proves to another that it calls; `call` calls, `http::peers` answers.

mod call;
mod directory;
mod follow;
mod proof;
mod published;
mod view;

use gateway_protocol::GatewayUrl;
use std::fmt;
use std::sync::Mutex;

use arc_swap::ArcSwap;
use gateway_protocol::ErrorShape;
use gateway_protocol::hello::Presence;
use gateway_protocol::invoke::{InvokeParams, Invoked};
use gateway_protocol::{Fingerprint, Text};
use pairing_core::{DeviceId, DeviceKey, Entropy, EntropyError, Identity, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::VERSION;
use crate::settings::Settings;

pub(crate) use call::{CallError, call};
pub use directory::{Contents, Directory, DirectoryError, MAX_VALUE, MemoryDirectory, MemoryLease};
pub(crate) use follow::{announce, follow};
pub(crate) use proof::{Proof, TOLERANCE, Untimely};
pub(crate) use published::{Announced, Connected, Published};
pub use published::{GatewayId, ParseGatewayIdError};
pub(crate) use view::{Elsewhere, View};

/// Where gateways ask each other, below the URL that each announces.
pub(crate) const INVOKE: &str = "/peer/invoke";

/// What a gateway needs for having others beside it: see [`GatewayBuilder::peers`](crate::GatewayBuilder::peers).
///
/// Its id and its key pair are made here and die with it: nothing is kept, and nobody has to be told.
pub struct Peers {
    directory: Box<dyn Directory>,
    /// The gateway ends; held while something is published, so that nothing is after that.
    withdrawn: Mutex<bool>,
    own: Announced,
    identity: Identity,
    view: ArcSwap<View>,
    calls: proof::Calls,
}

impl Peers {
    /// A gateway among those of a directory, under a new id.
    pub fn new(
        directory: impl Directory + 'static,
        entropy: &dyn Entropy,
    ) -> Result<Self, EntropyError> {
        let mut id = [0; 16];
        entropy.fill(&mut id)?;
        let identity = Identity::generate(entropy)?;
        let own = Announced {
            id: GatewayId::from_random(id),
            name: None,
            url: None,
            tls_fingerprint: None,
            key: identity.key(),
            version: VERSION.to_owned(),
            platform: std::env::consts::OS.to_owned(),
            started_at_ms: 0,
        };
        Ok(Self {
            directory: Box::new(directory),
            withdrawn: Mutex::new(false),
            own,
            identity,
            view: ArcSwap::default(),
            calls: proof::Calls::default(),
        })
    }

    /// Lets other gateways reach this one at a URL, at which there is this gateway and no other. Without
    /// one they list its nodes, and do not ask them for anything.
    ///
    /// `wss://` has to lead to the gateway itself, for what they believe there is its own certificate. No calls
    /// are made to a URL with a query or an escaped character (the zone of an address).
    pub fn url(mut self, url: GatewayUrl) -> Self {
        self.own.url = Some(url);
        self
    }

    /// Names the gateway for people.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.own.name = Some(name.into());
        self
    }

    /// The gateway's id.
    pub fn id(&self) -> GatewayId {
        self.own.id
    }

    /// What is known once the gateway is put together.
    pub(crate) fn complete(&mut self, certificate: Option<Fingerprint>, started: Timestamp) {
        self.own.tls_fingerprint = certificate;
        self.own.started_at_ms = started.as_millis();
    }

    /// The other gateways, and the newest of the nodes that are connected to them.
    pub(crate) fn presence(&self, most_nodes: usize) -> Vec<Presence> {
        self.view.load().presence(most_nodes)
    }

    /// The key of another gateway, if it is announced.
    pub(crate) fn key_of(&self, gateway: GatewayId) -> Option<DeviceKey> {
        let view = self.view.load();
        view.gateway(gateway).map(|announced| announced.key)
    }

    /// Remembers a call, so that it cannot be made twice.
    pub(crate) fn note_call(&self, proof: &Proof, now: Timestamp) -> Result<(), Untimely> {
        self.calls.take(proof, now)
    }

    /// The gateway to which a node came last, of the others.
    pub(crate) fn node(&self, id: DeviceId) -> Option<Elsewhere> {
        self.view.load().node(id).cloned()
    }
}

impl fmt::Debug for Peers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Peers");
        shown.field("id", &self.own.id).finish_non_exhaustive()
    }
}

/// What one gateway asks another for. The operator's right to ask has been looked at; whether the node may be
/// asked is looked at where it is connected.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Forwarded {
    /// The caller, for the log.
    pub(crate) asked_by: String,
    pub(crate) node_id: Text,
    pub(crate) command: Text,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) params: Option<Value>,
    pub(crate) timeout_ms: u64,
    pub(crate) idempotency_key: Text,
}

/// What came of it. What went wrong at the node is no error of the call.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Outcome {
    Invoked(Invoked),
    Failed(ErrorShape),
}

impl From<Forwarded> for InvokeParams {
    fn from(forwarded: Forwarded) -> Self {
        Self {
            node_id: forwarded.node_id,
            command: forwarded.command,
            params: forwarded.params,
            timeout_ms: Some(forwarded.timeout_ms),
            idempotency_key: forwarded.idempotency_key,
        }
    }
}

impl From<Result<Invoked, ErrorShape>> for Outcome {
    fn from(result: Result<Invoked, ErrorShape>) -> Self {
        result.map_or_else(Self::Failed, Self::Invoked)
    }
}

impl From<Outcome> for Result<Invoked, ErrorShape> {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Invoked(invoked) => Ok(invoked),
            Outcome::Failed(error) => Err(error),
        }
    }
}

/// The longest body of a call or its answer: a message of the longest kind, and what is around it.
pub(crate) fn longest(settings: &Settings) -> usize {
    settings.limits.max_payload.saturating_add(MAX_VALUE)
}
