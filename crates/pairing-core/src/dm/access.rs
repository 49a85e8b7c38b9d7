//! The one function that says who may talk to the bot.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::channel::ChannelRules;
use crate::{AccountId, ChannelId, SenderId};

/// What happens to direct messages of an account.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DmPolicy {
    /// Configured and approved senders get through, others get a code.
    #[default]
    Pairing,
    /// Configured senders get through; approvals do not count and nobody gets a code.
    Allowlist,
    /// As `Allowlist`; everybody gets through where the configured list holds `*`.
    Open,
    /// Nobody gets through.
    Disabled,
}

impl DmPolicy {
    /// The name in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pairing => "pairing",
            Self::Allowlist => "allowlist",
            Self::Open => "open",
            Self::Disabled => "disabled",
        }
    }
}

/// What the configuration says of an account: its policy and its `allowFrom`.
#[derive(Debug, Clone, Default)]
pub struct Access {
    policy: DmPolicy,
    everybody: bool,
    configured: HashSet<SenderId>,
    ignored: Vec<String>,
}

impl Access {
    /// Reads a configured `allowFrom`, by the rules of its channel.
    ///
    /// Entries that can match no sender are left out and found in [`ignored`](Self::ignored); a `*`,
    /// which only the configuration may hold, stands for everybody.
    pub fn new<E: AsRef<str>>(
        rules: &ChannelRules,
        policy: DmPolicy,
        allow_from: impl IntoIterator<Item = E>,
    ) -> Self {
        let mut access = Self {
            policy,
            ..Self::default()
        };
        for entry in allow_from {
            let entry = entry.as_ref();
            if entry.trim() == "*" {
                access.everybody = true;
            } else {
                match rules.sender(entry) {
                    Ok(sender) => drop(access.configured.insert(sender)),
                    Err(_) => access.ignored.push(entry.to_owned()),
                }
            }
        }
        access
    }

    /// The policy.
    pub fn policy(&self) -> DmPolicy {
        self.policy
    }

    /// Entries of the configured list that can match nobody, as they were written.
    pub fn ignored(&self) -> &[String] {
        &self.ignored
    }

    /// Whether approvals count: only under the policy `pairing`.
    pub(crate) fn consults_store(&self) -> bool {
        self.policy == DmPolicy::Pairing
    }

    /// Whether a decision about this sender needs the store: not if the configuration decides.
    pub(crate) fn needs_store(&self, sender: &SenderId) -> bool {
        self.consults_store() && self.configured(sender).is_none()
    }

    /// Decides about a direct message. `stored` says whether the pairing store allows the sender.
    pub(crate) fn decide(&self, sender: &SenderId, stored: bool) -> Result<Basis, Refusal> {
        match self.configured(sender) {
            Some(basis) => Ok(basis),
            None if stored && self.consults_store() => Ok(Basis::Paired),
            None => Err(Refusal {
                policy: self.policy,
            }),
        }
    }

    /// Decides by the configuration alone, which is all that groups go by.
    pub(crate) fn configured(&self, sender: &SenderId) -> Option<Basis> {
        if self.policy == DmPolicy::Disabled {
            None
        } else if self.configured.contains(sender) {
            Some(Basis::Configured)
        } else if self.everybody {
            Some(Basis::Everybody)
        } else {
            None
        }
    }
}

/// Why a sender may talk to the bot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Basis {
    /// The configured list names them.
    Configured,
    /// The configured list holds `*`.
    Everybody,
    /// The owner approved them.
    Paired,
}

/// The sender may not talk to the bot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[error("not allowed under the policy {}", policy.as_str())]
pub struct Refusal {
    /// The policy that refused.
    pub policy: DmPolicy,
}

/// Proof that a sender may talk to the bot in direct messages of one account.
///
/// Only [`Account::admit`](crate::Account::admit) makes one, so code that takes it cannot be reached
/// unchecked. It is true for the moment it was made: ask again for the next message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovedSender {
    pub(crate) channel: ChannelId,
    pub(crate) account: AccountId,
    pub(crate) sender: SenderId,
    pub(crate) basis: Basis,
}

impl ApprovedSender {
    /// The channel the message came through.
    pub fn channel(&self) -> &ChannelId {
        &self.channel
    }

    /// The account that was written to.
    pub fn account(&self) -> &AccountId {
        &self.account
    }

    /// The sender.
    pub fn sender(&self) -> &SenderId {
        &self.sender
    }

    /// Why they may.
    pub fn basis(&self) -> Basis {
        self.basis
    }
}

/// Proof that a sender may talk to the bot in a group: by the configuration, never by pairing.
///
/// Only [`Account::admit_in_group`](crate::Account::admit_in_group) makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupSender {
    pub(crate) sender: SenderId,
}

impl GroupSender {
    /// The sender.
    pub fn sender(&self) -> &SenderId {
        &self.sender
    }
}

#[cfg(test)]
mod tests {
    use DmPolicy::{Allowlist, Disabled, Open, Pairing};

    use super::*;
    use crate::Channels;

    fn access(policy: DmPolicy, allow_from: &[&str]) -> Access {
        let channels = Channels::builtin();
        let rules = channels.get(&ChannelId::builtin("telegram")).unwrap();
        Access::new(rules, policy, allow_from)
    }

    #[test]
    fn policies_lists_and_store() {
        let ann = SenderId::checked("1").unwrap();
        let nobody: &[&str] = &[];
        let table = [
            // policy, configured, in the store, decision
            (Pairing, nobody, false, None),
            (Pairing, nobody, true, Some(Basis::Paired)),
            (Pairing, &["tg:1"], false, Some(Basis::Configured)),
            (Pairing, &["*"], false, Some(Basis::Everybody)),
            (Allowlist, nobody, true, None),
            (Allowlist, &["1"], false, Some(Basis::Configured)),
            (Open, nobody, true, None),
            (Open, &["2"], true, None),
            (Open, &["2", "1"], false, Some(Basis::Configured)),
            (Open, &["*"], false, Some(Basis::Everybody)),
            (Disabled, &["*", "1"], true, None),
        ];
        for (policy, configured, stored, expected) in table {
            let decided = access(policy, configured).decide(&ann, stored);
            assert_eq!(decided.ok(), expected, "{policy:?} {configured:?} {stored}");
        }
    }

    #[test]
    fn t55_the_store_is_asked_only_where_the_configuration_has_not_decided() {
        let ann = SenderId::checked("1").unwrap();
        for (policy, configured, expected) in [
            (Pairing, "2", true),
            (Pairing, "1", false),
            (Pairing, "*", false),
            (Allowlist, "2", false),
            (Open, "2", false),
            (Disabled, "2", false),
        ] {
            let needs = access(policy, &[configured]).needs_store(&ann);
            assert_eq!(needs, expected, "{policy:?} {configured}");
        }
    }

    #[test]
    fn groups_never_draw_on_the_store() {
        let ann = SenderId::checked("1").unwrap();
        assert_eq!(access(Pairing, &[]).configured(&ann), None);
        assert_eq!(
            access(Pairing, &["1"]).configured(&ann),
            Some(Basis::Configured)
        );
    }

    #[test]
    fn entries_that_match_nobody_are_named() {
        let access = access(Allowlist, &["@ann", "1", " "]);
        assert_eq!(access.ignored(), ["@ann", " "]);
    }
}
