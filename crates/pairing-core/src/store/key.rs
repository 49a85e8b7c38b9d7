//! Keys of records, and ranges of them.

use std::fmt::Write as _;

use crate::device::{DeviceId, NodeId, TokenHash};
use crate::{AccountId, ApproverId, ChannelId, PairingCode, SenderId};

/// The key of one record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Key {
    /// A pending request.
    Request {
        /// Its channel.
        channel: ChannelId,
        /// The bot account that received the message.
        account: AccountId,
        /// The sender.
        sender: SenderId,
    },
    /// A code in use; the record makes codes unique within a channel.
    Code {
        /// The channel.
        channel: ChannelId,
        /// The code.
        code: PairingCode,
    },
    /// An entry of an allowlist.
    Allow {
        /// The channel.
        channel: ChannelId,
        /// The bot account.
        account: AccountId,
        /// The allowed sender.
        entry: SenderId,
    },
    /// The wrong codes of one approver.
    Attempts {
        /// The channel.
        channel: ChannelId,
        /// The approver.
        approver: ApproverId,
    },
    /// The senders turned away because too many requests were pending.
    TurnedAway {
        /// The channel.
        channel: ChannelId,
        /// The bot account.
        account: AccountId,
    },
    /// A claim code that was issued.
    Claim {
        /// The channel.
        channel: ChannelId,
        /// The code's hash.
        hash: TokenHash,
    },
    /// A pending request of a device.
    DeviceRequest {
        /// The device.
        device: DeviceId,
    },
    /// An approved device.
    Device {
        /// The device.
        device: DeviceId,
    },
    /// A short-lived token that lets a device ask to be paired.
    PairingToken {
        /// The token's hash.
        hash: TokenHash,
    },
    /// A client that holds a token and no key.
    BearerClient {
        /// The token's hash.
        hash: TokenHash,
    },
    /// A pending request of a legacy node.
    NodeRequest {
        /// The node.
        node: NodeId,
    },
    /// An approved legacy node.
    Node {
        /// The node.
        node: NodeId,
    },
}

/// Records that change together: each batch concerns one group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Group<'k> {
    /// All records of a channel.
    Channel(&'k ChannelId),
    /// Devices, their requests, pairing tokens, and bearer clients.
    Devices,
    /// Legacy nodes and their requests.
    Nodes,
}

impl Group<'_> {
    /// Returns the ranges that hold all records of the group, except codes, which are part of their requests.
    pub fn ranges(&self) -> Vec<Range> {
        match *self {
            // Requests come first: a sender who is approved while a move reads them is then found pending, allowed or
            // both, never neither.
            Self::Channel(channel) => vec![
                Range::Requests {
                    channel: channel.clone(),
                    account: None,
                },
                Range::Allowed {
                    channel: channel.clone(),
                    account: None,
                },
                Range::Attempts {
                    channel: channel.clone(),
                },
                Range::TurnedAway {
                    channel: channel.clone(),
                },
                Range::Claims {
                    channel: channel.clone(),
                },
            ],
            Self::Devices => vec![
                Range::DeviceRequests,
                Range::Devices,
                Range::PairingTokens,
                Range::BearerClients,
            ],
            Self::Nodes => vec![Range::NodeRequests, Range::Nodes],
        }
    }
}

impl Key {
    /// Returns the group of records that it changes together with.
    pub fn group(&self) -> Group<'_> {
        match self {
            Self::Request { channel, .. }
            | Self::Code { channel, .. }
            | Self::Allow { channel, .. }
            | Self::Attempts { channel, .. }
            | Self::TurnedAway { channel, .. }
            | Self::Claim { channel, .. } => Group::Channel(channel),
            Self::DeviceRequest { .. }
            | Self::Device { .. }
            | Self::PairingToken { .. }
            | Self::BearerClient { .. } => Group::Devices,
            Self::NodeRequest { .. } | Self::Node { .. } => Group::Nodes,
        }
    }

    /// Returns the ranges that contain the key, for stores that keep a version of each range beside the
    /// records.
    pub fn ranges(&self) -> Vec<Range> {
        match self {
            Self::Request {
                channel, account, ..
            } => [None, Some(account)]
                .map(|account| Range::Requests {
                    channel: channel.clone(),
                    account: account.cloned(),
                })
                .into(),
            Self::Allow {
                channel, account, ..
            } => [None, Some(account)]
                .map(|account| Range::Allowed {
                    channel: channel.clone(),
                    account: account.cloned(),
                })
                .into(),
            Self::TurnedAway { channel, .. } => vec![Range::TurnedAway {
                channel: channel.clone(),
            }],
            Self::Claim { channel, .. } => vec![Range::Claims {
                channel: channel.clone(),
            }],
            Self::DeviceRequest { .. } => vec![Range::DeviceRequests],
            Self::Device { .. } => vec![Range::Devices],
            Self::PairingToken { .. } => vec![Range::PairingTokens],
            Self::BearerClient { .. } => vec![Range::BearerClients],
            Self::NodeRequest { .. } => vec![Range::NodeRequests],
            Self::Node { .. } => vec![Range::Nodes],
            Self::Attempts { channel, .. } => vec![Range::Attempts {
                channel: channel.clone(),
            }],
            // Listed with its request.
            Self::Code { .. } => Vec::new(),
        }
    }

    /// Returns the key as text, for stores with text keys.
    ///
    /// - Different keys have different texts.
    /// - A key lies in a [`Range`] if and only if its text starts with the range's
    ///   [`prefix`](Range::prefix).
    /// - Contains no control characters.
    ///
    /// Must not be logged: the text of a `Code` key contains the code.
    pub fn path(&self) -> String {
        match self {
            Self::Request {
                channel,
                account,
                sender,
            } => path(
                "request",
                &[channel.as_str(), account.as_str(), sender.as_str()],
            ),
            Self::Code { channel, code } => path("code", &[channel.as_str(), code.as_str()]),
            Self::Allow {
                channel,
                account,
                entry,
            } => path(
                "allow",
                &[channel.as_str(), account.as_str(), entry.as_str()],
            ),
            Self::Attempts { channel, approver } => {
                path("attempts", &[channel.as_str(), approver.as_str()])
            }
            Self::TurnedAway { channel, account } => {
                path("turned-away", &[channel.as_str(), account.as_str()])
            }
            Self::Claim { channel, hash } => path("claim", &[channel.as_str(), &hash.to_string()]),
            Self::DeviceRequest { device } => path("device-request", &[&device.to_string()]),
            Self::Device { device } => path("device", &[&device.to_string()]),
            Self::PairingToken { hash } => path("pairing-token", &[&hash.to_string()]),
            Self::BearerClient { hash } => path("bearer-client", &[&hash.to_string()]),
            Self::NodeRequest { node } => path("node-request", &[node.as_str()]),
            Self::Node { node } => path("node", &[node.as_str()]),
        }
    }
}

/// Records that are listed or counted together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Range {
    /// The pending requests of a channel, or of one of its accounts.
    Requests {
        /// The channel.
        channel: ChannelId,
        /// One account; all accounts if `None`.
        account: Option<AccountId>,
    },
    /// The allowlists of a channel, or of one of its accounts.
    Allowed {
        /// The channel.
        channel: ChannelId,
        /// One account; all accounts if `None`.
        account: Option<AccountId>,
    },
    /// The wrong codes in a channel, by approver.
    Attempts {
        /// The channel.
        channel: ChannelId,
    },
    /// The senders turned away, by account.
    TurnedAway {
        /// The channel.
        channel: ChannelId,
    },
    /// The claim codes that were issued in a channel.
    Claims {
        /// The channel.
        channel: ChannelId,
    },
    /// The pending requests of devices.
    DeviceRequests,
    /// The approved devices.
    Devices,
    /// The pairing tokens that have been issued.
    PairingTokens,
    /// The clients that hold a token and no key.
    BearerClients,
    /// The pending requests of legacy nodes.
    NodeRequests,
    /// The approved legacy nodes.
    Nodes,
}

impl Range {
    /// Returns the group of records that the records of the range change together with.
    pub fn group(&self) -> Group<'_> {
        match self {
            Self::Requests { channel, .. }
            | Self::Allowed { channel, .. }
            | Self::Attempts { channel }
            | Self::TurnedAway { channel }
            | Self::Claims { channel } => Group::Channel(channel),
            Self::DeviceRequests | Self::Devices | Self::PairingTokens | Self::BearerClients => {
                Group::Devices
            }
            Self::NodeRequests | Self::Nodes => Group::Nodes,
        }
    }

    /// Returns the account that the range is limited to, if any.
    pub fn account(&self) -> Option<&AccountId> {
        match self {
            Self::Requests { account, .. } | Self::Allowed { account, .. } => account.as_ref(),
            _ => None,
        }
    }

    /// Returns the text that every key in the range starts with, and no other key does.
    pub fn prefix(&self) -> String {
        let kind = match self {
            Self::Requests { .. } => "request",
            Self::Allowed { .. } => "allow",
            Self::Attempts { .. } => "attempts",
            Self::TurnedAway { .. } => "turned-away",
            Self::Claims { .. } => "claim",
            Self::DeviceRequests => "device-request",
            Self::Devices => "device",
            Self::PairingTokens => "pairing-token",
            Self::BearerClients => "bearer-client",
            Self::NodeRequests => "node-request",
            Self::Nodes => "node",
        };
        let channel = match self.group() {
            Group::Channel(channel) => Some(channel.as_str()),
            Group::Devices | Group::Nodes => None,
        };
        let account = self.account().map(AccountId::as_str);
        let parts: Vec<&str> = channel.into_iter().chain(account).collect();
        path(kind, &parts) + "/"
    }

    /// Whether the key lies in the range.
    pub fn contains(&self, key: &Key) -> bool {
        match (self, key) {
            (
                Self::Requests { channel, account },
                Key::Request {
                    channel: of,
                    account: at,
                    ..
                },
            )
            | (
                Self::Allowed { channel, account },
                Key::Allow {
                    channel: of,
                    account: at,
                    ..
                },
            ) => channel == of && account.as_ref().is_none_or(|account| account == at),
            (Self::Attempts { channel }, Key::Attempts { channel: of, .. })
            | (Self::TurnedAway { channel }, Key::TurnedAway { channel: of, .. })
            | (Self::Claims { channel }, Key::Claim { channel: of, .. }) => channel == of,
            (Self::DeviceRequests, Key::DeviceRequest { .. })
            | (Self::Devices, Key::Device { .. })
            | (Self::PairingTokens, Key::PairingToken { .. })
            | (Self::BearerClients, Key::BearerClient { .. })
            | (Self::NodeRequests, Key::NodeRequest { .. })
            | (Self::Nodes, Key::Node { .. }) => true,
            _ => false,
        }
    }
}

/// Returns `kind/part/part`, with `/`, `%` and control characters within a part percent-encoded.
fn path(kind: &str, parts: &[&str]) -> String {
    let mut path = String::with_capacity(64);
    path.push_str(kind);
    for part in parts {
        path.push('/');
        for c in part.chars() {
            if c == '/' || c == '%' || c.is_control() {
                for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                    // Writing to a `String` cannot fail.
                    let _ = write!(path, "%{byte:02X}");
                }
            } else {
                path.push(c);
            }
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn allow(account: &str, entry: &str) -> Key {
        Key::Allow {
            channel: ChannelId::builtin("discord"),
            account: AccountId::parse(account).unwrap(),
            entry: SenderId::checked(entry).unwrap(),
        }
    }

    #[test]
    fn text_keys() {
        assert_eq!(allow("work", "a/b%").path(), "allow/discord/work/a%2Fb%25");
    }

    proptest! {
        #[test]
        fn ranges_and_prefixes_agree(
            accounts in proptest::array::uniform2("[a-c%:]{1,3}"),
            entry in "[a-z/%]{1,5}",
        ) {
            let [at, other] = accounts;
            let key = allow(&at, &entry);
            for account in [None, Some(&at), Some(&other)] {
                let range = Range::Allowed {
                    channel: ChannelId::builtin("discord"),
                    account: account.map(|a| AccountId::parse(a).unwrap()),
                };
                prop_assert_eq!(range.contains(&key), key.path().starts_with(&range.prefix()));
                prop_assert_eq!(range.contains(&key), key.ranges().contains(&range));
            }
        }

        #[test]
        fn different_keys_have_different_texts(a in "[a/%25F]{1,6}", b in "[a/%25F]{1,6}") {
            prop_assert_eq!(allow("x", &a) == allow("x", &b), allow("x", &a).path() == allow("x", &b).path());
        }
    }
}
