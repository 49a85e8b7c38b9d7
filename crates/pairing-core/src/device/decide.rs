//! Decisions about devices, by the owner or by a device about itself. Every kind of decision is made
//! here, with an [`Approver`].

use std::collections::BTreeSet;

use super::{
    Device, DeviceLimits, DeviceRequest, DeviceToken, PairingToken, Role, SecretToken, TokenHash,
};
use crate::dm::Decision;
use crate::store::Change;
use crate::{Approver, Key, MissingScope, Record, ScopeSet, Timestamp};

/// Approves everything that a request asks for, and lets its setup code fetch the device tokens. If a
/// node whose role is in force asked for more commands, it gets them and keeps its token.
///
/// The approver must be permitted to grant all scopes that the requested roles then hold, not only the
/// additions: a request without scopes may restore scopes that were approved before.
///
/// Of the commands that a node declared, only those that `keep` accepts are approved.
pub(crate) fn approve(
    request: &DeviceRequest,
    keep: &dyn Fn(&str) -> bool,
    before: Option<&Device>,
    token: Option<&PairingToken>,
    approver: &Approver,
    limits: &DeviceLimits,
    now: Timestamp,
) -> Result<Decision<Device>, MissingScope> {
    let mut device = before.cloned().unwrap_or_else(|| {
        Device::unapproved(request.device, request.key, request.info.clone(), now)
    });
    let grant = approver.grant(Some(request.asked_at), now);
    let said = request.said_commands().map(|said| {
        let kept = said.iter().filter(|name| keep(name));
        kept.cloned().collect::<BTreeSet<_>>()
    });
    device.grant(&request.ask, said.as_ref(), &grant, now);
    if said.is_some() && request.ask.roles.contains(&Role::Node) {
        // The owner has just decided about what it declares now.
        device.end_surface();
    }
    let standing = before.and_then(|before| before.standing(Role::Node));
    if let (Some(before), Some(standing)) = (before, standing)
        && before.lacks_commands_alone(request)
        && let Some(node) = device.roles.get_mut(&Role::Node)
    {
        node.approved_at = standing.approved_at;
        node.token.clone_from(&standing.token);
    }
    let granted = device.roles.get(&Role::Operator);
    let scopes = granted.filter(|_| request.ask.roles.contains(&Role::Operator));
    let scopes = scopes.map_or_else(ScopeSet::default, |granted| granted.scopes.clone());
    approver.may_deal(&request.ask.roles, &scopes)?;
    // The platform and device family that were approved are the new pinned ones.
    device.info = device.updated(&request.info);
    // Without a new setup code, a claim that an earlier one left stays.
    device.pairing_token = token.map(|token| token.hash).or(device.pairing_token);

    let mut changes = vec![
        Change::Put(Record::from(device.clone())),
        Change::Delete(Key::DeviceRequest {
            device: request.device,
        }),
    ];
    changes.extend(token.map(|token| {
        Change::Put(Record::from(PairingToken {
            unclaimed: request.ask.roles.clone(),
            expires_at: now + limits.claim_lifetime,
            ..token.clone()
        }))
    }));
    Ok(Decision {
        changes,
        outcome: device,
    })
}

/// Ends a request, and the setup code that it came with.
pub(crate) fn reject(request: &DeviceRequest) -> Vec<Change> {
    let request_key = Key::DeviceRequest {
        device: request.device,
    };
    let token = request.pairing_token.map(|hash| Key::PairingToken { hash });
    let keys = [request_key].into_iter().chain(token);
    keys.map(Change::Delete).collect()
}

/// Removes a device, its request, and their setup codes.
pub(crate) fn remove(device: &Device, request: Option<&DeviceRequest>) -> Vec<Change> {
    let mut changes = vec![Change::Delete(Key::Device { device: device.id })];
    changes.extend(request.into_iter().flat_map(reject));
    let token = device.pairing_token.map(|hash| Key::PairingToken { hash });
    changes.extend(token.map(Change::Delete));
    changes
}

/// The result of rotating the token of a role.
#[derive(Debug, Clone)]
pub struct Rotated {
    /// The scopes of the next token.
    pub scopes: ScopeSet,
    /// The time of the rotation.
    pub at: Timestamp,
    /// The new token; only for a device that rotates a role of its own.
    pub token: Option<SecretToken>,
}

/// Ends the token of a role. Returns `None` if the approver may not do that or if there is nothing to
/// rotate, so that the two cannot be told apart.
pub(crate) fn rotate(
    device: &Device,
    role: Role,
    scopes: Option<&ScopeSet>,
    approver: &Approver,
    own: Option<&SecretToken>,
    now: Timestamp,
) -> Option<Decision<Rotated>> {
    let standing = device.standing(role)?;
    let before = standing.token.as_ref();
    let scopes = scopes.map_or_else(|| standing.token_scopes(), ScopeSet::clone);
    // Never before the approval, even if the clock was set back: the rotation comes after it.
    let now = now.max(standing.approved_at);
    // Checked on the resulting scopes, even if none were asked for.
    if !standing.scopes.covers(&scopes) {
        return None;
    }
    may_end(approver, device, role, &scopes)?;
    let mut rotated = device.clone();
    rotated.roles.get_mut(&role)?.token = Some(DeviceToken {
        hash: own.map(TokenHash::of),
        scopes: scopes.clone(),
        created_at: before.map_or(now, |before| before.created_at),
        rotated_at: Some(now),
        revoked_at: None,
        last_used_at: None,
        next_scopes: None,
        approved_scopes: Some(standing.scopes.clone()),
    });
    Some(Decision {
        changes: vec![Change::Put(Record::from(rotated))],
        outcome: Rotated {
            scopes,
            at: now,
            token: own.cloned(),
        },
    })
}

/// Revokes a role until the owner approves the device again. Returns `None` as [`rotate`] does.
pub(crate) fn revoke(
    device: &Device,
    role: Role,
    approver: &Approver,
    now: Timestamp,
) -> Option<Decision<Timestamp>> {
    let standing = device.standing(role)?;
    may_end(approver, device, role, &standing.scopes)?;
    let before = standing.token.as_ref();
    let mut revoked = device.clone();
    revoked.roles.get_mut(&role)?.token = Some(DeviceToken {
        hash: None,
        scopes: before.map_or_else(|| standing.scopes.clone(), |token| token.scopes.clone()),
        created_at: before.map_or(now, |before| before.created_at),
        rotated_at: before.and_then(|before| before.rotated_at),
        revoked_at: Some(now),
        last_used_at: before.and_then(|before| before.last_used_at),
        next_scopes: None,
        approved_scopes: Some(standing.scopes.clone()),
    });
    Some(Decision {
        changes: vec![Change::Put(Record::from(revoked))],
        outcome: now,
    })
}

/// Checks that the approver may end this role. A device may end its own; anybody else may end only a role
/// that they could grant.
fn may_end(approver: &Approver, device: &Device, role: Role, scopes: &ScopeSet) -> Option<()> {
    let is_itself = approver.acting_device() == Some(device.id);
    let bounded = is_itself && approver.scopes().covers(scopes);
    let may = approver.may_decide_about(device.id)
        && (bounded || approver.may_deal([&role], scopes).is_ok());
    may.then_some(())
}
