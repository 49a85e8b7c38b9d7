//! `node.list`, `node.describe`, and asking a connected node to do something.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Text;

/// The answer to `node.list`: connected ones first, then by name.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NodeEntries {
    /// The gateway's time, in milliseconds.
    pub ts: i64,
    /// The nodes.
    pub nodes: Vec<NodeEntry>,
}

/// A node, paired as a device or by the legacy store; also the answer to `node.describe`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeEntry {
    /// The device's id, or the legacy node's name.
    pub node_id: String,
    /// A name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// The operating system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// The program's version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The kind of device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_family: Option<String>,
    /// The model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_identifier: Option<String>,
    /// Where it connects from, unless from the gateway's own machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote_ip: Option<String>,
    /// What it can do, in general.
    #[serde(default)]
    pub caps: Vec<String>,
    /// What it can be asked to do: what it offers and has been approved for.
    #[serde(default)]
    pub commands: Vec<String>,
    /// What its system lets it do.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub permissions: BTreeMap<String, bool>,
    /// Since when it is connected, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connected_at_ms: Option<i64>,
    /// Whether it is approved.
    pub paired: bool,
    /// Whether it is connected.
    pub connected: bool,
    /// The gateway that it is connected to, where that is not the one that answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<NodeGateway>,
}

/// One of several gateways on the same pairing state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeGateway {
    /// Tells it from others, until it is started anew.
    pub id: String,
    /// Where other gateways reach it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// A name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// The parameters of `node.describe`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DescribeParams {
    /// Which one.
    pub node_id: Text,
}

/// The parameters of `node.invoke`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InvokeParams {
    /// Which node.
    pub node_id: Text,
    /// What it is to do.
    pub command: Text,
    /// With what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub params: Option<Value>,
    /// How long to wait for the answer, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// Lets the node recognise the same request.
    pub idempotency_key: Text,
}

/// The answer to `node.invoke`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Invoked {
    /// Always true: what fails is an error.
    pub ok: bool,
    /// The node.
    pub node_id: String,
    /// What it did.
    pub command: String,
    /// What came of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<Value>,
    /// The same as text, where the node sent it so.
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
    /// What the answer is found by.
    pub id: String,
    /// The node itself.
    pub node_id: String,
    /// What to do.
    pub command: String,
    /// With what, as JSON text.
    #[serde(
        default,
        rename = "paramsJSON",
        skip_serializing_if = "Option::is_none"
    )]
    pub params_json: Option<String>,
    /// How long an answer is waited for, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// Recognises the same request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
}

/// The parameters of `node.invoke.result`, by which a node answers.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InvokeResult {
    /// The request's.
    pub id: Text,
    /// The node itself.
    pub node_id: Text,
    /// Whether the node carried out the call.
    pub ok: bool,
    /// What came of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<Value>,
    /// The same as JSON text.
    #[serde(
        default,
        rename = "payloadJSON",
        skip_serializing_if = "Option::is_none"
    )]
    pub payload_json: Option<String>,
    /// Why it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<InvokeError>,
}

/// Why a node did not do what it was asked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvokeError {
    /// For programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// The parameters of `node.event`, by which a node says that something happened.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NodeEvent {
    /// What.
    pub event: Text,
    /// More of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<Value>,
    /// The same as JSON text.
    #[serde(
        default,
        rename = "payloadJSON",
        skip_serializing_if = "Option::is_none"
    )]
    pub payload_json: Option<String>,
}
