//! A connection before the decision about it: the role and scopes that it asks for, its credential, and
//! its route.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::{
    Ask, Cidrs, Device, DeviceId, DeviceInfo, ParseRoleError, PayloadVersion, ProvenDevice, Role,
    SecretToken, TokenHash, canonical_ip, surface,
};
use crate::{ParseScopeError, Scope, ScopeSet};

/// A connection that has proven its key, with the roles and scopes that it asks for, as signed.
/// Everything else that a node declares is limited to what the owner approved.
#[derive(Debug, Clone)]
pub struct Connecting {
    pub(super) proof: ProvenDevice,
    pub(super) role: Role,
    pub(super) scopes: ScopeSet,
    pub(super) commands: BTreeSet<String>,
    pub(super) info: DeviceInfo,
    pub(super) origin: Option<String>,
    pub(super) address: IpAddr,
    pub(super) silence: Silence,
    pub(super) may_ask: bool,
}

/// The device asks for a role or scope that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// There is no such role.
    #[error(transparent)]
    Role(#[from] ParseRoleError),
    /// The text cannot be the name of a scope.
    #[error(transparent)]
    Scope(#[from] ParseScopeError),
}

impl Connecting {
    /// Makes a connection from `address`, of a device that describes itself by `info`. Texts of more than 256
    /// characters are cut.
    ///
    /// Role and scopes are the signed ones. Without a role, it is an operator; a node gets no scopes,
    /// whatever it asks for.
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
            commands: BTreeSet::new(),
            role,
            proof,
            info: info.bounded(),
            origin: None,
            address: address.to_canonical(),
            silence: Silence::Ask,
            may_ask: true,
        })
    }

    /// Sets the commands that a node declares; has no effect for an operator.
    ///
    /// Drops names that [`is_command`](super::is_command) rejects and, of more than 256 names, the last
    /// in alphabetical order: such a node can still connect, but is never sent those commands.
    pub fn with_commands(self, commands: impl IntoIterator<Item = impl Into<String>>) -> Self {
        match self.role {
            Role::Operator => self,
            Role::Node => Self {
                commands: surface::bounded(commands),
                ..self
            },
        }
    }

    /// Limits the scopes that it asks for, to those that `limit` allows.
    pub fn within(self, limit: &ScopeSet) -> Self {
        let scopes = self.scopes.within(limit);
        Self { scopes, ..self }
    }

    /// Sets the origin of the browser page that it comes from; such a connection is never approved
    /// silently.
    pub fn from_page(self, origin: impl Into<String>) -> Self {
        Self {
            origin: Some(origin.into()),
            silence: Silence::Ask,
            ..self
        }
    }

    /// Sets the automatic approval that its route permits; has no effect for a browser page.
    pub fn with_silence(self, silence: Silence) -> Self {
        match self.origin {
            Some(_) => self,
            None => Self { silence, ..self },
        }
    }

    /// The owner is not asked for anything new, because too much was asked already from where it comes: a
    /// device that is not approved is refused without a request, unless it comes with a setup code or the
    /// same request is pending already.
    pub fn without_asking(self) -> Self {
        Self {
            may_ask: false,
            ..self
        }
    }

    /// Returns the device.
    pub fn device(&self) -> DeviceId {
        self.proof.id()
    }

    /// Returns the role that it asks for.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Returns the scopes that it asks for.
    pub fn scopes(&self) -> &ScopeSet {
        &self.scopes
    }

    /// Returns the commands that it declares.
    pub fn commands(&self) -> &BTreeSet<String> {
        &self.commands
    }

    /// Returns the ask of this connection alone.
    pub(super) fn ask(&self) -> Ask {
        Ask {
            commands: self.commands.clone(),
            ..Ask::role(self.role, self.scopes.clone())
        }
    }

    /// Whether it may ask the owner for something new with this credential.
    pub(crate) fn may_ask(&self, credential: Credential<'_>) -> bool {
        self.may_ask || matches!(credential, Credential::PairingToken(_))
    }

    pub(super) fn signed_v3(&self) -> bool {
        self.proof.version() == PayloadVersion::V3
    }
}

/// The automatic approval that the route of a connection permits, without asking the owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silence {
    /// No automatic approval.
    Ask,
    /// Over real loopback, without `Origin` and forwarding headers, unless the owner turned this off: a
    /// first pairing as operator, with the shared secret.
    Loopback,
    /// From an address in `autoApproveCidrs`, without `Origin` and forwarding headers: a first pairing as
    /// node.
    Network,
}

impl Silence {
    /// Whether it applies to this role.
    pub(super) fn is_for(self, role: Role) -> bool {
        matches!(
            (self, role),
            (Self::Loopback, Role::Operator) | (Self::Network, Role::Node)
        )
    }
}

/// The owner's settings for automatic approval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AutoApprove {
    /// Whether operators on this machine are approved at their first pairing:
    /// `gateway.nodes.pairing.autoApproveLocal`, true unless the owner turned it off.
    pub local: bool,
    /// Networks from which new nodes are approved: `gateway.nodes.pairing.autoApproveCidrs`, none unless
    /// set.
    pub networks: Cidrs,
}

impl AutoApprove {
    /// Returns the automatic approval that a connection from `address`, the socket's own, permits.
    ///
    /// `is_direct` must be true only if the request has no forwarding header and its `Host` names this
    /// machine: behind a proxy on loopback, every client would look local.
    pub fn silence(&self, address: IpAddr, is_direct: bool) -> Silence {
        let address = canonical_ip(address);
        if !is_direct {
            Silence::Ask
        } else if self.local && address.is_loopback() {
            Silence::Loopback
        } else if self.networks.contains(address) {
            Silence::Network
        } else {
            Silence::Ask
        }
    }
}

impl Default for AutoApprove {
    fn default() -> Self {
        Self {
            local: true,
            networks: Cidrs::default(),
        }
    }
}

/// The credential that a connection presents in addition to its key.
#[derive(Debug, Clone, Copy)]
pub enum Credential<'a> {
    /// The gateway's own token or password, which the caller has verified, or none if the gateway
    /// requires none.
    Shared,
    /// A device token.
    DeviceToken(&'a SecretToken),
    /// A pairing token from a setup code.
    PairingToken(&'a SecretToken),
}

/// Proof that a device is paired for the role and scopes of its connection.
///
/// Only [`Devices::connect`](crate::Devices::connect) makes one. It holds for the moment at which it was
/// made: the gateway closes the session when the role is revoked, rotated or removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthenticatedDevice {
    pub(crate) id: DeviceId,
    pub(crate) role: Role,
    pub(crate) scopes: ScopeSet,
    /// The hash of the device token that the session depends on, if any.
    pub(crate) token: Option<TokenHash>,
}

impl AuthenticatedDevice {
    /// Returns the device.
    pub fn id(&self) -> DeviceId {
        self.id
    }

    /// Returns the role of the connection.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Returns the scopes of the connection.
    pub fn scopes(&self) -> &ScopeSet {
        &self.scopes
    }

    /// Whether the approval and the token that it was admitted by are still those of its record.
    pub(crate) fn holds_in(&self, stored: &Device) -> bool {
        stored.standing(self.role).is_some_and(|approved| {
            let kept = approved.token.as_ref().and_then(|token| token.hash);
            let live = self.token.is_none() || self.token == kept;
            live && approved.scopes.covers(&self.scopes)
        })
    }

    /// Whether it authenticated with its own device token.
    pub fn by_device_token(&self) -> bool {
        self.token.is_some()
    }
}

/// The credential is not valid. The variant is for the log; the client learns as little as possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialError {
    /// No such device token is valid for this device and role: never issued, rotated, revoked or idle too
    /// long.
    #[error("device token mismatch")]
    DeviceToken,
    /// No such pairing token is valid: never issued, used, expired, or bound to another device.
    #[error("setup code used or expired")]
    PairingToken,
    /// The device has signed with version 3 before, and may not fall back.
    #[error("device signature invalid")]
    Downgrade,
}
