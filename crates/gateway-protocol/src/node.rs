//! The legacy store of nodes, as `node.pair.*` shows it.
//!
//! Nothing in here can hold a secret, but for [`ApprovedNode`]: the one answer that shows a token.

use std::collections::BTreeMap;

use pairing_core::device::{
    Node, NodeId, NodeInfo, NodeRequest, RequestId, SecretToken, TokenHash,
};
use pairing_core::{NodeList, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{Secret, Text};

/// `node.pair.list`, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodePairList {
    /// Pending requests.
    pub pending: Vec<PendingNode>,
    /// Approved nodes.
    pub paired: Vec<PairedNode>,
}

/// A legacy node that waits; also the event `node.pair.requested`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PendingNode {
    /// The request.
    pub request_id: RequestId,
    /// The node.
    pub node_id: NodeId,
    /// What it says about itself.
    #[serde(flatten)]
    pub info: NodeDescription,
    /// Whether it qualified for approval without asking the owner.
    pub silent: bool,
    /// Whether it was already known when it asked.
    pub is_repair: bool,
    /// When this was first asked, in milliseconds.
    pub ts: i64,
    /// When it ends unless it is asked again, in milliseconds; only in lists of a gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at_ms: Option<i64>,
}

/// A legacy node that has been approved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PairedNode {
    /// The node.
    pub node_id: NodeId,
    /// What it says about itself.
    #[serde(flatten)]
    pub info: NodeDescription,
    /// When it was made, in milliseconds.
    pub created_at_ms: i64,
    /// When it was last approved.
    pub approved_at_ms: i64,
    /// When it last connected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_connected_at_ms: Option<i64>,
}

/// What a legacy node says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeDescription {
    /// A name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// The operating system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// The version of its app,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// of its core,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub core_version: Option<String>,
    /// of its interface.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ui_version: Option<String>,
    /// The kind of device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_family: Option<String>,
    /// The model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_identifier: Option<String>,
    /// What it can do, in general.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub caps: Vec<String>,
    /// What it can be asked to do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<String>,
    /// What its system lets it do.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub permissions: BTreeMap<String, bool>,
    /// Where it connected from, unless from the gateway's own machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote_ip: Option<String>,
}

/// `node.pair.approve`: the one time that the token is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeApproved {
    /// The request.
    pub request_id: RequestId,
    /// The node.
    pub node: ApprovedNode,
}

/// A node with its token in clear.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovedNode {
    /// The node.
    #[serde(flatten)]
    pub node: PairedNode,
    /// Its token, shown this once.
    pub token: Secret,
}

/// `node.pair.reject`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeRejected {
    /// The request.
    pub request_id: RequestId,
    /// The node.
    pub node_id: NodeId,
}

/// `node.pair.remove`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeRemoved {
    /// The node.
    pub node_id: NodeId,
}

/// `node.rename`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeRenamed {
    /// The node.
    pub node_id: NodeId,
    /// A name for people.
    pub display_name: Option<String>,
}

impl From<&NodeList> for NodePairList {
    fn from(list: &NodeList) -> Self {
        Self {
            pending: list.pending.iter().map(Into::into).collect(),
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
    /// Includes the token, for an entitled caller.
    pub fn new(node: &Node, token: &SecretToken) -> Self {
        Self {
            node: node.into(),
            token: token.expose().into(),
        }
    }
}

impl From<PendingNode> for NodeRequest {
    /// What the wire tells of a request: when it was last asked is not part of it.
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
    /// What the wire tells of a node: who approved it is not part of it, nor what its token is recognised
    /// by.
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
    /// The name that the node chose for itself.
    pub node_id: Text,
    /// A name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<Text>,
    /// The operating system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Text>,
    /// The version of its app,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Text>,
    /// of its core,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub core_version: Option<Text>,
    /// of its interface.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ui_version: Option<Text>,
    /// The kind of device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_family: Option<Text>,
    /// The model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_identifier: Option<Text>,
    /// What it can do, in general.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub caps: Vec<Text>,
    /// What it can be asked to do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<Text>,
    /// What its system lets it do.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub permissions: BTreeMap<String, bool>,
    /// Where it says it is; the gateway goes by where it sees it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote_ip: Option<Text>,
    /// Not to bother the owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silent: Option<bool>,
}

/// The answer to `node.pair.request`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeRequested {
    /// `pending`.
    pub status: String,
    /// What waits.
    pub request: PendingNode,
    /// Whether it was made just now.
    pub created: bool,
}

/// The parameters of `node.pair.verify`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VerifyParams {
    /// The node.
    pub node_id: Text,
    /// Its token.
    pub token: Secret,
}

/// The answer to `node.pair.verify`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    /// Whether it is the node's token.
    pub ok: bool,
    /// The node, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<PairedNode>,
}

/// The parameters of `node.pair.remove`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NodeRemoveParams {
    /// The node.
    pub node_id: Text,
}

/// The parameters of `node.rename`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NodeRenameParams {
    /// The node.
    pub node_id: Text,
    /// What it is called from now on.
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

    /// An answer to `node.pair.list`, recorded from OpenClaw 2026.2.17.
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
        let list = NodeList {
            pending: read.pending.iter().cloned().map(Into::into).collect(),
            paired: read.paired.iter().cloned().map(Into::into).collect(),
            ..NodeList::default()
        };
        assert_eq!(NodePairList::from(&list), read);
    }
}
