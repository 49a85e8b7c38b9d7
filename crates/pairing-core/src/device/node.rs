//! Records of legacy nodes, which pair by request and have no key.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{NodeId, RequestId, TokenHash};
use crate::Timestamp;
use crate::store::Grant;

/// A legacy node's description of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NodeInfo {
    /// The display name.
    pub display_name: Option<String>,
    /// The operating system.
    pub platform: Option<String>,
    /// The version of the app.
    pub version: Option<String>,
    /// The version of the core.
    pub core_version: Option<String>,
    /// The version of the user interface.
    pub ui_version: Option<String>,
    /// The kind of device.
    pub device_family: Option<String>,
    /// The model.
    pub model_identifier: Option<String>,
    /// The names of its capabilities, such as `camera`.
    pub caps: Vec<String>,
    /// The commands that it can execute.
    pub commands: Vec<String>,
    /// The permissions that its operating system grants or denies it.
    pub permissions: BTreeMap<String, bool>,
    /// The address that it connected from, unless on this machine.
    pub remote_ip: Option<String>,
}

/// A pending request of a legacy node. There is one per node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeRequest {
    /// The id by which the owner approves or rejects it; it changes as soon as the node
    /// declares more than before.
    pub id: RequestId,
    /// The node.
    pub node: NodeId,
    /// The node's description of itself.
    pub info: NodeInfo,
    /// Whether it asked to be approved silently. The owner is asked regardless.
    pub silent: bool,
    /// Whether the node was already paired when it asked.
    pub is_repair: bool,
    /// The time at which it was first made; lists are sorted by it.
    pub asked_at: Timestamp,
    /// The time at which it was last repeated; expiry is counted from it.
    pub refreshed_at: Timestamp,
}

/// An approved legacy node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// The node.
    pub id: NodeId,
    /// The node's description of itself at the time of approval.
    pub info: NodeInfo,
    /// The token's hash.
    pub token: TokenHash,
    /// The time at which it was first approved.
    pub created_at: Timestamp,
    /// The time at which it was last approved.
    pub approved_at: Timestamp,
    /// The time at which it last connected.
    pub last_connected_at: Option<Timestamp>,
    /// The approval; `None` if another program did not record it.
    pub grant: Option<Grant>,
}
