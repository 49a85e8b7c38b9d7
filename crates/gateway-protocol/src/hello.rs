//! `hello-ok`: what a client is told once it is in.

use pairing_core::ScopeSet;
use pairing_core::device::Role;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Secret, StateVersion};

/// The payload of the response to `connect`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "type", rename = "hello-ok", rename_all = "camelCase")]
pub struct HelloOk {
    /// The version spoken from now on.
    pub protocol: u32,
    /// The gateway.
    pub server: ServerInfo,
    /// What it can do.
    pub features: Features,
    /// How things stand.
    pub snapshot: Snapshot,
    /// What the connection may do.
    pub auth: HelloAuth,
    /// What it has to keep to.
    pub policy: Policy,
}

/// The gateway, and this connection to it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerInfo {
    /// Its version.
    pub version: String,
    /// This connection's id.
    pub conn_id: String,
}

/// What there really is.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Features {
    /// Methods.
    pub methods: Vec<String>,
    /// Events.
    pub events: Vec<String>,
}

/// How things stand at this moment.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    /// The connections that this connection may see.
    pub presence: Vec<Presence>,
    /// As the method `health` answers.
    pub health: Value,
    /// The number of each.
    pub state_version: StateVersion,
    /// How long the gateway has been running, in milliseconds.
    pub uptime_ms: u64,
}

/// Somebody who is connected, or the gateway itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Presence {
    /// A name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Where from, unless from the gateway's own machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
    /// The program's version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The operating system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// The kind of device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_family: Option<String>,
    /// The model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_identifier: Option<String>,
    /// The program's way of running.
    pub mode: String,
    /// The device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_id: Option<String>,
    /// Its roles on this connection.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<Role>,
    /// The scopes of the connection.
    #[serde(default, skip_serializing_if = "ScopeSet::is_empty")]
    pub scopes: ScopeSet,
    /// Tells two of them apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_id: Option<String>,
    /// The gateway that it is connected to, where that is another one of those on the same pairing state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<String>,
    /// `self`, `peer` for another gateway, or `connect`.
    pub reason: String,
    /// One line for people.
    pub text: String,
    /// Since when, in milliseconds.
    pub ts: i64,
}

/// What a connection may do, and its device token if one was made just now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HelloAuth {
    /// A device token to be kept; without one, the client keeps what it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_token: Option<Secret>,
    /// The role.
    pub role: Role,
    /// The scopes in effect.
    pub scopes: ScopeSet,
    /// When the token was made, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued_at_ms: Option<i64>,
    /// By what the connection was authenticated; from version 4 on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<AuthMethod>,
}

/// By what a connection was authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum AuthMethod {
    /// The gateway's token.
    Token,
    /// The gateway's password.
    Password,
    /// A device token.
    DeviceToken,
    /// A setup code.
    BootstrapToken,
    /// Nothing: the gateway asks for no secret.
    None,
    /// A way that this version does not know.
    #[serde(other)]
    Other,
}

/// What a connection has to keep to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Policy {
    /// The largest frame, in bytes.
    pub max_payload: u64,
    /// The most that waits to be sent to a client before it is dropped, in bytes.
    pub max_buffered_bytes: u64,
    /// How often a `tick` comes, in milliseconds.
    pub tick_interval_ms: u64,
}
