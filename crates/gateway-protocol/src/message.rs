//! Chat messages: the event that delivers them, and the method that sends replies.

use std::collections::BTreeMap;

use pairing_core::{AccountId, ChannelId, MetadataValue, SenderId};
use serde::{Deserialize, Serialize};

use crate::Text;

/// The event `message.inbound`: an admitted sender has written to the bot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MessageInbound {
    /// The chat channel.
    pub channel: ChannelId,
    /// The bot account that received the message.
    pub account_id: AccountId,
    /// Id of the message within its chat.
    pub id: String,
    /// The sender.
    pub sender: SenderId,
    /// Chat to reply to: the `to` of `send`.
    pub chat: String,
    /// Thread within the chat, if the channel has threads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<String>,
    /// Whether this was a direct message to the bot.
    pub is_direct: bool,
    /// Message text.
    pub text: String,
    /// Whether the text was longer and has been truncated.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
    /// Time of the message, in milliseconds.
    pub at_ms: i64,
    /// Names and similar metadata, as the channel provided them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub meta: BTreeMap<String, MetadataValue>,
}

/// The parameters of `send`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SendParams {
    /// The chat channel.
    pub channel: Text,
    /// The bot account that sends the message; the default account if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_id: Option<Text>,
    /// The chat to send to.
    pub to: Text,
    /// Thread within the chat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<Text>,
    /// Message text, plain.
    pub message: Text,
    /// Identifies repeats of the same request: a repeat does not send the message again.
    pub idempotency_key: Text,
}

/// The answer to `send`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MessageSent {
    /// The chat channel.
    pub channel: ChannelId,
    /// The bot account that sent the message.
    pub account_id: AccountId,
    /// The chat it was sent to.
    pub to: String,
    /// The channel's id for the message.
    pub message_id: String,
}
