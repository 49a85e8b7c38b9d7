//! `channels`: who may write to which bot.

use std::collections::BTreeMap;
use std::time::Duration;

use pairing_core::{AccountId, ChannelId, DmPolicy};

use crate::read::{Reader, Section, TextOrFlag};
use crate::{Secret, slip};

/// What is set for a channel as a whole, or for one account of it. `None` is not set.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Account {
    /// Whether it is enabled.
    pub enabled: Option<bool>,
    /// What happens to direct messages.
    pub dm_policy: Option<DmPolicy>,
    /// Senders that the configuration allows, as written.
    pub allow_from: Option<Vec<String>>,
    /// Senders that are never answered, as written, even if something else allows them.
    pub block_from: Option<Vec<String>>,
    /// What a stranger who has asked is told.
    pub pairing_reply: Option<PairingReply>,
    /// How long a stranger who asks again is not listened to; twice as long each time.
    pub pairing_backoff: Option<Duration>,
    /// Whether the stranger's first message is delivered once they are approved.
    pub hand_over_first: Option<bool>,
    /// The bot's token.
    pub bot_token: Option<Secret>,
    /// The bot's token, as Discord's settings call it.
    pub token: Option<Secret>,
    /// The file that holds the bot's token.
    pub token_file: Option<String>,
    /// Where the chat service answers, if not at its usual address.
    pub api_root: Option<String>,
    /// Where the chat service is listened to, if that is another address.
    pub gateway_url: Option<String>,
    /// Whether messages of other bots are received.
    pub allow_bots: Option<bool>,
}

/// What a stranger who has asked is told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum PairingReply {
    /// The channel's own text.
    #[default]
    Standard,
    /// A text of the owner's, in which `{code}`, `{id}` and `{channel}` stand for what they say.
    Own(String),
    /// Nothing: nobody can tell that there is a bot.
    Silent,
}

impl PairingReply {
    /// The longest text of the owner's, in characters: no channel has to split it.
    pub const MAX_CHARS: usize = 2000;
}

impl Account {
    /// The pause after a stranger's request, unless it is set.
    pub const PAIRING_BACKOFF: Duration = Duration::from_secs(60);

    /// How long a stranger who asks again is not listened to.
    pub fn pairing_backoff(&self) -> Duration {
        self.pairing_backoff.unwrap_or(Self::PAIRING_BACKOFF)
    }

    /// Whether it has a token of its own.
    fn has_token(&self) -> bool {
        self.bot_token.is_some() || self.token.is_some() || self.token_file.is_some()
    }

    /// Whether it is enabled, which is the default.
    pub fn is_enabled(&self) -> bool {
        self.enabled != Some(false)
    }
}

/// A channel: what goes for all of its accounts, and what some have of their own.
#[derive(Debug, Clone, Default)]
pub(crate) struct Channel {
    all: Account,
    accounts: BTreeMap<AccountId, Account>,
}

pub(crate) type Channels = BTreeMap<ChannelId, Channel>;

impl Channel {
    pub(crate) fn accounts(&self) -> impl Iterator<Item = &AccountId> {
        self.accounts.keys()
    }

    /// An account's own settings, and the channel's where it has none.
    ///
    /// A bot's token is an account's own: falling back to it, two accounts would be one bot. What stands
    /// beside the accounts is the default account's.
    pub(crate) fn account(&self, id: &AccountId) -> Account {
        let mut all = self.all.clone();
        let own = self.accounts.get(id).cloned().unwrap_or_default();
        if !id.is_default() || own.has_token() {
            (all.bot_token, all.token, all.token_file) = (None, None, None);
        }
        // Who is blocked is blocked everywhere in the channel.
        let block_from = match (own.block_from, all.block_from) {
            (Some(own), Some(all)) => Some(all.into_iter().chain(own).collect()),
            (own, all) => own.or(all),
        };
        let off = own.enabled == Some(false) || all.enabled == Some(false);
        Account {
            enabled: if off {
                Some(false)
            } else {
                own.enabled.or(all.enabled)
            },
            dm_policy: own.dm_policy.or(all.dm_policy),
            allow_from: own.allow_from.or(all.allow_from),
            block_from,
            pairing_reply: own.pairing_reply.or(all.pairing_reply),
            pairing_backoff: own.pairing_backoff.or(all.pairing_backoff),
            hand_over_first: own.hand_over_first.or(all.hand_over_first),
            bot_token: own.bot_token.or(all.bot_token),
            token_file: own.token_file.or(all.token_file),
            token: own.token.or(all.token),
            api_root: own.api_root.or(all.api_root),
            gateway_url: own.gateway_url.or(all.gateway_url),
            allow_bots: own.allow_bots.or(all.allow_bots),
        }
    }
}

/// Reads all channels, whatever they are called.
pub(crate) fn read(at: &Section<'_>, reader: &mut Reader<'_>) -> Channels {
    let known = pairing_core::Channels::builtin();
    let names: Vec<_> = known.iter().map(|rules| rules.id().as_str()).collect();
    let mut channels = Channels::new();
    for member in at.members() {
        let path = at.name(&member.key);
        let id = match ChannelId::parse(&member.key) {
            Ok(id) => id,
            Err(error) => {
                reader.fault(&path, member.at, error.to_string());
                continue;
            }
        };
        if known.get(&id).is_none()
            && let Some(meant) = slip::meant(id.as_str(), &names)
        {
            let detail = format!("is no channel that is known; did you mean `{meant}`?");
            reader.slip(&path, member.at, detail);
        }
        let mut section = Section::new(path.clone(), Some(&member.node), reader);
        let all = account(&mut section, reader);
        let accounts = section.child("accounts", reader);
        let accounts = read_accounts(&accounts, reader);
        section.finish(reader);
        if channels.insert(id, Channel { all, accounts }).is_some() {
            reader.fault(&path, member.at, "this channel is there already");
        }
    }
    channels
}

fn read_accounts(at: &Section<'_>, reader: &mut Reader<'_>) -> BTreeMap<AccountId, Account> {
    let mut accounts = BTreeMap::new();
    for member in at.members() {
        let path = at.name(&member.key);
        let id = match AccountId::parse(&member.key) {
            Ok(id) => id,
            Err(error) => {
                reader.fault(&path, member.at, error.to_string());
                continue;
            }
        };
        let mut section = Section::new(path.clone(), Some(&member.node), reader);
        let own = account(&mut section, reader);
        section.finish(reader);
        if accounts.insert(id, own).is_some() {
            reader.fault(&path, member.at, "this account is there already");
        }
    }
    accounts
}

fn account(at: &mut Section<'_>, reader: &mut Reader<'_>) -> Account {
    const POLICIES: [(&str, DmPolicy); 4] = [
        ("pairing", DmPolicy::Pairing),
        ("allowlist", DmPolicy::Allowlist),
        ("open", DmPolicy::Open),
        ("disabled", DmPolicy::Disabled),
    ];
    Account {
        enabled: at.flag("enabled", reader),
        dm_policy: at.choice("dmPolicy", &POLICIES, reader),
        allow_from: at.senders("allowFrom", reader),
        block_from: at.senders("blockFrom", reader),
        pairing_reply: reply(at, reader),
        pairing_backoff: at
            .count("pairingBackoffSeconds", 0..=3600, reader)
            .map(Duration::from_secs),
        hand_over_first: at.flag("handOverFirst", reader),
        bot_token: at.secret("botToken", reader),
        token_file: at.text("tokenFile", reader),
        token: at.secret("token", reader),
        api_root: at.text("apiRoot", reader),
        gateway_url: at.text("gatewayUrl", reader),
        allow_bots: bots(at, reader),
    }
}

/// Whether other bots are heard. OpenClaw also knows `"mentions"`, which is about groups.
fn bots(at: &mut Section<'_>, reader: &mut Reader<'_>) -> Option<bool> {
    match at.text_or_flag("allowBots", reader)? {
        TextOrFlag::Flag(flag) => Some(flag),
        TextOrFlag::Text(_) => Some(false),
    }
}

/// A text, or whether there is a reply at all.
fn reply(at: &mut Section<'_>, reader: &mut Reader<'_>) -> Option<PairingReply> {
    match at.text_or_flag("pairingReply", reader)? {
        TextOrFlag::Flag(true) => Some(PairingReply::Standard),
        TextOrFlag::Flag(false) => Some(PairingReply::Silent),
        TextOrFlag::Text(text) if text.trim().is_empty() => None,
        TextOrFlag::Text(text) => {
            let (found, most) = (text.chars().count(), PairingReply::MAX_CHARS);
            if found > most {
                let detail = format!("has at most {most} characters, this has {found}");
                at.fault("pairingReply", &detail, reader);
                return None;
            }
            Some(PairingReply::Own(text))
        }
    }
}
