//! DM pairing in the form of releases from 2026.7 on: the `channels.pairing.*` methods.
//!
//! Requests have a public id here, so that a client which lists them learns no code. [`crate::dm`] has this
//! gateway's own methods, which say more.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pairing_core::store::PendingRequest;
use pairing_core::{AccountId, ChannelId, Limits, SenderId};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::Text;

/// The parameters of `channels.pairing.list`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListParams {
    /// Only this channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<Text>,
    /// Only this account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_id: Option<Text>,
}

/// The parameters of `channels.pairing.approve`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApproveParams {
    /// The chat channel.
    pub channel: Text,
    /// The bot account that received the request.
    pub account_id: Text,
    /// The public id of the request.
    pub request_id: Text,
    /// Whether to tell the sender.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub notify: bool,
    /// Whether to make the sender the owner of the install, if it has none.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub bootstrap_command_owner: bool,
}

/// The parameters of `channels.pairing.dismiss`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DismissParams {
    /// The chat channel.
    pub channel: Text,
    /// The bot account that received the request.
    pub account_id: Text,
    /// The public id of the request.
    pub request_id: Text,
}

/// The answer to `channels.pairing.list`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PairingList {
    /// The accounts that can receive requests.
    pub accounts: Vec<PairingAccount>,
    /// Pending requests, oldest first.
    pub requests: Vec<PairingRequest>,
    /// Whether the configuration names somebody who may give the bot commands.
    pub command_owner_configured: bool,
    /// The limits on requests.
    pub limits: PairingLimits,
}

/// An account that can receive requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PairingAccount {
    /// The chat channel.
    pub channel: ChannelId,
    /// The channel's name for people.
    pub channel_label: String,
    /// The bot account.
    pub account_id: AccountId,
    /// Whether the gateway can tell a sender that it was approved.
    pub notify_supported: bool,
}

/// A pending request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PairingRequest {
    /// The public id of the request, by which it is decided.
    pub request_id: String,
    /// The chat channel.
    pub channel: ChannelId,
    /// The channel's name for people.
    pub channel_label: String,
    /// The bot account that received the request.
    pub account_id: AccountId,
    /// The sender.
    pub sender_id: SenderId,
    /// What the channel calls such an id.
    pub sender_label: String,
    /// Names and similar metadata, as the channel provided them. The other program has texts alone here, so any other
    /// value is its JSON as a text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<BTreeMap<String, String>>,
    /// Creation time, in RFC 3339.
    pub created_at: String,
    /// Time of the sender's last message, in RFC 3339.
    pub last_seen_at: String,
    /// Expiry time, in RFC 3339.
    pub expires_at: String,
    /// Whether the gateway can tell this sender that it was approved.
    pub notify_supported: bool,
}

/// The limits on requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PairingLimits {
    /// Maximum number of pending requests of an account.
    pub pending_per_account: u64,
    /// Lifetime of a request, in milliseconds.
    pub ttl_ms: u64,
}

/// The answer to `channels.pairing.approve`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Approved {
    /// The public id of the request.
    pub request_id: String,
    /// The sender, who may write from now on.
    pub sender_id: SenderId,
    /// Whether the sender was told.
    pub notification: Notification,
    /// Whether the sender was made the owner.
    pub command_owner_bootstrap: OwnerBootstrap,
}

/// The answer to `channels.pairing.dismiss`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Dismissed {
    /// The public id of the request.
    pub request_id: String,
    /// The sender whose request has ended.
    pub sender_id: SenderId,
}

/// Whether a sender was told that it was approved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Notification {
    /// The caller did not ask for it.
    NotRequested,
    /// The chat system took the message.
    Sent,
    /// The gateway does not run this account.
    Unsupported,
    /// The chat system refused the message or did not answer in time.
    Failed,
}

/// Whether a sender was made the owner of the install.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OwnerBootstrap {
    /// The caller did not ask for it.
    NotRequested,
    /// It is the owner now.
    Configured,
    /// There was an owner already, who stays.
    AlreadyConfigured,
    /// It could not be done.
    Unavailable,
}

impl PairingRequest {
    /// The wire form of a request; `None` if its creation time cannot be read. `sender_label` is what the channel
    /// calls the sender's id.
    pub fn new(
        request: &PendingRequest,
        sender_label: &str,
        limits: &Limits,
        notify_supported: bool,
    ) -> Option<Self> {
        let created_at = request.created_at?;
        let metadata: BTreeMap<_, _> = request
            .meta
            .iter()
            .map(|(name, value)| (name.to_owned(), value.to_string()))
            .collect();
        Some(Self {
            request_id: request_id(request)?,
            channel: request.channel.clone(),
            channel_label: channel_label(&request.channel),
            account_id: request.account.clone(),
            sender_id: request.sender.clone(),
            sender_label: sender_label.to_owned(),
            metadata: Some(metadata).filter(|metadata| !metadata.is_empty()),
            created_at: created_at.to_string(),
            last_seen_at: request.last_seen_at.unwrap_or(created_at).to_string(),
            expires_at: request.expires_at(limits)?.to_string(),
            notify_supported,
        })
    }
}

/// The public id of a request: the first 32 characters of base64url of the SHA-256 of channel, account, sender and
/// creation time, with a NUL between them. `None` if the creation time cannot be read.
pub fn request_id(request: &PendingRequest) -> Option<String> {
    let created_at = request.created_at?.to_string();
    let mut hash = Sha256::new();
    hash.update(request.channel.as_str());
    hash.update([0]);
    hash.update(request.account.as_str());
    hash.update([0]);
    hash.update(request.sender.as_str());
    hash.update([0]);
    hash.update(created_at);
    let mut id = URL_SAFE_NO_PAD.encode(hash.finalize());
    id.truncate(32);
    Some(id)
}

/// The channel's name for people: `telegram` is `Telegram`.
pub fn channel_label(channel: &ChannelId) -> String {
    match channel.as_str() {
        "imessage" => "iMessage".to_owned(),
        "bluebubbles" => "BlueBubbles".to_owned(),
        "whatsapp" => "WhatsApp".to_owned(),
        name => {
            let mut letters = name.chars();
            let first = letters.next().map(|first| first.to_ascii_uppercase());
            first.into_iter().chain(letters).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use pairing_core::{Channels, Metadata, PairingCode, Timestamp};

    use super::*;

    fn request(sender: &str, created_at: &str) -> PendingRequest {
        let telegram = ChannelId::parse("telegram").unwrap();
        let channels = Channels::builtin();
        let sender = channels.get(&telegram).unwrap().sender(sender).unwrap();
        PendingRequest {
            channel: telegram,
            account: AccountId::default(),
            sender,
            code: PairingCode::parse("ABCDEFGH").unwrap(),
            created_at: Some(Timestamp::parse(created_at).unwrap()),
            last_seen_at: None,
            meta: Metadata::default(),
        }
    }

    /// As release 2026.9.6 lists these requests.
    #[test]
    fn public_ids_are_those_of_the_other_program() {
        for (sender, created_at, id) in [
            (
                "12345",
                "2026-11-26T18:34:35.247Z",
                "1HwPXMhNL6lBBx5HganWeVGjivO28mjt",
            ),
            (
                "55501",
                "2026-11-26T18:36:38.603Z",
                "ZElpXXBYSSNNHU5O0JrB88waQl0CS3aH",
            ),
        ] {
            let request = request(sender, created_at);
            assert_eq!(request_id(&request).as_deref(), Some(id));
            let shown = PairingRequest::new(&request, "telegramUserId", &Limits::default(), true);
            let shown = serde_json::to_value(shown.unwrap()).unwrap();
            assert_eq!(shown["createdAt"], created_at);
            assert_eq!(shown["lastSeenAt"], created_at);
            assert_eq!(shown["channelLabel"], "Telegram");
            assert_eq!(shown.get("metadata"), None);
        }
    }

    /// Clients of the other program read texts alone.
    #[test]
    fn values_that_are_no_texts_are_told_as_texts() {
        let mut request = request("1", "2026-11-26T18:34:35.247Z");
        request.meta.insert("username", "ann");
        request.meta.insert("tags", vec!["a", "b"]);
        let shown = PairingRequest::new(&request, "telegramUserId", &Limits::default(), true);
        let shown = serde_json::to_value(shown.unwrap()).unwrap();
        let texts = serde_json::json!({ "username": "ann", "tags": r#"["a","b"]"# });
        assert_eq!(shown["metadata"], texts);
        // Our own clients are told the values.
        let shown = crate::dm::DmRequest::new(&request, &Limits::default());
        let shown = serde_json::to_value(shown).unwrap();
        let values = serde_json::json!({ "username": "ann", "tags": ["a", "b"] });
        assert_eq!(shown["meta"], values);
    }

    #[test]
    fn a_request_without_a_time_has_no_id() {
        let request = PendingRequest {
            created_at: None,
            ..request("1", "2026-11-26T18:34:35.247Z")
        };
        assert_eq!(request_id(&request), None);
    }
}
