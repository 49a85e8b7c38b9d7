//! What is stored.

use serde::{Deserialize, Serialize};

use super::{Group, Key};
use crate::device::{Device, DeviceRequest, Node, NodeRequest, PairingToken};
use crate::dm::Metadata;
use crate::{AccountId, ApproverId, ChannelId, PairingCode, SenderId, Timestamp, Via};

/// One stored record. It names itself: [`key`](Self::key) is derived, never given beside it.
///
/// Records of devices and nodes are boxed, so that a store with many allowed senders does not pay for the
/// size of the largest device. `Record::from` makes a record of any kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Record {
    /// A pending request.
    Request(PendingRequest),
    /// A code that is taken.
    Code(TakenCode),
    /// An entry of an allowlist.
    Allow(AllowEntry),
    /// The wrong codes of one approver.
    Attempts(Attempts),
    /// Senders turned away at the cap.
    TurnedAway(TurnedAway),
    /// A device that waits.
    DeviceRequest(Box<DeviceRequest>),
    /// A device that has been approved.
    Device(Box<Device>),
    /// A short-lived token that lets a device ask.
    PairingToken(Box<PairingToken>),
    /// A legacy node that waits.
    NodeRequest(Box<NodeRequest>),
    /// A legacy node that has been approved.
    Node(Box<Node>),
}

/// An unknown sender who waits for the owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingRequest {
    /// The channel the message came through.
    pub channel: ChannelId,
    /// The bot account that was written to.
    pub account: AccountId,
    /// The sender.
    pub sender: SenderId,
    /// What the owner has to type.
    pub code: PairingCode,
    /// When the request was made; `None` where the stored time cannot be read, which counts as expired.
    pub created_at: Option<Timestamp>,
    /// When the sender last wrote, to the minute.
    pub last_seen_at: Option<Timestamp>,
    /// Names and the like, as the channel gave them.
    pub meta: Metadata,
}

/// The requests that a code stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakenCode {
    /// The channel within which the code is unique.
    pub channel: ChannelId,
    /// The code.
    pub code: PairingCode,
    /// The requests that carry it. One, but for files that another program or a hand has written.
    pub holders: Vec<Holder>,
}

/// The request behind a code.
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
    /// The entry as it was once written, where that is spelled otherwise (`tg:555`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written: Option<String>,
    /// The grant; `None` for entries that another program made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<Grant>,
}

/// A grant: its approver, the way it was given, and the time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// The approver.
    pub by: ApproverId,
    /// The way the decision came in.
    pub via: Via,
    /// When.
    pub at: Timestamp,
    /// When the request was made that this answers; `None` where nobody had asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_at: Option<Timestamp>,
}

/// The wrong codes of one approver on one channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempts {
    /// The channel.
    pub channel: ChannelId,
    /// The approver.
    pub approver: ApproverId,
    /// When the wrong codes within the window came, oldest first.
    pub failed_at: Vec<Timestamp>,
    /// Until when every code of this approver is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locked_until: Option<Timestamp>,
}

/// Senders of one account who came when no more requests could be pending.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurnedAway {
    /// The channel.
    pub channel: ChannelId,
    /// The bot account.
    pub account: AccountId,
    /// How often it happened since `since`.
    pub count: u64,
    /// The first time.
    pub since: Timestamp,
    /// The latest senders and when they came, oldest first; a few only.
    pub recent: Vec<SeenSender>,
}

/// A sender, and when they came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenSender {
    /// Who.
    pub sender: SenderId,
    /// When.
    pub at: Timestamp,
}

impl Record {
    /// The records it changes together with.
    pub fn group(&self) -> Group<'_> {
        Group::Channel(match self {
            Self::Request(request) => &request.channel,
            Self::Code(taken) => &taken.channel,
            Self::Allow(allow) => &allow.channel,
            Self::Attempts(attempts) => &attempts.channel,
            Self::TurnedAway(turned) => &turned.channel,
            Self::DeviceRequest(_) | Self::Device(_) | Self::PairingToken(_) => {
                return Group::Devices;
            }
            Self::NodeRequest(_) | Self::Node(_) => return Group::Nodes,
        })
    }

    /// The name of the record.
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
            Self::DeviceRequest(request) => Key::DeviceRequest {
                device: request.device,
            },
            Self::Device(device) => Key::Device { device: device.id },
            Self::PairingToken(token) => Key::PairingToken { hash: token.hash },
            Self::NodeRequest(request) => Key::NodeRequest {
                node: request.node.clone(),
            },
            Self::Node(node) => Key::Node {
                node: node.id.clone(),
            },
        }
    }
}

/// For each kind of record: a getter that answers `None` for other kinds, and the conversion into a record.
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
    /// The request, if it is one.
    as_request: Request(PendingRequest),
    /// The taken code, if it is one.
    as_code: Code(TakenCode),
    /// The allowlist entry, if it is one.
    as_allow: Allow(AllowEntry),
    /// The wrong codes, if it is those.
    as_attempts: Attempts(Attempts),
    /// The senders turned away, if it is those.
    as_turned_away: TurnedAway(TurnedAway),
    /// The device's request, if it is one.
    as_device_request: DeviceRequest(DeviceRequest),
    /// The device, if it is one.
    as_device: Device(Device),
    /// The pairing token, if it is one.
    as_pairing_token: PairingToken(PairingToken),
    /// The legacy node's request, if it is one.
    as_node_request: NodeRequest(NodeRequest),
    /// The legacy node, if it is one.
    as_node: Node(Node),
}

impl PendingRequest {
    /// The name of the request's record.
    pub fn key(&self) -> Key {
        Key::Request {
            channel: self.channel.clone(),
            account: self.account.clone(),
            sender: self.sender.clone(),
        }
    }

    /// The record that makes its code unique.
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

    /// Allowed senders are the records that come by the million: their size is the size of a record.
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
