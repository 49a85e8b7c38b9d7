//! `hello-ok`, and the place in the registry that comes with it.

use std::sync::Arc;

use gateway_protocol::hello::{AuthMethod, HelloAuth, HelloOk, Policy, ServerInfo};
use gateway_protocol::{ConnectParams, Refusal};
use pairing_core::device::AuthenticatedDevice;

use super::admit::{Admitted, Denied};
use super::response;
use crate::edge::Arrival;
use crate::sessions::{Client, Session, Who};
use crate::settings::Settings;
use crate::shared::{Chain, Shared, VERSION};

/// Registers the session, then looks again whether what admitted it still holds: whoever revoked it
/// before has been seen, whoever does after sees the session.
pub(super) async fn register(
    request: &str,
    version: u32,
    params: &ConnectParams,
    admitted: Admitted,
    arrival: &Arrival,
    shared: &Arc<Shared>,
    settings: &Settings,
) -> Result<Arc<Session>, Denied> {
    let Admitted {
        who,
        method,
        minted,
    } = admitted;
    let id = shared.id().map_err(|_| Refusal::Unavailable)?;
    let session = Arc::new(Session::new(
        shared.sessions.next_number(),
        id,
        who,
        method,
        Client::new(params),
        (
            arrival.address,
            shared.pairing.now(),
            settings.limits.max_buffered,
        ),
    ));
    let limits = &settings.limits;
    let hello = HelloOk {
        protocol: version,
        server: ServerInfo {
            version: VERSION.to_owned(),
            conn_id: session.id.clone(),
        },
        features: shared.methods.features(),
        snapshot: shared.snapshot(&session),
        auth: HelloAuth {
            role: session.role(),
            scopes: session.scopes().clone(),
            issued_at_ms: minted.as_ref().map(|(_, at)| at.as_millis()),
            device_token: minted.map(|(token, _)| token.expose().into()),
            method: (version >= 4 && method != AuthMethod::None).then_some(method),
        },
        policy: Policy {
            max_payload: limits.max_payload as u64,
            max_buffered_bytes: limits.max_buffered as u64,
            tick_interval_ms: u64::try_from(limits.tick_interval.as_millis()).unwrap_or(u64::MAX),
        },
    };
    session.outbox.send(response(request, Ok(hello)));
    if !shared.sessions.insert(session.clone()) {
        return Err(Refusal::Unavailable.into());
    }
    let unconfirmed = Unconfirmed {
        shared,
        session: &session,
    };
    let holds = match &session.who {
        Who::Device(device) => still_holds(shared, device.clone()).await,
        // It may have come by a secret that is none any more.
        Who::Operator(_) => settings.secret.is_same(&shared.settings.load().secret),
    };
    if !holds {
        return Err(Refusal::Unavailable.into());
    }
    std::mem::forget(unconfirmed);
    if let Who::Device(device) = &session.who {
        shared.pairing.devices().touch(device);
    }
    tracing::info!(
        connection = session.id, address = %session.address, role = %session.role(),
        device = session.device().map(|device| tracing::field::display(device.id())),
        client = %pairing_core::escape(&session.client.id).limit(64), "connected"
    );
    Ok(session)
}

/// A session that is registered and has not been confirmed: taken out again when dropped, also where
/// the time for the handshake runs out meanwhile.
struct Unconfirmed<'s> {
    shared: &'s Shared,
    session: &'s Session,
}

impl Drop for Unconfirmed<'_> {
    fn drop(&mut self) {
        self.shared.sessions.remove(self.session);
        self.shared.invokes.forget(self.session.number);
    }
}

async fn still_holds(shared: &Arc<Shared>, device: AuthenticatedDevice) -> bool {
    let devices = shared.pairing.devices();
    let asking = tokio::task::spawn_blocking(move || devices.still_holds(&device));
    match asking.await {
        Ok(Ok(holds)) => holds,
        Ok(Err(error)) => {
            tracing::error!(error = %Chain(&error), "a session could not be confirmed");
            false
        }
        Err(_) => false,
    }
}
