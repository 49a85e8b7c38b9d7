//! `/pair notify`: the chats that get notices, in the file format of OpenClaw.

use std::collections::BTreeMap;

use pairing_core::{AccountId, ChannelId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Commands;
use super::parse::Notify;
use gateway_channels::OwnerMessage;

/// `device-pair-notify.json`, including members that this program does not know.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Notices {
    pub(super) subscribers: Vec<Subscriber>,
    /// Requests that notices were sent for, and when. Those of devices are listed by id, as OpenClaw does.
    pub(super) notified_request_ids: BTreeMap<String, i64>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// A chat that gets notices.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Subscriber {
    to: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    account_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    message_thread_id: Option<Value>,
    #[serde(default)]
    pub(super) mode: Mode,
    #[serde(default)]
    pub(super) added_at_ms: i64,
    /// The channel. OpenClaw lacks this member, because it knows Telegram only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    channel: Option<ChannelId>,
    /// The owner who subscribed. OpenClaw lacks this member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    added_by: Option<String>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Mode {
    #[default]
    Persistent,
    Once,
}

/// Maximum number of subscribed chats.
const MOST: usize = 64;

impl Subscriber {
    fn of(owner: &OwnerMessage, mode: Mode, added_at_ms: i64) -> Self {
        let channel = Some(owner.channel.clone()).filter(|channel| channel.as_str() != "telegram");
        Self {
            to: owner.chat.chat.clone(),
            account_id: Some(owner.account.as_str().to_owned())
                .filter(|_| !owner.account.is_default()),
            message_thread_id: owner.chat.thread.clone().map(Value::String),
            mode,
            added_at_ms,
            channel,
            added_by: Some(owner.sender.as_str().to_owned()),
            rest: Map::new(),
        }
    }

    pub(super) fn channel(&self) -> Option<ChannelId> {
        let telegram = || ChannelId::parse("telegram").ok();
        self.channel.clone().or_else(telegram)
    }

    pub(super) fn account(&self) -> Option<AccountId> {
        match &self.account_id {
            Some(id) => AccountId::parse(id).ok(),
            None => Some(AccountId::default()),
        }
    }

    pub(super) fn chat(&self) -> &str {
        let to = self.to.trim();
        to.strip_prefix("telegram:").unwrap_or(to)
    }

    pub(super) fn thread(&self) -> Option<String> {
        match self.message_thread_id.as_ref()? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// The sender who subscribed; the subscription counts only while they are an owner.
    pub(super) fn by(&self) -> &str {
        self.added_by.as_deref().unwrap_or_else(|| self.chat())
    }

    pub(super) fn is_same_chat(&self, other: &Self) -> bool {
        let place = |of: &Self| {
            (
                of.channel(),
                of.account(),
                of.chat().to_owned(),
                of.thread(),
            )
        };
        place(self) == place(other)
    }
}

impl Commands {
    pub(super) async fn notify(&self, owner: &OwnerMessage, what: Notify) -> String {
        let now = self.pairing().now().as_millis();
        let own = Subscriber::of(owner, Mode::Persistent, now);
        let change = |notices: &mut Notices| {
            let mode = match what {
                Notify::Status => return true,
                Notify::Off => None,
                Notify::On => Some(Mode::Persistent),
                Notify::Once => Some(Mode::Once),
            };
            notices
                .subscribers
                .retain(|other| !other.is_same_chat(&own));
            if let Some(mode) = mode {
                if notices.subscribers.len() >= MOST {
                    return false;
                }
                notices.subscribers.push(Subscriber {
                    mode,
                    ..own.clone()
                });
            }
            true
        };
        let (has_room, written) = self.0.notices.change(change).await;
        if !has_room {
            return format!("{MOST} chats are told already: turn one of them off first.");
        }
        let mut said = self.notices_here(owner).await;
        if let Err(error) = written {
            said = format!("{said}\nThat could not be written down: {error}.");
        }
        said
    }

    /// Describes whether this chat is notified of requests.
    pub(super) async fn notices_here(&self, owner: &OwnerMessage) -> String {
        let own = Subscriber::of(owner, Mode::Persistent, 0);
        let notices = self.0.notices.get().await;
        let here = notices
            .subscribers
            .iter()
            .find(|other| other.is_same_chat(&own));
        let here = match here.map(|found| found.mode) {
            Some(Mode::Persistent) => "This chat is told of every request.",
            Some(Mode::Once) => "This chat is told of the next request.",
            None => "This chat is not told of requests by /pair notify.",
        };
        if self.0.parts.settings.load().config.notify_owners {
            format!("{here}\nAll owners are told of every request: pairing.notify is on.")
        } else {
            here.to_owned()
        }
    }
}
