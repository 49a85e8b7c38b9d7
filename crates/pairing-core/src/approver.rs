//! Who decides, and by what right.

use std::fmt;

use serde::{Deserialize, Serialize};

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
}

impl Approver {
    /// The person who can write the state files themselves, named by their login: counts as admin,
    /// and is never locked out for wrong codes.
    pub fn terminal(login: &str) -> Self {
        Self {
            id: ApproverId::new(format_args!("terminal:{login}")),
            via: Via::Terminal,
            scopes: ScopeSet::admin(),
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
        }
    }

    /// A connected operator with the scopes that its connection has now.
    ///
    /// The caller has authenticated the connection; `id` names its device or kind of credential.
    pub fn operator(id: &str, scopes: ScopeSet) -> Self {
        Self {
            id: ApproverId::new(format_args!("operator:{id}")),
            via: Via::Gateway,
            scopes,
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

    /// Do wrong codes lock this approver out?
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
