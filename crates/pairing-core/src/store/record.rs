//! The records that a store keeps.

use serde::{Deserialize, Serialize};

use super::{Group, Key};
use crate::Metadata;
use crate::device::{Device, DeviceRequest, Node, NodeRequest, PairingToken, TokenHash};
use crate::{
    AccountId, ApproverId, ChannelId, PairingCode, Principal, ScopeSet, SenderId, Timestamp, Via,
};

/// One stored record. Its [`key`](Self::key) is derived from its contents, never passed separately.
///
/// Records of devices and nodes are boxed, so that a store with many allowed senders does not need the
/// size of the largest device for each of them. `Record::from` makes a record of any kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Record {
    /// A pending request.
    Request(PendingRequest),
    /// A code in use.
    Code(TakenCode),
    /// An entry of an allowlist.
    Allow(AllowEntry),
    /// The wrong codes of one approver.
    Attempts(Attempts),
    /// The senders turned away because too many requests were pending.
    TurnedAway(TurnedAway),
    /// A claim code that was issued.
    Claim(Box<Claim>),
    /// A pending request of a device.
    DeviceRequest(Box<DeviceRequest>),
    /// An approved device.
    Device(Box<Device>),
    /// A short-lived token that lets a device ask to be paired.
    PairingToken(Box<PairingToken>),
    /// A client that holds a token and no key.
    BearerClient(Box<BearerClient>),
    /// A pending request of a legacy node.
    NodeRequest(Box<NodeRequest>),
    /// An approved legacy node.
    Node(Box<Node>),
}

/// A pending request of an unknown sender, which awaits the owner's decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingRequest {
    /// The channel of the message.
    pub channel: ChannelId,
    /// The bot account that received the message.
    pub account: AccountId,
    /// The sender.
    pub sender: SenderId,
    /// The code that the owner types to approve the sender.
    pub code: PairingCode,
    /// The time at which the request was made; `None` if the stored time cannot be read, which counts as
    /// expired.
    pub created_at: Option<Timestamp>,
    /// The time at which the sender last wrote, to the minute.
    pub last_seen_at: Option<Timestamp>,
    /// Names and similar data about the sender, as the channel gave them.
    pub meta: Metadata,
}

/// A code in use, with the requests that have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakenCode {
    /// The channel within which the code is unique.
    pub channel: ChannelId,
    /// The code.
    pub code: PairingCode,
    /// The requests that have the code: only one, except in files that another program or a person has
    /// edited.
    pub holders: Vec<Holder>,
}

/// A request that has a code, identified by its account and sender.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Its account.
    pub account: AccountId,
    /// Its sender.
    pub sender: SenderId,
}

/// A sender who may talk to the bot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllowEntry {
    /// The channel.
    pub channel: ChannelId,
    /// The bot account.
    pub account: AccountId,
    /// The sender.
    pub entry: SenderId,
    /// The original text of the entry, if it differs from the normal form (`tg:555`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written: Option<String>,
    /// The grant; `None` for entries that another program made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<Grant>,
}

/// A grant: its approver, its route, its time, and the user it is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Grant {
    /// The approver.
    pub by: ApproverId,
    /// The route by which the decision was made.
    pub via: Via,
    /// The time of the decision.
    pub at: Timestamp,
    /// The time at which the approved request was made; `None` if there was no request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_at: Option<Timestamp>,
    /// The embedder's user that the sender is; `None` for the bot's owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal: Option<Principal>,
}

impl Grant {
    /// Makes the grant of a decision, which nobody had asked for, for the bot's owner.
    pub fn new(by: ApproverId, via: Via, at: Timestamp) -> Self {
        Self {
            by,
            via,
            at,
            requested_at: None,
            principal: None,
        }
    }

    /// Sets the time at which the approved request was made.
    #[must_use]
    pub fn with_requested_at(mut self, at: Option<Timestamp>) -> Self {
        self.requested_at = at;
        self
    }

    /// Sets the embedder's user that the sender is.
    #[must_use]
    pub fn with_principal(mut self, principal: Option<Principal>) -> Self {
        self.principal = principal;
        self
    }
}

impl AllowEntry {
    /// Returns the embedder's user that the sender is; `None` for the bot's owner.
    pub fn principal(&self) -> Option<&Principal> {
        self.grant.as_ref()?.principal.as_ref()
    }
}

/// The wrong codes of one approver on one channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempts {
    /// The channel.
    pub channel: ChannelId,
    /// The approver.
    pub approver: ApproverId,
    /// The times of the wrong codes within the time window, oldest first.
    pub failed_at: Vec<Timestamp>,
    /// The end of the lock-out, until which every code of this approver is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locked_until: Option<Timestamp>,
}

/// The senders of one account who were turned away because too many requests were pending.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurnedAway {
    /// The channel.
    pub channel: ChannelId,
    /// The bot account.
    pub account: AccountId,
    /// Number of times that this happened since `since`.
    pub count: u64,
    /// The time at which the count started.
    pub since: Timestamp,
    /// The latest few senders and the times at which they were turned away, oldest first.
    pub recent: Vec<SeenSender>,
}

/// A claim code that the owner issued: it admits the sender who presents it first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The channel.
    pub channel: ChannelId,
    /// The bot account to which it has to be presented.
    pub account: AccountId,
    /// The hash of the code.
    pub hash: TokenHash,
    /// The approver who issued it.
    pub by: ApproverId,
    /// The route by which it was issued.
    pub via: Via,
    /// The embedder's user that the sender will be; `None` for the bot's owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal: Option<Principal>,
    /// The time at which it was issued.
    pub issued_at: Timestamp,
    /// The time from which it is no longer valid.
    pub expires_at: Timestamp,
}

impl Claim {
    /// Returns a short name for it, which is safe to show: the first digits of the hash.
    pub fn id(&self) -> String {
        self.hash.short()
    }

    /// Whether this is its id, or the text of its hash.
    pub(crate) fn is_named(&self, id: &str) -> bool {
        self.hash.short() == id || self.hash.to_string() == id
    }

    /// Returns the key of the claim's record.
    pub fn key(&self) -> Key {
        Key::Claim {
            channel: self.channel.clone(),
            hash: self.hash,
        }
    }
}

/// A client that holds a token and no key: whoever presents the token is the client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BearerClient {
    /// The hash of the token.
    pub hash: TokenHash,
    /// The name that the client was given; several may have the same.
    pub name: String,
    /// The scopes that the token was issued for.
    pub scopes: ScopeSet,
    /// The approver who issued it.
    pub by: ApproverId,
    /// The route by which it was issued.
    pub via: Via,
    /// The embedder's user whose client it is; `None` for the bot's owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal: Option<Principal>,
    /// The time at which it was issued.
    pub issued_at: Timestamp,
    /// The time from which the token is no longer valid; `None` if it does not expire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

impl BearerClient {
    /// Returns the key of the client's record.
    pub fn key(&self) -> Key {
        Key::BearerClient { hash: self.hash }
    }

    /// Returns a short name for it, which is safe to show: the first digits of the token's hash.
    pub fn id(&self) -> String {
        self.hash.short()
    }

    /// Whether its token has expired.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|at| now >= at)
    }

    /// Whether this is its id, or the text of its hash.
    pub(crate) fn is_named(&self, id: &str) -> bool {
        self.hash.short() == id || self.hash.to_string() == id
    }
}

/// A sender, and the time at which they were turned away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenSender {
    /// The sender.
    pub sender: SenderId,
    /// The time.
    pub at: Timestamp,
}

impl Record {
    /// Returns the group of records that it changes together with.
    pub fn group(&self) -> Group<'_> {
        Group::Channel(match self {
            Self::Request(request) => &request.channel,
            Self::Code(taken) => &taken.channel,
            Self::Allow(allow) => &allow.channel,
            Self::Attempts(attempts) => &attempts.channel,
            Self::TurnedAway(turned) => &turned.channel,
            Self::Claim(claim) => &claim.channel,
            Self::DeviceRequest(_)
            | Self::Device(_)
            | Self::PairingToken(_)
            | Self::BearerClient(_) => return Group::Devices,
            Self::NodeRequest(_) | Self::Node(_) => return Group::Nodes,
        })
    }

    /// Returns the key of the record.
    pub fn key(&self) -> Key {
        match self {
            Self::Request(request) => request.key(),
            Self::Code(taken) => Key::Code {
                channel: taken.channel.clone(),
                code: taken.code,
            },
            Self::Allow(allow) => Key::Allow {
                channel: allow.channel.clone(),
                account: allow.account.clone(),
                entry: allow.entry.clone(),
            },
            Self::Attempts(attempts) => Key::Attempts {
                channel: attempts.channel.clone(),
                approver: attempts.approver.clone(),
            },
            Self::TurnedAway(turned) => Key::TurnedAway {
                channel: turned.channel.clone(),
                account: turned.account.clone(),
            },
            Self::Claim(claim) => claim.key(),
            Self::DeviceRequest(request) => Key::DeviceRequest {
                device: request.device,
            },
            Self::Device(device) => Key::Device { device: device.id },
            Self::PairingToken(token) => Key::PairingToken { hash: token.hash },
            Self::BearerClient(client) => client.key(),
            Self::NodeRequest(request) => Key::NodeRequest {
                node: request.node.clone(),
            },
            Self::Node(node) => Key::Node {
                node: node.id.clone(),
            },
        }
    }
}

/// Defines for each kind of record a getter, which returns `None` for other kinds, and the conversion into
/// a record.
macro_rules! kind {
    ($($(#[$doc:meta])* $name:ident: $kind:ident($type:ty),)*) => {
        impl Record {
            $($(#[$doc])*
            pub fn $name(&self) -> Option<&$type> {
                match self {
                    Self::$kind(record) => Some(record),
                    _ => None,
                }
            })*
        }

        $(impl From<$type> for Record {
            fn from(record: $type) -> Self {
                Self::$kind(record.into())
            }
        })*
    };
}

kind! {
    /// Returns the request, if it is one.
    as_request: Request(PendingRequest),
    /// Returns the code in use, if it is one.
    as_code: Code(TakenCode),
    /// Returns the allowlist entry, if it is one.
    as_allow: Allow(AllowEntry),
    /// Returns the wrong codes of an approver, if it holds those.
    as_attempts: Attempts(Attempts),
    /// Returns the senders turned away, if it holds those.
    as_turned_away: TurnedAway(TurnedAway),
    /// Returns the claim code that was issued, if it is one.
    as_claim: Claim(Claim),
    /// Returns the request of a device, if it is one.
    as_device_request: DeviceRequest(DeviceRequest),
    /// Returns the device, if it is one.
    as_device: Device(Device),
    /// Returns the pairing token, if it is one.
    as_pairing_token: PairingToken(PairingToken),
    /// Returns the bearer client, if it is one.
    as_bearer_client: BearerClient(BearerClient),
    /// Returns the request of a legacy node, if it is one.
    as_node_request: NodeRequest(NodeRequest),
    /// Returns the legacy node, if it is one.
    as_node: Node(Node),
}

impl PendingRequest {
    /// Returns the key of the request's record.
    pub fn key(&self) -> Key {
        Key::Request {
            channel: self.channel.clone(),
            account: self.account.clone(),
            sender: self.sender.clone(),
        }
    }

    /// Returns the record that makes its code unique.
    pub fn taken_code(&self) -> TakenCode {
        TakenCode {
            channel: self.channel.clone(),
            code: self.code,
            holders: vec![Holder {
                account: self.account.clone(),
                sender: self.sender.clone(),
            }],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A store may hold millions of allowed senders, so the size of a record must stay close to theirs.
    #[test]
    fn a_record_is_no_larger_than_the_kinds_that_channels_have() {
        let largest = [
            size_of::<PendingRequest>(),
            size_of::<TakenCode>(),
            size_of::<AllowEntry>(),
            size_of::<Attempts>(),
            size_of::<TurnedAway>(),
        ];
        let largest = largest.into_iter().max().unwrap();
        assert!(
            size_of::<Record>() <= largest + size_of::<usize>(),
            "{} and {largest}; a device has {}",
            size_of::<Record>(),
            size_of::<Device>()
        );
    }
}
