//! Commands about devices, carried out on the store or by a gateway.

use std::collections::BTreeSet;

use gateway_protocol::Empty;
use gateway_protocol::device::{
    DeviceApproved, DevicePairList, DeviceRejected, DeviceRemoved, DeviceRenamed, TokenRevoked,
    TokenRotated,
};
use pairing_core::device::{Device, DeviceRequest, Role, Rotated};
use pairing_core::{DeviceList, ScopeSet, Timestamp};
use serde_json::json;

use super::Backend;
use crate::Failure;

impl Backend {
    /// Lists the pending requests and the paired devices.
    pub(crate) fn devices(&self) -> Result<DeviceList, Failure> {
        match self {
            Self::Files(files) => Ok(files.service.devices().list(&files.approver)?),
            Self::Gateway(remote) => {
                let list: DevicePairList = remote.call("device.pair.list", &Empty {})?;
                let mut all = DeviceList::default();
                all.pending = list.pending.into_iter().map(Into::into).collect();
                all.paired = list.paired.into_iter().map(Into::into).collect();
                Ok(all)
            }
        }
    }

    /// Lists the paired devices alone, even if the requests cannot be read.
    pub(crate) fn paired_devices(&self) -> Result<DeviceList, Failure> {
        match self {
            Self::Files(files) => Ok(files.service.devices().paired(&files.approver)?),
            Self::Gateway(_) => self.devices(),
        }
    }

    /// Approves a request. With `commands`, only those of the requested node commands are granted.
    pub(crate) fn approve_device(
        &self,
        request: &DeviceRequest,
        commands: Option<&BTreeSet<String>>,
    ) -> Result<Device, Failure> {
        let not_asked = |name: &&String| !request.ask.commands.contains(*name);
        if let Some(name) = commands.into_iter().flatten().find(not_asked) {
            return Err(Failure::NotAskedFor(name.clone()));
        }
        match self {
            Self::Files(files) => {
                let devices = files.service.devices();
                let keep = |name: &str| {
                    let is_chosen = commands.is_none_or(|commands| commands.contains(name));
                    is_chosen && !files.node_commands.denies(name)
                };
                Ok(devices.approve_commands(&request.id, &keep, &files.approver)?)
            }
            Self::Gateway(remote) => {
                let mut params = json!({ "requestId": request.id });
                if let Some(commands) = commands {
                    params["commands"] = json!(commands);
                }
                let approved: DeviceApproved = remote.call("device.pair.approve", &params)?;
                Ok(approved.device.into())
            }
        }
    }

    pub(crate) fn reject_device(&self, request: &DeviceRequest) -> Result<DeviceRequest, Failure> {
        match self {
            Self::Files(files) => {
                let devices = files.service.devices();
                Ok(devices.reject(&request.id, &files.approver)?)
            }
            Self::Gateway(remote) => {
                let params = json!({ "requestId": request.id });
                let _: DeviceRejected = remote.call("device.pair.reject", &params)?;
                Ok(request.clone())
            }
        }
    }

    pub(crate) fn remove_device(&self, device: &Device) -> Result<Device, Failure> {
        match self {
            Self::Files(files) => {
                let devices = files.service.devices();
                Ok(devices.remove(device.id, &files.approver)?)
            }
            Self::Gateway(remote) => {
                let params = json!({ "deviceId": device.id });
                let _: DeviceRemoved = remote.call("device.pair.remove", &params)?;
                Ok(device.clone())
            }
        }
    }

    pub(crate) fn rename_device(&self, device: &Device, name: &str) -> Result<Device, Failure> {
        match self {
            Self::Files(files) => {
                let devices = files.service.devices();
                Ok(devices.rename(device.id, name, &files.approver)?)
            }
            Self::Gateway(remote) => {
                let params = json!({ "deviceId": device.id, "label": name });
                let renamed: DeviceRenamed = remote.call("device.pair.rename", &params)?;
                let mut device = device.clone();
                device.label = renamed.label.or(renamed.display_name);
                Ok(device)
            }
        }
    }

    pub(crate) fn rotate_token(
        &self,
        device: &Device,
        role: Role,
        scopes: Option<&ScopeSet>,
    ) -> Result<Rotated, Failure> {
        match self {
            Self::Files(files) => {
                let devices = files.service.devices();
                Ok(devices.rotate(device.id, role, scopes, &files.approver)?)
            }
            Self::Gateway(remote) => {
                let mut params = json!({ "deviceId": device.id, "role": role });
                if let Some(scopes) = scopes {
                    params["scopes"] = json!(scopes);
                }
                let rotated: TokenRotated = remote.call("device.token.rotate", &params)?;
                if let Some(token) = rotated.token {
                    // The token belongs to this machine.
                    remote.keep(role, token, rotated.scopes.clone(), rotated.rotated_at_ms);
                }
                Ok(Rotated {
                    scopes: rotated.scopes,
                    at: Timestamp::from_millis(rotated.rotated_at_ms),
                    token: None,
                })
            }
        }
    }

    pub(crate) fn revoke_role(&self, device: &Device, role: Role) -> Result<Timestamp, Failure> {
        match self {
            Self::Files(files) => {
                let devices = files.service.devices();
                Ok(devices.revoke(device.id, role, &files.approver)?)
            }
            Self::Gateway(remote) => {
                let params = json!({ "deviceId": device.id, "role": role });
                let revoked: TokenRevoked = remote.call("device.token.revoke", &params)?;
                Ok(Timestamp::from_millis(revoked.revoked_at_ms))
            }
        }
    }
}
