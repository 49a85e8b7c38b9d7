//! A connection, before it is decided about: what it asks, what it shows, and the way it came.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::{
    Ask, Cidrs, DeviceId, DeviceInfo, ParseRoleError, PayloadVersion, ProvenDevice, Role,
    SecretToken, TokenHash, canonical_ip, surface,
};
use crate::{ParseScopeError, Scope, ScopeSet};

/// A connection that has proven its key, and what it asks for: roles and scopes as they are signed. What a
/// node declares beside that is pinned to what the owner approved.
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
            commands: BTreeSet::new(),
            role,
            proof,
            info,
            origin: None,
            address: address.to_canonical(),
            silence: Silence::Ask,
        })
    }

    /// The same of a node that says what it can be asked to do; nothing for an operator.
    ///
    /// What [`is_command`](super::is_command) refuses is left out, and of more than 256 names those that
    /// come last in the alphabet: such a node is not locked out, and is never asked to do that.
    pub fn with_commands(self, commands: impl IntoIterator<Item = impl Into<String>>) -> Self {
        match self.role {
            Role::Operator => self,
            Role::Node => Self {
                commands: surface::bounded(commands),
                ..self
            },
        }
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

    /// What it says it can be asked to do.
    pub fn commands(&self) -> &BTreeSet<String> {
        &self.commands
    }

    /// What it asks for by itself.
    pub(super) fn ask(&self) -> Ask {
        Ask {
            commands: self.commands.clone(),
            ..Ask::role(self.role, self.scopes.clone())
        }
    }

    pub(super) fn signed_v3(&self) -> bool {
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

impl Silence {
    /// Whether this role may use that way.
    pub(super) fn is_for(self, role: Role) -> bool {
        matches!(
            (self, role),
            (Self::Loopback, Role::Operator) | (Self::Network, Role::Node)
        )
    }
}

/// Whom the owner lets in without being asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AutoApprove {
    /// Operators on this machine, at their first pairing: `gateway.nodes.pairing.autoApproveLocal`, on
    /// unless the owner turned it off.
    pub local: bool,
    /// Fresh nodes in these networks: `gateway.nodes.pairing.autoApproveCidrs`, none unless set.
    pub networks: Cidrs,
}

impl AutoApprove {
    /// What the way of a connection from `address`, the socket's own, allows.
    ///
    /// `is_direct` where the request has no forwarding header, and its `Host` names this machine:
    /// behind a proxy on loopback everybody would look local.
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
    /// The device token that stands for the session, if one does.
    pub(crate) token: Option<TokenHash>,
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

    /// Whether it authenticated with its own device token.
    pub fn by_device_token(&self) -> bool {
        self.token.is_some()
    }
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
