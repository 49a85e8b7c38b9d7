//! Commands about legacy nodes, carried out on the store or by a gateway.

use std::collections::BTreeSet;

use gateway_protocol::Empty;
use gateway_protocol::node::{ApprovedNode, NodeApproved, NodePairList, NodeRejected, NodeRenamed};
use pairing_core::device::{Node, NodeRequest};
use pairing_core::{DeviceError, NodeList};
use serde_json::json;

use super::Backend;
use crate::Failure;

impl Backend {
    /// Lists the pending requests and the paired nodes.
    pub(crate) fn nodes(&self) -> Result<NodeList, Failure> {
        match self {
            Self::Files(files) => Ok(files.service.nodes().list_all(&files.approver)?),
            Self::Gateway(remote) => {
                let list: NodePairList = remote.call("node.pair.list", &Empty {})?;
                let mut all = NodeList::default();
                // What devices wait for as nodes does not expire. A gateway of this project says when each of the others
                // does; newest ones of the other program have no others.
                let is_ours = remote.lacks(&["pairing.list"]).is_none();
                let has_legacy = remote.lacks(&["node.pair.request"]).is_none();
                for request in list.pending {
                    let expires = request.expires_at_ms.is_some();
                    let is_surface = !has_legacy || is_ours && !expires;
                    let to = if is_surface {
                        &mut all.surfaces
                    } else {
                        &mut all.pending
                    };
                    to.push(request.into());
                }
                all.paired = list.paired.into_iter().map(Into::into).collect();
                Ok(all)
            }
        }
    }

    /// Returns the approved node with its token, which is shown only here. With `commands`, only those of the
    /// requested commands are granted.
    pub(crate) fn approve_node(
        &self,
        request: &NodeRequest,
        commands: Option<&BTreeSet<String>>,
    ) -> Result<ApprovedNode, Failure> {
        let not_asked = |name: &&String| !request.info.commands.contains(*name);
        if let Some(name) = commands.into_iter().flatten().find(not_asked) {
            return Err(Failure::NotAskedFor(name.clone()));
        }
        match self {
            Self::Files(files) => {
                let nodes = files.service.nodes();
                let keep = |name: &str| {
                    let is_chosen = commands.is_none_or(|commands| commands.contains(name));
                    is_chosen && !files.node_commands.denies(name)
                };
                match nodes.approve_commands(&request.id, &keep, &files.approver) {
                    Err(DeviceError::UnknownRequest) => {
                        let device = nodes.approve_surface(&request.id, &keep, &files.approver);
                        Ok(ApprovedNode::device(&device.map_err(Failure::Node)?))
                    }
                    approved => {
                        let approved = approved.map_err(Failure::Node)?;
                        Ok(ApprovedNode::new(&approved.node, &approved.token))
                    }
                }
            }
            Self::Gateway(remote) => {
                let mut params = json!({ "requestId": request.id });
                if let Some(commands) = commands {
                    params["commands"] = json!(commands);
                }
                let approved: NodeApproved = remote.call("node.pair.approve", &params)?;
                Ok(approved.node)
            }
        }
    }

    pub(crate) fn reject_node(&self, request: &NodeRequest) -> Result<NodeRequest, Failure> {
        match self {
            Self::Files(files) => {
                let nodes = files.service.nodes();
                let rejected = match nodes.reject(&request.id, &files.approver) {
                    Err(DeviceError::UnknownRequest) => {
                        nodes.reject_surface(&request.id, &files.approver)
                    }
                    rejected => rejected,
                };
                rejected.map_err(Failure::Node)
            }
            Self::Gateway(remote) => {
                let params = json!({ "requestId": request.id });
                let _: NodeRejected = remote.call("node.pair.reject", &params)?;
                Ok(request.clone())
            }
        }
    }

    pub(crate) fn rename_node(&self, node: &Node, name: &str) -> Result<Node, Failure> {
        match self {
            Self::Files(files) => {
                let nodes = files.service.nodes();
                let renamed = nodes.rename(&node.id, name, &files.approver);
                renamed.map_err(Failure::Node)
            }
            Self::Gateway(remote) => {
                let params = json!({ "nodeId": node.id, "displayName": name });
                let renamed: NodeRenamed = remote.call("node.rename", &params)?;
                let mut node = node.clone();
                node.info.display_name = renamed.display_name;
                Ok(node)
            }
        }
    }

    pub(crate) fn remove_node(&self, node: &Node) -> Result<Node, Failure> {
        match self {
            Self::Files(files) => {
                let nodes = files.service.nodes();
                let removed = nodes.remove(&node.id, &files.approver);
                removed.map_err(Failure::Node)
            }
            Self::Gateway(remote) => {
                let params = json!({ "nodeId": node.id });
                let _: serde_json::Value = remote.call("node.pair.remove", &params)?;
                Ok(node.clone())
            }
        }
    }
}
