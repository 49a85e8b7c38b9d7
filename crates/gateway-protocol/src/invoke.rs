//! `node.list`, `node.describe`, and invoking commands on a connected node.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Text;

/// The answer to `node.list`: connected nodes first, then by name.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NodeEntries {
    /// The gateway's clock, in milliseconds.
    pub ts: i64,
    /// All nodes.
    pub nodes: Vec<NodeEntry>,
}

/// A node, paired as a device or in the legacy store; also the answer to `node.describe`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeEntry {
    /// The device id, or the legacy node's own id.
    pub node_id: String,
    /// Display name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// The operating system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// The program's version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Device family.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_family: Option<String>,
    /// Device model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_identifier: Option<String>,
    /// IP address; absent for a connection from the gateway's own machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote_ip: Option<String>,
    /// General capabilities.
    #[serde(default)]
    pub caps: Vec<String>,
    /// Commands that the node both offers and is approved for.
    #[serde(default)]
    pub commands: Vec<String>,
    /// Permissions that the node's operating system grants.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub permissions: BTreeMap<String, bool>,
    /// What the owner has not decided about: `pending-approval`, or `pending-reapproval` for a node that has approved
    /// commands. Absent where nothing waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval_state: Option<String>,
    /// Id of the request that waits, for `node.pair.approve`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending_request_id: Option<String>,
    /// Capabilities that the request declares.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pending_declared_caps: Vec<String>,
    /// Commands that the request declares.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pending_declared_commands: Vec<String>,
    /// Start of the connection, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connected_at_ms: Option<i64>,
    /// Whether the node is approved.
    pub paired: bool,
    /// Whether the node is connected.
    pub connected: bool,
    /// The gateway that holds the node's connection, if it is not the one that answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<NodeGateway>,
}

/// One of several gateways that share the same pairing state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeGateway {
    /// Id that is unique among these gateways; changes when the gateway restarts.
    pub id: String,
    /// Address at which other gateways reach it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Display name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// The parameters of `node.describe`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DescribeParams {
    /// Id of the node.
    pub node_id: Text,
}

/// The parameters of `node.invoke`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InvokeParams {
    /// Id of the node.
    pub node_id: Text,
    /// Command to execute.
    pub command: Text,
    /// Parameters of the command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub params: Option<Value>,
    /// Maximum time to wait for the result, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// Lets the node recognise repeats of the same request.
    pub idempotency_key: Text,
}

/// The answer to `node.invoke`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Invoked {
    /// Always true: failures are reported as errors.
    pub ok: bool,
    /// Id of the node.
    pub node_id: String,
    /// The executed command.
    pub command: String,
    /// Result of the command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<Value>,
    /// The result as JSON text, if the node sent it in that form.
    #[serde(
        default,
        rename = "payloadJSON",
        skip_serializing_if = "Option::is_none"
    )]
    pub payload_json: Option<String>,
}

/// The event `node.invoke.request`, as a node receives it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InvokeRequest {
    /// Id that the node's result has to carry.
    pub id: String,
    /// Id of the node itself.
    pub node_id: String,
    /// Command to execute.
    pub command: String,
    /// Parameters of the command, as JSON text.
    #[serde(
        default,
        rename = "paramsJSON",
        skip_serializing_if = "Option::is_none"
    )]
    pub params_json: Option<String>,
    /// Time for which the gateway waits for the result, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// Identifies repeats of the same request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
}

/// The parameters of `node.invoke.result`, with which a node returns a result.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InvokeResult {
    /// Id of the request.
    pub id: Text,
    /// Id of the node itself.
    pub node_id: Text,
    /// Whether the command succeeded.
    pub ok: bool,
    /// Result of the command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<Value>,
    /// The result as JSON text.
    #[serde(
        default,
        rename = "payloadJSON",
        skip_serializing_if = "Option::is_none"
    )]
    pub payload_json: Option<String>,
    /// Error, if the command failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<InvokeError>,
}

/// Error from a node that did not carry out a command.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvokeError {
    /// Error code, for programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Error message, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// The parameters of `node.event`, with which a node reports an event.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NodeEvent {
    /// Name of the event.
    pub event: Text,
    /// Payload of the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<Value>,
    /// The payload as JSON text.
    #[serde(
        default,
        rename = "payloadJSON",
        skip_serializing_if = "Option::is_none"
    )]
    pub payload_json: Option<String>,
}
