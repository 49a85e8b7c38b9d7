//! Records as the gateway's protocol shows them: what `device.pair.*` and `node.pair.*` answer with.
//!
//! Nothing in here can hold a secret, but for [`ApprovedNode`]: the one answer that shows a token.

use std::collections::{BTreeMap, BTreeSet};

use pairing_core::device::{
    Device, DeviceInfo, DeviceRequest, DeviceToken, Node, NodeId, NodeInfo, NodeRequest, RequestId,
    Role, SecretToken,
};
use pairing_core::{DeviceId, DeviceKey, DeviceList, NodeList, ScopeSet, Timestamp};
use serde::{Deserialize, Serialize};

/// `device.pair.list`, newest first.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct DevicePairList {
    pub(crate) pending: Vec<PendingDevice>,
    pub(crate) paired: Vec<PairedDevice>,
}

/// A device that waits; also the event `device.pair.requested`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PendingDevice {
    request_id: RequestId,
    device_id: DeviceId,
    public_key: DeviceKey,
    #[serde(flatten)]
    info: DeviceDescription,
    /// The first of `roles`, for clients that know of one only.
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<Role>,
    roles: Vec<Role>,
    #[serde(default, skip_serializing_if = "ScopeSet::is_empty")]
    scopes: ScopeSet,
    /// What the node says it can be asked to do.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    commands: BTreeSet<String>,
    silent: bool,
    is_repair: bool,
    ts: i64,
}

/// A device that has been approved. `role`, `roles` and `scopes` are what stands now.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PairedDevice {
    device_id: DeviceId,
    public_key: DeviceKey,
    #[serde(flatten)]
    info: DeviceDescription,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<Role>,
    roles: Vec<Role>,
    #[serde(default, skip_serializing_if = "ScopeSet::is_empty")]
    scopes: ScopeSet,
    created_at_ms: i64,
    approved_at_ms: i64,
    tokens: Vec<TokenSummary>,
}

/// What a device says about itself.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct DeviceDescription {
    #[serde(skip_serializing_if = "Option::is_none")]
    display_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    platform: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device_family: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_mode: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remote_ip: Option<String>,
}

/// A device token without what it is recognised by.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct TokenSummary {
    role: Role,
    scopes: ScopeSet,
    created_at_ms: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    rotated_at_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_at_ms: Option<i64>,
}

/// `device.pair.approve`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeviceApproved {
    pub(crate) request_id: RequestId,
    pub(crate) device: PairedDevice,
}

/// `device.pair.reject`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeviceRejected {
    pub(crate) request_id: RequestId,
    pub(crate) device_id: DeviceId,
}

/// `device.pair.remove`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeviceRemoved {
    pub(crate) device_id: DeviceId,
}

/// `device.token.rotate`, for anybody but the device itself.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TokenRotated {
    pub(crate) device_id: DeviceId,
    pub(crate) role: Role,
    pub(crate) scopes: ScopeSet,
    pub(crate) rotated_at_ms: i64,
}

/// `device.token.revoke`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TokenRevoked {
    pub(crate) device_id: DeviceId,
    pub(crate) role: Role,
    pub(crate) revoked_at_ms: i64,
}

/// `node.pair.list`, newest first.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct NodePairList {
    pub(crate) pending: Vec<PendingNode>,
    pub(crate) paired: Vec<PairedNode>,
}

/// A legacy node that waits; also the event `node.pair.requested`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PendingNode {
    request_id: RequestId,
    node_id: NodeId,
    #[serde(flatten)]
    info: NodeDescription,
    silent: bool,
    is_repair: bool,
    ts: i64,
}

/// A legacy node that has been approved.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PairedNode {
    node_id: NodeId,
    #[serde(flatten)]
    info: NodeDescription,
    created_at_ms: i64,
    approved_at_ms: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_connected_at_ms: Option<i64>,
}

/// What a legacy node says about itself.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct NodeDescription {
    #[serde(skip_serializing_if = "Option::is_none")]
    display_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    platform: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    core_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ui_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device_family: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model_identifier: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    caps: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    commands: Vec<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    permissions: BTreeMap<String, bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remote_ip: Option<String>,
}

/// `node.pair.approve`: the one time that the token is shown.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NodeApproved<'a> {
    pub(crate) request_id: RequestId,
    pub(crate) node: ApprovedNode<'a>,
}

/// A node with its token in clear.
#[derive(Serialize)]
pub(crate) struct ApprovedNode<'a> {
    #[serde(flatten)]
    node: PairedNode,
    token: &'a str,
}

/// `node.pair.reject`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NodeRejected {
    pub(crate) request_id: RequestId,
    pub(crate) node_id: NodeId,
}

/// `node.rename`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NodeRenamed {
    pub(crate) node_id: NodeId,
    pub(crate) display_name: Option<String>,
}

impl From<&DeviceList> for DevicePairList {
    fn from(list: &DeviceList) -> Self {
        Self {
            pending: list.pending.iter().map(Into::into).collect(),
            paired: list.paired.iter().map(Into::into).collect(),
        }
    }
}

impl From<&DeviceRequest> for PendingDevice {
    fn from(request: &DeviceRequest) -> Self {
        let roles: Vec<_> = request.ask.roles.iter().copied().collect();
        Self {
            request_id: request.id.clone(),
            device_id: request.device,
            public_key: request.key,
            info: (&request.info).into(),
            role: roles.first().copied(),
            roles,
            scopes: request.ask.scopes.clone(),
            commands: request.ask.commands.clone(),
            silent: request.silent,
            is_repair: request.is_repair,
            ts: request.asked_at.as_millis(),
        }
    }
}

impl From<&Device> for PairedDevice {
    fn from(device: &Device) -> Self {
        let standing = |role: &Role| device.standing(*role).is_some();
        let roles: Vec<_> = device.roles.keys().copied().filter(standing).collect();
        let operator = device.standing(Role::Operator);
        let tokens = device.roles.iter().filter_map(|(role, approved)| {
            let token = approved.token.as_ref()?;
            Some(TokenSummary::of(*role, token))
        });
        Self {
            device_id: device.id,
            public_key: device.key,
            info: (&device.info).into(),
            role: roles.first().copied(),
            roles,
            scopes: operator.map_or_else(ScopeSet::default, |operator| operator.scopes.clone()),
            created_at_ms: device.created_at.as_millis(),
            approved_at_ms: device.approved_at.as_millis(),
            tokens: tokens.collect(),
        }
    }
}

impl From<&DeviceInfo> for DeviceDescription {
    fn from(info: &DeviceInfo) -> Self {
        let info = info.clone();
        Self {
            display_name: info.display_name,
            platform: info.platform,
            device_family: info.device_family,
            client_id: info.client_id,
            client_mode: info.client_mode,
            remote_ip: info.remote_ip,
        }
    }
}

impl TokenSummary {
    fn of(role: Role, token: &DeviceToken) -> Self {
        Self {
            role,
            scopes: token.scopes.clone(),
            created_at_ms: token.created_at.as_millis(),
            rotated_at_ms: token.rotated_at.map(Timestamp::as_millis),
            revoked_at_ms: token.revoked_at.map(Timestamp::as_millis),
            last_used_at_ms: token.last_used_at.map(Timestamp::as_millis),
        }
    }
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

impl<'a> ApprovedNode<'a> {
    /// Shows a token to who is entitled to it.
    pub(crate) fn new(node: &Node, token: &'a SecretToken) -> Self {
        Self {
            node: node.into(),
            token: token.expose(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// An answer to `device.pair.list`, recorded from OpenClaw 2026.2.17, and the request of an install.
    const DEVICES: &str = include_str!("wire/device-pair-list.json");
    const NODES: &str = include_str!("wire/node-pair-list.json");

    /// Goes through a type and back.
    fn again<T: Serialize + serde::de::DeserializeOwned>(text: &str) -> (Value, Value) {
        let recorded = serde_json::from_str(text).unwrap();
        let read: T = serde_json::from_str(text).unwrap();
        (recorded, serde_json::to_value(read).unwrap())
    }

    #[test]
    fn the_shapes_are_those_of_recorded_answers() {
        let (recorded, ours) = again::<DevicePairList>(DEVICES);
        assert_eq!(ours, recorded);
        let (recorded, ours) = again::<NodePairList>(NODES);
        assert_eq!(ours, recorded);
    }
}
