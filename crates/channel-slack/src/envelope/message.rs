//! Messages.

use channel_kit::{Inbound, Target, first_bytes};
use pairing_core::Timestamp;
use serde::Deserialize;

use super::{LONGEST_TEXT, read};
use crate::id::{Id, Ts};
use crate::plain;

/// The bot itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Me {
    /// Its user.
    pub(crate) user: Id,
    /// Its bot, which is another id.
    pub(crate) bot: Option<Id>,
    /// Where it is installed.
    pub(crate) home: Home,
}

/// A workspace, and the organisation that it may be a part of; as far as they are known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Home {
    #[serde(default, rename = "team_id")]
    pub(crate) team: Option<Id>,
    #[serde(default, rename = "enterprise_id")]
    pub(crate) enterprise: Option<Id>,
}

/// An installation of the app that may see an event: the bot's, or that of a person who lets the app read for them.
#[derive(Debug, Deserialize)]
pub(crate) struct Authorization {
    #[serde(flatten)]
    home: Home,
    #[serde(default)]
    user_id: Option<Id>,
    #[serde(default)]
    is_bot: bool,
}

impl Home {
    /// Whether something of another place concerns this one: an app may be installed in many workspaces, and ids of people
    /// are those of a workspace or an organisation. What Slack does not say is not held against it.
    pub(crate) fn is_home_of(&self, other: &Self) -> bool {
        let differs = |a: &Option<Id>, b: &Option<Id>| a.is_some() && b.is_some() && a != b;
        let is_same_enterprise = self.enterprise.is_some() && self.enterprise == other.enterprise;
        is_same_enterprise || !differs(&self.team, &other.team)
    }
}

impl Authorization {
    fn is_of(&self, me: &Me) -> bool {
        let is_me = self.user_id.as_ref() == Some(&me.user);
        is_me || (self.is_bot && me.home.is_home_of(&self.home))
    }
}

/// A message.
#[derive(Debug)]
pub(crate) struct Message {
    channel: Id,
    user: Option<Id>,
    bot: Option<Id>,
    text: String,
    ts: Ts,
    thread: Option<Ts>,
    is_direct: bool,
    is_speech: bool,
    /// The installations for which Slack sends it; empty where it does not say.
    pub(super) authorizations: Vec<Authorization>,
}

pub(super) fn message(event: &str) -> Option<Message> {
    #[derive(Deserialize)]
    struct Body {
        #[serde(rename = "type")]
        kind: String,
        channel: Id,
        #[serde(default)]
        channel_type: Option<String>,
        #[serde(default)]
        subtype: Option<String>,
        #[serde(default)]
        hidden: bool,
        #[serde(default)]
        user: Option<Id>,
        #[serde(default)]
        bot_id: Option<Id>,
        #[serde(default)]
        text: Option<String>,
        ts: Ts,
        #[serde(default)]
        thread_ts: Option<Ts>,
    }
    let body: Body = read(event)?;
    if body.kind != "message" {
        return None;
    }
    let subtype = body.subtype.as_deref();
    Some(Message {
        is_speech: matches!(subtype, None | Some("file_share" | "thread_broadcast"))
            && !body.hidden,
        is_direct: body.channel_type.as_deref() == Some("im"),
        channel: body.channel,
        user: body.user,
        bot: body.bot_id,
        text: body.text.unwrap_or_default(),
        thread: body.thread_ts.filter(|thread| *thread != body.ts),
        ts: body.ts,
        authorizations: Vec::new(),
    })
}

impl Message {
    /// What there is to hand on, if anything: not the bot's own messages, and those of other bots only where
    /// `allows_bots` says so.
    pub(crate) fn inbound(self, me: &Me, allows_bots: bool, now: Timestamp) -> Option<Inbound> {
        // What the app sees for somebody else was not said to the bot.
        let is_for_me = |authorization: &Authorization| authorization.is_of(me);
        if !self.authorizations.is_empty() && !self.authorizations.iter().any(is_for_me) {
            return None;
        }
        let sender = self.user?;
        let is_me = sender == me.user || (self.bot.is_some() && self.bot == me.bot);
        // Slack's own bot speaks for Slack.
        if !self.is_speech || is_me || sender.as_str() == "USLACKBOT" {
            return None;
        }
        if self.bot.is_some() && !allows_bots {
            return None;
        }
        let mut message = Inbound::new(
            self.ts.to_string(),
            sender.to_string(),
            Target::chat(self.channel.as_str())
                .thread(self.thread.map(|thread| thread.to_string())),
            self.ts.time().unwrap_or(now),
        );
        message.is_direct = self.is_direct;
        message.text = plain::typed(&first_bytes(self.text, LONGEST_TEXT));
        // `historical` stays false: Slack keeps messages while the gateway is away, and those are still new.
        message.authenticated = true;
        Some(message)
    }
}
