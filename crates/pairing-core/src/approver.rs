//! Approvers: the identity that makes a decision, and its scopes.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::device::{AuthenticatedDevice, DeviceId, Role};
use crate::display::escape;
use crate::{ChannelId, Scope, ScopeSet, SenderId};

/// An identity that may decide about pairing: approving, rejecting, allowing and revoking all require
/// one.
///
/// There is no default approver. Each constructor documents the checks that its caller must have made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approver {
    id: ApproverId,
    via: Via,
    scopes: ScopeSet,
    device: Option<DeviceId>,
    /// The role whose device token authenticated it.
    own_token: Option<Role>,
}

/// The route by which a decision was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Via {
    /// On the command line, by a person with write access to the state files.
    Terminal,
    /// In a chat, by an owner of the bot.
    Chat,
    /// Over the gateway protocol.
    Gateway,
    /// Automatically: a device on this machine, or in a network that the owner configured, was approved
    /// without asking the owner.
    Silent,
}

impl Approver {
    /// Makes an approver of the person at the terminal, who can write the state files, named by their
    /// login. Counts as admin, and is never locked out for wrong codes.
    pub fn terminal(login: &str) -> Self {
        Self {
            id: ApproverId::new(format_args!("terminal:{login}")),
            via: Via::Terminal,
            scopes: ScopeSet::admin(),
            device: None,
            own_token: None,
        }
    }

    /// Makes an approver of an owner of the bot who gave a command in a chat. Counts as admin.
    ///
    /// The caller must have checked that this sender is one of the configured owners.
    pub fn chat_owner(channel: &ChannelId, sender: &SenderId) -> Self {
        Self {
            id: ApproverId::new(format_args!("{channel}:{sender}")),
            via: Via::Chat,
            scopes: ScopeSet::admin(),
            device: None,
            own_token: None,
        }
    }

    /// Makes an approver of an operator that connected without a device, using the shared secret, with the
    /// scopes that it asked for.
    ///
    /// The caller must have authenticated the connection; `id` names the kind of credential.
    pub fn operator(id: &str, scopes: ScopeSet) -> Self {
        Self {
            id: ApproverId::new(format_args!("operator:{id}")),
            via: Via::Gateway,
            scopes,
            device: None,
            own_token: None,
        }
    }

    /// Makes an approver of a connected device, with the current scopes of its connection. Without
    /// `operator.admin`, it may decide only about itself.
    pub fn device(device: &AuthenticatedDevice) -> Self {
        Self {
            id: ApproverId::new(format_args!("device:{}", device.id())),
            via: Via::Gateway,
            scopes: device.scopes().clone(),
            device: Some(device.id()),
            own_token: device.by_device_token().then(|| device.role()),
        }
    }

    /// Makes the approver that is recorded for an automatic approval of a device that connected from
    /// `address`. It holds no scopes, so it can approve nothing by any other route.
    pub(crate) fn silent(address: std::net::IpAddr) -> Self {
        Self {
            id: ApproverId::new(format_args!("silent:{address}")),
            via: Via::Silent,
            scopes: ScopeSet::default(),
            device: None,
            own_token: None,
        }
    }

    /// Returns the device that makes the decision, if the approver is a device.
    pub(crate) fn acting_device(&self) -> Option<DeviceId> {
        self.device
    }

    /// Whether the approver is this device itself, authenticated by its own token for this role.
    pub(crate) fn is_own_token(&self, device: DeviceId, role: Role) -> bool {
        self.device == Some(device) && self.own_token == Some(role)
    }

    /// Whether this approver may see this device and decide about it.
    pub(crate) fn may_decide_about(&self, device: DeviceId) -> bool {
        let itself = self.device.is_none_or(|acting| acting == device);
        itself || self.scopes.allows(Scope::ADMIN)
    }

    /// Checks that this approver may grant or end these roles with these scopes. It needs
    /// `operator.pairing`, and admin for any role other than operator; it cannot grant scopes that it
    /// does not hold.
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

    /// Returns the name that is recorded with every grant.
    pub fn id(&self) -> &ApproverId {
        &self.id
    }

    /// Returns the route by which the decision was made.
    pub fn via(&self) -> Via {
        self.via
    }

    /// Returns the scopes that limit the grants of this approver.
    pub fn scopes(&self) -> &ScopeSet {
        &self.scopes
    }

    /// Whether too many wrong codes lock this approver out.
    pub(crate) fn can_be_locked_out(&self) -> bool {
        self.via != Via::Terminal
    }

    /// Checks for `operator.pairing`, which every decision about a sender requires.
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

/// The approver's scopes do not permit the decision.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("missing scope: {scope}")]
pub struct MissingScope {
    /// The scope that the decision requires.
    pub scope: &'static str,
}

/// The recorded name of an approver, as `kind:name`: printable, at most 128 characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", from = "String")]
pub struct ApproverId(Box<str>);

impl ApproverId {
    fn new(name: fmt::Arguments<'_>) -> Self {
        Self::from(name.to_string())
    }

    /// Returns the name.
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
    /// Escapes characters that are unsafe to show, and shortens the name.
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
