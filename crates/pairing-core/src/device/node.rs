//! The legacy node store: nodes that pair by request, without a key.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{NodeId, RequestId, TokenHash};
use crate::Timestamp;
use crate::store::Grant;

/// What a legacy node says about itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NodeInfo {
    /// A name for people.
    pub display_name: Option<String>,
    /// The operating system.
    pub platform: Option<String>,
    /// The app's version.
    pub version: Option<String>,
    /// The version of its core.
    pub core_version: Option<String>,
    /// The version of its interface.
    pub ui_version: Option<String>,
    /// The kind of device.
    pub device_family: Option<String>,
    /// The model.
    pub model_identifier: Option<String>,
    /// What it can do, by name: `camera`, …
    pub caps: Vec<String>,
    /// The commands it would carry out.
    pub commands: Vec<String>,
    /// What its system lets it do.
    pub permissions: BTreeMap<String, bool>,
    /// Where it connected from, unless on this machine.
    pub remote_ip: Option<String>,
}

/// A legacy node that waits for the owner. One per node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeRequest {
    /// The id that the owner decides about; another one as soon as what it would do changes.
    pub id: RequestId,
    /// The node.
    pub node: NodeId,
    /// What it says about itself.
    pub info: NodeInfo,
    /// Whether it asked to be approved silently. The owner is asked all the same.
    pub silent: bool,
    /// Whether the node was already paired when it asked.
    pub is_repair: bool,
    /// When this was first asked, which lists go by.
    pub asked_at: Timestamp,
    /// When it was last asked, which expiry goes by.
    pub refreshed_at: Timestamp,
}

/// A legacy node that has been approved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// The node.
    pub id: NodeId,
    /// What it said about itself when it was approved.
    pub info: NodeInfo,
    /// What its token is recognised by.
    pub token: TokenHash,
    /// When it was first approved.
    pub created_at: Timestamp,
    /// When it was last approved.
    pub approved_at: Timestamp,
    /// When it last connected.
    pub last_connected_at: Option<Timestamp>,
    /// The approval; `None` if another program did not record it.
    pub grant: Option<Grant>,
}
