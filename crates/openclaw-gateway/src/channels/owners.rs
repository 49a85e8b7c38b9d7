//! Whose word counts in a chat: owners, and what is done when one of them speaks.

use std::fmt;
use std::sync::Arc;

use openclaw_config::Config;
use pairing_core::{AccountId, ChannelId, ChannelRules, SenderId};

use super::{Adapter, Later, Pressed, Target};

/// The owners of one account.
///
/// Those that `commands.ownerAllowFrom` names for its channel (`telegram:12345`); where that list is
/// empty, those that the account's configured `allowFrom` names. Never who was only approved by pairing,
/// and never everybody: `*` names nobody here.
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
    /// Where an answer goes.
    pub chat: Target,
    /// What carries it.
    pub adapter: Arc<dyn Adapter>,
}

/// Commands that owners may give in a chat with the bot alone.
///
/// Asked only about owners, before anything else is done with what they said. For anybody else, and in
/// groups, a command is text like any other.
pub trait OwnerCommands: Send + Sync + fmt::Debug + 'static {
    /// Carries out a command. True where it was one: it has been answered, and goes no further.
    fn message<'a>(&'a self, owner: &'a OwnerSpoke, text: &'a str) -> Later<'a, bool>;

    /// Does what a button says.
    fn pressed<'a>(&'a self, owner: &'a OwnerSpoke, pressed: &'a Pressed) -> Later<'a, ()>;
}

impl Owners {
    /// The owners of an account.
    pub fn of(config: &Config, rules: &ChannelRules, account: &AccountId) -> Self {
        let mut owners = if config.owner_allow_from.is_empty() {
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

    /// The chats in which they can be told something: each with one of them alone.
    pub fn targets(&self) -> Vec<Target> {
        let target = |owner: &SenderId| Target {
            chat: owner.as_str().to_owned(),
            thread: None,
        };
        self.0.iter().map(target).collect()
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
        for target in owners.targets() {
            let sender = telegram.sender(&target.chat).unwrap();
            assert!(owners.is_owner(&sender) && target.thread.is_none());
        }
        owners.targets().into_iter().map(|to| to.chat).collect()
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
