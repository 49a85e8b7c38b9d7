//! Decisions about legacy nodes.

use super::{DeviceLimits, Node, NodeId, NodeInfo, NodeRequest, RequestId, SecretToken, TokenHash};
use crate::dm::Decision;
use crate::store::Change;
use crate::{Approver, Key, MissingScope, Record, Scope, Timestamp};

/// The result of a legacy node's request.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
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
#[non_exhaustive]
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
    let said = before.map_or_else(|| info.clone(), |before| before.info.updated(info));
    let said = said.bounded();
    let same = before.filter(|before| before.info.covers(&said));
    let age = same.and_then(|same| now.since(same.refreshed_at));
    let is_recent = age.is_some_and(|age| age < limits.refresh_interval);
    // What the owner decides about is always written; another name waits for the interval.
    let is_fresh = is_recent && same.is_some_and(|same| said.covers(&same.info));
    let request = match same {
        Some(same) if is_fresh => same.clone(),
        Some(same) => NodeRequest {
            info: said,
            refreshed_at: now,
            ..same.clone()
        },
        None => NodeRequest {
            id,
            node: node.clone(),
            info: said,
            silent,
            is_repair: paired.is_some(),
            asked_at: now,
            refreshed_at: now,
        },
    };
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
    keep: &dyn Fn(&str) -> bool,
    before: Option<&Node>,
    token: &SecretToken,
    approver: &Approver,
    now: Timestamp,
) -> Result<Decision<NodeApproved>, MissingScope> {
    let mut info = request.info.clone();
    info.commands.retain(|name| keep(name));
    let needed = info.approval_scope();
    if !approver.scopes().allows(needed) {
        return Err(MissingScope { scope: needed });
    }
    let node = Node {
        id: request.node.clone(),
        info,
        token: TokenHash::of(token),
        created_at: before.map_or(now, |before| before.created_at),
        approved_at: now,
        last_connected_at: before.and_then(|before| before.last_connected_at),
        grant: Some(approver.grant(Some(request.asked_at), now)),
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
    /// Returns what a node has said in all: the latest, and from before what it did not say again.
    fn updated(&self, latest: &Self) -> Self {
        let text = |new: &Option<String>, old: &Option<String>| new.clone().or_else(|| old.clone());
        let names = |new: &Vec<String>, old: &Vec<String>| {
            let said = if new.is_empty() { old } else { new };
            said.clone()
        };
        let mut permissions = self.permissions.clone();
        permissions.extend(latest.permissions.clone());
        Self {
            display_name: text(&latest.display_name, &self.display_name),
            platform: text(&latest.platform, &self.platform),
            version: text(&latest.version, &self.version),
            core_version: text(&latest.core_version, &self.core_version),
            ui_version: text(&latest.ui_version, &self.ui_version),
            device_family: text(&latest.device_family, &self.device_family),
            model_identifier: text(&latest.model_identifier, &self.model_identifier),
            caps: names(&latest.caps, &self.caps),
            commands: names(&latest.commands, &self.commands),
            permissions,
            remote_ip: latest.remote_ip.clone(),
        }
    }

    /// Whether a node that was shown to the owner as this one may do everything that `other` declares.
    fn covers(&self, other: &Self) -> bool {
        let has_all = |ours: &[String], theirs: &[String]| theirs.iter().all(|n| ours.contains(n));
        let mut permissions = other.permissions.iter();
        self.platform == other.platform
            && self.device_family == other.device_family
            && has_all(&self.caps, &other.caps)
            && has_all(&self.commands, &other.commands)
            && permissions.all(|(name, on)| !on || self.permissions.get(name) == Some(&true))
    }

    /// Returns the scope that approving it requires in addition to `operator.pairing`: none for a node
    /// without commands, write for ordinary commands, admin if it would run programs or share its
    /// browser.
    pub(crate) fn approval_scope(&self) -> &'static str {
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
