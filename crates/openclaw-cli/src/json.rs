//! Answers for programs. Times are RFC 3339, text is as it is stored.

use pairing_core::store::PendingRequest;
use pairing_core::{AccountId, ChannelId, Metadata, PairingCode, SenderId, Timestamp};
use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

/// `list`, one channel.
#[derive(Serialize)]
pub(crate) struct Requests<'a> {
    pub(crate) channel: &'a ChannelId,
    pub(crate) requests: Vec<Request<'a>>,
}

/// A request, with the fields of the file that holds it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Request<'a> {
    id: &'a SenderId,
    code: PairingCode,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_seen_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Meta::is_empty")]
    meta: Meta<'a>,
}

/// What is known of the sender; names the account, unless that is the default one.
struct Meta<'a> {
    pairs: &'a Metadata,
    account: Option<&'a AccountId>,
}

/// `allowed list`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Allowlist<'a> {
    pub(crate) channel: &'a ChannelId,
    pub(crate) account: &'a AccountId,
    pub(crate) allow_from: Vec<&'a str>,
}

/// `approve` and `reject`: the request that was answered.
#[derive(Serialize)]
pub(crate) struct Decided<'a> {
    pub(crate) channel: &'a ChannelId,
    pub(crate) account: &'a AccountId,
    /// `approved` or `rejected`.
    pub(crate) status: &'static str,
    pub(crate) id: &'a SenderId,
    pub(crate) code: PairingCode,
}

/// `allowed add` and `allowed remove`.
#[derive(Serialize)]
pub(crate) struct Listed<'a> {
    pub(crate) channel: &'a ChannelId,
    pub(crate) account: &'a AccountId,
    /// `added`, `present` or `removed`.
    pub(crate) status: &'static str,
    pub(crate) entry: &'a str,
}

/// `request`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Asked<'a> {
    pub(crate) channel: &'a ChannelId,
    pub(crate) account: &'a AccountId,
    /// `created`, `pending`, `full`, `allowed` or `not-offered`.
    pub(crate) status: &'static str,
    pub(crate) id: &'a str,
    pub(crate) code: Option<PairingCode>,
    pub(crate) expires_at: Option<Timestamp>,
    /// What to send; nothing but for a request that was just made.
    pub(crate) reply: Option<&'a str>,
}

impl<'a> From<&'a PendingRequest> for Request<'a> {
    fn from(request: &'a PendingRequest) -> Self {
        Self {
            id: &request.sender,
            code: request.code,
            created_at: request.created_at,
            last_seen_at: request.last_seen_at,
            meta: Meta {
                pairs: &request.meta,
                account: Some(&request.account).filter(|account| !account.is_default()),
            },
        }
    }
}

impl Meta<'_> {
    fn is_empty(&self) -> bool {
        self.pairs.is_empty() && self.account.is_none()
    }
}

impl Serialize for Meta<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (key, value) in self.pairs.iter() {
            map.serialize_entry(key, value)?;
        }
        if let Some(account) = self.account {
            map.serialize_entry(Metadata::ACCOUNT_KEY, account)?;
        }
        map.end()
    }
}
