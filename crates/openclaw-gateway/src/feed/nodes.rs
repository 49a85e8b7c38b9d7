//! Events about requests of legacy nodes.

use std::collections::BTreeMap;

use gateway_protocol::event::{self, Decision, NodeResolved};
use gateway_protocol::node::PendingNode;
use pairing_core::StoreError;
use pairing_core::device::{Node, NodeRequest, RequestId};

use super::{Feed, label, without};
use crate::sessions::Session;

impl Feed<'_> {
    pub(super) fn nodes(&mut self, now: BTreeMap<RequestId, NodeRequest>, tell: bool) {
        let before = std::mem::replace(&mut self.seen.nodes, now);
        if !tell {
            return;
        }
        let mut unknown = Vec::new();
        for gone in without(&before, &self.seen.nodes) {
            match self.node_decision(gone) {
                Ok(decision) => self.node_resolved(gone, decision),
                Err(_) => unknown.push((gone.id.clone(), gone.clone())),
            }
        }
        for new in without(&self.seen.nodes, &before) {
            self.parts.metrics.requested("node");
            self.tell(
                event::NODE_REQUESTED,
                &PendingNode::from(new),
                Session::may_see_nodes,
            );
        }
        // How these ended is told once the store can be read.
        self.stale.nodes |= !unknown.is_empty();
        self.seen.nodes.extend(unknown);
    }

    fn node_decision(&self, gone: &NodeRequest) -> Result<Decision, StoreError> {
        let (pairing, now) = (&self.parts.pairing, self.parts.pairing.now());
        if self
            .seen
            .nodes
            .values()
            .any(|request| request.node == gone.node)
        {
            return Ok(Decision::Superseded);
        }
        let paired = pairing.nodes().list(&self.viewer);
        let paired = paired.map_err(|error| error.0)?.paired;
        let node = paired.iter().find(|node| node.id == gone.node);
        let is_approved = |node: &Node| match &node.grant {
            Some(grant) => grant.requested_at == Some(gone.asked_at),
            None => node.approved_at > gone.asked_at,
        };
        Ok(if node.is_some_and(is_approved) {
            Decision::Approved
        } else if gone.is_expired(&pairing.limits().devices, now) {
            Decision::Expired
        } else {
            Decision::Rejected
        })
    }

    fn node_resolved(&self, gone: &NodeRequest, decision: Decision) {
        self.parts.metrics.decided("node", label(decision));
        let resolved = NodeResolved {
            request_id: gone.id.clone(),
            node_id: gone.node.clone(),
            decision,
            ts: self.now(),
        };
        self.tell(event::NODE_RESOLVED, &resolved, Session::may_see_nodes);
    }
}
