//! The owners of an account, and the interface of their commands.

use std::fmt;
use std::sync::Arc;

use channel_kit::{Adapter, BoxFuture, Pressed, Target};
use openclaw_config::{Config, Part};
use pairing_core::{AccountId, ChannelId, ChannelRules, SenderId};

/// The owners of one account.
///
/// The senders that `commands.ownerAllowFrom` names for its channel (`telegram:12345`); if that list is empty, the
/// senders in the account's configured `allowFrom`. Approval by pairing makes nobody an owner, and neither does `*`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Owners(Vec<SenderId>);

/// A message from an owner: the chat for the answer, and the adapter that sends it.
#[derive(Debug, Clone)]
pub struct OwnerSpoke {
    /// The chat system.
    pub channel: ChannelId,
    /// The account that was written to.
    pub account: AccountId,
    /// The owner.
    pub sender: SenderId,
    /// The chat for the answer.
    pub chat: Target,
    /// The adapter that sends it.
    pub adapter: Arc<dyn Adapter>,
}

/// Commands that owners may give in a direct chat with the bot.
///
/// Called for owners only, before anything else is done with their message. From anybody else, and in groups, a command
/// is ordinary text.
pub trait OwnerCommands: Send + Sync + fmt::Debug + 'static {
    /// Carries out a command. Returns `true` if it was one: it has been answered, and is not delivered.
    fn message<'a>(&'a self, owner: &'a OwnerSpoke, text: &'a str) -> BoxFuture<'a, bool>;

    /// Carries out the action of a button.
    fn pressed<'a>(&'a self, owner: &'a OwnerSpoke, pressed: &'a Pressed) -> BoxFuture<'a, ()>;
}

impl Owners {
    /// The owners of an account.
    pub fn of(config: &Config, rules: &ChannelRules, account: &AccountId) -> Self {
        // A list of owners that cannot be understood is not an empty one.
        let is_closed = config.closed_by(&Part::Owners).is_some();
        let mut owners = if is_closed {
            Vec::new()
        } else if config.owner_allow_from.is_empty() {
            let listed = config.account(rules.id(), account).allow_from;
            let listed = listed.unwrap_or_default();
            let listed = listed.iter().filter_map(|entry| rules.sender(entry).ok());
            listed.collect()
        } else {
            let named = config.owner_allow_from.iter();
            named
                .filter_map(|entry| named_for(rules, entry))
                .collect::<Vec<_>>()
        };
        owners.sort_unstable();
        owners.dedup();
        Self(owners)
    }

    /// Whether this sender is an owner.
    pub fn is_owner(&self, sender: &SenderId) -> bool {
        self.0.binary_search(sender).is_ok()
    }

    /// All of them, sorted.
    pub fn senders(&self) -> &[SenderId] {
        &self.0
    }
}

/// The sender that an entry names, if it is for this channel. Without a channel before it, an id could be
/// anybody's on some other one.
fn named_for(rules: &ChannelRules, entry: &str) -> Option<SenderId> {
    let (channel, sender) = entry.split_once(':')?;
    let is_meant = ChannelId::parse(channel).is_ok_and(|id| id == *rules.id());
    is_meant.then(|| rules.sender(sender).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use pairing_core::Channels;

    fn owners(text: &str, account: &str) -> Vec<String> {
        let config = Config::parse(text).unwrap();
        let channels = Channels::builtin();
        let telegram = channels
            .get(&ChannelId::parse("telegram").unwrap())
            .unwrap();
        let owners = Owners::of(&config, telegram, &AccountId::parse(account).unwrap());
        for sender in owners.senders() {
            assert!(owners.is_owner(sender));
        }
        let senders = owners.senders().iter();
        senders.map(|owner| owner.as_str().to_owned()).collect()
    }

    #[test]
    fn t38_owners_are_named_by_the_configuration_and_by_nothing_else() {
        let channels = "channels: { telegram: { allowFrom: ['*', 'tg:2', 1, '@ann'],
            accounts: { work: { allowFrom: [3] } } } }";
        for (commands, account, expected) in [
            ("", "default", &["1", "2"][..]),
            ("", "work", &["3"]),
            ("commands: { ownerAllowFrom: [] },", "work", &["3"]),
            // One list for all accounts, and then nothing else.
            (
                "commands: { ownerAllowFrom: ['telegram:9', ' Telegram:tg:8', 'telegram:9'] },",
                "work",
                &["8", "9"],
            ),
            // Of another channel, of none, and nobody at all.
            (
                "commands: { ownerAllowFrom: ['discord:9', 7, '*', 'telegram:*', 'telegram:', ':'] },",
                "default",
                &[],
            ),
        ] {
            let text = format!("{{ {commands} {channels} }}");
            assert_eq!(owners(&text, account), expected, "{commands} {account}");
        }
        assert!(owners("{}", "default").is_empty());
    }
}
