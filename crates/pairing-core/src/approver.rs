//! Approvers: the identity that makes a decision, and its scopes.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::device::{AuthenticatedDevice, DeviceId, Role};
use crate::display::escape;
use crate::store::{BearerClient, Grant};
use crate::{ChannelId, Principal, Scope, ScopeSet, SenderId, Timestamp};

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
    /// The embedder's user that it decides for.
    principal: Option<Principal>,
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
    /// On a web page of the embedder's, by one of its users.
    Page,
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
            principal: None,
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
            principal: None,
        }
    }

    /// Makes an approver of a user of a web page of the embedder's, with these scopes. Wrong codes count for this user
    /// alone, and lock out nobody else.
    ///
    /// The caller must have authenticated the user; `user` is what tells its users apart, such as an id in its
    /// database. [`for_principal`](Self::for_principal) decides for the user, too.
    ///
    /// ```
    /// use pairing_core::{Approver, ScopeSet};
    ///
    /// let ann = Approver::page_user("ann", ScopeSet::admin());
    /// assert_eq!(ann.id().as_str(), "page:ann");
    /// ```
    pub fn page_user(user: &str, scopes: ScopeSet) -> Self {
        Self {
            id: ApproverId::new(format_args!("page:{user}")),
            via: Via::Page,
            scopes,
            device: None,
            own_token: None,
            principal: None,
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
            principal: None,
        }
    }

    /// Makes an approver of a client that presented a valid token, with the scopes that the token was issued for.
    pub(crate) fn bearer(client: &BearerClient) -> Self {
        Self {
            id: ApproverId::new(format_args!("bearer:{}:{}", client.id(), client.name)),
            via: Via::Gateway,
            scopes: client.scopes.clone(),
            device: None,
            own_token: None,
            principal: client.principal.clone(),
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
            principal: None,
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
            principal: None,
        }
    }

    /// Makes the approver that is recorded when a sender presents a code on their own behalf. Wrong codes
    /// count for this sender alone.
    pub(crate) fn presenter(channel: &ChannelId, sender: &SenderId) -> Self {
        let scopes = Scope::parse(Scope::PAIRING).ok();
        Self {
            id: ApproverId::new(format_args!("{}{channel}:{sender}", ApproverId::PRESENTER)),
            via: Via::Chat,
            scopes: scopes.into_iter().collect(),
            device: None,
            own_token: None,
            principal: None,
        }
    }

    /// Returns the same approver, deciding for one of the embedder's users: senders whom it allows are recorded
    /// as this user's.
    ///
    /// ```
    /// # use std::sync::{Arc, Mutex};
    /// # use pairing_core::{Admission, Approver, EntropyError, ManualClock, MemoryStore, Pairing, Principal, ScopeSet, Timestamp};
    /// # struct Zeros; impl pairing_core::Entropy for Zeros {
    /// #     fn fill(&self, b: &mut [u8]) -> Result<(), EntropyError> { b.fill(0); Ok(()) } }
    /// # let pairing = Pairing::new(MemoryStore::new(), ManualClock::new(Timestamp::from_millis(0)), Zeros);
    /// let account = pairing.channel("telegram")?.account("default")?;
    /// let user = Principal::parse("user-7")?;
    /// let approver = Approver::operator("web", ScopeSet::admin()).for_principal(user.clone());
    /// account.allow("12345", &approver)?;
    ///
    /// let Admission::Approved(sender) = account.admit("12345")? else { unreachable!() };
    /// assert_eq!(sender.principal(), Some(&user));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn for_principal(mut self, principal: Principal) -> Self {
        self.principal = Some(principal);
        self
    }

    /// Returns the embedder's user that it decides for; `None` for the bot's owner.
    pub fn principal(&self) -> Option<&Principal> {
        self.principal.as_ref()
    }

    /// Makes the grant of a decision of this approver.
    pub(crate) fn grant(&self, requested_at: Option<Timestamp>, now: Timestamp) -> Grant {
        Grant::new(self.id.clone(), self.via, now)
            .with_requested_at(requested_at)
            .with_principal(self.principal.clone())
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
    /// The kind of a sender who presents a code.
    const PRESENTER: &str = "sender:";

    /// Whether this is a sender who presented a code, of whom there may be many.
    pub(crate) fn is_presenter(&self) -> bool {
        self.0.starts_with(Self::PRESENTER)
    }

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
