//! Invoking a command of a connected node.

use std::sync::Arc;
use std::time::Duration;

use gateway_protocol::invoke::{InvokeParams, InvokeRequest, InvokeResult, Invoked, NodeEvent};
use gateway_protocol::{DetailCode, ErrorShape, event::INVOKE_REQUEST};
use pairing_core::{DeviceId, escape, quoted};
use serde_json::json;
use tokio::time::timeout;

use super::{Call, Reply, of_list};
use crate::clients::NodeAt;
use crate::frames;
use crate::parts::Parts;
use crate::peers::{self, Announced, CallError, Forwarded, Peers};
use pairing_core::Chain;

/// `node.invoke`: invokes a node here, or through the gateway to which it is connected.
pub(super) async fn invoke(call: Call) -> Reply {
    let params: InvokeParams = call.params()?;
    let id = DeviceId::parse(&params.node_id).ok();
    let invoked = match id.and_then(|id| call.parts.clients.node(id)) {
        Some(NodeAt::Elsewhere(peers, at)) => {
            elsewhere(&call, (&peers, &at.gateway), params).await?
        }
        Some(NodeAt::Here(_)) | None => here(&call.parts, params).await?,
    };
    call.reply(&invoked)
}

/// Invokes a command on the node's newest connection here. The node has to offer the command, and to be
/// approved for it.
pub(crate) async fn here(parts: &Arc<Parts>, params: InvokeParams) -> Result<Invoked, ErrorShape> {
    let id = DeviceId::parse(&params.node_id).ok();
    let node = id.and_then(|id| Some((id, parts.clients.sessions.newest_node(id)?)));
    let Some((id, node)) = node else {
        return Err(ErrorShape::unavailable(
            DetailCode::NotConnected,
            "node not connected",
        ));
    };
    let command = params.command.as_str();
    let offers = node
        .client
        .commands
        .iter()
        .any(|offered| offered == command);
    let settings = parts.settings.load_full();
    let policy = &settings.config.gateway.node_commands;
    if policy.denies(command) {
        let refused =
            ErrorShape::invalid(DetailCode::CommandNotAllowed, "node command not allowed");
        let reason = if policy.lacks(command) {
            "not-allowed"
        } else {
            "denied"
        };
        return Err(refused.with_details(json!({ "reason": reason })));
    }
    drop(settings);
    if !(offers && is_approved(parts, id, command).await?) {
        return Err(
            ErrorShape::invalid(DetailCode::CommandNotAllowed, "node command not allowed")
                .with_details(json!({
                    "reason": if offers { "not-approved" } else { "not-declared" },
                })),
        );
    }
    let wait = wait(parts, params.timeout_ms);
    let request = InvokeRequest {
        id: parts.id().map_err(|_| {
            ErrorShape::unavailable(DetailCode::Internal, "the gateway has no randomness")
        })?,
        node_id: params.node_id.into(),
        command: params.command.into(),
        params_json: params.params.map(|params| params.to_string()),
        timeout_ms: Some(millis(wait)),
        idempotency_key: Some(params.idempotency_key.into()),
    };
    let mut on_its_way = parts
        .clients
        .invokes
        .expect(request.id.clone(), node.number);
    node.outbox.send(frames::event(INVOKE_REQUEST, &request));
    let result = match timeout(wait, on_its_way.answer()).await {
        Ok(Some(result)) => result,
        Ok(None) => {
            return Err(ErrorShape::unavailable(
                DetailCode::NotConnected,
                "node disconnected",
            ));
        }
        Err(_) => return Err(timed_out()),
    };
    if !result.ok {
        let error = result.error.unwrap_or_default();
        let message = error.message.as_deref().unwrap_or("node invoke failed");
        return Err(
            ErrorShape::unavailable(DetailCode::Internal, message.to_owned())
                .with_details(json!({ "code": error.code, "nodeError": error })),
        );
    }
    Ok(Invoked {
        ok: true,
        node_id: request.node_id,
        command: request.command,
        payload: result.payload,
        payload_json: result.payload_json,
    })
}

/// Invokes a node through another gateway. The node's answer is passed on unchanged.
async fn elsewhere(
    call: &Call,
    (peers, gateway): (&Peers, &Announced),
    params: InvokeParams,
) -> Result<Invoked, ErrorShape> {
    let asked = Forwarded {
        asked_by: call.approver().id().to_string(),
        node_id: params.node_id,
        command: params.command,
        params: params.params,
        timeout_ms: millis(wait(&call.parts, params.timeout_ms)),
        idempotency_key: params.idempotency_key,
    };
    let longest = peers::longest(&call.parts.settings.load());
    let now = call.pairing().now();
    let entropy = &*call.parts.entropy;
    let answer = peers::call(peers, (entropy, now), longest, gateway, &asked).await;
    peers.note_answer(gateway, answer.as_ref().err(), call.pairing().now());
    match answer {
        Ok(outcome) => outcome.into(),
        Err(CallError::Deadline(_)) => Err(timed_out()),
        Err(error) => {
            tracing::warn!(gateway = %gateway.id, error = %Chain(&error), "another gateway cannot be reached");
            let gateway = gateway.shown();
            let name = gateway.name.as_ref().or(gateway.url.as_ref());
            let message = format!(
                "node is connected to another gateway, which cannot be asked: {}",
                escape(name.unwrap_or(&gateway.id))
            );
            let details = json!({ "gateway": gateway });
            Err(ErrorShape::unavailable(DetailCode::NodeElsewhere, message).with_details(details))
        }
    }
}

async fn is_approved(parts: &Parts, id: DeviceId, command: &str) -> Result<bool, ErrorShape> {
    let devices = parts.pairing.devices();
    let asking = tokio::task::spawn_blocking(move || devices.commands(id));
    let approved = asking
        .await
        .map_err(|_| ErrorShape::unavailable(DetailCode::Internal, "the request failed"))?
        .map_err(of_list)?;
    Ok(approved.is_some_and(|approved| approved.contains(command)))
}

fn wait(parts: &Parts, asked_ms: Option<u64>) -> Duration {
    let limits = &parts.settings.load().limits;
    let asked = asked_ms.map_or(limits.invoke_timeout, Duration::from_millis);
    asked.min(limits.max_invoke_timeout)
}

fn millis(wait: Duration) -> u64 {
    u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)
}

fn timed_out() -> ErrorShape {
    ErrorShape::unavailable(DetailCode::Timeout, "node invoke timed out")
}

/// `node.invoke.result`: a node's answer to an invocation.
pub(super) fn result(call: &Call) -> Reply {
    let result: InvokeResult = call.params()?;
    let own = call.session.device().map(|device| device.id().to_string());
    if own.as_deref() != Some(result.node_id.as_str()) {
        return Err(ErrorShape::invalid(
            DetailCode::NodeMismatch,
            "nodeId mismatch",
        ));
    }
    // An answer that comes too late does no harm.
    let is_waited_for = call
        .parts
        .clients
        .invokes
        .answer(call.session.number, result);
    call.reply(&if is_waited_for {
        json!({ "ok": true })
    } else {
        json!({ "ok": true, "ignored": true })
    })
}

/// `node.event`: acknowledged and dropped, since nothing here uses it.
pub(super) fn event(call: &Call) -> Reply {
    let event: NodeEvent = call.params()?;
    tracing::debug!(
        connection = call.session.id,
        event = %quoted(&event.event).limit(64),
        "a node says that something happened"
    );
    call.reply(&json!({ "ok": true }))
}
