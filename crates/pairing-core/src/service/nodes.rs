//! Legacy nodes, which pair by request and have no key.

use super::transact::{Transaction, list, transact};
use super::{DeviceError, ListError, Pairing};
use crate::device::{
    Node, NodeApproved, NodeAsked, NodeId, NodeInfo, NodeRequest, RequestId, SecretToken, nodes,
};
use crate::dm::Decision;
use crate::store::{Change, Problem};
use crate::{Approver, AuditAction, AuditEvent, AuditSubject, Key, Range, Record, Scope};

/// The legacy nodes of a [`Pairing`].
#[derive(Debug, Clone)]
pub struct Nodes(pub(super) Pairing);

/// Pending requests and paired nodes, newest first.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct NodeList {
    /// Requests that have not expired.
    pub pending: Vec<NodeRequest>,
    /// What paired devices wait for as nodes; only [`list_all`](Nodes::list_all) reads it.
    pub surfaces: Vec<NodeRequest>,
    /// Approved nodes.
    pub paired: Vec<Node>,
    /// Stored data that could not be understood.
    pub problems: Vec<Problem>,
}

impl NodeList {
    /// Returns everything that the owner has to decide about: requests, and what devices wait for as nodes.
    pub fn waiting(&self) -> Vec<NodeRequest> {
        self.pending.iter().chain(&self.surfaces).cloned().collect()
    }
}

impl Pairing {
    /// Returns a handle to the legacy nodes.
    pub fn nodes(&self) -> Nodes {
        Nodes(self.clone())
    }
}

impl Nodes {
    /// Records the request of a node to be paired. The node may repeat it at any rate; the id stays the
    /// same until it declares more. What it does not say again stays as it was. Texts of more than 256
    /// characters are cut, and names of more than 256 capabilities, commands or permissions are dropped.
    pub fn request(
        &self,
        node: &NodeId,
        info: &NodeInfo,
        silent: bool,
    ) -> Result<NodeAsked, DeviceError> {
        let id = RequestId::generate(self.0.entropy())?;
        transact(self.0.store(), |tx| {
            let (paired, before) = (tx.node(node)?, tx.node_request(node)?);
            let who = (node, info, silent);
            let known = (paired.as_ref(), before.as_ref());
            let limits = &self.0.limits().devices;
            let mut decision = nodes::ask(who, known, id.clone(), limits, self.0.now());
            if decision.outcome.is_new {
                decision.changes.extend(self.make_room(tx, node)?);
            }
            Ok(decision)
        })
    }

    /// Returns pending requests and paired nodes. A device without admin sees none of them, since none is
    /// its own.
    pub fn list(&self, viewer: &Approver) -> Result<NodeList, ListError> {
        if !sees_nodes(viewer) {
            return Ok(NodeList::default());
        }
        let (limits, now) = (&self.0.limits().devices, self.0.now());
        let (pending, mut problems) = list(self.0.store(), &Range::NodeRequests)?;
        let (paired, more) = list(self.0.store(), &Range::Nodes)?;
        problems.extend(more);
        let pending = pending.iter().filter_map(|r| r.as_node_request().cloned());
        let mut pending: Vec<_> = pending.filter(|r| !r.is_expired(limits, now)).collect();
        let mut paired: Vec<_> = paired.iter().filter_map(|r| r.as_node().cloned()).collect();
        pending.sort_by_key(|request| std::cmp::Reverse(request.asked_at));
        paired.sort_by_key(|node| std::cmp::Reverse(node.approved_at));
        Ok(NodeList {
            pending,
            surfaces: Vec::new(),
            paired,
            problems,
        })
    }

    /// Returns what [`list`](Self::list) does, and what devices [wait for](Self::surfaces) as nodes. If the devices
    /// cannot be read, that is a problem in the list.
    pub fn list_all(&self, viewer: &Approver) -> Result<NodeList, ListError> {
        let mut list = self.list(viewer)?;
        match self.surfaces(viewer) {
            Ok(surfaces) => list.surfaces = surfaces,
            Err(ListError(error)) => list.problems.push(Problem {
                resource: "devices".to_owned(),
                detail: crate::Chain(&error).to_string(),
            }),
        }
        Ok(list)
    }

    /// Approves exactly the request with this id. The scope that this requires depends on the commands
    /// that the node declares. The returned token is not available anywhere else.
    pub fn approve(
        &self,
        id: &RequestId,
        approver: &Approver,
    ) -> Result<NodeApproved, DeviceError> {
        self.approve_commands(id, &|_| true, approver)
    }

    /// Approves a request like [`approve`](Self::approve), but of the commands that the node declared only those
    /// that `keep` accepts.
    pub fn approve_commands(
        &self,
        id: &RequestId,
        keep: &dyn Fn(&str) -> bool,
        approver: &Approver,
    ) -> Result<NodeApproved, DeviceError> {
        approver.may_pair()?;
        let token = SecretToken::generate(self.0.entropy())?;
        let approved = transact(self.0.store(), |tx| {
            let request = self.running(tx, id, approver)?;
            let before = tx.node(&request.node)?;
            let now = self.0.now();
            let before = before.as_ref();
            let decision = nodes::approve(&request, keep, before, &token, approver, now);
            Ok::<_, DeviceError>(decision?)
        })?;
        self.audit(AuditAction::Approved, approver, &approved.node.id, Some(id));
        Ok(approved)
    }

    /// Rejects a request.
    pub fn reject(&self, id: &RequestId, approver: &Approver) -> Result<NodeRequest, DeviceError> {
        approver.may_pair()?;
        let request = transact(self.0.store(), |tx| {
            let request = self.running(tx, id, approver)?;
            let node = request.node.clone();
            Ok::<_, DeviceError>(Decision {
                changes: vec![Change::Delete(Key::NodeRequest { node })],
                outcome: request,
            })
        })?;
        self.audit(AuditAction::Rejected, approver, &request.node, Some(id));
        Ok(request)
    }

    /// Returns the node if this is its token, or `None`.
    pub fn verify(&self, node: &NodeId, token: &SecretToken) -> Result<Option<Node>, ListError> {
        let read = self.0.store().read(&Key::Node { node: node.clone() })?;
        let stored = read.record.and_then(|record| record.as_node().cloned());
        Ok(stored.filter(|stored| stored.token.matches(token)))
    }

    /// Renames a node.
    pub fn rename(
        &self,
        node: &NodeId,
        name: &str,
        approver: &Approver,
    ) -> Result<Node, DeviceError> {
        let name = super::devices::name(name)?;
        self.change(node, approver, AuditAction::Renamed, |stored| {
            let mut renamed = stored.clone();
            renamed.info.display_name = Some(name.to_owned());
            Decision {
                changes: vec![Change::Put(Record::from(renamed.clone()))],
                outcome: renamed,
            }
        })
    }

    /// Removes a node; its token is no longer valid.
    pub fn remove(&self, node: &NodeId, approver: &Approver) -> Result<Node, DeviceError> {
        self.change(node, approver, AuditAction::Removed, |stored| Decision {
            changes: vec![Change::Delete(Key::Node { node: node.clone() })],
            outcome: stored.clone(),
        })
    }

    fn change(
        &self,
        node: &NodeId,
        approver: &Approver,
        action: AuditAction,
        decide: impl Fn(&Node) -> Decision<Node>,
    ) -> Result<Node, DeviceError> {
        approver.may_pair()?;
        let changed = transact(self.0.store(), |tx| {
            let stored = tx.node(node)?.filter(|_| sees_nodes(approver));
            let stored = stored.ok_or(DeviceError::UnknownDevice)?;
            Ok::<_, DeviceError>(decide(&stored))
        })?;
        self.audit(action, approver, node, None);
        Ok(changed)
    }

    fn audit(
        &self,
        action: AuditAction,
        approver: &Approver,
        node: &NodeId,
        request: Option<&RequestId>,
    ) {
        let node = node.clone();
        let subject = AuditSubject::Node { node };
        let mut event = AuditEvent::new(self.0.now(), action, approver, subject);
        event.request = request.cloned();
        self.0.audit(&event);
    }

    fn running(
        &self,
        tx: &mut Transaction<'_>,
        id: &RequestId,
        approver: &Approver,
    ) -> Result<NodeRequest, DeviceError> {
        let (limits, now) = (&self.0.limits().devices, self.0.now());
        let (waiting, _) = list(self.0.store(), &Range::NodeRequests)?;
        let mut waiting = waiting.iter().filter_map(|record| record.as_node_request());
        let found = waiting.find(|request| request.id == *id && sees_nodes(approver));
        let node = found.map(|request| request.node.clone());
        tx.node_request(&node.ok_or(DeviceError::UnknownRequest)?)?
            .filter(|request| request.id == *id && !request.is_expired(limits, now))
            .ok_or(DeviceError::UnknownRequest)
    }

    /// Deletes expired requests and, if too many are pending, those that were repeated least recently.
    fn make_room(
        &self,
        tx: &mut Transaction<'_>,
        node: &NodeId,
    ) -> Result<Vec<Change>, DeviceError> {
        let (limits, now) = (&self.0.limits().devices, self.0.now());
        let mut others = tx.node_requests()?;
        others.retain(|request| request.node != *node);
        // Expired requests first, then by the time at which they were last repeated.
        others.sort_by_key(|r| (!r.is_expired(limits, now), r.refreshed_at));
        let expired = others.iter().filter(|r| r.is_expired(limits, now)).count();
        let too_many = (others.len() + 1).saturating_sub(limits.max_pending);
        let gone = others.into_iter().take(expired.max(too_many));
        Ok(gone
            .map(|request| Change::Delete(Key::NodeRequest { node: request.node }))
            .collect())
    }
}

/// Whether the approver can see legacy nodes. A device that may only decide about itself cannot: they
/// have no device.
pub(super) fn sees_nodes(approver: &Approver) -> bool {
    approver.acting_device().is_none() || approver.scopes().allows(Scope::ADMIN)
}
