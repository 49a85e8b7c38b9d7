//! `hello-ok`, and the entry in the registry that comes with it.

use std::sync::Arc;

use gateway_protocol::hello::{AuthMethod, HelloAuth, HelloOk, Policy, ServerInfo};
use gateway_protocol::setup::SetupOutcome;
use gateway_protocol::{ConnectParams, Refusal};
use pairing_core::device::AuthenticatedDevice;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::admit::{Admitted, Denied};
use super::response;
use crate::VERSION;
use crate::budget::{Cause, Standing};
use crate::edge::Arrival;
use crate::parts::Parts;
use crate::server::Server;
use crate::sessions::{Client, Session, Who};
use crate::settings::Settings;
use pairing_core::Chain;

/// Registers the session, and then checks once more that its admission still holds. A revocation before this
/// check is seen by it; a revocation after it finds the session in the registry. Returns the session with its
/// `hello-ok`, which has to be sent before anything else.
pub(super) async fn register(
    request: &str,
    version: u32,
    params: &ConnectParams,
    admitted: Admitted,
    arrival: &Arrival,
    server: &Server,
    settings: &Settings,
) -> Result<(Registered, Utf8Bytes), Denied> {
    let parts = &server.parts;
    let Admitted {
        who,
        method,
        minted,
        setup,
    } = admitted;
    let id = parts.id().map_err(|_| Refusal::Unavailable)?;
    let standing = Standing::of(&who);
    let session = Arc::new(Session::new(
        parts.clients.sessions.next_number(),
        id,
        who,
        method,
        Client::new(params).on_page(arrival.origin.page()),
        (
            arrival.address,
            parts.pairing.now(),
            standing.longest_queue(&settings.limits),
        ),
    ));
    let limits = &settings.limits;
    let hello = HelloOk {
        protocol: version,
        server: ServerInfo {
            version: VERSION.to_owned(),
            conn_id: session.id.clone(),
        },
        features: &*server.features,
        snapshot: parts.snapshot(&session),
        auth: HelloAuth {
            role: session.role(),
            // If a token is delivered, these are its scopes, which the client stores with it.
            scopes: minted
                .as_ref()
                .map_or_else(|| session.scopes().clone(), |minted| minted.scopes.clone()),
            issued_at_ms: minted.as_ref().map(|minted| minted.at.as_millis()),
            device_token: minted.map(|minted| minted.token.expose().into()),
            method: (version >= 4 && method != AuthMethod::None).then_some(method),
        },
        policy: Policy {
            max_payload: standing.longest_message(limits) as u64,
            max_buffered_bytes: standing.longest_queue(limits) as u64,
            tick_interval_ms: u64::try_from(limits.tick_interval.as_millis()).unwrap_or(u64::MAX),
        },
    };
    let hello = response(request, Ok(hello));
    let registered = Registered::new(session.clone(), parts.clone());
    let mut registered = registered.ok_or(Refusal::Unavailable)?;
    let holds = match &session.who {
        Who::Device(device) => still_holds(parts, device.clone()).await,
        // The secret that it connected with may have been replaced.
        Who::Owner(_) => true,
        Who::Operator(_) => settings.secret.is_same(&parts.settings.load().secret),
    };
    if !holds {
        return Err(Refusal::Unavailable.into());
    }
    if let Who::Device(device) = &session.who {
        parts.pairing.devices().touch(device);
    }
    // Whoever knows only the secret may come and go as often as they like.
    let left_out = if standing.is_approved() {
        Some(0)
    } else {
        parts.may_log(Cause::Session, session.address)
    };
    if let Some(left_out) = left_out {
        tracing::info!(left_out,
            connection = session.id, address = %session.address, role = %session.role(),
            device = session.device().map(|device| tracing::field::display(device.id())),
            client = %pairing_core::quoted(&session.client.id).limit(64), "connected"
        );
    }
    if let Some(outcome) = &setup {
        parts.setup_outcomes.begin(outcome.clone());
    }
    registered.setup = setup;
    Ok((registered, hello))
}

/// A session in the registry. Dropping this removes it.
pub(super) struct Registered {
    pub(super) session: Arc<Session>,
    /// What becomes of the setup code by which its token is delivered.
    setup: Option<SetupOutcome>,
    parts: Arc<Parts>,
}

impl Registered {
    /// Registers a session; `None` if the gateway stops.
    fn new(session: Arc<Session>, parts: Arc<Parts>) -> Option<Self> {
        let is_taken = parts.clients.sessions.insert(session.clone());
        is_taken.then_some(Self {
            session,
            setup: None,
            parts,
        })
    }

    /// Notes whether its `hello-ok` has gone out.
    pub(super) fn greeted(&self, is_sent: bool) {
        if let Some(outcome) = &self.setup {
            let parts = &self.parts;
            parts.setup_outcomes.end(outcome, is_sent, &parts.clients);
        }
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.parts.clients.sessions.remove(&self.session);
        self.parts.clients.invokes.forget(self.session.number);
    }
}

async fn still_holds(parts: &Arc<Parts>, device: AuthenticatedDevice) -> bool {
    let devices = parts.pairing.devices();
    // The record was read a moment ago, so the store has it in memory as a rule.
    if let Some(holds) = devices.still_holds_at_once(&device) {
        return holds;
    }
    let asking = tokio::task::spawn_blocking(move || devices.still_holds(&device));
    match asking.await {
        Ok(Ok(holds)) => holds,
        Ok(Err(error)) => {
            tracing::error!(error = %Chain(&error), "store operation failed: session ended");
            false
        }
        Err(_) => false,
    }
}
