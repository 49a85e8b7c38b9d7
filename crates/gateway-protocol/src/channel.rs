//! The chat channels and their accounts, as `pairing.channels` returns them.

use pairing_core::{AccountId, ChannelId, DmPolicy};
use serde::{Deserialize, Serialize};

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
}
