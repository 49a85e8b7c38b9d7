//! A device connects: admitted, or the owner is asked.

use std::cmp::Ordering;
use std::net::IpAddr;
use std::time::Duration;

use super::standing::{UpgradeReason, check};
use super::{
    ApprovedRole, Ask, Device, DeviceId, DeviceInfo, DeviceRequest, DeviceToken, PairingToken,
    ParseRoleError, PayloadVersion, ProvenDevice, RequestId, Role, SecretToken, TokenHash,
};
use crate::dm::Decision;
use crate::store::{Change, Grant};
use crate::{Approver, Key, ParseScopeError, Record, Scope, ScopeSet, Timestamp};

/// How devices are let in, and how many may wait.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeviceLimits {
    /// How long a request waits after it was last asked: 5 minutes.
    pub request_lifetime: Duration,
    /// How often it is written down that a waiting device asked again: every 10 seconds.
    pub refresh_interval: Duration,
    /// Requests that wait at a time: 64.
    pub max_pending: usize,
    /// Of these, from one address: 8.
    pub max_pending_per_address: usize,
    /// How long a setup code lets a device ask: 10 minutes.
    pub pairing_token_lifetime: Duration,
    /// How long after approval its device tokens may be fetched with it: 10 minutes.
    pub claim_lifetime: Duration,
    /// After how long without use a device token ends; never unless set.
    pub token_idle: Option<Duration>,
}

impl Default for DeviceLimits {
    fn default() -> Self {
        Self {
            request_lifetime: Duration::from_secs(300),
            refresh_interval: Duration::from_secs(10),
            max_pending: 64,
            max_pending_per_address: 8,
            pairing_token_lifetime: Duration::from_secs(600),
            claim_lifetime: Duration::from_secs(600),
            token_idle: None,
        }
    }
}

/// A connection that has proven its key, and what it asks for: what is signed, and no more.
#[derive(Debug, Clone)]
pub struct Connecting {
    pub(super) proof: ProvenDevice,
    pub(super) role: Role,
    pub(super) scopes: ScopeSet,
    pub(super) info: DeviceInfo,
    pub(super) origin: Option<String>,
    pub(super) address: IpAddr,
    pub(super) silence: Silence,
}

/// The device asks for something that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// No such role.
    #[error(transparent)]
    Role(#[from] ParseRoleError),
    /// No scope can be named so.
    #[error(transparent)]
    Scope(#[from] ParseScopeError),
}

impl Connecting {
    /// A connection from `address`, of a device that says `info` about itself.
    ///
    /// Role and scopes are those it signed; without a role it is an operator, and a node has no scopes
    /// whatever it asks.
    pub fn new(proof: ProvenDevice, info: DeviceInfo, address: IpAddr) -> Result<Self, AskError> {
        let role = match proof.role() {
            "" => Role::Operator,
            role => Role::parse(role)?,
        };
        let asked = match role {
            Role::Operator => proof.scopes(),
            Role::Node => &[],
        };
        let scopes = asked.iter().map(|scope| Scope::parse(scope));
        Ok(Self {
            scopes: scopes.collect::<Result<_, _>>()?,
            role,
            proof,
            info,
            origin: None,
            address: address.to_canonical(),
            silence: Silence::Ask,
        })
    }

    /// The same from a browser page, which is never let in without asking.
    pub fn from_page(self, origin: impl Into<String>) -> Self {
        Self {
            origin: Some(origin.into()),
            silence: Silence::Ask,
            ..self
        }
    }

    /// The same by a way that allows to let it in without asking.
    pub fn with_silence(self, silence: Silence) -> Self {
        match self.origin {
            Some(_) => self,
            None => Self { silence, ..self },
        }
    }

    /// The device.
    pub fn device(&self) -> DeviceId {
        self.proof.id()
    }

    /// The role it asks for.
    pub fn role(&self) -> Role {
        self.role
    }

    /// The scopes it asks for.
    pub fn scopes(&self) -> &ScopeSet {
        &self.scopes
    }

    fn signed_v3(&self) -> bool {
        self.proof.version() == PayloadVersion::V3
    }
}

/// What the way of a connection allows without asking the owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silence {
    /// Nothing.
    Ask,
    /// Real loopback, without Origin and forwarding header, unless the owner turned that off: a first
    /// pairing as operator, by the shared secret.
    Loopback,
    /// An address in `autoApproveCidrs`, without Origin and forwarding header: a first pairing as node.
    Network,
}

/// What a connection shows besides its key.
#[derive(Debug, Clone, Copy)]
pub enum Credential<'a> {
    /// The gateway's own token or password, which the caller has compared; or a gateway that asks for
    /// none.
    Shared,
    /// A device token.
    DeviceToken(&'a SecretToken),
    /// A pairing token out of a setup code.
    PairingToken(&'a SecretToken),
}

/// Proof that a device is paired for the role and scopes of its connection.
///
/// Only [`Devices::connect`](crate::Devices::connect) makes one. It is true for the moment it was made:
/// the gateway closes the session when the role is revoked, rotated or removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthenticatedDevice {
    pub(crate) id: DeviceId,
    pub(crate) role: Role,
    pub(crate) scopes: ScopeSet,
    pub(crate) by_token: bool,
}

impl AuthenticatedDevice {
    /// The device.
    pub fn id(&self) -> DeviceId {
        self.id
    }

    /// The role of the connection.
    pub fn role(&self) -> Role {
        self.role
    }

    /// The scopes of the connection.
    pub fn scopes(&self) -> &ScopeSet {
        &self.scopes
    }

    /// Did it authenticate with its own device token?
    pub fn by_device_token(&self) -> bool {
        self.by_token
    }
}

/// Everything that was read for the decision.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    pub(crate) device: Option<Device>,
    pub(crate) request: Option<DeviceRequest>,
    /// The pairing token that was presented, or the one the device still has claims on.
    pub(crate) pairing_token: Option<PairingToken>,
}

/// The credential is not good. Which way is for the log; the one connecting is told as little as
/// possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialError {
    /// No such device token for this device and role: never issued, rotated, revoked or idle too long.
    #[error("device token mismatch")]
    DeviceToken,
    /// No such pairing token: never issued, used, expired, or bound to another device.
    #[error("setup code used or expired")]
    PairingToken,
    /// The device has signed with version 3 before and may not fall back.
    #[error("device signature invalid")]
    Downgrade,
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
                let in_time = now < token.expires_at && token.issued_at <= now;
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
        /// Whose doing it was that nobody was asked.
        silently: Option<Approver>,
    },
    Asked(Box<Asked>),
}

/// The owner has to be asked, and has been.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Why.
    pub reason: UpgradeReason,
    /// What the owner decides about.
    pub request: DeviceRequest,
    /// The request of this device that has ended, because more is asked for now.
    pub superseded: Option<RequestId>,
    /// Was the request made just now?
    pub is_new: bool,
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
        Err(reason) => ask(scene, reason),
    }
}

/// What an owner decided never widens silently.
fn may_pass_silently(scene: &Scene<'_>, device: Option<&Device>, reason: UpgradeReason) -> bool {
    let connecting = scene.connecting;
    let by_secret = matches!(scene.credential, Credential::Shared);
    let is_first = device.is_none();
    match connecting.silence {
        Silence::Loopback => {
            let more =
                reason == UpgradeReason::ScopeUpgrade && device.is_some_and(Device::is_silent);
            by_secret && connecting.role == Role::Operator && (is_first || more)
        }
        Silence::Network => {
            by_secret && is_first && connecting.role == Role::Node && connecting.scopes.is_empty()
        }
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
    let mut approved = device
        .cloned()
        .unwrap_or_else(|| Device::new(connecting, scene.now));
    let ask = Ask::role(connecting.role, connecting.scopes.clone());
    approved.grant(&ask, &grant, scene.now);
    approved
}

/// Admits, with a token where the role wants one.
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
    let is_first = known.device.is_none();
    if known.device.as_ref() != Some(&device) {
        changes.push(Change::Put(Record::Device(device)));
    }
    if is_first && known.request.is_some() {
        let device = connecting.device();
        changes.push(Change::Delete(Key::DeviceRequest { device }));
    }
    Decision {
        changes,
        outcome: Connected::Admitted { minted, silently },
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
    Some(Change::Put(Record::PairingToken(left)))
}

fn bind(token: &PairingToken, device: DeviceId) -> Change {
    Change::Put(Record::PairingToken(PairingToken {
        device: Some(device),
        ..token.clone()
    }))
}

/// Asks the owner: once per device, under one id for as long as no more is asked for.
fn ask(scene: &Scene<'_>, reason: UpgradeReason) -> Decision<Connected> {
    let Scene {
        connecting,
        credential,
        known,
        drawn,
        limits,
        now,
        ..
    } = *scene;
    let by_code = match (credential, &known.pairing_token) {
        (Credential::PairingToken(_), Some(token)) => Some(token),
        _ => None,
    };
    let before = known.request.as_ref();
    let before = before.filter(|request| !request.is_expired(limits, now));
    let wanted = match (by_code, before) {
        // A code fixes what is asked for, whatever the connection asks.
        (Some(token), _) => token.profile.ask(),
        (None, Some(before)) => before.with(connecting.role, &connecting.scopes),
        (None, None) => Ask::role(connecting.role, connecting.scopes.clone()),
    };
    let pairing_token = by_code.map(|token| token.hash);
    let same = before.filter(|before| {
        let way = before.origin == connecting.origin
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
            id: drawn.request.clone(),
            device: connecting.device(),
            key: connecting.proof.key(),
            info: connecting.info.clone(),
            ask: wanted,
            origin: connecting.origin.clone(),
            silent: connecting.silence != Silence::Ask,
            is_repair: known.device.is_some(),
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
        changes.extend(make_room(scene));
        changes.push(Change::Put(Record::DeviceRequest(request.clone())));
    }
    changes.extend(
        by_code
            .filter(|token| token.device.is_none())
            .map(|token| bind(token, connecting.device())),
    );
    Decision {
        changes,
        outcome: Connected::Asked(Box::new(Asked {
            reason,
            superseded: before.filter(|b| b.id != request.id).map(|b| b.id.clone()),
            is_new: same.is_none(),
            request,
        })),
    }
}

/// Deletes what has expired and, where too many wait, the least recently asked: of the same address
/// first, then of all.
fn make_room(scene: &Scene<'_>) -> Vec<Change> {
    let Scene {
        connecting,
        waiting,
        limits,
        now,
        ..
    } = *scene;
    let others = waiting.iter().filter(|r| r.device != connecting.device());
    let (expired, mut live): (Vec<_>, Vec<_>) = others.partition(|r| r.is_expired(limits, now));
    live.sort_by_key(|request| request.refreshed_at);
    let mut gone = expired;
    let address = &connecting.info.remote_ip;
    let from_here = live.iter().filter(|r| r.info.remote_ip == *address);
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

impl DeviceRequest {
    /// Is it over? So it is, too, where it was asked in the future.
    pub fn is_expired(&self, limits: &DeviceLimits, now: Timestamp) -> bool {
        let age = now.since(self.refreshed_at);
        age.is_none_or(|age| age >= limits.request_lifetime)
    }
}

impl Device {
    /// A device with nothing approved yet.
    fn new(connecting: &Connecting, now: Timestamp) -> Self {
        Self {
            id: connecting.device(),
            key: connecting.proof.key(),
            info: connecting.info.clone(),
            roles: std::collections::BTreeMap::new(),
            created_at: now,
            approved_at: now,
            signs_v3: connecting.signed_v3(),
            pairing_token: None,
        }
    }

    /// Approves: a role that stands keeps what it had, one that was revoked gets what it asked.
    pub(crate) fn grant(&mut self, ask: &Ask, grant: &Grant, now: Timestamp) {
        for role in &ask.roles {
            let asked = match role {
                Role::Operator => ask.scopes.clone(),
                Role::Node => ScopeSet::default(),
            };
            let before = self.roles.get(role);
            let scopes = match before.filter(|before| !before.is_revoked()) {
                Some(before) => before.scopes.union(&asked),
                None => asked,
            };
            let token = before.and_then(|before| before.token.clone());
            let approved = ApprovedRole {
                scopes,
                approved_at: now,
                grant: Some(grant.clone()),
                token: token.map(|token| DeviceToken {
                    // A revoked token stays dead; a live one lives until the next is delivered.
                    hash: token.hash.filter(|_| token.revoked_at.is_none()),
                    revoked_at: None,
                    ..token
                }),
            };
            self.roles.insert(*role, approved);
        }
        self.approved_at = now;
    }
}

impl DeviceToken {
    /// When the token that is now kept was delivered or, where none is, ended.
    pub(crate) fn issued_at(&self) -> Timestamp {
        self.rotated_at.unwrap_or(self.created_at)
    }
}

impl ApprovedRole {
    /// Does a `hello-ok` of this role bring a token? So it does where there is none, and where the one
    /// there is, is older than the last approval.
    fn wants_token(&self) -> bool {
        let live = self.token.as_ref().filter(|token| token.hash.is_some());
        live.is_none_or(|token| match token.issued_at().cmp(&self.approved_at) {
            Ordering::Less => true,
            // Within one millisecond, the scopes tell which came first.
            Ordering::Equal => token.scopes != self.scopes,
            Ordering::Greater => false,
        })
    }

    /// The entry of a token that is being delivered: with what a rotation since the approval has left
    /// of the scopes, else with all that was approved.
    fn new_token(&self, hash: TokenHash, now: Timestamp) -> DeviceToken {
        let before = self.token.as_ref();
        let rotated = before.filter(|before| {
            let since = before.rotated_at.is_some_and(|at| at >= self.approved_at);
            before.hash.is_none() && since
        });
        DeviceToken {
            hash: Some(hash),
            scopes: rotated.map_or_else(|| self.scopes.clone(), |rotated| rotated.scopes.clone()),
            created_at: before.map_or(now, |before| before.created_at),
            rotated_at: before.map(|_| now),
            revoked_at: None,
            last_used_at: None,
        }
    }
}
