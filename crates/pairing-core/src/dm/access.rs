//! The one function that decides which senders may talk to the bot.

use std::collections::HashSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::channel::{ChannelRules, username};
use crate::store::{AllowEntry, Grant, Record};
use crate::{AccountId, ChannelId, Metadata, Principal, SenderId};

/// The policy for the direct messages of an account.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DmPolicy {
    /// Admits configured and approved senders; others receive a code.
    #[default]
    Pairing,
    /// Admits configured senders only; approvals have no effect, and nobody receives a code.
    Allowlist,
    /// The same as `Allowlist`; with `*` in the configured list, everybody is admitted.
    Open,
    /// Admits nobody.
    Disabled,
}

impl DmPolicy {
    /// Returns the name in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pairing => "pairing",
            Self::Allowlist => "allowlist",
            Self::Open => "open",
            Self::Disabled => "disabled",
        }
    }
}

/// The configuration of an account: its policy, its `allowFrom` list, and its list for groups.
#[derive(Debug, Clone, Default)]
pub struct Access {
    policy: DmPolicy,
    direct: SenderList,
    /// `None` if groups have no list of their own.
    groups: Option<SenderList>,
    ignored: Vec<String>,
}

/// A configured list of senders.
#[derive(Debug, Clone, Default)]
struct SenderList {
    everybody: bool,
    senders: HashSet<SenderId>,
    /// Empty unless the channel goes by user names.
    usernames: HashSet<String>,
}

impl SenderList {
    /// Parses a list, and adds the entries that cannot match any sender to `ignored`.
    fn parse<E: AsRef<str>>(
        rules: &ChannelRules,
        entries: impl IntoIterator<Item = E>,
        ignored: &mut Vec<String>,
    ) -> Self {
        let mut list = Self::default();
        for entry in entries {
            let entry = entry.as_ref();
            if entry.trim() == "*" {
                list.everybody = true;
            } else if let Some(username) = rules.username(entry) {
                list.usernames.insert(username);
            } else {
                match rules.sender(entry) {
                    Ok(sender) => drop(list.senders.insert(sender)),
                    Err(_) => ignored.push(entry.to_owned()),
                }
            }
        }
        list
    }

    fn admits(&self, sender: &SenderId, meta: Option<&Metadata>) -> Option<Basis> {
        if self.senders.contains(sender) || self.names(meta) {
            Some(Basis::Configured)
        } else {
            self.everybody.then_some(Basis::Everybody)
        }
    }

    /// Whether the list has the sender's user name.
    fn names(&self, meta: Option<&Metadata>) -> bool {
        let Some(meta) = meta.filter(|_| !self.usernames.is_empty()) else {
            return false;
        };
        let given = meta.text(Metadata::USERNAME_KEY).and_then(username);
        given.is_some_and(|name| self.usernames.contains(&name))
    }
}

impl Access {
    /// Parses a configured `allowFrom` list by the rules of its channel.
    ///
    /// Entries that cannot match any sender are skipped and listed in [`ignored`](Self::ignored). A `*`,
    /// which is valid only in the configuration, stands for everybody.
    pub fn new<E: AsRef<str>>(
        rules: &ChannelRules,
        policy: DmPolicy,
        allow_from: impl IntoIterator<Item = E>,
    ) -> Self {
        let mut ignored = Vec::new();
        Self {
            policy,
            direct: SenderList::parse(rules, allow_from, &mut ignored),
            groups: None,
            ignored,
        }
    }

    /// Sets the list for messages in groups, `groupAllowFrom`, which replaces `allowFrom` there. An empty
    /// list admits nobody.
    pub fn with_groups<E: AsRef<str>>(
        mut self,
        rules: &ChannelRules,
        group_allow_from: impl IntoIterator<Item = E>,
    ) -> Self {
        let groups = SenderList::parse(rules, group_allow_from, &mut self.ignored);
        self.groups = Some(groups);
        self
    }

    /// Returns the policy.
    pub fn policy(&self) -> DmPolicy {
        self.policy
    }

    /// Returns the entries of the configured lists that cannot match any sender, as they were written.
    pub fn ignored(&self) -> &[String] {
        &self.ignored
    }

    /// Whether approvals count: only under the policy `pairing`.
    pub(crate) fn consults_store(&self) -> bool {
        self.policy == DmPolicy::Pairing
    }

    /// Whether a decision about this sender needs the store, because the configuration does not admit the
    /// sender.
    pub(crate) fn needs_store(&self, sender: &SenderId, meta: Option<&Metadata>) -> bool {
        self.consults_store() && self.configured(sender, meta).is_none()
    }

    /// Decides about a direct message. `stored` is whether the pairing store allows the sender.
    pub(crate) fn decide(
        &self,
        sender: &SenderId,
        meta: Option<&Metadata>,
        stored: bool,
    ) -> Result<Basis, Refusal> {
        match self.configured(sender, meta) {
            Some(basis) => Ok(basis),
            None if stored && self.consults_store() => Ok(Basis::Paired),
            None => Err(Refusal {
                policy: self.policy,
            }),
        }
    }

    /// Decides about a direct message by the configuration alone.
    fn configured(&self, sender: &SenderId, meta: Option<&Metadata>) -> Option<Basis> {
        match self.policy {
            DmPolicy::Disabled => None,
            _ => self.direct.admits(sender, meta),
        }
    }

    /// Decides about a message in a group, whatever the policy for direct messages.
    pub(crate) fn in_group(&self, sender: &SenderId, meta: Option<&Metadata>) -> Option<Basis> {
        let list = self.groups.as_ref().unwrap_or(&self.direct);
        list.admits(sender, meta)
    }
}

/// The reason that a sender may talk to the bot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Basis {
    /// The configured list contains the sender.
    Configured,
    /// The configured list contains `*`.
    Everybody,
    /// The owner approved the sender.
    Paired,
}

/// The sender may not talk to the bot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[error("not allowed under the policy {}", policy.as_str())]
pub struct Refusal {
    /// The policy in force.
    pub policy: DmPolicy,
}

/// Proof that a sender may talk to the bot in direct messages of one account.
///
/// Only [`Account::admit`](crate::Account::admit),
/// [`Account::request_or_reuse`](crate::Account::request_or_reuse) and
/// [`Account::claim`](crate::Account::claim) make one, so code that requires it cannot run for an unchecked
/// sender. It holds for the moment at which it was made: check again for the
/// next message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovedSender {
    pub(crate) channel: ChannelId,
    pub(crate) account: AccountId,
    pub(crate) sender: SenderId,
    pub(crate) basis: Basis,
    pub(crate) entry: Option<Arc<Record>>,
}

impl ApprovedSender {
    /// Returns the channel of the message.
    pub fn channel(&self) -> &ChannelId {
        &self.channel
    }

    /// Returns the account that received the message.
    pub fn account(&self) -> &AccountId {
        &self.account
    }

    /// Returns the sender.
    pub fn sender(&self) -> &SenderId {
        &self.sender
    }

    /// Returns the reason that the sender may talk to the bot.
    pub fn basis(&self) -> Basis {
        self.basis
    }

    /// Returns the entry of the allowlist by which a paired sender is in; `None` for configured senders.
    pub fn entry(&self) -> Option<&AllowEntry> {
        self.entry.as_ref()?.as_allow()
    }

    /// Returns the grant by which the sender is in: who approved it, how and when. `None` for configured
    /// senders, and for entries that another program made.
    pub fn grant(&self) -> Option<&Grant> {
        self.entry()?.grant.as_ref()
    }

    /// Returns the embedder's user that the sender is; `None` for the bot's owner.
    pub fn principal(&self) -> Option<&Principal> {
        self.grant()?.principal.as_ref()
    }
}

/// Proof that a sender may talk to the bot in a group, by the configuration and never by pairing.
///
/// Only [`Account::admit_in_group`](crate::Account::admit_in_group) makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupSender {
    pub(crate) sender: SenderId,
}

impl GroupSender {
    /// Returns the sender.
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
            // Columns: policy, configured list, whether the store allows the sender, decision.
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
            let decided = access(policy, configured).decide(&ann, None, stored);
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
            let needs = access(policy, &[configured]).needs_store(&ann, None);
            assert_eq!(needs, expected, "{policy:?} {configured}");
        }
    }

    #[test]
    fn groups_never_draw_on_the_store() {
        let ann = SenderId::checked("1").unwrap();
        assert_eq!(access(Pairing, &[]).configured(&ann, None), None);
        assert_eq!(
            access(Pairing, &["1"]).configured(&ann, None),
            Some(Basis::Configured)
        );
    }

    #[test]
    fn entries_that_match_nobody_are_named() {
        let access = access(Allowlist, &["@ann", "1", " "]);
        assert_eq!(access.ignored(), ["@ann", " "]);
    }
}
