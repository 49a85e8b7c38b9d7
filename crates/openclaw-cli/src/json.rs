//! Answers as JSON. Times are RFC 3339; texts are as they are stored.

use gateway_protocol::GatewayUrl;
use gateway_protocol::device::PendingDevice;
use pairing_core::device::{Device, Node, NodeId, RequestId, Role};
use pairing_core::{
    AccountId, ChannelId, DeviceId, Metadata, PairingCode, ScopeSet, SenderId, Timestamp,
};
use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

use crate::backend;

/// `pairing list`: one channel.
#[derive(Serialize)]
pub(crate) struct Requests<'a> {
    pub(crate) channel: &'a ChannelId,
    pub(crate) requests: Vec<Request<'a>>,
}

/// A request, with the fields of the file.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Request<'a> {
    id: &'a SenderId,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<PairingCode>,
    /// The public id, where there is no code.
    #[serde(rename = "requestId", skip_serializing_if = "Option::is_none")]
    public_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_seen_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Meta::is_empty")]
    meta: Meta<'a>,
}

/// Metadata about the sender. It names the account, unless that is the default one.
struct Meta<'a> {
    pairs: &'a Metadata,
    account: Option<&'a AccountId>,
}

/// `allowed list`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Allowlist<'a> {
    pub(crate) channel: &'a ChannelId,
    pub(crate) account: &'a AccountId,
    pub(crate) allow_from: Vec<&'a str>,
}

/// `approve` and `reject`: the request that was decided.
#[derive(Serialize)]
pub(crate) struct Decided<'a> {
    pub(crate) channel: &'a ChannelId,
    pub(crate) account: &'a AccountId,
    /// `approved` or `rejected`.
    pub(crate) status: &'static str,
    pub(crate) id: &'a SenderId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<PairingCode>,
    /// The public id, where there is no code.
    #[serde(rename = "requestId", skip_serializing_if = "Option::is_none")]
    pub(crate) request_id: Option<&'a str>,
    /// Whether the sender was notified; present only if that was requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) notified: Option<bool>,
}

/// `allowed add` and `allowed remove`.
#[derive(Serialize)]
pub(crate) struct Listed<'a> {
    pub(crate) channel: &'a ChannelId,
    pub(crate) account: &'a AccountId,
    /// `added`, `present` or `removed`.
    pub(crate) status: &'static str,
    pub(crate) entry: &'a str,
}

/// `request`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Asked<'a> {
    pub(crate) channel: &'a ChannelId,
    pub(crate) account: &'a AccountId,
    /// `created`, `pending`, `full`, `allowed` or `not-offered`.
    pub(crate) status: &'static str,
    pub(crate) id: &'a str,
    pub(crate) code: Option<PairingCode>,
    pub(crate) expires_at: Option<Timestamp>,
    /// The text for the sender; present only for a new request.
    pub(crate) reply: Option<&'a str>,
}

impl<'a> From<&'a backend::Request> for Request<'a> {
    fn from(request: &'a backend::Request) -> Self {
        Self {
            id: &request.sender,
            code: request.handle.code(),
            public_id: request.handle.id(),
            created_at: request.created_at,
            last_seen_at: request.last_seen_at,
            meta: Meta {
                pairs: &request.meta,
                account: Some(&request.account).filter(|account| !account.is_default()),
            },
        }
    }
}

impl Meta<'_> {
    fn is_empty(&self) -> bool {
        self.pairs.is_empty() && self.account.is_none()
    }
}

impl Serialize for Meta<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (key, value) in self.pairs.iter() {
            map.serialize_entry(key, value)?;
        }
        if let Some(account) = self.account {
            map.serialize_entry(Metadata::ACCOUNT_KEY, account)?;
        }
        map.end()
    }
}

/// `devices approve` without a request.
#[derive(Serialize)]
pub(crate) struct Preview {
    /// `preview`.
    pub(crate) status: &'static str,
    pub(crate) request: PendingDevice,
}

/// `devices rename`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeviceRenamed {
    pub(crate) device_id: DeviceId,
    pub(crate) display_name: Option<String>,
}

/// `devices clear`.
#[derive(Serialize)]
pub(crate) struct Cleared {
    pub(crate) removed: Vec<DeviceId>,
    pub(crate) rejected: Vec<RequestId>,
}

/// `nodes remove`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NodeRemoved {
    pub(crate) node_id: NodeId,
}

/// `nodes status` from the store alone, without connections.
#[derive(Serialize)]
pub(crate) struct NodeStatus<'a> {
    pub(crate) ts: i64,
    pub(crate) nodes: Vec<NodeState<'a>>,
}

/// A node, with the fields of `node.list`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NodeState<'a> {
    node_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    display_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    platform: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device_family: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model_identifier: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remote_ip: Option<&'a str>,
    caps: &'a [String],
    commands: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    approval_state: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pending_request_id: Option<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pending_declared_caps: &'a [String],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pending_declared_commands: &'a [String],
    paired: bool,
}

impl<'a> From<&'a Device> for NodeState<'a> {
    fn from(device: &'a Device) -> Self {
        let (info, waits) = (&device.info, device.surface.as_ref());
        Self {
            node_id: device.id.to_string(),
            display_name: device.name(),
            platform: info.platform.as_deref(),
            version: None,
            device_family: info.device_family.as_deref(),
            model_identifier: None,
            remote_ip: info.remote_ip.as_deref(),
            caps: &[],
            commands: &[],
            approval_state: waits.map(|waits| {
                if waits.is_repair {
                    "pending-reapproval"
                } else {
                    "pending-approval"
                }
            }),
            pending_request_id: waits.map(|waits| waits.id.as_str()),
            pending_declared_caps: waits.map_or(&[], |waits| &waits.info.caps),
            pending_declared_commands: waits.map_or(&[], |waits| &waits.info.commands),
            paired: true,
        }
    }
}

impl<'a> From<&'a Node> for NodeState<'a> {
    fn from(node: &'a Node) -> Self {
        let info = &node.info;
        Self {
            node_id: node.id.to_string(),
            display_name: info.display_name.as_deref(),
            platform: info.platform.as_deref(),
            version: info.version.as_deref(),
            device_family: info.device_family.as_deref(),
            model_identifier: info.model_identifier.as_deref(),
            remote_ip: info.remote_ip.as_deref(),
            caps: &info.caps,
            commands: &info.commands,
            approval_state: None,
            pending_request_id: None,
            pending_declared_caps: &[],
            pending_declared_commands: &[],
            paired: true,
        }
    }
}

/// `qr`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Issued<'a> {
    /// The code, which is a secret; printed only on request.
    pub(crate) setup_code: &'a str,
    pub(crate) gateway_url: &'a GatewayUrl,
    /// The source of the URL.
    pub(crate) url_source: &'static str,
    pub(crate) roles: Vec<Role>,
    pub(crate) scopes: ScopeSet,
    pub(crate) expires_at_ms: i64,
}
