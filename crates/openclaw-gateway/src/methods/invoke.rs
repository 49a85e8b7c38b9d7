//! Asking a connected node to do something.

use std::time::Duration;

use gateway_protocol::invoke::{InvokeParams, InvokeRequest, InvokeResult, Invoked, NodeEvent};
use gateway_protocol::{ErrorShape, event::INVOKE_REQUEST};
use pairing_core::DeviceId;
use serde_json::json;
use tokio::time::timeout;

use super::{Call, Reply, of_list};
use crate::shared;

/// `node.invoke`: to the newest connection of the node, what it offers there and was approved for.
pub(super) async fn invoke(call: Call) -> Reply {
    let params: InvokeParams = call.params()?;
    let shared = &call.shared;
    let id = DeviceId::parse(&params.node_id).ok();
    let node = id.and_then(|id| Some((id, shared.sessions.newest_node(id)?)));
    let Some((id, node)) = node else {
        return Err(failed("NOT_CONNECTED", "node not connected"));
    };
    let command = params.command.as_str();
    let offers = node
        .client
        .commands
        .iter()
        .any(|offered| offered == command);
    if !(offers && is_approved(&call, id, command).await?) {
        return Err(
            ErrorShape::invalid("node command not allowed").with_details(json!({
                "code": "COMMAND_NOT_ALLOWED",
                "reason": if offers { "not-approved" } else { "not-declared" },
            })),
        );
    }
    let wait = wait(&call, params.timeout_ms);
    let request = InvokeRequest {
        id: shared
            .id()
            .map_err(|_| ErrorShape::unavailable("the gateway has no randomness"))?,
        node_id: params.node_id.into(),
        command: params.command.into(),
        params_json: params.params.map(|params| params.to_string()),
        timeout_ms: Some(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
        idempotency_key: Some(params.idempotency_key.into()),
    };
    let mut on_its_way = shared.invokes.expect(request.id.clone(), node.number);
    node.outbox.send(shared::event(INVOKE_REQUEST, &request));
    let result = match timeout(wait, on_its_way.answer()).await {
        Ok(Some(result)) => result,
        Ok(None) => return Err(failed("NOT_CONNECTED", "node disconnected")),
        Err(_) => return Err(failed("TIMEOUT", "node invoke timed out")),
    };
    if !result.ok {
        let error = result.error.unwrap_or_default();
        let message = error.message.as_deref().unwrap_or("node invoke failed");
        return Err(ErrorShape::unavailable(message.to_owned())
            .with_details(json!({ "code": error.code, "nodeError": error })));
    }
    call.reply(&Invoked {
        ok: true,
        node_id: request.node_id,
        command: request.command,
        payload: result.payload,
        payload_json: result.payload_json,
    })
}

async fn is_approved(call: &Call, id: DeviceId, command: &str) -> Result<bool, ErrorShape> {
    let devices = call.pairing().devices();
    let asking = tokio::task::spawn_blocking(move || devices.commands(id));
    let approved = asking
        .await
        .map_err(|_| ErrorShape::unavailable("the request failed"))?
        .map_err(of_list)?;
    Ok(approved.is_some_and(|approved| approved.contains(command)))
}

fn wait(call: &Call, asked_ms: Option<u64>) -> Duration {
    let limits = &call.shared.settings.load().limits;
    let asked = asked_ms.map_or(limits.invoke_timeout, Duration::from_millis);
    asked.min(limits.max_invoke_timeout)
}

fn failed(code: &str, message: &str) -> ErrorShape {
    ErrorShape::unavailable(message).with_details(json!({ "code": code }))
}

/// `node.invoke.result`.
pub(super) fn result(call: &Call) -> Reply {
    let result: InvokeResult = call.params()?;
    let own = call.session.device().map(|device| device.id().to_string());
    if own.as_deref() != Some(result.node_id.as_str()) {
        return Err(ErrorShape::invalid("nodeId mismatch"));
    }
    // An answer that comes too late harms nobody.
    let is_waited_for = call.shared.invokes.answer(call.session.number, result);
    call.reply(&if is_waited_for {
        json!({ "ok": true })
    } else {
        json!({ "ok": true, "ignored": true })
    })
}

/// `node.event`: taken down, for there is nobody here whom it concerns.
pub(super) fn event(call: &Call) -> Reply {
    let event: NodeEvent = call.params()?;
    tracing::debug!(
        connection = call.session.id,
        event = %pairing_core::escape(&event.event).limit(64),
        "a node says that something happened"
    );
    call.reply(&json!({ "ok": true }))
}
