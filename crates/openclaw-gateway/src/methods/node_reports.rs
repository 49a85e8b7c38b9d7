//! What nodes of releases from 2026.7 on report, and work that they ask for. None of it is used here; each is answered
//! so that the node goes on. See `docs/compatibility.md`.

use gateway_protocol::{DetailCode, Empty, ErrorShape, Text};
use pairing_core::escape;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Call, Reply};

#[derive(Deserialize)]
struct Ids {
    ids: Vec<Text>,
}

/// `node.runnerInventory.update`: the programs that a node could run.
pub(super) fn runner_inventory(call: &Call) -> Reply {
    let _: Value = call.params()?;
    call.reply(&json!({ "nodeId": node_id(call) }))
}

/// `node.skills.update`: no skill of a node is used.
pub(super) fn skills(call: &Call) -> Reply {
    let _: Value = call.params()?;
    call.reply(&json!({ "nodeId": node_id(call), "skills": [] }))
}

/// `node.pluginTools.update`: no tool of a node's plugins is used.
pub(super) fn plugin_tools(call: &Call) -> Reply {
    let _: Value = call.params()?;
    call.reply(&json!({ "nodeId": node_id(call), "tools": [] }))
}

#[derive(Deserialize)]
struct Surface {
    surface: Text,
}

/// `node.pluginSurface.refresh`: no plugin has a surface here. The node is told so as the other program tells it, and
/// goes on.
pub(super) fn plugin_surface(call: &Call) -> Reply {
    let Surface { surface } = call.params()?;
    let surface = escape(&surface).limit(64).to_string();
    Err(ErrorShape::unavailable(
        DetailCode::Unable,
        format!("{surface} plugin surface unavailable"),
    ))
}

/// `node.invoke.progress`: callers here get the result only.
pub(super) fn progress(call: &Call) -> Reply {
    let _: Value = call.params()?;
    call.reply(&json!({ "ok": true }))
}

/// `node.pending.pull`: no work waits for nodes.
pub(super) fn pull(call: &Call) -> Reply {
    call.params::<Empty>()?;
    call.reply(&json!({ "nodeId": node_id(call), "actions": [] }))
}

/// `node.pending.drain`: no work waits for nodes.
pub(super) fn drain(call: &Call) -> Reply {
    let _: Value = call.params()?;
    call.reply(&json!({
        "nodeId": node_id(call), "revision": 0, "items": [], "hasMore": false,
    }))
}

/// `node.pending.ack`: nothing is left, whatever is acknowledged.
pub(super) fn ack(call: &Call) -> Reply {
    let Ids { ids } = call.params()?;
    call.reply(&json!({ "nodeId": node_id(call), "ackedIds": ids, "remainingCount": 0 }))
}

fn node_id(call: &Call) -> String {
    let device = call.session.device();
    device.map_or_else(
        || call.session.client.id.clone(),
        |device| device.id().to_string(),
    )
}
