//! Event names and payloads.

use pairing_core::device::{NodeId, RequestId};
use pairing_core::{AccountId, ChannelId, DeviceId, SenderId};
use serde::{Deserialize, Serialize};

use crate::hello::Presence;

/// The gateway's challenge, which the client answers with `connect`: [`Challenge`].
pub const CHALLENGE: &str = "connect.challenge";
/// Periodic sign that the gateway is alive: [`Tick`].
pub const TICK: &str = "tick";
/// The list of connections has changed: [`PresenceChanged`].
pub const PRESENCE: &str = "presence";
/// The gateway is about to shut down: [`Shutdown`].
pub const SHUTDOWN: &str = "shutdown";
/// A device requests pairing: [`PendingDevice`](crate::device::PendingDevice).
pub const DEVICE_REQUESTED: &str = "device.pair.requested";
/// Paired devices have changed. The payload is empty: clients of releases from 2026.7 on then list them again.
pub const DEVICE_PAIR_CHANGED: &str = "device.pair.changed";
/// A device's request has been resolved: [`DeviceResolved`].
pub const DEVICE_RESOLVED: &str = "device.pair.resolved";
/// A device has got its token by a setup code: [`SetupOutcome`](crate::setup::SetupOutcome).
pub const SETUP_COMPLETED: &str = "device.pair.setup.completed";
/// A device's token was sent by a setup code, and may not have arrived:
/// [`SetupOutcome`](crate::setup::SetupOutcome).
pub const SETUP_DELIVERY_UNCERTAIN: &str = "device.pair.setup.deliveryUncertain";
/// A legacy node requests pairing: [`PendingNode`](crate::node::PendingNode).
pub const NODE_REQUESTED: &str = "node.pair.requested";
/// A legacy node's request has been resolved: [`NodeResolved`].
pub const NODE_RESOLVED: &str = "node.pair.resolved";
/// A sender requests pairing: [`DmRequest`](crate::dm::DmRequest).
pub const DM_REQUESTED: &str = "pairing.requested";
/// A sender's request has been resolved: [`DmResolved`].
pub const DM_RESOLVED: &str = "pairing.resolved";
/// Stored pairing data has changed, whichever program changed it: [`PairingChanged`].
pub const PAIRING_CHANGED: &str = "pairing.changed";
/// A node is asked to execute a command: [`InvokeRequest`](crate::invoke::InvokeRequest).
pub const INVOKE_REQUEST: &str = "node.invoke.request";
/// An admitted sender has written to the bot: [`MessageInbound`](crate::message::MessageInbound).
pub const MESSAGE_INBOUND: &str = "message.inbound";

/// Payload of `connect.challenge`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Challenge {
    /// Nonce for the client to sign; valid once, on this connection only.
    pub nonce: String,
    /// The gateway's clock, in milliseconds.
    pub ts: i64,
    /// The listener's proof, if the client asked for one: see [`listener_proof`](crate::listener_proof).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<String>,
}

/// Payload of `tick`.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Tick {
    /// The gateway's clock, in milliseconds.
    pub ts: i64,
}

/// Payload of `presence`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PresenceChanged<P = Presence> {
    /// All current connections.
    pub presence: Vec<P>,
}

/// Payload of `shutdown`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Shutdown {
    /// Reason for the shutdown.
    pub reason: String,
    /// Time until the gateway expects to be back, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart_expected_ms: Option<u64>,
}

/// Outcome of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Decision {
    /// The owner approved the request.
    Approved,
    /// The owner rejected the request.
    Rejected,
    /// The request expired before anyone decided.
    Expired,
    /// The same requester has since asked for more, with a new request.
    Superseded,
}

/// Payload of `device.pair.resolved`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeviceResolved {
    /// Id of the request.
    pub request_id: RequestId,
    /// Id of the device.
    pub device_id: DeviceId,
    /// Outcome of the request.
    pub decision: Decision,
    /// Time of the decision, in milliseconds.
    pub ts: i64,
}

/// Payload of `node.pair.resolved`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeResolved {
    /// Id of the request.
    pub request_id: RequestId,
    /// Id of the node.
    pub node_id: NodeId,
    /// Outcome of the request.
    pub decision: Decision,
    /// Time of the decision, in milliseconds.
    pub ts: i64,
}

/// Payload of `pairing.resolved`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DmResolved {
    /// The chat channel.
    pub channel: ChannelId,
    /// The bot account.
    pub account_id: AccountId,
    /// The sender.
    pub id: SenderId,
    /// Outcome of the request.
    pub decision: Decision,
    /// Time of the decision, in milliseconds.
    pub ts: i64,
}

/// Payload of `pairing.changed`: tells clients that show this data to fetch it again. Sent a few times a
/// second at most.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PairingChanged {
    /// Whether devices, their requests or setup codes have changed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub devices: bool,
    /// Whether legacy nodes or their requests have changed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub nodes: bool,
    /// Channels with changed requests or allowlists.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<ChannelId>,
}
