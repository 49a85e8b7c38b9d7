//! `channels.status`: the channels and their accounts as releases of the other program tell them.

use std::collections::BTreeMap;

use pairing_core::{AccountId, ChannelId, DmPolicy};
use serde::{Deserialize, Serialize};

use crate::channel::{
    AccountConnection, AccountStatus, ChannelStatus, ChannelStatuses, ConnectionState,
};

/// The answer to `channels.status`. Members that other releases have besides are not kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChannelsStatus {
    /// When it was asked, in milliseconds since 1970.
    #[serde(default)]
    pub ts: i64,
    /// The channels, in the order in which they are shown.
    #[serde(default)]
    pub channel_order: Vec<String>,
    /// What people call each channel.
    #[serde(default)]
    pub channel_labels: BTreeMap<String, String>,
    /// A summary of each channel: that of its default account.
    #[serde(default)]
    pub channels: BTreeMap<String, AccountSnapshot>,
    /// The accounts of each channel.
    #[serde(default)]
    pub channel_accounts: BTreeMap<String, Vec<AccountSnapshot>>,
    /// The account of each channel that is meant if none is named.
    #[serde(default)]
    pub channel_default_account_id: BTreeMap<String, String>,
}

/// An account. Times are in milliseconds since 1970.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AccountSnapshot {
    /// Id of the account; missing in a summary of some releases.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_id: Option<String>,
    /// Whether it is set up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub configured: Option<bool>,
    /// Whether the gateway runs it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub running: Option<bool>,
    /// Whether it receives messages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connected: Option<bool>,
    /// Policy for direct messages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dm_policy: Option<String>,
    /// Time since which it is connected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_connected_at: Option<i64>,
    /// Time at which a message was last received.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_inbound_at: Option<i64>,
    /// The last error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// Time at which the chat system was last asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_probe_at: Option<i64>,
    /// What it said. Its members differ from channel to channel; `ok` is always among them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probe: Option<serde_json::Value>,
}

impl ChannelsStatus {
    /// The same in the other program's form. `label` is what people call a channel, and `ts` the time.
    pub fn new(statuses: &ChannelStatuses, ts: i64, label: impl Fn(&ChannelId) -> String) -> Self {
        let mut all = Self {
            ts,
            ..Self::default()
        };
        for channel in &statuses.channels {
            let name = channel.channel.as_str().to_owned();
            let snapshot = |account: &AccountStatus| snapshot(account, channel.configured, ts);
            let accounts: Vec<_> = channel.accounts.iter().map(snapshot).collect();
            let default = channel
                .accounts
                .iter()
                .find(|account| account.account_id.is_default());
            let default = default.or(channel.accounts.first());
            if let Some(default) = default {
                all.channels.insert(name.clone(), snapshot(default));
                let id = default.account_id.as_str().to_owned();
                all.channel_default_account_id.insert(name.clone(), id);
            }
            all.channel_labels
                .insert(name.clone(), label(&channel.channel));
            all.channel_accounts.insert(name.clone(), accounts);
            all.channel_order.push(name);
        }
        all
    }

    /// The same in our form. What cannot be a channel or an account is left out.
    pub fn statuses(self) -> ChannelStatuses {
        let of_channel = |(name, accounts): (String, Vec<AccountSnapshot>)| {
            Some(ChannelStatus {
                channel: ChannelId::parse(&name).ok()?,
                configured: accounts
                    .iter()
                    .any(|account| account.configured == Some(true)),
                accounts: accounts.into_iter().filter_map(status).collect(),
            })
        };
        let channels = self.channel_accounts.into_iter();
        ChannelStatuses {
            channels: channels.filter_map(of_channel).collect(),
        }
    }
}

fn snapshot(account: &AccountStatus, configured: bool, ts: i64) -> AccountSnapshot {
    let connection = account.connection.as_ref();
    let is_connected = connection.is_some_and(|of| of.state == ConnectionState::Connected);
    AccountSnapshot {
        account_id: Some(account.account_id.as_str().to_owned()),
        configured: Some(configured),
        running: Some(account.running),
        connected: connection.map(|_| is_connected),
        dm_policy: Some(account.dm_policy.as_str().to_owned()),
        last_connected_at: connection
            .and_then(|of| of.since_ms)
            .filter(|_| is_connected),
        last_inbound_at: connection.and_then(|of| of.last_received_ms),
        last_error: connection.and_then(|of| of.last_error.clone()),
        last_probe_at: account.probe.as_ref().map(|_| ts),
        probe: account
            .probe
            .as_ref()
            .and_then(|probe| serde_json::to_value(probe).ok()),
    }
}

fn status(account: AccountSnapshot) -> Option<AccountStatus> {
    let running = account.running == Some(true);
    let state = match account.connected {
        Some(true) => ConnectionState::Connected,
        // Some channels do not tell.
        None if running => ConnectionState::Unknown,
        Some(false) if running => ConnectionState::Failing,
        _ => ConnectionState::Stopped,
    };
    let policies = [
        DmPolicy::Pairing,
        DmPolicy::Allowlist,
        DmPolicy::Open,
        DmPolicy::Disabled,
    ];
    let policy = account.dm_policy.unwrap_or_default();
    let policy = policies.into_iter().find(|known| known.as_str() == policy);
    let probe = account.probe;
    let probe = probe.and_then(|probe| serde_json::from_value(probe).ok());
    Some(AccountStatus {
        account_id: AccountId::parse(&account.account_id?).ok()?,
        dm_policy: policy.unwrap_or_default(),
        running,
        connection: Some(AccountConnection {
            state,
            since_ms: account
                .last_connected_at
                .filter(|_| state == ConnectionState::Connected),
            last_received_ms: account.last_inbound_at,
            last_error: account.last_error,
        }),
        probe,
        can_link: false,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_forms_say_the_same() {
        let ours = json!({ "channels": [{ "channel": "telegram", "configured": true, "accounts": [
            { "accountId": "default", "dmPolicy": "open", "running": true,
              "connection": { "state": "connected", "sinceMs": 5, "lastReceivedMs": 7, "lastError": "x" },
              "probe": { "ok": true, "name": "@bot", "elapsedMs": 3 } },
            { "accountId": "work", "dmPolicy": "pairing", "running": false, "connection": { "state": "stopped" } },
        ] }] });
        let ours: ChannelStatuses = serde_json::from_value(ours).unwrap();
        let theirs = ChannelsStatus::new(&ours, 9, |_| "Telegram".into());
        assert_eq!(theirs.clone().statuses(), ours);
        let written = serde_json::to_value(&theirs).unwrap();
        assert_eq!(
            written,
            json!({
                "ts": 9, "channelOrder": ["telegram"], "channelLabels": { "telegram": "Telegram" },
                "channelDefaultAccountId": { "telegram": "default" },
                "channels": { "telegram": written["channelAccounts"]["telegram"][0] },
                "channelAccounts": { "telegram": [
                    { "accountId": "default", "configured": true, "running": true, "connected": true,
                      "dmPolicy": "open", "lastConnectedAt": 5, "lastInboundAt": 7, "lastError": "x",
                      "lastProbeAt": 9, "probe": { "ok": true, "name": "@bot", "elapsedMs": 3 } },
                    { "accountId": "work", "configured": true, "running": false, "connected": false,
                      "dmPolicy": "pairing" },
                ] },
            })
        );
    }

    #[test]
    fn what_other_releases_leave_out_or_add_is_no_fault() {
        let theirs = json!({ "ts": 1, "channelMeta": [], "channelAccounts": {
            "irc": [{ "accountId": "default", "running": true, "mode": "x", "probe": { "status": 200 } }, {}],
            "no channel": [],
        } });
        let theirs: ChannelsStatus = serde_json::from_value(theirs).unwrap();
        let ours = theirs.statuses().channels;
        assert_eq!((ours.len(), ours[0].accounts.len()), (1, 1));
        let account = &ours[0].accounts[0];
        assert_eq!(account.probe, None);
        let state = account.connection.as_ref().map(|of| of.state);
        assert_eq!(state, Some(ConnectionState::Unknown));
    }
}
