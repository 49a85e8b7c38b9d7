//! `openclaw nodes status`: devices with the role of a node, and legacy nodes.

use gateway_protocol::Empty;
use gateway_protocol::invoke::{NodeEntries, NodeEntry};
use pairing_core::device::{Device, Node, Role};
use pairing_core::{DeviceId, Timestamp, escape, quoted};

use super::Call;
use super::list::{commands, platform};
use crate::backend::Backend;
use crate::console::{Rows, Screen};
use crate::{Exit, Failure, json, text};

impl Call {
    pub(super) fn status(&self, screen: &mut Screen<'_, '_>) -> Result<Exit, Failure> {
        match &self.backend {
            Backend::Files(_) => self.of_state(screen),
            Backend::Gateway(remote) => {
                self.of_gateway(&remote.call("node.list", &Empty {})?, screen)
            }
        }
    }

    /// Shows the nodes that the gateway reports, and which of them are connected.
    fn of_gateway(&self, list: &NodeEntries, screen: &mut Screen<'_, '_>) -> Result<Exit, Failure> {
        if self.json {
            screen.json(list)?;
            return Ok(Exit::Done);
        }
        if list.nodes.is_empty() {
            screen.remark("No node is paired.")?;
            return Ok(Exit::Done);
        }
        let whole = !screen.has_tables();
        let now = self.backend.now();
        let rows = Rows {
            header: ["Node", "Name", "Platform", "Connected", "Commands", "From"],
            cells: list
                .nodes
                .iter()
                .map(|node| of_entry(node, now, whole))
                .collect(),
            breakable: &[0, 1, 2, 3, 4, 5],
        };
        screen.rows("node", rows)?;
        Ok(Exit::Done)
    }

    /// Shows the nodes of the store. It does not know which of them are connected.
    fn of_state(&self, screen: &mut Screen<'_, '_>) -> Result<Exit, Failure> {
        let legacy = self.read(screen)?;
        let devices = self.backend.devices()?;
        screen.problems(&devices.problems);
        let standing = |device: &&Device| device.standing(Role::Node).is_some();
        let devices: Vec<_> = devices.paired.iter().filter(standing).collect();
        if self.json {
            let nodes = devices.iter().map(|device| (*device).into());
            screen.json(&json::NodeStatus {
                ts: self.backend.now().as_millis(),
                nodes: nodes.chain(legacy.paired.iter().map(Into::into)).collect(),
            })?;
            return Ok(Exit::Done);
        }
        if devices.is_empty() && legacy.paired.is_empty() {
            screen.remark("No node is paired.")?;
            return Ok(Exit::Done);
        }
        let whole = !screen.has_tables();
        let devices = devices.iter().map(|device| self.of_device(device, whole));
        let cells = devices.chain(legacy.paired.iter().map(|node| self.of_node(node)));
        let rows = Rows {
            header: ["Node", "Name", "Platform", "Paired as", "Commands", "Seen"],
            cells: cells.collect(),
            breakable: &[0, 1, 2, 3, 4, 5],
        };
        screen.rows("node", rows)?;
        screen.remark("Which of them are connected, the gateway knows.")?;
        Ok(Exit::Done)
    }

    fn of_device(&self, device: &Device, whole: bool) -> [String; 6] {
        let token = device
            .standing(Role::Node)
            .and_then(|role| role.token.as_ref());
        let id = device.id.to_string();
        let id = if whole {
            id
        } else {
            crate::subject::start(&id, 12)
        };
        [
            id,
            text::said(device.name()),
            text::platform(&device.info),
            "device".to_owned(),
            device.surface.as_ref().map_or_else(String::new, |asked| {
                waiting(asked.id.as_str(), &asked.info.commands)
            }),
            self.seen(token.and_then(|token| token.last_used_at)),
        ]
    }

    fn of_node(&self, node: &Node) -> [String; 6] {
        [
            escape(node.id.as_str()).to_string(),
            text::said(node.info.display_name.as_deref()),
            platform(&node.info),
            "legacy node".to_owned(),
            commands(&node.info),
            self.seen(node.last_connected_at),
        ]
    }

    fn seen(&self, at: Option<Timestamp>) -> String {
        at.map_or_else(String::new, |at| text::ago(self.backend.now(), at))
    }
}

/// Says that commands wait for approval, and by which command. Escaped.
fn waiting(id: &str, asked: &[String]) -> String {
    let asked = match text::commands(asked) {
        none if none.is_empty() => "no commands".to_owned(),
        asked => asked,
    };
    let id = escape(id);
    format!("waits for approval of {asked} (`openclaw nodes approve {id}`)")
}

fn of_entry(node: &NodeEntry, now: Timestamp, whole: bool) -> [String; 6] {
    // A device id is long, so only its beginning is shown.
    let is_device = DeviceId::parse(&node.node_id).is_ok();
    let id = if whole || !is_device {
        escape(&node.node_id).to_string()
    } else {
        crate::subject::start(&node.node_id, 12)
    };
    let since = node.connected_at_ms.map(Timestamp::from_millis);
    let connected = match (node.connected, since) {
        (false, _) => "no".to_owned(),
        (true, None) => "yes".to_owned(),
        (true, Some(since)) => text::ago(now, since),
    };
    let connected = match &node.gateway {
        None => connected,
        Some(at) => {
            let name = at.name.as_ref().or(at.url.as_ref()).unwrap_or(&at.id);
            format!("{connected}, at {}", escape(name))
        }
    };
    let said = [&node.platform, &node.device_family];
    let said = said.into_iter().flatten();
    let said: Vec<_> = said.map(|text| quoted(text).to_string()).collect();
    let commands: Vec<_> = node
        .commands
        .iter()
        .map(|name| text::command(name))
        .collect();
    [
        id,
        text::said(node.display_name.as_deref()),
        said.join(", "),
        connected,
        match &node.pending_request_id {
            None => commands.join(", "),
            Some(id) => {
                let waits = waiting(id, &node.pending_declared_commands);
                let approved = (!commands.is_empty()).then(|| commands.join(", "));
                let all = approved.into_iter().chain([waits]);
                all.collect::<Vec<_>>().join("; ")
            }
        },
        text::said(node.remote_ip.as_deref()),
    ]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_node_that_is_connected_elsewhere_is_shown_with_where() {
        let connected = |gateway: serde_json::Value| {
            let node = json!({
                "nodeId": "mac", "connectedAtMs": 0, "paired": true, "connected": true,
                "gateway": gateway,
            });
            let node = serde_json::from_value(node).unwrap();
            let [.., connected, _, _] = of_entry(&node, Timestamp::from_millis(0), false);
            connected
        };
        let here = connected(json!(null));
        let id = "4a2730bf-9cdc-4ab1-8568-625bcde8d0e9";
        for (gateway, shown) in [
            (
                json!({ "id": id, "name": "attic\u{1b}", "url": "ws://10.0.0.2" }),
                "attic\\u{1b}",
            ),
            (json!({ "id": id, "url": "ws://10.0.0.2" }), "ws://10.0.0.2"),
            (json!({ "id": id }), id),
        ] {
            assert_eq!(connected(gateway), format!("{here}, at {shown}"));
        }
    }
}
