//! The chat channels and their accounts, as `pairing.channels` shows them.

use pairing_core::{AccountId, ChannelId, DmPolicy};
use serde::{Deserialize, Serialize};

/// The answer to `pairing.channels`, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChannelStatuses {
    /// The channels that there may be senders of.
    pub channels: Vec<ChannelStatus>,
}

/// A channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChannelStatus {
    /// Which.
    pub channel: ChannelId,
    /// Whether the configuration names it.
    #[serde(default)]
    pub configured: bool,
    /// Its accounts, by name; `default` is always one of them.
    pub accounts: Vec<AccountStatus>,
}

/// A bot account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountStatus {
    /// Which.
    pub account_id: AccountId,
    /// What happens to direct messages.
    pub dm_policy: DmPolicy,
    /// Whether the gateway runs an adapter for it.
    pub running: bool,
}
