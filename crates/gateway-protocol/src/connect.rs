//! `connect`: a client's description of itself, and its credentials.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::{DetailCode, ErrorShape, Secret, Text, read_params};

/// The parameters of `connect`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConnectParams {
    /// Oldest protocol version that the client speaks.
    pub min_protocol: u32,
    /// Newest protocol version that the client speaks.
    pub max_protocol: u32,
    /// Description of the client.
    pub client: ClientInfo,
    /// General capabilities of a node.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub caps: Vec<Text>,
    /// Commands that a node can execute.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<Text>,
    /// Permissions that a node's operating system grants.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub permissions: BTreeMap<String, bool>,
    /// Search path (`PATH`) of a node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_env: Option<String>,
    /// Requested role; operator if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Text>,
    /// Requested scopes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<Text>>,
    /// The device, with the proof that it holds its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<DeviceClaim>,
    /// Secrets that the client presents in addition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<ConnectAuth>,
    /// The client's locale.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    /// User agent of the client's browser.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
}

/// A client's description of itself. None of it ever affects authorisation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClientInfo {
    /// Id of the client program.
    pub id: Text,
    /// Display name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<Text>,
    /// The program's version.
    pub version: Text,
    /// The operating system.
    pub platform: Text,
    /// Device family.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_family: Option<Text>,
    /// Device model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_identifier: Option<Text>,
    /// Mode in which the program runs.
    pub mode: Text,
    /// Distinguishes two running instances of the program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_id: Option<Text>,
}

/// `device`: the claimed device, and the proof.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeviceClaim {
    /// Fingerprint of the public key.
    pub id: Text,
    /// Public key.
    pub public_key: Text,
    /// Signature made with the device's key.
    pub signature: Text,
    /// Time of signing, in milliseconds.
    pub signed_at: i64,
    /// Nonce of the challenge; empty if none was signed.
    #[serde(default)]
    pub nonce: String,
}

/// `auth`: the secrets that a client presents.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConnectAuth {
    /// The shared token; clients that do not use the fields below also send a device or pairing token here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Secret>,
    /// The device token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_token: Option<Secret>,
    /// The pairing token from a setup code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bootstrap_token: Option<Secret>,
    /// The gateway's shared password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
}

/// Properties known to version 3, by object.
const KNOWN: [(&str, &[&str]); 4] = [
    (
        "",
        &[
            "minProtocol",
            "maxProtocol",
            "client",
            "caps",
            "commands",
            "permissions",
            "pathEnv",
            "role",
            "scopes",
            "device",
            "auth",
            "locale",
            "userAgent",
        ],
    ),
    (
        "client",
        &[
            "id",
            "displayName",
            "version",
            "platform",
            "deviceFamily",
            "modelIdentifier",
            "mode",
            "instanceId",
        ],
    ),
    (
        "device",
        &["id", "publicKey", "signature", "signedAt", "nonce"],
    ),
    (
        "auth",
        &["token", "deviceToken", "bootstrapToken", "password"],
    ),
];

/// Client ids known to version 3.
const CLIENTS: [&str; 12] = [
    "webchat-ui",
    "openclaw-control-ui",
    "webchat",
    "cli",
    "gateway-client",
    "openclaw-macos",
    "openclaw-ios",
    "openclaw-android",
    "node-host",
    "test",
    "fingerprint",
    "openclaw-probe",
];

/// Client modes known to version 3.
const MODES: [&str; 7] = ["webchat", "cli", "ui", "backend", "node", "probe", "test"];

impl ConnectParams {
    /// Parses the parameters. Unknown properties, clients and modes are rejected if the client speaks no
    /// version newer than 3, and ignored otherwise.
    pub fn parse(params: Option<&RawValue>) -> Result<Self, ErrorShape> {
        let read: Self = read_params("connect", params)?;
        let wrong = read.wrong_value().or_else(|| match read.max_protocol {
            ..=3 => read.unknown_client().or_else(|| unknown_property(params?)),
            _ => None,
        });
        match wrong {
            None => Ok(read),
            Some(reason) => Err(ErrorShape::invalid(
                DetailCode::InvalidConnect,
                format!("invalid connect params: {reason}"),
            )),
        }
    }

    /// Returns the newest version that both sides speak.
    pub fn version(&self) -> Option<u32> {
        let (oldest, newest) = crate::VERSIONS.into_inner();
        let version = newest.min(self.max_protocol);
        (version >= oldest.max(self.min_protocol)).then_some(version)
    }

    /// Returns the role as written; empty if absent.
    pub fn role(&self) -> &str {
        self.role.as_deref().unwrap_or_default()
    }

    /// Returns the scopes as written.
    pub fn scopes(&self) -> Vec<String> {
        let scopes = self.scopes.iter().flatten();
        scopes.map(|scope| scope.as_str().to_owned()).collect()
    }

    fn wrong_value(&self) -> Option<String> {
        let below_one = |version| version < 1;
        if below_one(self.min_protocol) {
            Some("at minProtocol: must be at least 1".to_owned())
        } else if below_one(self.max_protocol) {
            Some("at maxProtocol: must be at least 1".to_owned())
        } else if self
            .device
            .as_ref()
            .is_some_and(|device| device.signed_at < 0)
        {
            Some("at device.signedAt: must not be negative".to_owned())
        } else {
            None
        }
    }

    fn unknown_client(&self) -> Option<String> {
        if !CLIENTS.contains(&self.client.id.as_str()) {
            Some("at client.id: not a known client".to_owned())
        } else if !MODES.contains(&self.client.mode.as_str()) {
            Some("at client.mode: not a known mode".to_owned())
        } else {
            None
        }
    }
}

fn unknown_property(params: &RawValue) -> Option<String> {
    let all: Value = serde_json::from_str(params.get()).ok()?;
    KNOWN.iter().find_map(|(place, known)| {
        let object = match *place {
            "" => Some(&all),
            place => all.get(place),
        };
        let names = object?.as_object()?.keys();
        let unknown = names
            .into_iter()
            .find(|name| !known.contains(&name.as_str()))?;
        let dot = if place.is_empty() { "" } else { "." };
        Some(format!("at {place}{dot}{unknown}: unknown property"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(params: &Value) -> Result<ConnectParams, String> {
        let raw = serde_json::value::to_raw_value(params).unwrap();
        ConnectParams::parse(Some(&raw)).map_err(|error| error.message)
    }

    fn params(newest: u32) -> Value {
        serde_json::json!({
            "minProtocol": 3, "maxProtocol": newest,
            "client": { "id": "cli", "version": "1", "platform": "linux", "mode": "cli" },
        })
    }

    fn with(newest: u32, pointer: &str, key: &str, value: Value) -> Result<ConnectParams, String> {
        let mut params = params(newest);
        params.pointer_mut(pointer).unwrap()[key] = value;
        parse(&params)
    }

    #[test]
    fn version_3_is_strict_and_version_4_is_not() {
        for (pointer, key, value, said) in [
            ("", "extra", Value::from(1), "at extra: unknown property"),
            (
                "/client",
                "extra",
                Value::from(1),
                "at client.extra: unknown property",
            ),
            (
                "/client",
                "id",
                Value::from("mine"),
                "at client.id: not a known client",
            ),
            (
                "/client",
                "mode",
                Value::from("mine"),
                "at client.mode: not a known mode",
            ),
        ] {
            let refused = with(3, pointer, key, value.clone()).unwrap_err();
            assert_eq!(refused, format!("invalid connect params: {said}"));
            assert!(with(4, pointer, key, value).is_ok(), "{key}");
        }
    }

    #[test]
    fn what_matters_is_not_empty() {
        for (pointer, key) in [("/client", "id"), ("/client", "version"), ("", "role")] {
            let refused = with(4, pointer, key, Value::from("")).unwrap_err();
            assert!(refused.ends_with("must not be empty"), "{refused}");
        }
        let device = serde_json::json!({ "id": "a", "publicKey": "b", "signature": "c" });
        let refused = with(4, "", "device", device).unwrap_err();
        assert_eq!(
            refused,
            "invalid connect params: at device: missing field `signedAt`"
        );
    }

    #[test]
    fn no_answer_shows_a_secret() {
        for auth in [
            Value::from("hunter2"),
            serde_json::json!({ "token": ["hunter2"] }),
        ] {
            let refused = with(4, "", "auth", auth).unwrap_err();
            assert!(!refused.contains("hunter2"), "{refused}");
        }
        let auth = serde_json::json!({ "token": "hunter2", "password": "hunter2" });
        let read = with(3, "", "auth", auth).unwrap();
        assert!(!format!("{read:?}").contains("hunter2"));
    }

    #[test]
    fn the_newest_common_version_is_taken() {
        let spoken = |oldest, newest| {
            let mut params = parse(&params(newest)).unwrap();
            params.min_protocol = oldest;
            params.version()
        };
        assert_eq!(spoken(3, 3), Some(3));
        assert_eq!(spoken(3, 4), Some(4));
        assert_eq!(spoken(1, 9), Some(4));
        assert_eq!(spoken(4, 4), Some(4));
        assert_eq!(spoken(5, 9), None);
        assert_eq!(spoken(1, 2), None);
    }
}
