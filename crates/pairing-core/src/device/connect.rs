//! A device connects: admitted, or the owner is asked.

use std::collections::BTreeSet;

use super::asking::{Asked, ask_for_commands, ask_to_pair, bind};
use super::standing::{UpgradeReason, check};
use super::surface::Pinned;
use super::{
    Connecting, Credential, CredentialError, Device, DeviceLimits, DeviceRequest, DeviceToken,
    PairingToken, RequestId, Role, SecretToken, Silence, TokenHash,
};
use crate::dm::Decision;
use crate::store::{Change, Grant};
use crate::{Approver, Key, Record, ScopeSet, Timestamp};

/// Everything that was read for the decision.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    pub(crate) device: Option<Device>,
    pub(crate) request: Option<DeviceRequest>,
    /// The pairing token that was presented, or the one the device still has claims on.
    pub(crate) pairing_token: Option<PairingToken>,
}

/// How far a credential reaches: the scopes that it allows at most, where it has bounds of its own.
pub(crate) fn authenticate(
    connecting: &Connecting,
    credential: Credential<'_>,
    known: &Known,
    limits: &DeviceLimits,
    now: Timestamp,
) -> Result<Option<ScopeSet>, CredentialError> {
    let device = known.device.as_ref();
    if device.is_some_and(|device| device.signs_v3) && !connecting.signed_v3() {
        return Err(CredentialError::Downgrade);
    }
    match credential {
        Credential::Shared => Ok(None),
        Credential::DeviceToken(presented) => {
            let approved = device.and_then(|device| device.standing(connecting.role));
            let approved = approved.ok_or(CredentialError::DeviceToken)?;
            let token = approved.token.as_ref();
            let token = token.filter(|token| is_live(token, limits, now));
            let hash = token.and_then(|token| token.hash);
            // Checked against the baseline at every use, not only when it was made.
            match (token, hash) {
                (Some(token), Some(hash))
                    if hash.matches(presented) && approved.scopes.covers(&token.scopes) =>
                {
                    Ok(Some(token.scopes.clone()))
                }
                _ => Err(CredentialError::DeviceToken),
            }
        }
        Credential::PairingToken(_) => {
            let token = known.pairing_token.as_ref();
            let token = token.filter(|token| {
                let ours = token
                    .device
                    .is_none_or(|bound| bound == connecting.device());
                let issued = now.since_about(token.issued_at, limits.clock_skew);
                let in_time = issued.is_some() && now < token.expires_at;
                ours && in_time && token.profile.ask().roles.contains(&connecting.role)
            });
            token.map(|_| None).ok_or(CredentialError::PairingToken)
        }
    }
}

fn is_live(token: &DeviceToken, limits: &DeviceLimits, now: Timestamp) -> bool {
    let issued_at = token.issued_at();
    let used = token
        .last_used_at
        .map_or(issued_at, |used| used.max(issued_at));
    let idle = now.since(used).unwrap_or_default();
    limits.token_idle.is_none_or(|limit| idle < limit)
}

/// What came of a connection whose credential is good.
#[derive(Debug)]
pub(crate) enum Connected {
    Admitted {
        minted: Option<(SecretToken, Timestamp)>,
        /// What the device may be asked to do now.
        commands: BTreeSet<String>,
        /// The request for the commands beyond that.
        asked: Option<Box<Asked>>,
        /// Whose doing it was that nobody was asked.
        silently: Option<Approver>,
    },
    Asked(Box<Asked>),
}

impl Connected {
    /// Whether the owner was asked just now. A new request takes a slot, which depends on all pending ones.
    pub(crate) fn is_new_request(&self) -> bool {
        match self {
            Self::Admitted { asked, .. } => asked.as_ref().is_some_and(|asked| asked.is_new),
            Self::Asked(asked) => asked.is_new,
        }
    }
}

/// Randomness drawn before the decision: a token in case one is minted, an id in case one is asked.
pub(crate) struct Drawn {
    pub(crate) token: SecretToken,
    pub(crate) request: RequestId,
}

/// A connection whose credential is good, and everything that the decision about it rests on.
pub(crate) struct Scene<'a> {
    pub(crate) connecting: &'a Connecting,
    pub(crate) credential: Credential<'a>,
    /// The scopes that the credential allows at most.
    pub(crate) bound: Option<ScopeSet>,
    pub(crate) known: &'a Known,
    pub(crate) waiting: &'a [DeviceRequest],
    pub(crate) drawn: &'a Drawn,
    pub(crate) limits: &'a DeviceLimits,
    pub(crate) now: Timestamp,
}

impl<'a> Scene<'a> {
    /// The request of this device that still runs.
    pub(super) fn running(&self) -> Option<&'a DeviceRequest> {
        let request = self.known.request.as_ref();
        request.filter(|request| !request.is_expired(self.limits, self.now))
    }
}

/// Decides about a connection whose credential is good.
pub(crate) fn decide(scene: &Scene<'_>) -> Decision<Connected> {
    let Connecting {
        role, scopes, info, ..
    } = scene.connecting;
    let device = scene.known.device.as_ref();
    match check(device, *role, scopes, scene.bound.as_ref(), info) {
        Ok(device) => admit(scene, device.clone(), None),
        Err(reason) if may_pass_silently(scene, device, reason) => {
            let by = Approver::silent(scene.connecting.address);
            admit(scene, silently_approved(scene, device, &by), Some(by))
        }
        Err(reason) => ask_to_pair(scene, reason),
    }
}

/// What an owner decided never widens silently.
fn may_pass_silently(scene: &Scene<'_>, device: Option<&Device>, reason: UpgradeReason) -> bool {
    let connecting = scene.connecting;
    let by_secret = matches!(scene.credential, Credential::Shared);
    let is_first = device.is_none();
    if !connecting.silence.is_for(connecting.role) {
        return false;
    }
    match connecting.silence {
        Silence::Loopback => {
            let more =
                reason == UpgradeReason::ScopeUpgrade && device.is_some_and(Device::is_silent);
            by_secret && (is_first || more)
        }
        Silence::Network => by_secret && is_first && connecting.scopes.is_empty(),
        Silence::Ask => false,
    }
}

fn silently_approved(scene: &Scene<'_>, device: Option<&Device>, by: &Approver) -> Device {
    let connecting = scene.connecting;
    let grant = Grant {
        by: by.id().clone(),
        via: by.via(),
        at: scene.now,
        requested_at: None,
    };
    let mut approved = device.cloned().unwrap_or_else(|| {
        let (id, key) = (connecting.device(), connecting.proof.key());
        Device::unapproved(id, key, connecting.info.clone(), scene.now)
    });
    let (ask, said) = (connecting.ask(), Some(&connecting.commands));
    approved.grant(&ask, said, &grant, scene.now);
    approved
}

/// Admits, with a token where the role wants one, and for as much as was approved of what it declares.
fn admit(scene: &Scene<'_>, mut device: Device, silently: Option<Approver>) -> Decision<Connected> {
    let (connecting, known) = (scene.connecting, scene.known);
    let role = connecting.role;
    let mut changes = Vec::new();
    device.info = device.updated(&connecting.info);
    device.signs_v3 |= connecting.signed_v3();
    let token = known.pairing_token.as_ref();
    let fetches = matches!(scene.credential, Credential::PairingToken(_))
        && token.is_some_and(|token| token.unclaimed.contains(&role));
    let mut minted = None;
    if let Some(approved) = device.roles.get_mut(&role)
        && (fetches || approved.wants_token())
    {
        let token = &scene.drawn.token;
        approved.token = Some(approved.new_token(TokenHash::of(token), scene.now));
        minted = Some((token.clone(), scene.now));
    }
    match (scene.credential, token) {
        (Credential::DeviceToken(_), Some(token)) => {
            changes.extend(end_claim(&mut device, token, role));
        }
        (Credential::PairingToken(_), Some(token)) if token.device.is_none() => {
            changes.push(bind(token, connecting.device()));
        }
        _ => {}
    }
    let pinned = match device.roles.get_mut(&role) {
        Some(approved) => approved.pin(&connecting.commands),
        None => Pinned::default(),
    };
    let is_first = known.device.is_none();
    let mut asked = None;
    if pinned.is_wider {
        let asking = ask_for_commands(scene);
        changes.extend(asking.changes);
        asked = Some(Box::new(asking.outcome));
    } else if role == Role::Node && !is_first {
        let running = scene.running();
        changes.extend(running.and_then(|r| device.take_back(r, &connecting.commands)));
    }
    if known
        .device
        .as_ref()
        .is_none_or(|before| before.is_worth_replacing_by(&device))
    {
        changes.push(Change::Put(Record::from(device)));
    }
    if is_first && known.request.is_some() {
        let device = connecting.device();
        changes.push(Change::Delete(Key::DeviceRequest { device }));
    }
    Decision {
        changes,
        outcome: Connected::Admitted {
            minted,
            commands: pinned.live,
            asked,
            silently,
        },
    }
}

/// The first use of a role's device token ends that role's claim, and the last ends the pairing token.
fn end_claim(device: &mut Device, token: &PairingToken, role: Role) -> Option<Change> {
    if !token.unclaimed.contains(&role) {
        return None;
    }
    let mut left = token.clone();
    left.unclaimed.remove(&role);
    if left.unclaimed.is_empty() {
        device.pairing_token = None;
        return Some(Change::Delete(Key::PairingToken { hash: token.hash }));
    }
    Some(Change::Put(Record::from(left)))
}
