//! The chat channels and their accounts, as `pairing.channels` returns them.

use pairing_core::{AccountId, ChannelId, DmPolicy};
use serde::{Deserialize, Serialize};

/// The parameters of `pairing.channels` and `channels.status`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StatusParams {
    /// Whether to ask each chat system now. One that was asked a few seconds ago is not asked again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub probe: bool,
    /// How long that may take, in milliseconds; 10 seconds by default, and 30 at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// The channel; all of them by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<ChannelId>,
}

/// The answer to `pairing.channels`, sorted by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChannelStatuses {
    /// Channels that can have senders.
    pub channels: Vec<ChannelStatus>,
}

/// A chat channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChannelStatus {
    /// Id of the channel.
    pub channel: ChannelId,
    /// Whether the configuration names the channel.
    #[serde(default)]
    pub configured: bool,
    /// Accounts of the channel, sorted by name; `default` is always included.
    pub accounts: Vec<AccountStatus>,
}

/// A bot account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountStatus {
    /// Id of the account.
    pub account_id: AccountId,
    /// Policy for direct messages.
    pub dm_policy: DmPolicy,
    /// Whether the gateway runs an adapter for the account.
    pub running: bool,
    /// The connection of that adapter to its chat system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<AccountConnection>,
    /// What the chat system said, if it was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<AccountProbe>,
    /// Whether the account is linked by scanning a code (`channels.login.start`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub can_link: bool,
}

/// What a chat system said when it was asked about an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountProbe {
    /// Whether it accepts the account.
    pub ok: bool,
    /// The account's name there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Why it does not, or why it could not be asked; escaped and without secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// How long it took, in milliseconds.
    #[serde(default)]
    pub elapsed_ms: u64,
}

/// The connection of a bot to its chat system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountConnection {
    /// Whether messages are received.
    pub state: ConnectionState,
    /// Time since which that is so, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since_ms: Option<i64>,
    /// Time at which a message was last received, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_received_ms: Option<i64>,
    /// The last error, escaped and without secrets. It stays when the connection has recovered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
}

/// Whether a bot receives messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ConnectionState {
    /// It does not run, or has given up.
    Stopped,
    /// It was started, and has neither connected nor failed yet.
    Connecting,
    /// It receives messages.
    Connected,
    /// It does not receive messages, and retries.
    Failing,
    /// A state of a newer gateway.
    #[serde(other)]
    Unknown,
}
