//! DM pairing over the wire: `pairing.*`, which no other gateway has.

use std::collections::BTreeMap;

use pairing_core::store::{AllowEntry, PendingRequest, SeenSender, TurnedAway};
use pairing_core::{
    AccountId, ApproverId, ChannelId, Limits, PairingCode, SenderId, Timestamp, Via,
};
use serde::{Deserialize, Serialize};

use crate::Text;

/// The parameters of `pairing.list`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListParams {
    /// One channel only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<Text>,
    /// One account only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_id: Option<Text>,
}

/// The answer to `pairing.list`, newest first.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DmRequests {
    /// Pending requests.
    pub requests: Vec<DmRequest>,
    /// Senders turned away because too many requests were pending.
    pub turned_away: Vec<DmTurnedAway>,
    /// What is stored and could not be understood, or could not be read, in a line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
}

/// A sender who waits; also the event `pairing.requested`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DmRequest {
    /// The channel.
    pub channel: ChannelId,
    /// The bot account that was written to.
    pub account_id: AccountId,
    /// The sender.
    pub id: SenderId,
    /// What approves it.
    pub code: PairingCode,
    /// When the request was made, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at_ms: Option<i64>,
    /// When the sender last wrote, to the minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen_at_ms: Option<i64>,
    /// When the code stops working.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at_ms: Option<i64>,
    /// Names and the like, as the channel gave them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub meta: BTreeMap<String, String>,
}

/// Senders of one account who came when no more could wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DmTurnedAway {
    /// The channel.
    pub channel: ChannelId,
    /// The bot account.
    pub account_id: AccountId,
    /// How often it happened,
    pub count: u64,
    /// since when, in milliseconds.
    pub since_ms: i64,
    /// The latest, oldest first.
    pub recent: Vec<DmSeen>,
}

/// A sender, and when they came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DmSeen {
    /// Who.
    pub id: SenderId,
    /// When, in milliseconds.
    pub at_ms: i64,
}

/// The parameters of `pairing.approve`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApproveParams {
    /// The channel.
    pub channel: Text,
    /// The code, as somebody typed it.
    pub code: Text,
    /// The account it came in through; needed only where two carry the same code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_id: Option<Text>,
    /// Whether to notify the sender.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub notify: bool,
}

/// The parameters of `pairing.reject`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RejectParams {
    /// The channel.
    pub channel: Text,
    /// The code or the sender.
    pub request: Text,
    /// The account it came in through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_id: Option<Text>,
}

/// The answer to both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DmDecided {
    /// The channel.
    pub channel: ChannelId,
    /// The bot account.
    pub account_id: AccountId,
    /// The sender.
    pub id: SenderId,
    /// The code of the request that was answered.
    pub code: PairingCode,
    /// Whether the sender was notified; `None` if that was not requested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notified: Option<bool>,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_notified: Option<String>,
}

/// The parameters of `pairing.allowed`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AllowedParams {
    /// The channel.
    pub channel: Text,
    /// The account; the default one if none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_id: Option<Text>,
}

/// The answer to `pairing.allowed`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DmAllowed {
    /// The channel.
    pub channel: ChannelId,
    /// The bot account.
    pub account_id: AccountId,
    /// The senders that it allows, in addition to those in the configuration.
    pub entries: Vec<DmEntry>,
    /// What is stored and could not be understood, in a line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
}

/// A sender who is allowed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DmEntry {
    /// Who.
    pub id: SenderId,
    /// The entry as it was once written, where that is spelled otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written: Option<String>,
    /// Who allowed it, where that is known,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub granted_by: Option<ApproverId>,
    /// by which way,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub granted_via: Option<Via>,
    /// and when, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub granted_at_ms: Option<i64>,
}

/// The parameters of `pairing.allow` and `pairing.revoke`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EntryParams {
    /// The channel.
    pub channel: Text,
    /// Who.
    pub entry: Text,
    /// The account; the default one if none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_id: Option<Text>,
}

/// The answer to both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DmListed {
    /// The channel.
    pub channel: ChannelId,
    /// The bot account.
    pub account_id: AccountId,
    /// Who, as it was asked.
    pub entry: String,
    /// What it came to.
    pub status: Listed,
}

/// What a change of an allowlist came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Listed {
    /// Is on it now.
    Added,
    /// Was on it before.
    Present,
    /// Is not on it any more.
    Removed,
    /// Was not on it.
    Absent,
}

impl DmRequest {
    /// A request as it is shown; `limits` are those it expires by.
    pub fn new(request: &PendingRequest, limits: &Limits) -> Self {
        let meta = request.meta.iter();
        Self {
            channel: request.channel.clone(),
            account_id: request.account.clone(),
            id: request.sender.clone(),
            code: request.code,
            created_at_ms: request.created_at.map(Timestamp::as_millis),
            last_seen_at_ms: request.last_seen_at.map(Timestamp::as_millis),
            expires_at_ms: request.expires_at(limits).map(Timestamp::as_millis),
            meta: meta
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect(),
        }
    }
}

impl From<&TurnedAway> for DmTurnedAway {
    fn from(turned: &TurnedAway) -> Self {
        Self {
            channel: turned.channel.clone(),
            account_id: turned.account.clone(),
            count: turned.count,
            since_ms: turned.since.as_millis(),
            recent: turned.recent.iter().map(Into::into).collect(),
        }
    }
}

impl From<&SeenSender> for DmSeen {
    fn from(seen: &SeenSender) -> Self {
        Self {
            id: seen.sender.clone(),
            at_ms: seen.at.as_millis(),
        }
    }
}

impl From<&AllowEntry> for DmEntry {
    fn from(entry: &AllowEntry) -> Self {
        let grant = entry.grant.as_ref();
        Self {
            id: entry.entry.clone(),
            written: entry.written.clone(),
            granted_by: grant.map(|grant| grant.by.clone()),
            granted_via: grant.map(|grant| grant.via),
            granted_at_ms: grant.map(|grant| grant.at.as_millis()),
        }
    }
}

impl From<&PendingRequest> for DmDecided {
    fn from(request: &PendingRequest) -> Self {
        Self {
            channel: request.channel.clone(),
            account_id: request.account.clone(),
            id: request.sender.clone(),
            code: request.code,
            notified: None,
            not_notified: None,
        }
    }
}
