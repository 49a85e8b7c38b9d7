//! The owners, and the interface of their commands.

use std::fmt;
use std::sync::Arc;

use channel_kit::{Adapter, BoxFuture, Pressed, Target};
use openclaw_config::{Config, Part};
use pairing_core::{AccountId, ChannelId, ChannelRules, SenderId};

/// The owners on one channel.
///
/// The senders that `commands.ownerAllowFrom` names for its channel (`telegram:12345`). Nothing else makes anybody an
/// owner: not an `allowFrom`, which says who may talk, nor approval by pairing, nor `*`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Owners(Vec<SenderId>);

/// A message from an owner: the chat for the answer, and the adapter that sends it.
#[derive(Debug, Clone)]
pub struct OwnerMessage {
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
    fn message<'a>(&'a self, owner: &'a OwnerMessage, text: &'a str) -> BoxFuture<'a, bool>;

    /// Carries out the action of a button.
    fn pressed<'a>(&'a self, owner: &'a OwnerMessage, pressed: &'a Pressed) -> BoxFuture<'a, ()>;
}

impl Owners {
    /// The owners on a channel: the same for all its accounts.
    pub fn of(config: &Config, rules: &ChannelRules) -> Self {
        // A list of owners that cannot be understood is not an empty one.
        if config.closed_by(&Part::Owners).is_some() {
            return Self::default();
        }
        let named = config.owner_allow_from.iter();
        let mut owners: Vec<_> = named.filter_map(|entry| named_for(rules, entry)).collect();
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

    fn owners(text: &str) -> Vec<String> {
        let config = Config::parse(text).unwrap();
        let channels = Channels::builtin();
        let telegram = channels
            .get(&ChannelId::parse("telegram").unwrap())
            .unwrap();
        let owners = Owners::of(&config, telegram);
        for sender in owners.senders() {
            assert!(owners.is_owner(sender));
        }
        let senders = owners.senders().iter();
        senders.map(|owner| owner.as_str().to_owned()).collect()
    }

    #[test]
    fn t38_t111_owners_are_named_by_their_own_list_and_by_nothing_else() {
        let channels = "channels: { telegram: { allowFrom: ['*', 'tg:2', 1, '@ann'],
            accounts: { work: { allowFrom: [3] } } } }";
        for (commands, expected) in [
            // Who may talk does not decide.
            ("", &[][..]),
            ("commands: { ownerAllowFrom: [] },", &[]),
            (
                "commands: { ownerAllowFrom: ['telegram:9', ' Telegram:tg:8', 'telegram:9'] },",
                &["8", "9"],
            ),
            // Of another channel, of none, and nobody at all.
            (
                "commands: { ownerAllowFrom: ['discord:9', 7, '*', 'telegram:*', 'telegram:', ':'] },",
                &[],
            ),
        ] {
            let text = format!("{{ {commands} {channels} }}");
            assert_eq!(owners(&text), expected, "{commands}");
        }
        assert!(owners("{}").is_empty());
    }
}
