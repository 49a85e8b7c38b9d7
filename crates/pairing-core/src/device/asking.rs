//! Requests to the owner about a device, while the device waits.

use std::net::{IpAddr, Ipv6Addr};

use super::connect::{Connected, Scene};
use super::standing::UpgradeReason;
use super::{
    Ask, Credential, DeviceId, DeviceInfo, DeviceKey, DeviceLimits, DeviceRequest, PairingToken,
    RequestId, Role, TokenHash, canonical_ip,
};
use crate::dm::Decision;
use crate::store::Change;
use crate::{Key, Record, ScopeSet, Timestamp};

/// A pending request to the owner about a device.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Asked {
    /// The reason that the owner has to be asked.
    pub reason: UpgradeReason,
    /// The request that the owner decides about.
    pub request: DeviceRequest,
    /// The device's previous request, which was replaced because the device now asks for something more
    /// or something else.
    pub superseded: Option<RequestId>,
    /// Whether the request has just been created.
    pub is_new: bool,
}

/// Asks the owner about a connection that is not admitted.
pub(super) fn ask_to_pair(scene: &Scene<'_>, reason: UpgradeReason) -> Decision<Connected> {
    let Scene {
        connecting,
        credential,
        known,
        ..
    } = *scene;
    let by_code = match (credential, &known.pairing_token) {
        (Credential::PairingToken(_), Some(token)) => Some(token),
        _ => None,
    };
    let wanted = match by_code {
        Some(token) => by_profile(token, scene),
        None => latest(scene),
    };
    let mut decision = ask(
        &scene.asking(),
        reason,
        wanted,
        by_code.map(|token| token.hash),
    );
    let unbound = by_code.filter(|token| token.device.is_none());
    decision
        .changes
        .extend(unbound.map(|token| bind(token, connecting.device())));
    Decision {
        changes: decision.changes,
        outcome: Connected::Asked(Box::new(decision.outcome)),
    }
}

/// Asks the owner for all commands that an admitted node declares, only some of which have been approved.
pub(super) fn ask_for_commands(scene: &Scene<'_>) -> Decision<Asked> {
    ask(
        &scene.asking(),
        UpgradeReason::CommandUpgrade,
        latest(scene),
        None,
    )
}

/// Asks the owner for more scopes of an operator that is connected, beside what its device asks for already.
pub(crate) fn ask_for_scopes(asking: &Asking<'_>, scopes: &ScopeSet) -> Decision<Asked> {
    let asked = Ask::role(Role::Operator, scopes.clone());
    let wanted = match asking.before {
        Some(before) => before.ask.with(Role::Operator, &asked),
        None => asked,
    };
    ask(asking, UpgradeReason::ScopeUpgrade, wanted, None)
}

/// A device that asks, and everything that the request depends on.
pub(crate) struct Asking<'a> {
    pub(crate) device: DeviceId,
    pub(crate) key: DeviceKey,
    pub(crate) info: DeviceInfo,
    /// The origin of the page that it comes from.
    pub(crate) origin: Option<String>,
    /// Whether it qualifies for approval without asking the owner.
    pub(crate) silent: bool,
    /// Whether the device is known already.
    pub(crate) is_known: bool,
    /// Its pending request, unless that has expired.
    pub(crate) before: Option<&'a DeviceRequest>,
    /// The pending requests of all devices.
    pub(crate) waiting: &'a [DeviceRequest],
    /// The id of a new request.
    pub(crate) id: &'a RequestId,
    pub(crate) limits: &'a DeviceLimits,
    pub(crate) now: Timestamp,
}

impl<'a> Scene<'a> {
    fn asking(&self) -> Asking<'a> {
        let connecting = self.connecting;
        Asking {
            device: connecting.device(),
            key: connecting.proof.key(),
            info: connecting.info.clone(),
            origin: connecting.origin.clone(),
            silent: connecting.silence.is_for(connecting.role),
            is_known: self.known.device.is_some(),
            before: self.running(),
            waiting: self.waiting,
            id: &self.drawn.request,
            limits: self.limits,
            now: self.now,
        }
    }
}

/// Returns the ask of the device, including that of this connection.
fn latest(scene: &Scene<'_>) -> Ask {
    let asked = scene.connecting.ask();
    match scene.running() {
        Some(before) => before.ask.with(scene.connecting.role, &asked),
        None => asked,
    }
}

/// Returns the ask that a setup code prescribes, whatever the connection asks for. Only the commands come
/// from the node, because only the node knows them.
fn by_profile(token: &PairingToken, scene: &Scene<'_>) -> Ask {
    Ask {
        commands: latest(scene).commands,
        ..token.profile.ask()
    }
}

/// Asks the owner about a device. There is one request per device; its id stays the same until the device
/// asks for more, from another page, or with another setup code.
fn ask(
    asking: &Asking<'_>,
    reason: UpgradeReason,
    wanted: Ask,
    pairing_token: Option<TokenHash>,
) -> Decision<Asked> {
    let Asking {
        before,
        limits,
        now,
        ..
    } = *asking;
    let same = before.filter(|before| {
        let way = before.origin == asking.origin
            && (pairing_token.is_none() || before.pairing_token == pairing_token);
        way && before.ask.covers(&wanted)
    });
    let request = match same {
        Some(same) => DeviceRequest {
            ask: wanted,
            refreshed_at: now,
            ..same.clone()
        },
        None => DeviceRequest {
            id: asking.id.clone(),
            device: asking.device,
            key: asking.key,
            info: asking.info.clone(),
            ask: wanted,
            origin: asking.origin.clone(),
            silent: asking.silent,
            is_repair: asking.is_known,
            asked_at: now,
            refreshed_at: now,
            pairing_token: pairing_token.or(before.and_then(|before| before.pairing_token)),
        },
    };
    let mut changes = Vec::new();
    let is_fresh = same.is_some_and(|same| {
        let age = now.since(same.refreshed_at);
        same.ask == request.ask && age.is_some_and(|age| age < limits.refresh_interval)
    });
    if !is_fresh {
        changes.extend(make_room(asking));
        changes.push(Change::Put(Record::from(request.clone())));
    }
    Decision {
        changes,
        outcome: Asked {
            reason,
            superseded: before.filter(|b| b.id != request.id).map(|b| b.id.clone()),
            is_new: same.is_none(),
            request,
        },
    }
}

pub(super) fn bind(token: &PairingToken, device: DeviceId) -> Change {
    Change::Put(Record::from(PairingToken {
        device: Some(device),
        ..token.clone()
    }))
}

/// Keeps a request alive while its device stays connected. Writes at most once per hold interval, or per
/// half the lifetime of a request if that is shorter. The outcome is `false` if the request has expired.
pub(crate) fn hold(
    request: &DeviceRequest,
    limits: &DeviceLimits,
    now: Timestamp,
) -> Decision<bool> {
    if request.is_expired(limits, now) {
        return Decision::unchanged(false);
    }
    let every = limits.hold_interval.min(limits.request_lifetime / 2);
    let is_fresh = now
        .since(request.refreshed_at)
        .is_some_and(|age| age < every);
    if is_fresh {
        return Decision::unchanged(true);
    }
    let held = DeviceRequest {
        refreshed_at: now,
        ..request.clone()
    };
    Decision {
        changes: vec![Change::Put(Record::from(held))],
        outcome: true,
    }
}

/// Deletes expired requests and, if too many are pending, those that were repeated least recently: first
/// those of the same address, then any. The addresses of one subscriber are one: of IPv6, a /64. A request
/// that came with a setup code, which the owner gave out, is never deleted for others.
fn make_room(asking: &Asking<'_>) -> Vec<Change> {
    let Asking {
        waiting,
        limits,
        now,
        ..
    } = *asking;
    let others = waiting.iter().filter(|r| r.device != asking.device);
    let (expired, mut live): (Vec<_>, Vec<_>) = others.partition(|r| r.is_expired(limits, now));
    live.sort_by_key(|request| request.refreshed_at);
    let mut gone = expired;
    live.retain(|request| request.pairing_token.is_none());
    let address = subscriber(asking.info.remote_ip.as_deref());
    let from_here = live
        .iter()
        .filter(|request| subscriber(request.info.remote_ip.as_deref()) == address);
    let too_many = (from_here.clone().count() + 1).saturating_sub(limits.max_pending_per_address);
    gone.extend(from_here.take(too_many).copied());
    live.retain(|request| !gone.iter().any(|gone| gone.id == request.id));
    let too_many = (live.len() + 1).saturating_sub(limits.max_pending);
    gone.extend(live.into_iter().take(too_many));
    let keys = gone.into_iter().map(|request| Key::DeviceRequest {
        device: request.device,
    });
    keys.map(Change::Delete).collect()
}

/// Whose address this is: an IPv4 address, or the /64 of an IPv6 address. `None` is this machine. A text that
/// is no address stands for itself.
fn subscriber(address: Option<&str>) -> Option<Result<IpAddr, &str>> {
    let text = address?;
    Some(match text.parse().map(canonical_ip) {
        Ok(IpAddr::V6(v6)) => Ok(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64).into()),
        Ok(v4) => Ok(v4),
        Err(_) => Err(text),
    })
}

impl DeviceRequest {
    /// Whether it has expired. A request dated in the future by more than the clock skew counts as
    /// expired.
    pub fn is_expired(&self, limits: &DeviceLimits, now: Timestamp) -> bool {
        limits.is_over(self.refreshed_at, now)
    }

    /// Returns the expiry time, unless the request is repeated before.
    pub fn expires_at(&self, limits: &DeviceLimits) -> Timestamp {
        self.refreshed_at + limits.request_lifetime
    }
}
