//! Decisions about legacy nodes.

use super::{DeviceLimits, Node, NodeId, NodeInfo, NodeRequest, RequestId, SecretToken, TokenHash};
use crate::dm::Decision;
use crate::store::{Change, Grant};
use crate::{Approver, Key, MissingScope, Record, Scope, Timestamp};

/// The result of a legacy node's request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeAsked {
    /// The pending request that the owner decides about.
    pub request: NodeRequest,
    /// Whether the request has just been created.
    pub is_new: bool,
    /// The node's previous request, which was replaced because the node now declares other capabilities.
    pub superseded: Option<RequestId>,
}

/// A legacy node that has just been approved, with its token, which is shown only this once.
#[derive(Debug, Clone)]
pub struct NodeApproved {
    /// The node.
    pub node: Node,
    /// Its token.
    pub token: SecretToken,
}

/// Asks the owner about a node. There is one request per node, with the same id as long as the node
/// declares the same capabilities.
pub(crate) fn ask(
    (node, info, silent): (&NodeId, &NodeInfo, bool),
    (paired, before): (Option<&Node>, Option<&NodeRequest>),
    id: RequestId,
    limits: &DeviceLimits,
    now: Timestamp,
) -> Decision<NodeAsked> {
    let before = before.filter(|request| !request.is_expired(limits, now));
    let same = before.filter(|before| before.info.does_the_same(info));
    let request = match same {
        Some(same) => NodeRequest {
            refreshed_at: now,
            ..same.clone()
        },
        None => NodeRequest {
            id,
            node: node.clone(),
            info: info.clone(),
            silent,
            is_repair: paired.is_some(),
            asked_at: now,
            refreshed_at: now,
        },
    };
    let age = same.and_then(|same| now.since(same.refreshed_at));
    let is_fresh = age.is_some_and(|age| age < limits.refresh_interval);
    Decision {
        changes: if is_fresh {
            Vec::new()
        } else {
            vec![Change::Put(Record::from(request.clone()))]
        },
        outcome: NodeAsked {
            is_new: same.is_none(),
            superseded: before.filter(|b| b.id != request.id).map(|b| b.id.clone()),
            request,
        },
    }
}

/// Approves a node with the capabilities that it declared, and makes its token.
pub(crate) fn approve(
    request: &NodeRequest,
    before: Option<&Node>,
    token: &SecretToken,
    approver: &Approver,
    now: Timestamp,
) -> Result<Decision<NodeApproved>, MissingScope> {
    let needed = request.info.approval_scope();
    if !approver.scopes().allows(needed) {
        return Err(MissingScope { scope: needed });
    }
    let node = Node {
        id: request.node.clone(),
        info: request.info.clone(),
        token: TokenHash::of(token),
        created_at: before.map_or(now, |before| before.created_at),
        approved_at: now,
        last_connected_at: before.and_then(|before| before.last_connected_at),
        grant: Some(Grant {
            by: approver.id().clone(),
            via: approver.via(),
            at: now,
            requested_at: Some(request.asked_at),
        }),
    };
    Ok(Decision {
        changes: vec![
            Change::Put(Record::from(node.clone())),
            Change::Delete(Key::NodeRequest {
                node: request.node.clone(),
            }),
        ],
        outcome: NodeApproved {
            node,
            token: token.clone(),
        },
    })
}

impl NodeInfo {
    /// Whether both declare the same platform, device family, capabilities, commands and permissions.
    fn does_the_same(&self, other: &Self) -> bool {
        let kind = |info: &Self| (info.platform.clone(), info.device_family.clone());
        let does = |info: &Self| {
            let mut does = [info.caps.clone(), info.commands.clone()];
            for names in &mut does {
                names.sort_unstable();
            }
            does
        };
        kind(self) == kind(other)
            && does(self) == does(other)
            && self.permissions == other.permissions
    }

    /// Returns the scope that approving it requires in addition to `operator.pairing`: none for a node
    /// without commands, write for ordinary commands, admin if it would run programs or share its
    /// browser.
    fn approval_scope(&self) -> &'static str {
        let is_sensitive = |command: &String| {
            let ordinary = command == "system.notify";
            ["system.", "browser."]
                .iter()
                .any(|kind| command.starts_with(kind))
                && !ordinary
        };
        if self.commands.iter().any(is_sensitive) {
            Scope::ADMIN
        } else if self.commands.is_empty() {
            Scope::PAIRING
        } else {
            Scope::WRITE
        }
    }
}

impl NodeRequest {
    /// Whether it has expired. A request dated in the future by more than the clock skew counts as
    /// expired.
    pub fn is_expired(&self, limits: &DeviceLimits, now: Timestamp) -> bool {
        limits.is_over(self.refreshed_at, now)
    }

    /// Returns the expiry time, unless the request is repeated before.
    pub fn expires_at(&self, limits: &DeviceLimits) -> Timestamp {
        self.refreshed_at + limits.request_lifetime
    }
}
