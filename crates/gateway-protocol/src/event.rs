//! Events: their names, and what they carry.

use pairing_core::device::{NodeId, RequestId};
use pairing_core::{AccountId, ChannelId, DeviceId, SenderId};
use serde::{Deserialize, Serialize};

use crate::hello::Presence;

/// To be answered by `connect`: [`Challenge`].
pub const CHALLENGE: &str = "connect.challenge";
/// The gateway is alive: [`Tick`].
pub const TICK: &str = "tick";
/// The list of connections: [`PresenceChanged`].
pub const PRESENCE: &str = "presence";
/// The gateway is about to end: [`Shutdown`].
pub const SHUTDOWN: &str = "shutdown";
/// A device asks: [`PendingDevice`](crate::device::PendingDevice).
pub const DEVICE_REQUESTED: &str = "device.pair.requested";
/// A device has its answer: [`DeviceResolved`].
pub const DEVICE_RESOLVED: &str = "device.pair.resolved";
/// A legacy node asks: [`PendingNode`](crate::node::PendingNode).
pub const NODE_REQUESTED: &str = "node.pair.requested";
/// A legacy node has its answer: [`NodeResolved`].
pub const NODE_RESOLVED: &str = "node.pair.resolved";
/// A sender asks: [`DmRequest`](crate::dm::DmRequest).
pub const DM_REQUESTED: &str = "pairing.requested";
/// A sender has its answer: [`DmResolved`].
pub const DM_RESOLVED: &str = "pairing.resolved";
/// Something of what is stored has changed, whoever did it: [`PairingChanged`].
pub const PAIRING_CHANGED: &str = "pairing.changed";
/// A node is asked to do something: [`InvokeRequest`](crate::invoke::InvokeRequest).
pub const INVOKE_REQUEST: &str = "node.invoke.request";
/// Somebody who may has written to the bot: [`MessageInbound`](crate::message::MessageInbound).
pub const MESSAGE_INBOUND: &str = "message.inbound";

/// `connect.challenge`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Challenge {
    /// To be signed; good for this connection and once.
    pub nonce: String,
    /// The gateway's time, in milliseconds.
    pub ts: i64,
}

/// `tick`.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Tick {
    /// The gateway's time, in milliseconds.
    pub ts: i64,
}

/// `presence`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PresenceChanged {
    /// Everybody who is connected.
    pub presence: Vec<Presence>,
}

/// `shutdown`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Shutdown {
    /// Why.
    pub reason: String,
    /// When the gateway expects to be back, in milliseconds from now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart_expected_ms: Option<u64>,
}

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Decision {
    /// The owner said yes.
    Approved,
    /// The owner said no.
    Rejected,
    /// Nobody decided in time.
    Expired,
    /// The same one asks for more now, by another request.
    Superseded,
}

/// `device.pair.resolved`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeviceResolved {
    /// The request.
    pub request_id: RequestId,
    /// The device.
    pub device_id: DeviceId,
    /// What became of it.
    pub decision: Decision,
    /// When, in milliseconds.
    pub ts: i64,
}

/// `node.pair.resolved`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeResolved {
    /// The request.
    pub request_id: RequestId,
    /// The node.
    pub node_id: NodeId,
    /// What became of it.
    pub decision: Decision,
    /// When, in milliseconds.
    pub ts: i64,
}

/// `pairing.resolved`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DmResolved {
    /// The channel.
    pub channel: ChannelId,
    /// The bot account.
    pub account_id: AccountId,
    /// The sender.
    pub id: SenderId,
    /// What became of the request.
    pub decision: Decision,
    /// When, in milliseconds.
    pub ts: i64,
}

/// `pairing.changed`: whoever shows something of these asks for it anew. A few of them a second at most.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PairingChanged {
    /// Devices, their requests or setup codes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub devices: bool,
    /// Legacy nodes or their requests.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub nodes: bool,
    /// Requests and allowlists of these channels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<ChannelId>,
}
