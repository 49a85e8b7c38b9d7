//! Nodes: paired and connected ones in one list, and the legacy store.

use std::collections::{BTreeMap, BTreeSet};

use gateway_protocol::device::{ApproveParams, RequestParams};
use gateway_protocol::invoke::{DescribeParams, NodeEntries, NodeEntry, NodeGateway};
use gateway_protocol::node::{
    ApprovedNode, NodeApproved, NodePairList, NodeRejected, NodeRemoveParams, NodeRemoved,
    NodeRenameParams, NodeRenamed, NodeRequestParams, NodeRequested, Verified, VerifyParams,
};
use gateway_protocol::{DetailCode, Empty, ErrorShape};
use pairing_core::device::{Device, Node, NodeId, NodeInfo, RequestId, Role, SecretToken};
use pairing_core::{Approver, DeviceError, DeviceId};

use super::devices::not_asked_for;
use super::{Call, Reply, of_device, of_list};
use crate::clients::NodeAt;
use crate::peers::Connected;

pub(super) fn list(call: &Call) -> Reply {
    call.params::<Empty>()?;
    call.reply(&NodeEntries {
        ts: call.pairing().now().as_millis(),
        nodes: entries(call)?,
    })
}

pub(super) fn describe(call: &Call) -> Reply {
    let params: DescribeParams = call.params()?;
    let found = entries(call)?
        .into_iter()
        .find(|entry| entry.node_id == *params.node_id);
    let entry = found.ok_or_else(unknown_node)?;
    call.reply(&entry)
}

/// Lists all nodes: devices in the role of a node, and the legacy store. Everybody who may read sees all of
/// them, but addresses only with the right to see nodes.
fn entries(call: &Call) -> Result<Vec<NodeEntry>, ErrorShape> {
    let everything = Approver::operator("node.list", pairing_core::ScopeSet::admin());
    let paired = call
        .pairing()
        .devices()
        .paired(&everything)
        .map_err(of_list)?;
    let legacy = call.pairing().nodes().list(&everything).map_err(of_list)?;
    let shows_addresses = call.session.may_see_nodes();
    let devices = paired.paired.iter();
    let nodes = devices.filter(|device| device.standing(Role::Node).is_some());
    let mut entries: Vec<_> = nodes
        .map(|device| match call.parts.clients.node(device.id) {
            Some(NodeAt::Here(session)) => {
                let connected = Connected::of(device.id, &session);
                of_device_node(device, Some(&connected), None)
            }
            Some(NodeAt::Elsewhere(_, at)) => {
                of_device_node(device, Some(&at.node), Some(at.gateway.shown()))
            }
            None => of_device_node(device, None, None),
        })
        .chain(legacy.paired.iter().map(of_legacy))
        .collect();
    for entry in &mut entries {
        entry.remote_ip = entry.remote_ip.take().filter(|_| shows_addresses);
    }
    let name = |entry: &NodeEntry| {
        let name = entry.display_name.as_ref().unwrap_or(&entry.node_id);
        (!entry.connected, name.to_lowercase(), entry.node_id.clone())
    };
    entries.sort_by_cached_key(name);
    Ok(entries)
}

fn of_device_node(
    device: &Device,
    connected: Option<&Connected>,
    gateway: Option<NodeGateway>,
) -> NodeEntry {
    let (info, waits) = (&device.info, device.surface.as_ref());
    NodeEntry {
        node_id: device.id.to_string(),
        display_name: device
            .name()
            .map(str::to_owned)
            .or_else(|| connected?.display_name.clone()),
        platform: info.platform.clone(),
        version: connected.map(|node| node.version.clone()),
        device_family: info.device_family.clone(),
        model_identifier: connected.and_then(|node| node.model_identifier.clone()),
        remote_ip: info.remote_ip.clone(),
        caps: connected.map_or_else(Vec::new, |node| node.caps.clone()),
        commands: connected.map_or_else(Vec::new, |node| live_commands(device, node)),
        permissions: connected.map_or_else(BTreeMap::new, |node| node.permissions.clone()),
        approval_state: waits.map(|waits| approval_state(waits.is_repair)),
        pending_request_id: waits.map(|waits| waits.id.to_string()),
        pending_declared_caps: waits.map_or_else(Vec::new, |waits| waits.info.caps.clone()),
        pending_declared_commands: waits.map_or_else(Vec::new, |waits| waits.info.commands.clone()),
        connected_at_ms: connected.map(|node| node.since_ms),
        paired: true,
        connected: connected.is_some(),
        gateway,
    }
}

fn approval_state(is_repair: bool) -> String {
    let state = if is_repair {
        "pending-reapproval"
    } else {
        "pending-approval"
    };
    state.to_owned()
}

/// The commands that a node offers on its connection and was approved for.
fn live_commands(device: &Device, connected: &Connected) -> Vec<String> {
    let standing = device.standing(Role::Node);
    let approved = standing.and_then(|role| role.commands.as_ref());
    let offered = connected.commands.iter();
    let none = BTreeSet::new();
    let approved = approved.unwrap_or(&none);
    offered
        .filter(|command| approved.contains(*command))
        .cloned()
        .collect()
}

fn of_legacy(node: &Node) -> NodeEntry {
    let info = node.info.clone();
    NodeEntry {
        node_id: node.id.to_string(),
        display_name: info.display_name,
        platform: info.platform,
        version: info.version,
        device_family: info.device_family,
        model_identifier: info.model_identifier,
        remote_ip: info.remote_ip,
        caps: info.caps,
        commands: info.commands,
        permissions: info.permissions,
        approval_state: None,
        pending_request_id: None,
        pending_declared_caps: Vec::new(),
        pending_declared_commands: Vec::new(),
        connected_at_ms: None,
        paired: true,
        connected: false,
        gateway: None,
    }
}

pub(super) fn request(call: &Call) -> Reply {
    let params: NodeRequestParams = call.params()?;
    let node = NodeId::parse(&params.node_id).map_err(|error| {
        ErrorShape::invalid(
            DetailCode::InvalidParams,
            format!("invalid node.pair.request params: at nodeId: {error}"),
        )
    })?;
    let silent = params.silent.unwrap_or(false);
    let address = call.session.address;
    let info = NodeInfo {
        remote_ip: (!address.is_loopback()).then(|| address.to_string()),
        ..params.into()
    };
    let now = call.pairing().now();
    let may_ask = call.parts.entrance.budget.may_ask(address, now);
    let may_ask = may_ask.ok_or_else(|| {
        call.parts.entrance.budget.refused_to_ask();
        ErrorShape::unavailable(
            DetailCode::RateLimited,
            "too many requests came from there: try again later",
        )
    })?;
    let asked = call.pairing().nodes().request(&node, &info, silent);
    let asked = asked.map_err(of_device)?;
    if asked.is_new {
        may_ask.used();
    }
    call.reply(&NodeRequested {
        status: "pending".to_owned(),
        request: (&asked.request).into(),
        created: asked.is_new,
    })
}

pub(super) fn pair_list(call: &Call) -> Reply {
    call.params::<Empty>()?;
    let list = call
        .pairing()
        .nodes()
        .list_all(&call.approver())
        .map_err(of_list)?;
    let limits = &call.pairing().limits().devices;
    let mut answer = NodePairList::from(&list);
    for (answer, request) in answer.pending.iter_mut().zip(&list.pending) {
        answer.expires_at_ms = Some(request.expires_at(limits).as_millis());
    }
    call.reply(&answer)
}

pub(super) fn approve(call: &Call) -> Reply {
    let params: ApproveParams = call.params()?;
    // A text that cannot be an id names no request.
    let request_id =
        RequestId::parse(&params.request_id).map_err(|_| of_device(DeviceError::UnknownRequest))?;
    let nodes = call.pairing().nodes();
    let chosen: Option<BTreeSet<String>> = params
        .commands
        .map(|commands| commands.into_iter().map(String::from).collect());
    if let Some(chosen) = &chosen {
        let list = nodes.list_all(&call.approver()).map_err(of_list)?;
        let mut pending = list.pending.iter().chain(&list.surfaces);
        let request = pending.find(|request| request.id == request_id);
        let request = request.ok_or_else(|| of_device(DeviceError::UnknownRequest))?;
        let asked = |name: &&String| request.info.commands.contains(*name);
        if let Some(name) = chosen.iter().find(|name| !asked(name)) {
            return Err(not_asked_for("node.pair.approve", name));
        }
    }
    let settings = call.parts.settings.load();
    let policy = &settings.config.gateway.node_commands;
    let keep = |name: &str| {
        let is_chosen = chosen.as_ref().is_none_or(|chosen| chosen.contains(name));
        is_chosen && !policy.denies(name)
    };
    let approved = nodes.approve_commands(&request_id, &keep, &call.approver());
    let node = match approved {
        Err(DeviceError::UnknownRequest) => {
            let device = nodes.approve_surface(&request_id, &keep, &call.approver());
            ApprovedNode::device(&device.map_err(of_device)?)
        }
        approved => {
            let approved = approved.map_err(of_device)?;
            ApprovedNode::new(&approved.node, &approved.token)
        }
    };
    call.reply(&NodeApproved { request_id, node })
}

pub(super) fn reject(call: &Call) -> Reply {
    let request_id = request_of(call)?;
    let (nodes, approver) = (call.pairing().nodes(), call.approver());
    let rejected = match nodes.reject(&request_id, &approver) {
        Err(DeviceError::UnknownRequest) => nodes.reject_surface(&request_id, &approver),
        rejected => rejected,
    };
    let request = rejected.map_err(of_device)?;
    call.reply(&NodeRejected {
        request_id,
        node_id: request.node,
    })
}

/// Removes a node of the legacy store, or a device in its role as a node. A device that has no other role is
/// removed as a whole; a device that is also an operator remains one.
pub(super) fn remove(call: &Call) -> Reply {
    let params: NodeRemoveParams = call.params()?;
    // A text that cannot be an id names no node.
    let node_id = NodeId::parse(&params.node_id).map_err(|_| unknown_node())?;
    if let Ok(device) = DeviceId::parse(&params.node_id)
        && remove_device(call, device)?
    {
        return call.reply(&NodeRemoved { node_id });
    }
    let removed = call.pairing().nodes().remove(&node_id, &call.approver());
    removed.map_err(of_node)?;
    call.reply(&NodeRemoved { node_id })
}

/// Removes a device in its role as a node. `false` if there is no such device.
fn remove_device(call: &Call, id: DeviceId) -> Result<bool, ErrorShape> {
    let (devices, approver) = (call.pairing().devices(), call.approver());
    let paired = devices.paired(&approver).map_err(of_list)?;
    let Some(device) = paired.paired.iter().find(|device| device.id == id) else {
        return Ok(false);
    };
    if device.standing(Role::Node).is_none() {
        return Ok(false);
    }
    let removed = if device.roles.len() == 1 {
        devices.remove(id, &approver).map(|_| None)
    } else {
        let revoked = devices.revoke(id, Role::Node, &approver);
        revoked.map(|_| Some(Role::Node))
    };
    let role = removed.map_err(of_node)?;
    call.end_sessions(id, role);
    Ok(true)
}

pub(super) fn verify(call: &Call) -> Reply {
    let params: VerifyParams = call.params()?;
    let parsed = (
        NodeId::parse(&params.node_id),
        SecretToken::parse(params.token.expose()),
    );
    let found = match parsed {
        (Ok(node), Ok(token)) if call.session.may_see_nodes() => call
            .pairing()
            .nodes()
            .verify(&node, &token)
            .map_err(of_list)?,
        _ => None,
    };
    call.reply(&Verified {
        ok: found.is_some(),
        node: found.as_ref().map(Into::into),
    })
}

/// Renames a node of either kind.
pub(super) fn rename(call: &Call) -> Reply {
    let params: NodeRenameParams = call.params()?;
    let (name, approver) = (&params.display_name, call.approver());
    let node_id = NodeId::parse(&params.node_id).map_err(|_| unknown_node())?;
    let devices = call.pairing().devices();
    let device = pairing_core::DeviceId::parse(&params.node_id).ok();
    let renamed = device.map(|id| devices.rename(id, name, &approver));
    let display_name = match renamed {
        Some(Ok(device)) => device.label,
        None | Some(Err(DeviceError::UnknownDevice)) => {
            let renamed = call.pairing().nodes().rename(&node_id, name, &approver);
            renamed.map_err(of_node)?.info.display_name
        }
        Some(Err(error)) => return Err(of_device(error)),
    };
    call.reply(&NodeRenamed {
        node_id,
        display_name,
    })
}

fn of_node(error: DeviceError) -> ErrorShape {
    match error {
        DeviceError::UnknownDevice => unknown_node(),
        error => of_device(error),
    }
}

fn unknown_node() -> ErrorShape {
    ErrorShape::invalid(DetailCode::UnknownNode, "unknown nodeId")
}

fn request_of(call: &Call) -> Result<RequestId, ErrorShape> {
    let params: RequestParams = call.params()?;
    RequestId::parse(&params.request_id).map_err(|_| of_device(DeviceError::UnknownRequest))
}
