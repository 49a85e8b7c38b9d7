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
    shared.sessions.insert(session.clone());
    if let Who::Device(device) = &session.who {
        let place = Place(shared, &session);
        if !still_holds(shared, device.clone()).await {
            return Err(Refusal::Unavailable.into());
        }
        std::mem::forget(place);
        shared.pairing.devices().touch(device);
    }
    tracing::info!(
        connection = session.id, address = %session.address, role = %session.role(),
        device = session.device().map(|device| tracing::field::display(device.id())),
        client = %pairing_core::escape(&session.client.id).limit(64), "connected"
    );
    Ok(session)
}

/// A place in the registry that is given back when this is dropped, also where the wait for the store
/// is given up.
struct Place<'a>(&'a Shared, &'a Arc<Session>);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.sessions.remove(self.1);
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
