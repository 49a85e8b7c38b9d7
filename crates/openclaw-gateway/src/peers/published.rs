//! The values that gateways publish, as JSON: one for each gateway, and one for each node that is connected
//! to it.

use gateway_protocol::GatewayUrl;
use std::collections::BTreeMap;
use std::fmt;

use gateway_protocol::Fingerprint;
use gateway_protocol::hello::Presence;
use gateway_protocol::invoke::NodeGateway;
use pairing_core::device::Role;
use pairing_core::{DeviceId, DeviceKey, ScopeSet};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::MAX_VALUE;
use crate::sessions::Session;

/// The id of a gateway: a UUID that is made at its start, in lower case with hyphens.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct GatewayId(Uuid);

/// The text is not a UUID in lower case with hyphens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a gateway's id is a UUID in lower case, with hyphens")]
pub struct ParseGatewayIdError;

impl GatewayId {
    pub(super) fn from_random(bytes: [u8; 16]) -> Self {
        Self(uuid::Builder::from_random_bytes(bytes).into_uuid())
    }

    /// Parses an id.
    pub fn parse(text: &str) -> Result<Self, ParseGatewayIdError> {
        let id = Uuid::try_parse(text)
            .map(Self)
            .map_err(|_| ParseGatewayIdError)?;
        (id.to_string() == text)
            .then_some(id)
            .ok_or(ParseGatewayIdError)
    }

    pub(super) fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }
}

impl fmt::Display for GatewayId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl fmt::Debug for GatewayId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GatewayId({self})")
    }
}

impl From<GatewayId> for String {
    fn from(id: GatewayId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for GatewayId {
    type Error = ParseGatewayIdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

/// A published value. Unknown members are ignored, because gateways are not all updated at once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub(crate) enum Published {
    Gateway(Announced),
    Node(At),
}

/// A gateway.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Announced {
    pub(crate) id: GatewayId,
    /// A name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    /// The URL at which other gateways reach it, if they can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) url: Option<GatewayUrl>,
    /// The fingerprint of its certificate, if it encrypts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tls_fingerprint: Option<Fingerprint>,
    /// The key that verifies its calls.
    pub(crate) key: DeviceKey,
    pub(crate) version: String,
    pub(crate) platform: String,
    pub(crate) started_at_ms: i64,
}

/// A node, and the gateway to which it is connected.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct At {
    pub(crate) gateway: GatewayId,
    #[serde(flatten)]
    pub(crate) node: Connected,
}

/// A connected node, as it describes itself. Its address is not published.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Connected {
    pub(crate) node_id: DeviceId,
    #[serde(rename = "connectedAtMs")]
    pub(crate) since_ms: i64,
    /// The version of the node's program.
    pub(crate) client: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) display_name: Option<String>,
    pub(crate) version: String,
    pub(crate) platform: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) device_family: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) model_identifier: Option<String>,
    pub(crate) mode: String,
    #[serde(default)]
    pub(crate) caps: Vec<String>,
    /// The commands that it offers. Those that it was approved for are in the store.
    #[serde(default)]
    pub(crate) commands: Vec<String>,
    #[serde(default)]
    pub(crate) permissions: BTreeMap<String, bool>,
}

impl Published {
    /// Serialises the value into at most [`MAX_VALUE`] bytes. A node whose lists do not fit is published
    /// without them.
    pub(crate) fn to_value(&self) -> Vec<u8> {
        // Serialising it cannot fail.
        let value = serde_json::to_vec(self).unwrap_or_default();
        match self {
            Self::Node(at) if value.len() > MAX_VALUE => {
                let node = at.node.without_lists();
                let brief = Self::Node(At { node, ..at.clone() });
                serde_json::to_vec(&brief).unwrap_or_default()
            }
            _ => value,
        }
    }

    pub(crate) fn parse(value: &[u8]) -> Option<Self> {
        serde_json::from_slice(value).ok()
    }
}

impl Announced {
    /// The gateway's description for clients.
    pub(crate) fn shown(&self) -> NodeGateway {
        NodeGateway {
            id: self.id.to_string(),
            url: self.url.as_ref().map(|url| url.as_str().to_owned()),
            name: self.name.clone(),
        }
    }

    /// The gateway's entry in the presence list.
    pub(super) fn presence(&self) -> Presence {
        let name = self.name.clone().unwrap_or_else(|| self.id.to_string());
        Presence {
            host: self.name.clone(),
            ip: None,
            version: Some(self.version.clone()),
            platform: Some(self.platform.clone()),
            device_family: None,
            model_identifier: None,
            mode: "gateway".to_owned(),
            device_id: None,
            roles: Vec::new(),
            scopes: ScopeSet::default(),
            instance_id: Some(self.id.to_string()),
            gateway: None,
            reason: "peer".to_owned(),
            text: format!("Gateway: {name} · version {}", self.version),
            ts: self.started_at_ms,
        }
    }
}

impl Connected {
    /// Describes a node that is connected here.
    pub(crate) fn of(node: DeviceId, session: &Session) -> Self {
        let client = &session.client;
        Self {
            node_id: node,
            since_ms: session.connected_at.as_millis(),
            client: client.id.clone(),
            display_name: client.display_name.clone(),
            version: client.version.clone(),
            platform: client.platform.clone(),
            device_family: client.device_family.clone(),
            model_identifier: client.model_identifier.clone(),
            mode: client.mode.clone(),
            caps: client.caps.clone(),
            commands: client.commands.clone(),
            permissions: client.permissions.clone(),
        }
    }

    fn without_lists(&self) -> Self {
        Self {
            caps: Vec::new(),
            commands: Vec::new(),
            permissions: BTreeMap::new(),
            ..self.clone()
        }
    }

    /// The node's entry in the presence list of gateways to which it is not connected.
    pub(super) fn presence(&self, at: GatewayId) -> Presence {
        let id = self.node_id.to_string();
        let name = self.display_name.as_ref().unwrap_or(&self.client);
        Presence {
            host: self.display_name.clone(),
            ip: None,
            version: Some(self.version.clone()),
            platform: Some(self.platform.clone()),
            device_family: self.device_family.clone(),
            model_identifier: self.model_identifier.clone(),
            mode: self.mode.clone(),
            text: format!("Node: {name} · mode {}", self.mode),
            device_id: Some(id.clone()),
            roles: vec![Role::Node],
            scopes: ScopeSet::default(),
            instance_id: Some(id),
            gateway: Some(at.to_string()),
            reason: "connect".to_owned(),
            ts: self.since_ms,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_spelling() {
        let id = "4a2730bf-9cdc-4ab1-8568-625bcde8d0e9";
        assert_eq!(GatewayId::parse(id).unwrap().to_string(), id);
        for other in [
            "",
            &id.to_uppercase(),
            &id.replace('-', ""),
            &format!("{{{id}}}"),
            &format!("urn:uuid:{id}"),
            &format!("{id} "),
        ] {
            assert_eq!(GatewayId::parse(other), Err(ParseGatewayIdError), "{other}");
        }
    }

    #[test]
    fn a_node_that_lists_more_than_fits_is_published_without_its_lists() {
        let node = Connected {
            node_id: DeviceId::parse(&"0".repeat(64)).unwrap(),
            since_ms: 5,
            client: "node-host".to_owned(),
            display_name: Some("n".repeat(256)),
            version: "1".to_owned(),
            platform: "linux".to_owned(),
            device_family: None,
            model_identifier: None,
            mode: "node".to_owned(),
            caps: vec!["c".repeat(256); 256],
            commands: vec!["ping".to_owned()],
            permissions: BTreeMap::new(),
        };
        let gateway = GatewayId::from_random([7; 16]);
        let published = Published::Node(At { gateway, node });
        let value = published.to_value();
        assert!(value.len() <= MAX_VALUE);
        let Some(Published::Node(read)) = Published::parse(&value) else {
            panic!("it cannot be read");
        };
        assert_eq!((read.gateway, read.node.since_ms), (gateway, 5));
        assert!(read.node.caps.is_empty() && read.node.commands.is_empty());
    }
}
