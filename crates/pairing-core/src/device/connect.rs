//! Connections of devices: admitting them, or asking the owner.

use std::collections::BTreeSet;

use super::asking::{Asked, ask_for_commands, ask_to_pair, bind};
use super::standing::{UpgradeReason, check};
use super::surface::Pinned;
use super::{
    ApprovedRole, Connecting, Credential, CredentialError, Device, DeviceLimits, DeviceRequest,
    DeviceToken, PairingToken, RequestId, Role, SecretToken, Silence, TokenHash,
};
use crate::dm::Decision;
use crate::store::Change;
use crate::{Approver, Key, Record, ScopeSet, Timestamp};

/// The stored records that the decision depends on.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    pub(crate) device: Option<Device>,
    pub(crate) request: Option<DeviceRequest>,
    /// The presented pairing token, or the one that the device still has a claim on.
    pub(crate) pairing_token: Option<PairingToken>,
}

/// Checks the credential. Returns the scopes that it is limited to; `None` if it has no limit of its own.
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
            // Checked against the approved scopes at every use, not only when the token was made. A node
            // has no scopes; those in the file of another program are ignored.
            let is_within = |token: &DeviceToken| {
                connecting.role == Role::Node || approved.scopes.covers(&token.scopes)
            };
            match (token, hash) {
                (Some(token), Some(hash)) if hash.matches(presented) && is_within(token) => {
                    // What was approved since counts already: the next token is delivered with this very
                    // connection.
                    Ok(Some(approved.token_scopes()))
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

/// A new device token, to be delivered once.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct MintedToken {
    /// The token.
    pub token: SecretToken,
    /// Its scopes, which are often more than those of the connection that fetches it: the client records
    /// them with the token.
    pub scopes: ScopeSet,
    /// The time at which it was made.
    pub at: Timestamp,
}

/// The result of a connection with a valid credential.
#[derive(Debug)]
pub(crate) enum Connected {
    Admitted {
        minted: Option<MintedToken>,
        /// The commands that the device may be sent now.
        commands: BTreeSet<String>,
        /// The pending request for the declared commands beyond those.
        asked: Option<Box<Asked>>,
        /// The approver to record if the device was approved without asking the owner.
        silently: Option<Approver>,
    },
    Asked(Box<Asked>),
}

impl Connected {
    /// Whether a new request was created. A new request takes a slot, which depends on all pending ones.
    pub(crate) fn is_new_request(&self) -> bool {
        match self {
            Self::Admitted { asked, .. } => asked.as_ref().is_some_and(|asked| asked.is_new),
            Self::Asked(asked) => asked.is_new,
        }
    }
}

/// Randomness drawn before the decision: a token in case one is issued, and an id in case of a new
/// request.
pub(crate) struct Drawn {
    pub(crate) token: SecretToken,
    pub(crate) request: RequestId,
}

/// A connection with a valid credential, and everything that the decision about it depends on.
pub(crate) struct Scene<'a> {
    pub(crate) connecting: &'a Connecting,
    pub(crate) credential: Credential<'a>,
    /// The scopes that the credential is limited to.
    pub(crate) bound: Option<ScopeSet>,
    pub(crate) known: &'a Known,
    pub(crate) waiting: &'a [DeviceRequest],
    pub(crate) drawn: &'a Drawn,
    pub(crate) limits: &'a DeviceLimits,
    pub(crate) now: Timestamp,
}

impl<'a> Scene<'a> {
    /// Returns the pending request of this device, unless it has expired.
    pub(super) fn running(&self) -> Option<&'a DeviceRequest> {
        let request = self.known.request.as_ref();
        request.filter(|request| !request.is_expired(self.limits, self.now))
    }
}

/// Decides about a connection with a valid credential.
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

/// Whether the connection may be approved without asking the owner. A decision of the owner is never
/// widened that way.
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
    let grant = by.grant(None, scene.now);
    let mut approved = device.cloned().unwrap_or_else(|| {
        let (id, key) = (connecting.device(), connecting.proof.key());
        Device::unapproved(id, key, connecting.info.clone(), scene.now)
    });
    let (ask, said) = (connecting.ask(), Some(&connecting.commands));
    approved.grant(&ask, said, &grant, scene.now);
    approved
}

/// Admits the connection, with a token if the role needs one, and with the declared commands that were
/// approved.
fn admit(scene: &Scene<'_>, mut device: Device, silently: Option<Approver>) -> Decision<Connected> {
    let (connecting, known) = (scene.connecting, scene.known);
    let role = connecting.role;
    let mut changes = Vec::new();
    device.info = device.updated(&connecting.info);
    device.signs_v3 |= connecting.signed_v3();
    let token = known.pairing_token.as_ref();
    let fetches = matches!(scene.credential, Credential::PairingToken(_))
        && token.is_some_and(|token| token.unclaimed.contains(&role));
    let minted = match device.roles.get_mut(&role) {
        Some(approved) if fetches || approved.wants_token() => {
            Some(mint(approved, &scene.drawn.token, scene.now))
        }
        _ => None,
    };
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

/// Makes this the token of a role.
fn mint(approved: &mut ApprovedRole, token: &SecretToken, now: Timestamp) -> MintedToken {
    let entry = approved.new_token(TokenHash::of(token), now);
    let minted = MintedToken {
        token: token.clone(),
        scopes: entry.scopes.clone(),
        at: entry.issued_at(),
    };
    approved.token = Some(entry);
    minted
}

/// Makes the token of a role that was approved for more since its last token. `None` if there is nothing to
/// deliver.
pub(crate) fn renew(
    device: &Device,
    role: Role,
    token: &SecretToken,
    now: Timestamp,
) -> Option<Decision<MintedToken>> {
    device.standing(role)?;
    let mut renewed = device.clone();
    let approved = renewed
        .roles
        .get_mut(&role)
        .filter(|role| role.wants_token())?;
    let minted = mint(approved, token, now);
    Some(Decision {
        changes: vec![Change::Put(Record::from(renewed))],
        outcome: minted,
    })
}

/// Ends the claim of a role at the first use of its device token; with the last claim, ends the pairing
/// token too.
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
