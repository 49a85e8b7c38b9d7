//! `openclaw nodes list` and `pending`: show legacy nodes and their requests.

use gateway_protocol::node::NodePairList;
use pairing_core::device::{Node, NodeInfo, NodeRequest};
use pairing_core::{NodeList, escape, quoted};

use super::Call;
use crate::backend::Backend;
use crate::console::{Rows, Screen};
use crate::subject::{self, enough};
use crate::{Exit, Failure, text};

impl Call {
    pub(super) fn list(&self, paired: bool, screen: &mut Screen<'_, '_>) -> Result<Exit, Failure> {
        let list = self.read(screen)?;
        if self.json {
            screen.json(&NodePairList::from(&list))?;
            return Ok(Exit::Done);
        }
        self.show_pending(&list, screen)?;
        let shows_paired = paired && !list.paired.is_empty();
        if shows_paired {
            screen.title("Paired")?;
            let rows = Rows {
                header: [
                    "Node", "Name", "Platform", "Commands", "Approved", "By", "Seen",
                ],
                cells: list
                    .paired
                    .iter()
                    .map(|node| self.paired_row(node))
                    .collect(),
                breakable: &[0, 1, 2, 3, 4, 5, 6],
            };
            screen.rows("paired", rows)?;
        }
        if list.pending.is_empty() && list.surfaces.is_empty() && !shows_paired {
            screen.remark(if paired {
                "No nodes, neither pending nor paired."
            } else {
                "No pending node requests."
            })?;
        }
        Ok(Exit::Done)
    }

    fn show_pending(&self, list: &NodeList, screen: &mut Screen<'_, '_>) -> Result<(), Failure> {
        let (waiting, expiring) = (list.waiting(), list.pending.len());
        if waiting.is_empty() {
            return Ok(());
        }
        screen.title("Pending")?;
        let width = if screen.has_tables() {
            enough(&waiting)
        } else {
            usize::MAX
        };
        let rows = Rows {
            header: [
                "Request",
                "Node",
                "Name",
                "Platform",
                "Commands",
                "From",
                "Expires in",
            ],
            cells: waiting
                .iter()
                .enumerate()
                .map(|(at, request)| self.pending_row(request, width, at < expiring))
                .collect(),
            breakable: &[1, 2, 3, 4, 5],
        };
        screen.rows("pending", rows)?;
        Ok(())
    }

    fn pending_row(&self, request: &NodeRequest, width: usize, expires: bool) -> [String; 7] {
        let now = self.backend.now();
        let ends = request.refreshed_at + self.backend.request_lifetime();
        // A gateway does not report the time of a repeated request.
        let told = expires && (matches!(self.backend, Backend::Files(_)) || ends > now);
        let from = request.info.remote_ip.as_deref();
        [
            subject::start(request.id.as_str(), width),
            escape(request.node.as_str()).to_string(),
            text::said(request.info.display_name.as_deref()),
            platform(&request.info),
            commands(&request.info),
            match from {
                Some(from) => text::said(Some(from)),
                // The other program does not record where a device asked from.
                None if !expires => String::new(),
                None => "this machine".to_owned(),
            },
            if told {
                text::left(now, ends)
            } else {
                String::new()
            },
        ]
    }

    fn paired_row(&self, node: &Node) -> [String; 7] {
        let now = self.backend.now();
        let grant = node.grant.as_ref();
        [
            escape(node.id.as_str()).to_string(),
            text::said(node.info.display_name.as_deref()),
            platform(&node.info),
            commands(&node.info),
            text::ago(now, node.approved_at),
            text::said(grant.map(|grant| grant.by.as_str())),
            node.last_connected_at
                .map_or_else(String::new, |at| text::ago(now, at)),
        ]
    }
}

/// `linux, "Raspberry Pi"`: each is one value.
pub(super) fn platform(info: &NodeInfo) -> String {
    let said = [&info.platform, &info.device_family];
    let said = said.into_iter().flatten();
    let said: Vec<_> = said.map(|text| quoted(text).to_string()).collect();
    said.join(", ")
}

/// The commands that the node would carry out, escaped. The owner decides by them, so none is left out.
pub(super) fn commands(info: &NodeInfo) -> String {
    text::commands(&info.commands)
}
