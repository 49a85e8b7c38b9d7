//! Messages of chats: the event by which they come in, and the method by which they are answered.

use std::collections::BTreeMap;

use pairing_core::{AccountId, ChannelId, SenderId};
use serde::{Deserialize, Serialize};

use crate::Text;

/// The event `message.inbound`: somebody who may has written to the bot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MessageInbound {
    /// The channel.
    pub channel: ChannelId,
    /// The bot account that was written to.
    pub account_id: AccountId,
    /// The message's id in its chat.
    pub id: String,
    /// The sender.
    pub sender: SenderId,
    /// Where an answer goes: `to` of `send`.
    pub chat: String,
    /// The thread in it, where there are such.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<String>,
    /// Whether it was a direct message to the bot.
    pub is_direct: bool,
    /// What was said.
    pub text: String,
    /// Whether it was longer and has been cut.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
    /// When, in milliseconds.
    pub at_ms: i64,
    /// Names and the like, as the channel gave them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub meta: BTreeMap<String, String>,
}

/// The parameters of `send`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SendParams {
    /// The channel.
    pub channel: Text,
    /// The bot account that says it; the default one if none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_id: Option<Text>,
    /// The chat.
    pub to: Text,
    /// The thread in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<Text>,
    /// What to say: plain text.
    pub message: Text,
    /// Recognises the same message: said twice, it is sent once.
    pub idempotency_key: Text,
}

/// The answer to `send`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MessageSent {
    /// The channel.
    pub channel: ChannelId,
    /// The bot account that said it.
    pub account_id: AccountId,
    /// The chat.
    pub to: String,
    /// What the channel calls the message.
    pub message_id: String,
}
