//! Devices, in the form that `device.pair.*` and `device.token.*` return.
//!
//! No type in this module can hold a secret, except [`TokenRotated`].

use std::collections::{BTreeMap, BTreeSet};

use pairing_core::device::{
    ApprovedRole, Ask, Device, DeviceInfo, DeviceRequest, DeviceToken, RequestId, Role,
};
use pairing_core::{DeviceId, DeviceKey, DeviceList, ScopeSet, Timestamp};
use serde::{Deserialize, Serialize};

use crate::setup::SetupCodeId;
use crate::{Secret, Text};

/// The parameters of `device.pair.approve`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApproveParams {
    /// Id of the request to approve.
    pub request_id: Text,
    /// Of the commands that the node asks for, those to approve; all of them if absent. A member of this gateway's
    /// own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commands: Option<Vec<Text>>,
}

/// The parameters of `device.pair.reject`; also those of `node.pair.*`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RequestParams {
    /// Id of the request to decide.
    pub request_id: Text,
}

/// The parameters of `device.pair.remove`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RemoveParams {
    /// Id of the device to remove.
    pub device_id: Text,
}

/// The parameters of `device.pair.rename`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RenameParams {
    /// Id of the device to rename.
    pub device_id: Text,
    /// The new name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<Text>,
    /// The new name, as releases from 2026.7 on call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<Text>,
}

/// The parameters of `device.token.rotate` and, without scopes, of `device.token.revoke`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RoleParams {
    /// Id of the device.
    pub device_id: Text,
    /// The role whose token is meant.
    pub role: Text,
    /// Scopes of the new token; those of the current token if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<Text>>,
}

/// The answer to `device.pair.rename`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeviceRenamed {
    /// Id of the device.
    pub device_id: DeviceId,
    /// The new name, if the request called it so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// The new name, if the request called it so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}

/// The answer to `device.pair.list`, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DevicePairList {
    /// Pending requests.
    pub pending: Vec<PendingDevice>,
    /// Approved devices.
    pub paired: Vec<PairedDevice>,
}

/// A pending device request; also the event `device.pair.requested`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PendingDevice {
    /// Id of the request.
    pub request_id: RequestId,
    /// Id of the device.
    pub device_id: DeviceId,
    /// The device's public key.
    pub public_key: DeviceKey,
    /// The device's description of itself.
    #[serde(flatten)]
    pub info: DeviceDescription,
    /// The first of `roles`, for clients that support only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// Requested roles.
    pub roles: Vec<Role>,
    /// Scopes requested for the operator role.
    #[serde(default, skip_serializing_if = "ScopeSet::is_empty")]
    pub scopes: ScopeSet,
    /// Commands requested for the node role.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub commands: BTreeSet<String>,
    /// Whether the request qualified for approval without asking the owner.
    #[serde(default)]
    pub silent: bool,
    /// Whether the device was already known when it asked.
    #[serde(default)]
    pub is_repair: bool,
    /// Time of the first request, in milliseconds.
    pub ts: i64,
    /// Time at which the request expires unless repeated, in milliseconds; only in lists from a gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at_ms: Option<i64>,
    /// The setup code that the device presented, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub setup_code_id: Option<SetupCodeId>,
}

/// An approved device. `role`, `roles` and `scopes` describe its current access.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PairedDevice {
    /// Id of the device.
    pub device_id: DeviceId,
    /// The device's public key.
    pub public_key: DeviceKey,
    /// The device's description of itself.
    #[serde(flatten)]
    pub info: DeviceDescription,
    /// The first of `roles`, for clients that support only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// Approved roles.
    pub roles: Vec<Role>,
    /// Scopes approved for the operator role.
    #[serde(default, skip_serializing_if = "ScopeSet::is_empty")]
    pub scopes: ScopeSet,
    /// Commands approved for the node role.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub commands: BTreeSet<String>,
    /// The owner's name for it, which is shown instead of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator_label: Option<String>,
    /// Creation time, in milliseconds.
    pub created_at_ms: i64,
    /// Time of the last approval, in milliseconds.
    pub approved_at_ms: i64,
    /// Start of its newest connection, in milliseconds: present while the device is connected to the gateway
    /// that answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connected_at_ms: Option<i64>,
    /// The device's tokens, without their hashes.
    pub tokens: Vec<TokenSummary>,
}

/// A device's description of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeviceDescription {
    /// Display name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// The operating system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// Device family.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_family: Option<String>,
    /// Id of the client program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// Mode in which the program runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_mode: Option<String>,
    /// IP address; absent for a connection from the gateway's own machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote_ip: Option<String>,
}

/// A device token, without its hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenSummary {
    /// Role that the token grants.
    pub role: Role,
    /// Scopes of the token, for the operator role.
    pub scopes: ScopeSet,
    /// Creation time, in milliseconds.
    pub created_at_ms: i64,
    /// Time of the last rotation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotated_at_ms: Option<i64>,
    /// Time of revocation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at_ms: Option<i64>,
    /// Time of last use, to the minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at_ms: Option<i64>,
}

/// The answer to `device.pair.approve`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeviceApproved {
    /// Id of the request.
    pub request_id: RequestId,
    /// The approved device.
    pub device: PairedDevice,
}

/// The answer to `device.pair.reject`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeviceRejected {
    /// Id of the request.
    pub request_id: RequestId,
    /// Id of the device.
    pub device_id: DeviceId,
}

/// The answer to `device.pair.remove`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeviceRemoved {
    /// Id of the device.
    pub device_id: DeviceId,
}

/// The answer to `device.token.rotate`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenRotated {
    /// Id of the device.
    pub device_id: DeviceId,
    /// Role of the token.
    pub role: Role,
    /// Scopes of the token.
    pub scopes: ScopeSet,
    /// Time of the rotation, in milliseconds.
    pub rotated_at_ms: i64,
    /// Whether this answer has the new token. Absent in answers of older releases.
    #[serde(default)]
    pub token_delivery: TokenDelivery,
    /// The new token; present only if the device itself asked, authenticated by its token for this role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Secret>,
}

/// How the new token of a rotation reaches its device.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TokenDelivery {
    /// In the answer: the device itself asked.
    InBand,
    /// When the device connects: somebody else asked.
    #[default]
    WithheldCrossDevice,
}

/// The answer to `device.token.revoke`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenRevoked {
    /// Id of the device.
    pub device_id: DeviceId,
    /// Role of the token.
    pub role: Role,
    /// Time of revocation.
    pub revoked_at_ms: i64,
}

impl From<&DeviceList> for DevicePairList {
    fn from(list: &DeviceList) -> Self {
        Self {
            pending: list.pending.iter().map(Into::into).collect(),
            paired: list.paired.iter().map(Into::into).collect(),
        }
    }
}

impl From<&DeviceRequest> for PendingDevice {
    fn from(request: &DeviceRequest) -> Self {
        let roles: Vec<_> = request.ask.roles.iter().copied().collect();
        Self {
            request_id: request.id.clone(),
            device_id: request.device,
            public_key: request.key,
            info: (&request.info).into(),
            role: roles.first().copied(),
            roles,
            scopes: request.ask.scopes.clone(),
            commands: request.ask.commands.clone(),
            silent: request.silent,
            is_repair: request.is_repair,
            ts: request.asked_at.as_millis(),
            expires_at_ms: None,
            setup_code_id: request.pairing_token.as_ref().map(SetupCodeId::of),
        }
    }
}

impl From<&Device> for PairedDevice {
    fn from(device: &Device) -> Self {
        let standing = |role: &Role| device.standing(*role).is_some();
        let roles: Vec<_> = device.roles.keys().copied().filter(standing).collect();
        let operator = device.standing(Role::Operator);
        let tokens = device.roles.iter().filter_map(|(role, approved)| {
            let token = approved.token.as_ref()?;
            Some(TokenSummary::of(*role, token))
        });
        Self {
            device_id: device.id,
            public_key: device.key,
            info: (&device.info).into(),
            role: roles.first().copied(),
            roles,
            scopes: operator.map_or_else(ScopeSet::default, |operator| operator.scopes.clone()),
            commands: device
                .standing(Role::Node)
                .and_then(|node| node.commands.clone())
                .unwrap_or_default(),
            operator_label: device.label.clone(),
            created_at_ms: device.created_at.as_millis(),
            approved_at_ms: device.approved_at.as_millis(),
            connected_at_ms: None,
            tokens: tokens.collect(),
        }
    }
}

impl From<&DeviceInfo> for DeviceDescription {
    fn from(info: &DeviceInfo) -> Self {
        let info = info.clone();
        Self {
            display_name: info.display_name,
            platform: info.platform,
            device_family: info.device_family,
            client_id: info.client_id,
            client_mode: info.client_mode,
            remote_ip: info.remote_ip,
        }
    }
}

impl TokenSummary {
    fn of(role: Role, token: &DeviceToken) -> Self {
        Self {
            role,
            scopes: token.scopes.clone(),
            created_at_ms: token.created_at.as_millis(),
            rotated_at_ms: token.rotated_at.map(Timestamp::as_millis),
            revoked_at_ms: token.revoked_at.map(Timestamp::as_millis),
            last_used_at_ms: token.last_used_at.map(Timestamp::as_millis),
        }
    }
}

impl From<PendingDevice> for DeviceRequest {
    /// Converts the wire form of a request, which lacks the time of the last request, the requesting page and
    /// the setup code.
    fn from(pending: PendingDevice) -> Self {
        let asked_at = Timestamp::from_millis(pending.ts);
        Self {
            id: pending.request_id,
            device: pending.device_id,
            key: pending.public_key,
            info: pending.info.into(),
            ask: Ask {
                roles: pending.roles.into_iter().chain(pending.role).collect(),
                scopes: pending.scopes,
                commands: pending.commands,
            },
            origin: None,
            silent: pending.silent,
            is_repair: pending.is_repair,
            asked_at,
            refreshed_at: asked_at,
            pairing_token: None,
        }
    }
}

impl From<PairedDevice> for Device {
    /// Converts the wire form of a device, which lacks the approver and the token hashes. The operator role
    /// gets the device's scopes, and a role that only a token names gets that token's scopes.
    fn from(paired: PairedDevice) -> Self {
        let approved_at = Timestamp::from_millis(paired.approved_at_ms);
        let mut roles = BTreeMap::new();
        for role in paired.roles.into_iter().chain(paired.role) {
            let scopes = match role {
                Role::Operator => paired.scopes.clone(),
                Role::Node => ScopeSet::default(),
            };
            roles.insert(role, approved(scopes, approved_at, None));
        }
        for token in paired.tokens {
            let scopes = match roles.get(&token.role) {
                Some(standing) => standing.scopes.clone(),
                None => token.scopes.clone(),
            };
            roles.insert(
                token.role,
                approved(scopes, approved_at, Some(token.into())),
            );
        }
        let commands = Some(paired.commands).filter(|commands| !commands.is_empty());
        if let (Some(node), Some(commands)) = (roles.get_mut(&Role::Node), commands) {
            node.commands = Some(commands);
        }
        Self {
            id: paired.device_id,
            key: paired.public_key,
            info: paired.info.into(),
            label: paired.operator_label,
            roles,
            created_at: Timestamp::from_millis(paired.created_at_ms),
            approved_at,
            surface: None,
            signs_v3: false,
            pairing_token: None,
        }
    }
}

fn approved(scopes: ScopeSet, approved_at: Timestamp, token: Option<DeviceToken>) -> ApprovedRole {
    ApprovedRole {
        scopes,
        approved_at,
        grant: None,
        commands: None,
        token,
    }
}

impl From<TokenSummary> for DeviceToken {
    fn from(token: TokenSummary) -> Self {
        Self {
            hash: None,
            scopes: token.scopes,
            created_at: Timestamp::from_millis(token.created_at_ms),
            rotated_at: token.rotated_at_ms.map(Timestamp::from_millis),
            revoked_at: token.revoked_at_ms.map(Timestamp::from_millis),
            last_used_at: token.last_used_at_ms.map(Timestamp::from_millis),
            // The wire does not say.
            next_scopes: None,
            approved_scopes: None,
        }
    }
}

impl From<DeviceDescription> for DeviceInfo {
    fn from(info: DeviceDescription) -> Self {
        Self {
            display_name: info.display_name,
            platform: info.platform,
            device_family: info.device_family,
            client_id: info.client_id,
            client_mode: info.client_mode,
            remote_ip: info.remote_ip,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// An answer to `device.pair.list`, recorded from OpenClaw 2026.2.17.
    const RECORDED: &str = include_str!("recorded/device-pair-list.json");

    #[test]
    fn the_shape_is_that_of_a_recorded_answer() {
        let recorded: Value = serde_json::from_str(RECORDED).unwrap();
        let read: DevicePairList = serde_json::from_str(RECORDED).unwrap();
        assert_eq!(serde_json::to_value(read).unwrap(), recorded);
    }

    #[test]
    fn what_is_shown_survives_the_way_back() {
        let read: DevicePairList = serde_json::from_str(RECORDED).unwrap();
        let mut list = DeviceList::default();
        list.pending = read.pending.iter().cloned().map(Into::into).collect();
        list.paired = read.paired.iter().cloned().map(Into::into).collect();
        assert_eq!(DevicePairList::from(&list), read);
    }
}
