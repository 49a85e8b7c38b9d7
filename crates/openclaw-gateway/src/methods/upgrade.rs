//! `device.scopes.requestUpgrade` and `device.scopes.waitUpgrade`.

use gateway_protocol::device::RequestParams;
use gateway_protocol::event::Decision;
use gateway_protocol::upgrade::{UpgradeParams, UpgradeRequested, UpgradeResolved};
use gateway_protocol::{DetailCode, ErrorShape};
use pairing_core::device::{AuthenticatedDevice, DeviceRequest, RequestId, Role};
use pairing_core::{Scope, ScopeSet};
use tokio::sync::broadcast::error::RecvError;

use super::{Call, Reply, of_device, of_list, store_failed};
use crate::feed::outcome;
use crate::requests::News;
use crate::sessions::Deciding;

/// Maximum number of scopes in a request.
const MOST: usize = 32;

/// Asks the owner for more scopes, in the name of the connected device. The connection goes on as it is.
pub(super) fn request(call: &Call) -> Reply {
    let params: UpgradeParams = call.params()?;
    let own = own_device(call)?;
    let scopes = scopes_of(call, &params)?;
    let (session, now) = (&call.session, call.pairing().now());
    let budget = &call.parts.entrance.budget;
    let may_ask = budget.may_ask(session.address, now).ok_or_else(|| {
        ErrorShape::unavailable(
            DetailCode::RateLimited,
            "too much was asked from this address: try again later",
        )
    })?;
    let address = (!session.address.is_loopback()).then(|| session.address.to_string());
    let origin = session.client.origin.as_deref();
    let devices = call.pairing().devices();
    let asked = devices.ask_for_scopes(own, &scopes, origin, address.as_deref());
    let asked = asked.map_err(of_device)?;
    if asked.is_new {
        may_ask.used();
        tracing::info!(
            request = %asked.request.id, device = %own.id(),
            "device asks for more scopes: it waits for approval"
        );
    }
    let request_id = asked.request.id.clone();
    call.parts.upgrades.note(asked.request);
    call.reply(&UpgradeRequested { request_id })
}

/// Waits until the owner has decided, and delivers the new token. The former one ends with that, and so does this
/// connection once it has its answer.
pub(super) async fn wait(call: Call) -> (Reply, Option<Deciding>) {
    match waited(&call).await {
        Ok((resolved, deciding)) => (call.reply(&resolved), deciding),
        Err(error) => (Err(error), None),
    }
}

async fn waited(call: &Call) -> Result<(UpgradeResolved, Option<Deciding>), ErrorShape> {
    let params: RequestParams = call.params()?;
    let own = own_device(call)?.clone();
    // Whatever is decided after this is heard.
    let mut news = call.parts.requests.listen();
    let asked = RequestId::parse(&params.request_id)
        .ok()
        .and_then(|id| call.parts.upgrades.of(own.id(), &id))
        .ok_or_else(unknown)?;
    let request_id = asked.id.clone();
    let mut decision = None;
    while decision.is_none() {
        let looked_for = asked.clone();
        decision = call
            .at_store(move |call| decided(call, &looked_for))
            .await?;
        while decision.is_none() {
            match news.recv().await {
                Ok(News::Device(request, how)) if request.id == request_id => decision = Some(how),
                Ok(_) => {}
                // Some news was missed: the store knows.
                Err(RecvError::Lagged(_)) => break,
                Err(RecvError::Closed) => {
                    let message = "the gateway is stopping";
                    return Err(ErrorShape::unavailable(DetailCode::Internal, message));
                }
            }
        }
    }
    match decision {
        Some(Decision::Approved) => {}
        Some(Decision::Expired) => return Ok((UpgradeResolved::Expired { request_id }, None)),
        _ => return Ok((UpgradeResolved::Rejected { request_id }, None)),
    }
    let deciding = call.session.decides();
    let minted = call.at_store(move |call| {
        let minted = call.pairing().devices().renew_token(&own);
        let minted = minted.map_err(of_device)?;
        // The sessions that the former token admitted; this one gets its answer first.
        call.end_sessions(own.id(), None);
        Ok(minted)
    });
    let minted = minted.await?.ok_or_else(|| {
        ErrorShape::unavailable(
            DetailCode::UnknownRequest,
            "the scopes are approved, and their token is not delivered here: connect again",
        )
    })?;
    let approved = UpgradeResolved::Approved {
        request_id,
        device_token: minted.token.expose().into(),
        scopes: minted.scopes,
    };
    Ok((approved, Some(deciding)))
}

/// How a request has ended; `None` while it is pending.
fn decided(call: &Call, asked: &DeviceRequest) -> Result<Option<Decision>, ErrorShape> {
    let viewer = call.approver();
    let listed = call.pairing().devices().list(&viewer).map_err(of_list)?;
    if listed.pending.iter().any(|request| request.id == asked.id) {
        return Ok(None);
    }
    let waiting = listed.pending.iter();
    let decision = outcome::of_device(call.pairing(), &viewer, waiting, asked);
    decision.map(Some).map_err(|error| store_failed(&error))
}

fn own_device(call: &Call) -> Result<&AuthenticatedDevice, ErrorShape> {
    let own = call.session.device();
    own.filter(|own| own.role() == Role::Operator)
        .ok_or_else(|| {
            ErrorShape::invalid(
                DetailCode::DeviceIdentityRequired,
                "only a paired device may ask for more scopes",
            )
        })
}

fn scopes_of(call: &Call, params: &UpgradeParams) -> Result<ScopeSet, ErrorShape> {
    let invalid = |detail: &str| {
        let message = format!("invalid device.scopes.requestUpgrade params: at scopes: {detail}");
        ErrorShape::invalid(DetailCode::InvalidParams, message)
    };
    if params.scopes.is_empty() || params.scopes.len() > MOST {
        return Err(invalid("from 1 to 32 scopes are required"));
    }
    let scopes = params.scopes.iter().map(|scope| Scope::parse(scope));
    let scopes: Result<ScopeSet, _> = scopes.collect();
    let scopes = scopes.map_err(|error| invalid(&error.to_string()))?;
    if scopes.covers(call.session.scopes()) {
        Ok(scopes)
    } else {
        Err(invalid("the scopes of this connection must be among them"))
    }
}

fn unknown() -> ErrorShape {
    ErrorShape::invalid(
        DetailCode::UnknownRequest,
        "scope upgrade expired or not found",
    )
}
