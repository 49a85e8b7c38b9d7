//! Approvers: the identity behind a decision, and its scopes.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::device::{AuthenticatedDevice, DeviceId, Role};
use crate::display::escape;
use crate::{ChannelId, Scope, ScopeSet, SenderId};

/// Somebody who may decide about pairing: whoever approves, rejects, allows or revokes has to be one.
///
/// There is no default approver. Each constructor says what has to be true before it is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approver {
    id: ApproverId,
    via: Via,
    scopes: ScopeSet,
    device: Option<DeviceId>,
    /// The role whose device token authenticated it.
    own_token: Option<Role>,
}

/// The way a decision came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Via {
    /// On the command line, by somebody who may write the state files.
    Terminal,
    /// In a chat, by an owner of the bot.
    Chat,
    /// Over the gateway's protocol.
    Gateway,
    /// By nobody: a device on this machine, or in a network that the owner named, was let in without
    /// asking.
    Silent,
}

impl Approver {
    /// The person who can write the state files themselves, named by their login: counts as admin,
    /// and is never locked out for wrong codes.
    pub fn terminal(login: &str) -> Self {
        Self {
            id: ApproverId::new(format_args!("terminal:{login}")),
            via: Via::Terminal,
            scopes: ScopeSet::admin(),
            device: None,
            own_token: None,
        }
    }

    /// An owner of the bot who spoke in a chat: counts as admin.
    ///
    /// The caller has checked that this sender is one of the configured owners.
    pub fn chat_owner(channel: &ChannelId, sender: &SenderId) -> Self {
        Self {
            id: ApproverId::new(format_args!("{channel}:{sender}")),
            via: Via::Chat,
            scopes: ScopeSet::admin(),
            device: None,
            own_token: None,
        }
    }

    /// An operator connected without a device, by the shared secret, with the scopes that it asked for.
    ///
    /// The caller has authenticated the connection; `id` names its kind of credential.
    pub fn operator(id: &str, scopes: ScopeSet) -> Self {
        Self {
            id: ApproverId::new(format_args!("operator:{id}")),
            via: Via::Gateway,
            scopes,
            device: None,
            own_token: None,
        }
    }

    /// A connected device with the scopes that its connection has now. Unless these hold
    /// `operator.admin`, it decides about nothing but itself.
    pub fn device(device: &AuthenticatedDevice) -> Self {
        Self {
            id: ApproverId::new(format_args!("device:{}", device.id())),
            via: Via::Gateway,
            scopes: device.scopes().clone(),
            device: Some(device.id()),
            own_token: device.by_device_token().then(|| device.role()),
        }
    }

    /// Nobody: the owner's configuration, for a device that came from `address`. It deals out nothing
    /// through any other door.
    pub(crate) fn silent(address: std::net::IpAddr) -> Self {
        Self {
            id: ApproverId::new(format_args!("silent:{address}")),
            via: Via::Silent,
            scopes: ScopeSet::default(),
            device: None,
            own_token: None,
        }
    }

    /// The device that decides, if it is one.
    pub(crate) fn acting_device(&self) -> Option<DeviceId> {
        self.device
    }

    /// Whether this is the device itself, authenticated by its own token for that role.
    pub(crate) fn is_own_token(&self, device: DeviceId, role: Role) -> bool {
        self.device == Some(device) && self.own_token == Some(role)
    }

    /// Whether this approver may see and decide anything about a device.
    pub(crate) fn may_decide_about(&self, device: DeviceId) -> bool {
        let itself = self.device.is_none_or(|acting| acting == device);
        itself || self.scopes.allows(Scope::ADMIN)
    }

    /// Granting or ending a role takes `operator.pairing`; one that is not operator takes admin; and
    /// nobody deals out scopes that they do not hold.
    pub(crate) fn may_deal<'r>(
        &self,
        roles: impl IntoIterator<Item = &'r Role>,
        scopes: &ScopeSet,
    ) -> Result<(), MissingScope> {
        self.may_pair()?;
        let is_admin = self.scopes.allows(Scope::ADMIN);
        let only_operator = roles.into_iter().all(|role| *role == Role::Operator);
        if is_admin || (only_operator && self.scopes.covers(scopes)) {
            Ok(())
        } else {
            Err(MissingScope {
                scope: Scope::ADMIN,
            })
        }
    }

    /// The name that is recorded with every grant.
    pub fn id(&self) -> &ApproverId {
        &self.id
    }

    /// The way the decision came in.
    pub fn via(&self) -> Via {
        self.via
    }

    /// The scopes that bound what may be granted.
    pub fn scopes(&self) -> &ScopeSet {
        &self.scopes
    }

    /// Whether wrong codes lock this approver out.
    pub(crate) fn can_be_locked_out(&self) -> bool {
        self.via != Via::Terminal
    }

    /// Deciding about senders takes `operator.pairing`.
    pub(crate) fn may_pair(&self) -> Result<(), MissingScope> {
        if self.scopes.allows(Scope::PAIRING) {
            Ok(())
        } else {
            Err(MissingScope {
                scope: Scope::PAIRING,
            })
        }
    }
}

/// The approver's scopes do not cover the decision.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("missing scope: {scope}")]
pub struct MissingScope {
    /// The scope that it takes.
    pub scope: &'static str,
}

/// The recorded name of an approver: printable, at most 128 characters, `kind:name`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", from = "String")]
pub struct ApproverId(Box<str>);

impl ApproverId {
    fn new(name: fmt::Arguments<'_>) -> Self {
        Self::from(name.to_string())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ApproverId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<String> for ApproverId {
    /// Escapes and cuts what could not be shown.
    fn from(name: String) -> Self {
        Self(escape(&name).limit(127).to_string().into())
    }
}

impl From<ApproverId> for String {
    fn from(id: ApproverId) -> Self {
        id.0.into_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_scopes_make_an_approver() {
        let nobody = Approver::operator("device", ScopeSet::default());
        assert_eq!(
            nobody.may_pair(),
            Err(MissingScope {
                scope: "operator.pairing"
            })
        );
        assert!(Approver::terminal("ann").may_pair().is_ok());
    }

    #[test]
    fn names_are_printable() {
        assert_eq!(
            Approver::terminal("a\u{1b}b").id().as_str(),
            "terminal:a\\u{1b}b"
        );
    }
}
