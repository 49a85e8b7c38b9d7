//! The settings of an account, or of all accounts of a channel.

use std::sync::Arc;
use std::time::Duration;

use pairing_core::{AccountId, ChannelId, ChannelRules, DmPolicy, escape};

use super::Groups;
use super::cloud::{Cloud, WrittenCloud};
use super::daemon::{Daemon, WrittenDaemon};
use super::given::{counting, fault, or, value};
use super::messages::{Messages, WrittenMessages};
use super::server::{Server, WrittenServer};
use super::web::{Web, WrittenWeb};
use crate::read::{Given, Reader, Section, TextOrFlag};
use crate::{Fault, Secret};

/// What is set for an account, by itself or by its channel. `None` is not set.
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
    /// The app's token, beside the bot's, on Slack.
    pub app_token: Option<Secret>,
    /// How Slack is listened to: `socket`, which is the default, or `http`.
    pub mode: Option<String>,
    /// The id of the app, on Feishu.
    pub app_id: Option<String>,
    /// The secret of the app, on Feishu.
    pub app_secret: Option<Secret>,
    /// Which Feishu it is: `feishu`, which is the default, `lark`, or an address.
    pub domain: Option<String>,
    /// How Feishu is listened to: `websocket`, which is the default, or `webhook`.
    pub connection_mode: Option<String>,
    /// The file that holds the bot's token.
    pub token_file: Option<String>,
    /// Where the chat service answers, if not at its usual address.
    pub api_root: Option<String>,
    /// The address of the proxy by which it is reached. It may hold a password.
    pub proxy: Option<Secret>,
    /// Where the chat service is listened to, if that is another address.
    pub gateway_url: Option<String>,
    /// Whether messages of other bots are received.
    pub allow_bots: Option<bool>,
    /// The daemon that speaks for the account, on Signal.
    pub daemon: Daemon,
    /// The server that speaks for the account, on BlueBubbles.
    pub server: Server,
    /// The number at Meta's cloud, on WhatsApp.
    pub cloud: Cloud,
    /// How a personal account is linked, on WhatsApp.
    pub web: Web,
    /// How Messages is reached, on iMessage; its program is the daemon's `cli_path`.
    pub messages: Messages,
    closed: Option<Arc<Fault>>,
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

    /// Whether it is enabled, which is the default, and not closed.
    pub fn is_enabled(&self) -> bool {
        self.enabled != Some(false) && self.closed.is_none()
    }

    /// The fault that closes the account: a key that restricts access and cannot be understood.
    ///
    /// Its bot does not run, and its policy is `disabled`.
    pub fn closed_by(&self) -> Option<&Fault> {
        self.closed.as_deref()
    }
}

/// What is written for an account or a channel, each key with its fault.
#[derive(Debug, Clone)]
pub(super) struct Written {
    /// Why there is no telling what is written for it.
    pub(super) unclear: Option<Arc<Fault>>,
    enabled: Given<bool>,
    /// The older `dm.enabled`: whether there are direct messages at all.
    dm_enabled: Given<bool>,
    dm_policy: Given<DmPolicy>,
    allow_from: Option<Vec<String>>,
    block_from: Given<Vec<String>>,
    pairing_reply: Given<PairingReply>,
    pairing_backoff: Given<Duration>,
    hand_over_first: Given<bool>,
    bot_token: Given<Secret>,
    token: Given<Secret>,
    app_token: Given<Secret>,
    mode: Given<String>,
    app_id: Given<String>,
    app_secret: Given<Secret>,
    domain: Given<String>,
    connection_mode: Given<String>,
    token_file: Given<String>,
    api_root: Given<String>,
    proxy: Given<Secret>,
    gateway_url: Given<String>,
    allow_bots: Given<bool>,
    daemon: WrittenDaemon,
    server: WrittenServer,
    cloud: WrittenCloud,
    web: WrittenWeb,
    messages: WrittenMessages,
}

/// What the lists of a channel are read by.
#[derive(Clone, Copy)]
pub(super) struct Of<'a> {
    pub(super) channel: &'a ChannelId,
    /// The channel's rules, where it is a known one.
    pub(super) rules: Option<&'a ChannelRules>,
    pub(super) groups: &'a Groups,
}

impl Of<'_> {
    /// A list of those who are blocked, if each entry can match somebody: else there is no telling who was meant.
    fn matching(
        self,
        at: &Section<'_>,
        list: Option<Vec<String>>,
        reader: &mut Reader<'_>,
    ) -> Given<Vec<String>> {
        let (Some(entries), Some(rules)) = (&list, self.rules) else {
            return Ok(list);
        };
        let all = self.groups.expanded(entries.clone(), self.channel);
        let bad = all.iter().find(|entry| rules.sender(entry).is_err());
        match bad {
            None => Ok(list),
            Some(entry) => {
                let entry = escape(entry).limit(64);
                let detail =
                    format!("`{entry}` can match nobody: there is no telling who is blocked");
                Err(at.fault("blockFrom", &detail, reader))
            }
        }
    }
}

impl Default for Written {
    fn default() -> Self {
        Self {
            unclear: None,
            enabled: Ok(None),
            dm_enabled: Ok(None),
            dm_policy: Ok(None),
            allow_from: None,
            block_from: Ok(None),
            pairing_reply: Ok(None),
            pairing_backoff: Ok(None),
            hand_over_first: Ok(None),
            bot_token: Ok(None),
            token: Ok(None),
            app_token: Ok(None),
            mode: Ok(None),
            app_id: Ok(None),
            app_secret: Ok(None),
            domain: Ok(None),
            connection_mode: Ok(None),
            token_file: Ok(None),
            api_root: Ok(None),
            proxy: Ok(None),
            gateway_url: Ok(None),
            allow_bots: Ok(None),
            daemon: WrittenDaemon::default(),
            server: WrittenServer::default(),
            cloud: WrittenCloud::default(),
            web: WrittenWeb::default(),
            messages: WrittenMessages::default(),
        }
    }
}

impl Written {
    pub(super) fn read(at: &mut Section<'_>, of: Of<'_>, reader: &mut Reader<'_>) -> Self {
        const POLICIES: [(&str, DmPolicy); 4] = [
            ("pairing", DmPolicy::Pairing),
            ("allowlist", DmPolicy::Allowlist),
            ("open", DmPolicy::Open),
            ("disabled", DmPolicy::Disabled),
        ];
        // Slack's and Discord's older spelling; the newer keys beside it win.
        let mut dm = at.child("dm", reader);
        let dm_enabled = dm.flag("enabled", reader);
        let older_policy = dm.choice("policy", &POLICIES, reader);
        let older_list = dm.senders("allowFrom", reader);
        let (older_list, _) = of.groups.checked(&dm, "allowFrom", older_list, reader);
        dm.finish(reader);
        let list = at.senders("allowFrom", reader);
        let (list, _) = of.groups.checked(at, "allowFrom", list, reader);
        let blocked = at.senders("blockFrom", reader);
        let (blocked, unknown) = of.groups.checked(at, "blockFrom", blocked, reader);
        Self {
            unclear: None,
            enabled: at.flag("enabled", reader),
            dm_enabled,
            dm_policy: or(&at.choice("dmPolicy", &POLICIES, reader), &older_policy),
            allow_from: list.letting_in().or_else(|| older_list.letting_in()),
            block_from: unknown
                .map_or_else(|| blocked.keeping_out(), Err)
                .and_then(|list| of.matching(at, list, reader)),
            pairing_reply: reply(at, reader),
            pairing_backoff: at
                .count("pairingBackoffSeconds", 0..=3600, reader)
                .map(|seconds| seconds.map(Duration::from_secs)),
            hand_over_first: at.flag("handOverFirst", reader),
            bot_token: at.secret("botToken", reader),
            token: at.secret("token", reader),
            app_token: at.secret("appToken", reader),
            mode: at.text("mode", reader),
            app_id: at.text("appId", reader),
            app_secret: at.secret("appSecret", reader),
            domain: at.text("domain", reader),
            connection_mode: at.text("connectionMode", reader),
            token_file: at.text("tokenFile", reader),
            api_root: at.text("apiRoot", reader),
            proxy: at.secret("proxy", reader),
            gateway_url: at.text("gatewayUrl", reader),
            allow_bots: bots(at, reader),
            daemon: WrittenDaemon::read(at, reader),
            server: WrittenServer::read(at, reader),
            cloud: WrittenCloud::read(at, reader),
            web: WrittenWeb::read(at, reader),
            messages: WrittenMessages::read(at, reader),
        }
    }

    /// The fault that closes an account, out of what is written for it and for its channel. `broken` is why
    /// either may be incomplete.
    pub(super) fn closing(
        own: &Self,
        all: &Self,
        id: &AccountId,
        broken: Option<&Arc<Fault>>,
    ) -> Option<Arc<Fault>> {
        let (shares_bot, shares_app) = (own.shares_bot(id), own.shares_app(id));
        let faults = [
            broken,
            own.unclear.as_ref(),
            all.unclear.as_ref(),
            fault(&own.enabled),
            fault(&all.enabled),
            counting(&own.dm_enabled, &all.dm_enabled),
            counting(&own.dm_policy, &all.dm_policy),
            fault(&own.block_from),
            fault(&all.block_from),
            fault(&own.bot_token),
            fault(&own.token),
            fault(&own.app_token),
            fault(&own.token_file),
            fault(&all.app_token).filter(|_| shares_app),
            counting(&own.mode, &all.mode),
            fault(&own.app_id),
            fault(&own.app_secret),
            fault(&all.app_id).filter(|_| own.shares_feishu(id)),
            fault(&all.app_secret).filter(|_| own.shares_feishu(id)),
            counting(&own.domain, &all.domain),
            counting(&own.connection_mode, &all.connection_mode),
            fault(&all.bot_token).filter(|_| shares_bot),
            fault(&all.token).filter(|_| shares_bot),
            fault(&all.token_file).filter(|_| shares_bot),
            counting(&own.api_root, &all.api_root),
            counting(&own.proxy, &all.proxy),
            counting(&own.gateway_url, &all.gateway_url),
            WrittenDaemon::fault(&own.daemon, &all.daemon, id.is_default()),
            WrittenServer::fault(&own.server, &all.server, id.is_default()),
            WrittenCloud::fault(&own.cloud, &all.cloud, id.is_default()),
            WrittenWeb::fault(&own.web, &all.web, id.is_default()),
            WrittenMessages::fault(&own.messages, &all.messages),
        ];
        faults.into_iter().flatten().next().cloned()
    }

    /// An account's own settings over its channel's; see [`closing`](Self::closing).
    ///
    /// A bot's token is an account's own: falling back to the channel's, two accounts would be one bot. What
    /// stands beside the accounts is the default account's.
    pub(super) fn merged(
        own: &Self,
        all: &Self,
        id: &AccountId,
        broken: Option<&Arc<Fault>>,
    ) -> Account {
        let closed = Self::closing(own, all, id, broken);
        let shares_bot = own.shares_bot(id);
        // Turned off or blocked in a channel is so in each of its accounts.
        let enabled = match (value(&own.enabled), value(&all.enabled)) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (own, all) => own.or(all),
        };
        let block_from = match (value(&own.block_from), value(&all.block_from)) {
            (Some(own), Some(all)) => Some(all.into_iter().chain(own).collect()),
            (own, all) => own.or(all),
        };
        let has_messages = or(&own.dm_enabled, &all.dm_enabled).unwrap_or(None);
        let is_off = closed.is_some() || has_messages == Some(false);
        let policy = or(&own.dm_policy, &all.dm_policy).unwrap_or(None);
        let reply = or(&own.pairing_reply, &all.pairing_reply);
        let hands_over = or(&own.hand_over_first, &all.hand_over_first);
        Account {
            enabled,
            dm_policy: if is_off {
                Some(DmPolicy::Disabled)
            } else {
                policy
            },
            allow_from: own.allow_from.clone().or_else(|| all.allow_from.clone()),
            block_from,
            // Better no reply than one that the owner may not want.
            pairing_reply: reply.unwrap_or(Some(PairingReply::Silent)),
            pairing_backoff: or(&own.pairing_backoff, &all.pairing_backoff).unwrap_or(None),
            hand_over_first: hands_over.unwrap_or(Some(false)),
            bot_token: value(&own.bot_token)
                .or_else(|| value(&all.bot_token).filter(|_| shares_bot)),
            token: value(&own.token).or_else(|| value(&all.token).filter(|_| shares_bot)),
            app_token: value(&own.app_token)
                .or_else(|| value(&all.app_token).filter(|_| own.shares_app(id))),
            mode: or(&own.mode, &all.mode).unwrap_or(None),
            app_id: value(&own.app_id)
                .or_else(|| value(&all.app_id).filter(|_| own.shares_feishu(id))),
            app_secret: value(&own.app_secret)
                .or_else(|| value(&all.app_secret).filter(|_| own.shares_feishu(id))),
            domain: or(&own.domain, &all.domain).unwrap_or(None),
            connection_mode: or(&own.connection_mode, &all.connection_mode).unwrap_or(None),
            token_file: value(&own.token_file)
                .or_else(|| value(&all.token_file).filter(|_| shares_bot)),
            api_root: or(&own.api_root, &all.api_root).unwrap_or(None),
            proxy: or(&own.proxy, &all.proxy).unwrap_or(None),
            gateway_url: or(&own.gateway_url, &all.gateway_url).unwrap_or(None),
            // What cannot be understood lets no bot in.
            allow_bots: or(&own.allow_bots, &all.allow_bots).unwrap_or(Some(false)),
            daemon: WrittenDaemon::merged(&own.daemon, &all.daemon, id.is_default()),
            server: WrittenServer::merged(&own.server, &all.server, id.is_default()),
            cloud: WrittenCloud::merged(&own.cloud, &all.cloud, id.is_default()),
            web: WrittenWeb::merged(&own.web, &all.web, id.is_default()),
            messages: WrittenMessages::merged(&own.messages, &all.messages),
            closed,
        }
    }

    /// Whether the channel's token is this account's.
    fn shares_bot(&self, id: &AccountId) -> bool {
        let tokens = (&self.bot_token, &self.token, &self.token_file);
        let has_own = !matches!(tokens, (Ok(None), Ok(None), Ok(None)));
        id.is_default() && !has_own
    }

    /// Whether the channel's app on Feishu is this account's: an id and a secret belong together.
    fn shares_feishu(&self, id: &AccountId) -> bool {
        let has_own = !matches!((&self.app_id, &self.app_secret), (Ok(None), Ok(None)));
        id.is_default() && !has_own
    }

    /// Whether the channel's app is this account's. It may have a bot's token of its own beside it.
    fn shares_app(&self, id: &AccountId) -> bool {
        id.is_default() && matches!(self.app_token, Ok(None))
    }
}

/// A text, or whether there is a reply at all.
fn reply(at: &mut Section<'_>, reader: &mut Reader<'_>) -> Given<PairingReply> {
    Ok(match at.text_or_flag("pairingReply", reader)? {
        None => None,
        Some(TextOrFlag::Flag(true)) => Some(PairingReply::Standard),
        Some(TextOrFlag::Flag(false)) => Some(PairingReply::Silent),
        Some(TextOrFlag::Text(text)) if text.trim().is_empty() => None,
        Some(TextOrFlag::Text(text)) => {
            let (found, most) = (text.chars().count(), PairingReply::MAX_CHARS);
            if found > most {
                let detail = format!("has at most {most} characters, this has {found}");
                return Err(at.fault("pairingReply", &detail, reader));
            }
            Some(PairingReply::Own(text))
        }
    })
}

/// Whether other bots are heard. OpenClaw also knows `"mentions"`, which is about groups.
fn bots(at: &mut Section<'_>, reader: &mut Reader<'_>) -> Given<bool> {
    Ok(match at.text_or_flag("allowBots", reader)? {
        None => None,
        Some(TextOrFlag::Flag(flag)) => Some(flag),
        Some(TextOrFlag::Text(_)) => Some(false),
    })
}
