//! The legacy node store, in the form that `node.pair.*` returns.
//!
//! No answer in this module can hold a secret, except [`ApprovedNode`], which shows a token.

use std::collections::BTreeMap;

use pairing_core::device::{
    Device, Node, NodeId, NodeInfo, NodeRequest, RequestId, Role, SecretToken, TokenHash,
};
use pairing_core::{NodeList, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{Secret, Text};

/// The answer to `node.pair.list`, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodePairList {
    /// Pending requests.
    pub pending: Vec<PendingNode>,
    /// Approved nodes.
    pub paired: Vec<PairedNode>,
}

/// A pending request of a legacy node; also the event `node.pair.requested`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PendingNode {
    /// Id of the request.
    pub request_id: RequestId,
    /// Id of the node.
    pub node_id: NodeId,
    /// The node's description of itself.
    #[serde(flatten)]
    pub info: NodeDescription,
    /// Whether the request qualified for approval without asking the owner. Absent means no.
    #[serde(default)]
    pub silent: bool,
    /// Whether the node was already known when it asked. Absent means no.
    #[serde(default)]
    pub is_repair: bool,
    /// Time of the first request, in milliseconds.
    pub ts: i64,
    /// Time at which the request expires unless repeated, in milliseconds; only in lists from a gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at_ms: Option<i64>,
}

/// An approved legacy node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PairedNode {
    /// Id of the node.
    pub node_id: NodeId,
    /// The node's description of itself.
    #[serde(flatten)]
    pub info: NodeDescription,
    /// Creation time, in milliseconds.
    pub created_at_ms: i64,
    /// Time of the last approval, in milliseconds.
    pub approved_at_ms: i64,
    /// Time of the last connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_connected_at_ms: Option<i64>,
}

/// A legacy node's description of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeDescription {
    /// Display name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// The operating system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// Version of the node's app.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Version of the node's core.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub core_version: Option<String>,
    /// Version of the node's user interface.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ui_version: Option<String>,
    /// Device family.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_family: Option<String>,
    /// Device model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_identifier: Option<String>,
    /// General capabilities.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub caps: Vec<String>,
    /// Commands that the node can execute.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<String>,
    /// Permissions that the node's operating system grants.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub permissions: BTreeMap<String, bool>,
    /// IP address; absent for a connection from the gateway's own machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote_ip: Option<String>,
}

/// The answer to `node.pair.approve`: the only time that the token is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeApproved {
    /// Id of the request.
    pub request_id: RequestId,
    /// The approved node, with its token.
    pub node: ApprovedNode,
}

/// A node with its token in plain text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovedNode {
    /// The node.
    #[serde(flatten)]
    pub node: PairedNode,
    /// The node's token, shown only here. Releases from 2026.7 on have none for a node that is a device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Secret>,
}

/// The answer to `node.pair.reject`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeRejected {
    /// Id of the request.
    pub request_id: RequestId,
    /// Id of the node.
    pub node_id: NodeId,
}

/// The answer to `node.pair.remove`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeRemoved {
    /// Id of the node.
    pub node_id: NodeId,
}

/// The answer to `node.rename`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeRenamed {
    /// Id of the node.
    pub node_id: NodeId,
    /// Display name.
    pub display_name: Option<String>,
}

impl From<&NodeList> for NodePairList {
    fn from(list: &NodeList) -> Self {
        Self {
            pending: list
                .pending
                .iter()
                .chain(&list.surfaces)
                .map(Into::into)
                .collect(),
            paired: list.paired.iter().map(Into::into).collect(),
        }
    }
}

impl From<&NodeRequest> for PendingNode {
    fn from(request: &NodeRequest) -> Self {
        Self {
            request_id: request.id.clone(),
            node_id: request.node.clone(),
            info: (&request.info).into(),
            silent: request.silent,
            is_repair: request.is_repair,
            ts: request.asked_at.as_millis(),
            expires_at_ms: None,
        }
    }
}

impl From<&Node> for PairedNode {
    fn from(node: &Node) -> Self {
        Self {
            node_id: node.id.clone(),
            info: (&node.info).into(),
            created_at_ms: node.created_at.as_millis(),
            approved_at_ms: node.approved_at.as_millis(),
            last_connected_at_ms: node.last_connected_at.map(Timestamp::as_millis),
        }
    }
}

impl From<&NodeInfo> for NodeDescription {
    fn from(info: &NodeInfo) -> Self {
        let info = info.clone();
        Self {
            display_name: info.display_name,
            platform: info.platform,
            version: info.version,
            core_version: info.core_version,
            ui_version: info.ui_version,
            device_family: info.device_family,
            model_identifier: info.model_identifier,
            caps: info.caps,
            commands: info.commands,
            permissions: info.permissions,
            remote_ip: info.remote_ip,
        }
    }
}

impl ApprovedNode {
    /// Combines a node with its token, for an entitled caller.
    pub fn new(node: &Node, token: &SecretToken) -> Self {
        Self {
            node: node.into(),
            token: Some(token.expose().into()),
        }
    }

    /// Returns a device as a node, without a token: the device has its own. The approved commands are shown.
    pub fn device(device: &Device) -> Self {
        let node = device.roles.get(&Role::Node);
        let commands = node.and_then(|node| node.commands.clone());
        let info = NodeInfo {
            display_name: device.name().map(str::to_owned),
            platform: device.info.platform.clone(),
            device_family: device.info.device_family.clone(),
            commands: commands.into_iter().flatten().collect(),
            remote_ip: device.info.remote_ip.clone(),
            ..NodeInfo::default()
        };
        let token = node.and_then(|node| node.token.as_ref());
        let seen = token.and_then(|token| token.last_used_at);
        Self {
            node: PairedNode {
                node_id: device.id.into(),
                info: (&info).into(),
                created_at_ms: device.created_at.as_millis(),
                approved_at_ms: device.approved_at.as_millis(),
                last_connected_at_ms: seen.map(Timestamp::as_millis),
            },
            token: None,
        }
    }
}

impl From<PendingNode> for NodeRequest {
    /// Converts the wire form of a request, which lacks the time of the last request.
    fn from(pending: PendingNode) -> Self {
        let asked_at = Timestamp::from_millis(pending.ts);
        Self {
            id: pending.request_id,
            node: pending.node_id,
            info: pending.info.into(),
            silent: pending.silent,
            is_repair: pending.is_repair,
            asked_at,
            refreshed_at: asked_at,
        }
    }
}

impl From<PairedNode> for Node {
    /// Converts the wire form of a node, which lacks the approver and the token hash.
    fn from(paired: PairedNode) -> Self {
        Self {
            id: paired.node_id,
            info: paired.info.into(),
            token: TokenHash::UNKNOWN,
            created_at: Timestamp::from_millis(paired.created_at_ms),
            approved_at: Timestamp::from_millis(paired.approved_at_ms),
            last_connected_at: paired.last_connected_at_ms.map(Timestamp::from_millis),
            grant: None,
        }
    }
}

impl From<NodeDescription> for NodeInfo {
    fn from(info: NodeDescription) -> Self {
        Self {
            display_name: info.display_name,
            platform: info.platform,
            version: info.version,
            core_version: info.core_version,
            ui_version: info.ui_version,
            device_family: info.device_family,
            model_identifier: info.model_identifier,
            caps: info.caps,
            commands: info.commands,
            permissions: info.permissions,
            remote_ip: info.remote_ip,
        }
    }
}

/// The parameters of `node.pair.request`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NodeRequestParams {
    /// Id that the node chose for itself.
    pub node_id: Text,
    /// Display name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<Text>,
    /// The operating system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Text>,
    /// Version of the node's app.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Text>,
    /// Version of the node's core.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub core_version: Option<Text>,
    /// Version of the node's user interface.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ui_version: Option<Text>,
    /// Device family.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_family: Option<Text>,
    /// Device model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_identifier: Option<Text>,
    /// General capabilities.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub caps: Vec<Text>,
    /// Commands that the node can execute.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<Text>,
    /// Permissions that the node's operating system grants.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub permissions: BTreeMap<String, bool>,
    /// IP address that the node claims; the gateway uses the one it observes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote_ip: Option<Text>,
    /// Whether to avoid asking the owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silent: Option<bool>,
}

/// The answer to `node.pair.request`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeRequested {
    /// Always `pending`.
    pub status: String,
    /// The pending request.
    pub request: PendingNode,
    /// Whether the request is new.
    pub created: bool,
}

/// The parameters of `node.pair.verify`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VerifyParams {
    /// Id of the node.
    pub node_id: Text,
    /// Token to verify.
    pub token: Secret,
}

/// The answer to `node.pair.verify`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    /// Whether the token belongs to the node.
    pub ok: bool,
    /// The node, if the token is right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<PairedNode>,
}

/// The parameters of `node.pair.remove`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NodeRemoveParams {
    /// Id of the node.
    pub node_id: Text,
}

/// The parameters of `node.rename`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NodeRenameParams {
    /// Id of the node.
    pub node_id: Text,
    /// New display name.
    pub display_name: Text,
}

impl From<NodeRequestParams> for NodeInfo {
    fn from(params: NodeRequestParams) -> Self {
        let text = |text: Option<Text>| text.map(String::from);
        let texts = |texts: Vec<Text>| texts.into_iter().map(String::from).collect();
        Self {
            display_name: text(params.display_name),
            platform: text(params.platform),
            version: text(params.version),
            core_version: text(params.core_version),
            ui_version: text(params.ui_version),
            device_family: text(params.device_family),
            model_identifier: text(params.model_identifier),
            caps: texts(params.caps),
            commands: texts(params.commands),
            permissions: params.permissions,
            remote_ip: text(params.remote_ip),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// An answer to `node.pair.list` recorded from OpenClaw 2026.2.17.
    const RECORDED: &str = include_str!("recorded/node-pair-list.json");

    #[test]
    fn the_shape_is_that_of_a_recorded_answer() {
        let recorded: Value = serde_json::from_str(RECORDED).unwrap();
        let read: NodePairList = serde_json::from_str(RECORDED).unwrap();
        assert_eq!(serde_json::to_value(read).unwrap(), recorded);
    }

    #[test]
    fn what_is_shown_survives_the_way_back() {
        let read: NodePairList = serde_json::from_str(RECORDED).unwrap();
        let mut list = NodeList::default();
        list.pending = read.pending.iter().cloned().map(Into::into).collect();
        list.paired = read.paired.iter().cloned().map(Into::into).collect();
        assert_eq!(NodePairList::from(&list), read);
    }
}
