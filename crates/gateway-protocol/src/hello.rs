//! `hello-ok`: the gateway's answer to a successful handshake.

use pairing_core::ScopeSet;
use pairing_core::device::Role;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Secret, StateVersion};

/// The payload of the response to `connect`.
///
/// The types of its parameters are what a client reads. A gateway, which sends the same lists to many clients, may put
/// something in their place that it has serialised before.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "type", rename = "hello-ok", rename_all = "camelCase")]
pub struct HelloOk<F = Features, P = Presence> {
    /// Protocol version used from now on.
    pub protocol: u32,
    /// Description of the gateway.
    pub server: ServerInfo,
    /// Methods and events that the gateway supports.
    pub features: F,
    /// Current state of the gateway.
    pub snapshot: Snapshot<P>,
    /// Role and scopes of the connection. Releases before 2026.7 say nothing of them where there is no device token;
    /// the role is the one that was asked for then.
    #[serde(default = "HelloAuth::unsaid")]
    pub auth: HelloAuth,
    /// Limits that the client has to observe.
    pub policy: Policy,
}

/// Description of the gateway and of this connection.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerInfo {
    /// Version of the gateway.
    pub version: String,
    /// Id of this connection.
    pub conn_id: String,
}

/// Methods and events that the gateway really supports.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Features {
    /// Names of the methods.
    pub methods: Vec<String>,
    /// Names of the events.
    pub events: Vec<String>,
}

/// Snapshot of the gateway's state.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot<P = Presence> {
    /// Connections that are visible to this one.
    pub presence: Vec<P>,
    /// Health, in the form that the method `health` returns.
    pub health: Value,
    /// Version counters of the presence list and of the health.
    pub state_version: StateVersion,
    /// Uptime of the gateway, in milliseconds.
    pub uptime_ms: u64,
}

/// A connected client, or the gateway itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Presence {
    /// Display name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// IP address; absent for a connection from the gateway's own machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
    /// The program's version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The operating system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// Device family.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_family: Option<String>,
    /// Device model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_identifier: Option<String>,
    /// Mode in which the program runs.
    #[serde(default)]
    pub mode: String,
    /// Id of the device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_id: Option<String>,
    /// Roles of the device on this connection.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<Role>,
    /// Scopes of the connection.
    #[serde(default, skip_serializing_if = "ScopeSet::is_empty")]
    pub scopes: ScopeSet,
    /// Distinguishes two running instances of the same program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_id: Option<String>,
    /// The gateway that holds the connection, if it is another one that shares this pairing state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<String>,
    /// `self`, `peer` for another gateway, or `connect` for a client.
    #[serde(default)]
    pub reason: String,
    /// One-line summary for display.
    pub text: String,
    /// Start of the connection, in milliseconds.
    pub ts: i64,
}

/// Role and scopes of a connection, and its device token if one was just issued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HelloAuth {
    /// Newly issued device token for the client to store; if absent, the client keeps its current one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_token: Option<Secret>,
    /// Role of the connection.
    pub role: Role,
    /// Effective scopes.
    pub scopes: ScopeSet,
    /// Time at which the token was issued, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued_at_ms: Option<i64>,
    /// The method of authentication; sent from version 4 on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<AuthMethod>,
}

impl HelloAuth {
    /// Whether the gateway said any of it.
    pub fn is_said(&self) -> bool {
        *self != Self::unsaid()
    }

    /// Stands for what the gateway does not say.
    fn unsaid() -> Self {
        Self {
            device_token: None,
            role: Role::Operator,
            scopes: ScopeSet::default(),
            issued_at_ms: None,
            method: None,
        }
    }
}

/// The method by which a connection was authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum AuthMethod {
    /// The gateway's shared token.
    Token,
    /// The gateway's shared password.
    Password,
    /// A device token.
    DeviceToken,
    /// The pairing token of a setup code.
    BootstrapToken,
    /// A user whom a trusted proxy has signed in.
    TrustedProxy,
    /// No secret: the gateway does not require one.
    None,
    /// A method that is unknown to this version.
    #[serde(other)]
    Other,
}

/// Limits that a connection has to observe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Policy {
    /// Maximum frame size, in bytes.
    pub max_payload: u64,
    /// Maximum number of bytes queued for a client before it is disconnected.
    pub max_buffered_bytes: u64,
    /// Interval between `tick` events, in milliseconds.
    pub tick_interval_ms: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As 2026.2.17 answers a command line that has the shared secret and no device.
    #[test]
    fn a_hello_without_a_role_is_read() {
        let hello = r#"{"type":"hello-ok","protocol":3,"server":{"version":"2026.2.17","host":"h","connId":"c"},
            "features":{"methods":[],"events":[]},"snapshot":{"presence":[{"text":"Gateway: h","ts":1}],"health":{},
            "stateVersion":{"presence":1,"health":1},"uptimeMs":1},
            "policy":{"maxPayload":1,"maxBufferedBytes":1,"tickIntervalMs":1}}"#;
        let hello: HelloOk = serde_json::from_str(hello).unwrap();
        assert!(!hello.auth.is_said());
        assert!(hello.auth.scopes.is_empty() && hello.auth.device_token.is_none());
    }
}
