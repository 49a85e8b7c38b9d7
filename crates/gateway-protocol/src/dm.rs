//! DM pairing over the wire: the `pairing.*` methods, which other gateways lack.

use std::collections::BTreeMap;

use pairing_core::store::{AllowEntry, Claim, PendingRequest, SeenSender, TurnedAway};
use pairing_core::{
    AccountId, ApproverId, ChannelId, Limits, MetadataValue, PairingCode, Principal, SenderId,
    Timestamp, Via,
};
use serde::{Deserialize, Serialize};

use crate::Text;

/// The parameters of `pairing.list`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListParams {
    /// Only requests of this channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<Text>,
    /// Only requests of this account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_id: Option<Text>,
}

/// The answer to `pairing.list`, newest first.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DmRequests {
    /// Pending requests.
    pub requests: Vec<DmRequest>,
    /// Senders rejected because too many requests were pending.
    pub turned_away: Vec<DmTurnedAway>,
    /// Stored data that is malformed or unreadable, one line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
    /// Channels whose requests could not be read, so that their absence here says nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unreadable: Vec<ChannelId>,
}

/// A sender's pending request; also the event `pairing.requested`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DmRequest {
    /// The chat channel.
    pub channel: ChannelId,
    /// The bot account that received the message.
    pub account_id: AccountId,
    /// The sender.
    pub id: SenderId,
    /// Code that approves the request.
    pub code: PairingCode,
    /// Creation time of the request, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at_ms: Option<i64>,
    /// Time of the sender's last message, to the minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen_at_ms: Option<i64>,
    /// Time at which the code expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at_ms: Option<i64>,
    /// Names and similar metadata, as the channel provided them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub meta: BTreeMap<String, MetadataValue>,
}

/// Senders of one account who were rejected because too many requests were pending.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DmTurnedAway {
    /// The chat channel.
    pub channel: ChannelId,
    /// The bot account.
    pub account_id: AccountId,
    /// Number of rejections.
    pub count: u64,
    /// Time of the first rejection, in milliseconds.
    pub since_ms: i64,
    /// The most recent senders, oldest first.
    pub recent: Vec<DmSeen>,
}

/// A sender and the time of their message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DmSeen {
    /// Id of the sender.
    pub id: SenderId,
    /// Time of the message, in milliseconds.
    pub at_ms: i64,
}

/// The parameters of `pairing.approve`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApproveParams {
    /// The chat channel.
    pub channel: Text,
    /// The pairing code, as typed.
    pub code: Text,
    /// The account that received the request; required only if two accounts have the same code.
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
    /// The chat channel.
    pub channel: Text,
    /// The pairing code or the sender's id.
    pub request: Text,
    /// The account that received the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_id: Option<Text>,
}

/// The answer to `pairing.approve` and `pairing.reject`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DmDecided {
    /// The chat channel.
    pub channel: ChannelId,
    /// The bot account.
    pub account_id: AccountId,
    /// The sender.
    pub id: SenderId,
    /// Code of the decided request.
    pub code: PairingCode,
    /// Whether the sender was notified; `None` if no notification was requested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notified: Option<bool>,
    /// Reason why the sender was not notified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_notified: Option<String>,
}

/// The parameters of `pairing.allowed`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AllowedParams {
    /// The chat channel.
    pub channel: Text,
    /// The bot account; the default account if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_id: Option<Text>,
}

/// The answer to `pairing.allowed`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DmAllowed {
    /// The chat channel.
    pub channel: ChannelId,
    /// The bot account.
    pub account_id: AccountId,
    /// Senders allowed in addition to those in the configuration.
    pub entries: Vec<DmEntry>,
    /// Malformed stored data, one line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
}

/// An allowed sender.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DmEntry {
    /// Id of the sender.
    pub id: SenderId,
    /// The entry as originally written, if spelled differently.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written: Option<String>,
    /// The approver, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub granted_by: Option<ApproverId>,
    /// Interface through which the sender was allowed, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub granted_via: Option<Via>,
    /// Time of the approval in milliseconds, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub granted_at_ms: Option<i64>,
}

/// The parameters of `pairing.allow` and `pairing.revoke`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EntryParams {
    /// The chat channel.
    pub channel: Text,
    /// Id of the sender.
    pub entry: Text,
    /// The bot account; the default account if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_id: Option<Text>,
}

/// The answer to `pairing.allow` and `pairing.revoke`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DmListed {
    /// The chat channel.
    pub channel: ChannelId,
    /// The bot account.
    pub account_id: AccountId,
    /// Id of the sender, as requested.
    pub entry: String,
    /// Outcome of the change.
    pub status: Listed,
}

/// The parameters of `pairing.invite`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InviteParams {
    /// The chat channel.
    pub channel: Text,
    /// The bot account; the default account if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_id: Option<Text>,
    /// The embedder's user that the sender will be; the bot's owner if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal: Option<Text>,
}

/// The answer to `pairing.invite`. Contains the code, which is a secret until it expires.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DmInvited {
    /// The chat channel.
    pub channel: ChannelId,
    /// The bot account.
    pub account_id: AccountId,
    /// The claim code. The sender who writes `/bind CODE` to the bot first is allowed.
    pub code: String,
    /// The invitation's id, by which it can be ended. Safe to show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Time at which the code expires, in milliseconds.
    pub expires_at_ms: i64,
}

impl std::fmt::Debug for DmInvited {
    /// Omits the code.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DmInvited")
            .field("channel", &self.channel)
            .field("account_id", &self.account_id)
            .field("expires_at_ms", &self.expires_at_ms)
            .finish_non_exhaustive()
    }
}

/// The parameters of `pairing.invite.list`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InvitationsParams {
    /// The chat channel.
    pub channel: Text,
    /// Only invitations to this account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_id: Option<Text>,
}

/// The answer to `pairing.invite.list`, newest first.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DmInvitations {
    /// The chat channel.
    pub channel: ChannelId,
    /// Claim codes that are valid.
    pub invitations: Vec<DmInvitation>,
}

/// A claim code that was issued and is valid, without the code itself, which is not kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DmInvitation {
    /// The invitation's id, by which it can be ended.
    pub id: String,
    /// The chat channel.
    pub channel: ChannelId,
    /// The bot account.
    pub account_id: AccountId,
    /// The approver who issued it.
    pub issued_by: ApproverId,
    /// Interface through which it was issued.
    pub issued_via: Via,
    /// Time at which it was issued, in milliseconds.
    pub issued_at_ms: i64,
    /// Time at which it expires, in milliseconds.
    pub expires_at_ms: i64,
    /// The embedder's user that the sender will be; the bot's owner if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal: Option<Principal>,
}

/// The parameters of `pairing.invite.end`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EndInvitationParams {
    /// The chat channel.
    pub channel: Text,
    /// The invitation's id.
    pub id: Text,
}

/// The answer to `pairing.invite.end`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DmInvitationEnded {
    /// The chat channel.
    pub channel: ChannelId,
    /// The invitation's id, as requested.
    pub id: String,
    /// Whether it was valid until now.
    pub ended: bool,
}

/// Outcome of a change to an allowlist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Listed {
    /// The sender has been added.
    Added,
    /// The sender was already on the list.
    Present,
    /// The sender has been removed.
    Removed,
    /// The sender was not on the list.
    Absent,
}

impl DmRequest {
    /// Returns the wire form of a request; `limits` determine its expiry.
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
                .map(|(key, value)| (key.to_owned(), value.clone()))
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

impl From<&Claim> for DmInvitation {
    fn from(claim: &Claim) -> Self {
        Self {
            id: claim.id(),
            channel: claim.channel.clone(),
            account_id: claim.account.clone(),
            issued_by: claim.by.clone(),
            issued_via: claim.via,
            issued_at_ms: claim.issued_at.as_millis(),
            expires_at_ms: claim.expires_at.as_millis(),
            principal: claim.principal.clone(),
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
