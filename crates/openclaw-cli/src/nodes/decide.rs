//! `openclaw nodes approve`, `reject`, `rename` and `remove`.

use std::collections::BTreeSet;

use gateway_protocol::node::{NodeApproved, NodeRejected, NodeRenamed};
use pairing_core::device::Node;
use pairing_core::escape;

use super::Call;
use super::list::commands;
use crate::console::Screen;
use crate::subject::label;
use crate::{Exit, Failure, json};

impl Call {
    pub(super) fn approve(
        &self,
        typed: &str,
        chosen: Option<&BTreeSet<String>>,
        screen: &mut Screen<'_, '_>,
    ) -> Result<Exit, Failure> {
        let list = self.read(screen)?;
        let request = self.request(typed, &list, "approve")?;
        let approved = self.backend.approve_node(&request, chosen)?;
        if self.json {
            screen.json(&NodeApproved {
                request_id: request.id.clone(),
                node: approved,
            })?;
            return Ok(Exit::Done);
        }
        let (node, token) = (Node::from(approved.node), approved.token);
        let node = &node;
        screen.line(format_args!("Approved node {}", label(node)))?;
        let commands = commands(&node.info);
        if !commands.is_empty() {
            screen.line(format_args!("  carries out: {commands}"))?;
        }
        if let Some(token) = token {
            screen.line(format_args!(
                "Token: {}",
                escape(token.expose()).limit(usize::MAX)
            ))?;
            screen.remark(
                "Put it into the node now: it is shown this once, and not kept in clear.",
            )?;
        }
        Ok(Exit::Done)
    }

    pub(super) fn reject(&self, typed: &str, screen: &mut Screen<'_, '_>) -> Result<Exit, Failure> {
        let list = self.read(screen)?;
        let request = self.request(typed, &list, "reject")?;
        let rejected = self.backend.reject_node(&request)?;
        if self.json {
            screen.json(&NodeRejected {
                request_id: rejected.id,
                node_id: rejected.node,
            })?;
        } else {
            screen.line(format_args!("Rejected request {}", label(&rejected)))?;
        }
        Ok(Exit::Done)
    }

    pub(super) fn rename(
        &self,
        typed: &str,
        name: &str,
        screen: &mut Screen<'_, '_>,
    ) -> Result<Exit, Failure> {
        let list = self.read(screen)?;
        let node = self.node(typed, &list, "rename")?;
        let renamed = self.backend.rename_node(node, name)?;
        if self.json {
            screen.json(&NodeRenamed {
                node_id: renamed.id,
                display_name: renamed.info.display_name,
            })?;
        } else {
            screen.line(format_args!("Renamed node {}", label(&renamed)))?;
        }
        Ok(Exit::Done)
    }

    pub(super) fn remove(&self, typed: &str, screen: &mut Screen<'_, '_>) -> Result<Exit, Failure> {
        let list = self.read(screen)?;
        let node = self.node(typed, &list, "remove")?;
        let removed = self.backend.remove_node(node)?;
        if self.json {
            screen.json(&json::NodeRemoved {
                node_id: removed.id,
            })?;
        } else {
            screen.line(format_args!("Removed node {}", label(&removed)))?;
        }
        Ok(Exit::Done)
    }
}
