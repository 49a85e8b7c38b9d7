//! `openclaw nodes describe`, `invoke` and `notify`: commands to connected nodes, through the gateway.

use std::time::Duration;

use gateway_protocol::Empty;
use gateway_protocol::invoke::{Invoked, NodeEntries, NodeEntry};
use pairing_core::device::RequestId;
use pairing_core::{Timestamp, escape, quoted};
use serde_json::{Value, json};

use super::Call;
use crate::args::{Invoking, Notice};
use crate::backend::Backend;
use crate::console::Screen;
use crate::remote::Remote;
use crate::subject::{Kind, Subject, find, label};
use crate::{Exit, Failure, text};

/// The additional time for the gateway's answer: it answers itself after the node's time has passed.
const BEYOND: Duration = Duration::from_secs(5);

impl Subject for NodeEntry {
    const KIND: Kind = Kind {
        noun: "paired node",
        list: "openclaw nodes status",
    };
    const BY_NAME: bool = true;

    fn id(&self) -> String {
        self.node_id.clone()
    }

    fn name(&self) -> Option<&str> {
        self.display_name.as_deref()
    }
}

impl Call {
    pub(super) fn describe(
        &self,
        typed: &str,
        screen: &mut Screen<'_, '_>,
    ) -> Result<Exit, Failure> {
        let remote = self.gateway()?;
        let node = node(remote, typed)?;
        let described: Value = remote.call("node.describe", &json!({ "nodeId": node.node_id }))?;
        if self.json {
            screen.json(&described)?;
            return Ok(Exit::Done);
        }
        // What an answer of another release leaves out is taken from the list.
        let node = serde_json::from_value(described).unwrap_or(node);
        for (fact, said) in facts(&node, self.backend.now()) {
            if !said.is_empty() {
                screen.line(format_args!("{:<10} {said}", format!("{fact}:")))?;
            }
        }
        Ok(Exit::Done)
    }

    pub(super) fn invoke(
        &self,
        typed: &str,
        invoking: &Invoking,
        screen: &mut Screen<'_, '_>,
    ) -> Result<Exit, Failure> {
        let remote = self.gateway()?;
        let node = node(remote, typed)?;
        let invoked = self.ask(remote, &node, invoking)?;
        if self.json {
            screen.json(&invoked)?;
        } else {
            let text = invoked.payload_json.as_deref();
            let parsed = text.and_then(|text| serde_json::from_str(text).ok());
            let payload: Value = invoked.payload.or(parsed).unwrap_or_default();
            // The text comes from the node, and is shown on a terminal.
            for line in format!("{payload:#}").lines() {
                screen.line(escape(line).limit(usize::MAX))?;
            }
        }
        Ok(Exit::Done)
    }

    pub(super) fn notify(
        &self,
        typed: &str,
        notice: &Notice,
        screen: &mut Screen<'_, '_>,
    ) -> Result<Exit, Failure> {
        let remote = self.gateway()?;
        let node = node(remote, typed)?;
        let said = [
            ("title", &notice.title),
            ("body", &notice.body),
            ("priority", &notice.priority),
            ("sound", &notice.sound),
        ];
        let mut params = json!({});
        for (name, text) in said {
            if let Some(text) = text {
                params[name] = json!(text);
            }
        }
        let invoking = Invoking {
            command: "system.notify".to_owned(),
            params,
            timeout: notice.timeout,
            idempotency_key: None,
        };
        let invoked = self.ask(remote, &node, &invoking)?;
        if self.json {
            screen.json(&invoked)?;
        } else {
            screen.line(format_args!("Notified {}", label(&node)))?;
        }
        Ok(Exit::Done)
    }

    fn gateway(&self) -> Result<&Remote, Failure> {
        match &self.backend {
            Backend::Files(_) => Err(Failure::NoGateway),
            Backend::Gateway(remote) => Ok(remote),
        }
    }

    fn ask(&self, remote: &Remote, node: &NodeEntry, asked: &Invoking) -> Result<Invoked, Failure> {
        let key = match &asked.idempotency_key {
            Some(key) => key.clone(),
            None => RequestId::generate(&*self.entropy)?.to_string(),
        };
        let params = json!({
            "nodeId": node.node_id,
            "command": asked.command,
            "params": asked.params,
            "timeoutMs": u64::try_from(asked.timeout.as_millis()).unwrap_or(u64::MAX),
            "idempotencyKey": key,
        });
        remote.call_within("node.invoke", &params, asked.timeout + BEYOND)
    }
}

/// Finds the node that the command names.
fn node(remote: &Remote, typed: &str) -> Result<NodeEntry, Failure> {
    let list: NodeEntries = remote.call("node.list", &Empty {})?;
    Ok(find(typed, &list.nodes)?.clone())
}

/// Describes a node. The text is escaped.
fn facts(node: &NodeEntry, now: Timestamp) -> [(&'static str, String); 9] {
    let said = |text: &Option<String>| text::said(text.as_deref());
    let platform = [&node.platform, &node.device_family, &node.model_identifier];
    let platform: Vec<_> = platform
        .into_iter()
        .flatten()
        .map(|text| quoted(text).to_string())
        .collect();
    let since = node.connected_at_ms.map(Timestamp::from_millis);
    let connected = match (node.connected, since) {
        (false, _) => "no".to_owned(),
        (true, None) => "yes".to_owned(),
        (true, Some(since)) => text::ago(now, since),
    };
    let caps: Vec<_> = node
        .caps
        .iter()
        .map(|cap| quoted(cap).to_string())
        .collect();
    let permissions = node.permissions.iter().map(|(name, granted)| {
        let granted = if *granted { "granted" } else { "not granted" };
        format!("{} {granted}", quoted(name))
    });
    let permissions: Vec<_> = permissions.collect();
    [
        ("Node", escape(&node.node_id).to_string()),
        ("Name", said(&node.display_name)),
        ("Platform", platform.join(", ")),
        ("Version", said(&node.version)),
        ("Connected", connected),
        ("From", said(&node.remote_ip)),
        ("Can do", caps.join(", ")),
        ("Commands", text::commands(&node.commands)),
        ("Permitted", permissions.join(", ")),
    ]
}
