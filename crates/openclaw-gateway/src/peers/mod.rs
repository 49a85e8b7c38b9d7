//! Several gateways on one pairing state.
//!
//! The store shares all decisions between them. This module adds the rest: in a [`Directory`] the gateways
//! announce themselves and the nodes that are connected to them, and they call each other to invoke the nodes
//! of the other.
//!
//! - `directory` and `published`: what is said there; `follow` says it, and reads what the others say (`view`).
//! - `proof`: how a gateway proves to another that it calls, or answers; `call` calls, `http::peers` answers.

mod call;
mod directory;
mod follow;
mod proof;
mod published;
mod trouble;
mod view;

use gateway_protocol::GatewayUrl;
use std::fmt;
use std::sync::Mutex;

use arc_swap::ArcSwap;
use gateway_protocol::ErrorShape;
use gateway_protocol::hello::Presence;
use gateway_protocol::invoke::{InvokeParams, Invoked};
use gateway_protocol::{Fingerprint, Text};
use hyper::header::{HeaderName, HeaderValue};
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

/// The path for calls between gateways, below the URL that each announces.
pub(crate) const INVOKE: &str = "/peer/invoke";

/// One of several gateways on the same state: see
/// [`GatewayBuilder::peers`](crate::GatewayBuilder::peers).
///
/// Its id and key pair are made when it is created. They are never stored, and nobody has to be told of them.
pub struct Peers {
    directory: Box<dyn Directory>,
    /// Whether the gateway has withdrawn its values. Locked during a publication, so that none follows the
    /// withdrawal.
    withdrawn: Mutex<bool>,
    own: Announced,
    identity: Identity,
    view: ArcSwap<View>,
    calls: proof::Calls,
    trouble: Mutex<trouble::Trouble>,
}

impl Peers {
    /// Creates a gateway in a directory, with a new id.
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
            trouble: Mutex::default(),
        })
    }

    /// Sets the URL at which other gateways reach this one, and no other. Without a URL, they list its nodes,
    /// and cannot invoke them.
    ///
    /// `wss://` has to lead to the gateway itself, because they accept only its own certificate. No calls are
    /// made to a URL with a query or an escaped character (the zone of an address).
    pub fn url(mut self, url: GatewayUrl) -> Self {
        self.own.url = Some(url);
        self
    }

    /// Sets a name for people.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.own.name = Some(name.into());
        self
    }

    /// Returns the gateway's id.
    pub fn id(&self) -> GatewayId {
        self.own.id
    }

    /// Sets what is known only once the gateway is built.
    pub(crate) fn complete(&mut self, certificate: Option<Fingerprint>, started: Timestamp) {
        self.own.tls_fingerprint = certificate;
        self.own.started_at_ms = started.as_millis();
    }

    /// Lists the other gateways, and the newest of the nodes that are connected to them.
    pub(crate) fn presence(&self, most_nodes: usize) -> Vec<Presence> {
        self.view.load().presence(most_nodes)
    }

    /// Returns the key of another gateway, if that is announced.
    pub(crate) fn key_of(&self, gateway: GatewayId) -> Option<DeviceKey> {
        let view = self.view.load();
        view.gateway(gateway).map(|announced| announced.key)
    }

    /// Records a call, so that it cannot be made twice.
    pub(crate) fn note_call(&self, proof: &Proof, now: Timestamp) -> Result<(), Untimely> {
        self.calls.take(proof, now)
    }

    /// The header that proves that this gateway answers a call with this body.
    pub(crate) fn sign_answer(
        &self,
        call: &Proof,
        body: &[u8],
    ) -> Option<(HeaderName, HeaderValue)> {
        call.sign_answer(&self.identity, body)
    }

    /// Returns the other gateway to which a node connected last.
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

/// A call to another gateway. The caller has checked the operator's right; whether the node may be invoked is
/// checked where it is connected.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Forwarded {
    /// The operator, for the log.
    pub(crate) asked_by: String,
    pub(crate) node_id: Text,
    pub(crate) command: Text,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) params: Option<Value>,
    pub(crate) timeout_ms: u64,
    pub(crate) idempotency_key: Text,
}

/// The answer to a call. An error of the node is an answer, too.
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

/// Maximum size of a call or its answer, in bytes: the longest message, and what surrounds it.
pub(crate) fn longest(settings: &Settings) -> usize {
    settings.limits.max_payload.saturating_add(MAX_VALUE)
}
