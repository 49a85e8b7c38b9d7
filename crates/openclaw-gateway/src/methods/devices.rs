//! `device.pair.*` and `device.token.*`.

use std::collections::BTreeSet;

use gateway_protocol::device::{
    ApproveParams, DeviceApproved, DevicePairList, DeviceRejected, DeviceRemoved, DeviceRenamed,
    RemoveParams, RenameParams, RequestParams, RoleParams, TokenDelivery, TokenRevoked,
    TokenRotated,
};
use gateway_protocol::other_program::DEVICE_APPROVAL_DENIED;
use gateway_protocol::{DetailCode, Empty, ErrorShape, Text};
use pairing_core::device::{RequestId, Role, Rotated};
use pairing_core::{DeviceError, DeviceId, DeviceList, Scope, ScopeSet, escape};

use super::{Call, Reply, of_device, of_list, shown};

pub(super) fn list(call: &Call) -> Reply {
    call.params::<Empty>()?;
    let listed = call.pairing().devices().list(&call.approver());
    answer(call, &listed.map_err(of_list)?)
}

/// The same, if it needs no disk.
pub(super) fn list_at_once(call: &Call) -> Option<Reply> {
    if let Err(refused) = call.params::<Empty>() {
        return Some(Err(refused));
    }
    let listed = call.pairing().devices().list_at_once(&call.approver());
    listed.map(|listed| answer(call, &listed))
}

fn answer(call: &Call, list: &DeviceList) -> Reply {
    for problem in &list.problems {
        tracing::warn!(problem = %shown(problem), "stored device cannot be read");
    }
    let limits = &call.pairing().limits().devices;
    let mut answer = DevicePairList::from(list);
    for (answer, request) in answer.pending.iter_mut().zip(&list.pending) {
        answer.expires_at_ms = Some(request.expires_at(limits).as_millis());
    }
    for device in &mut answer.paired {
        let mut sessions = call.parts.clients.sessions.of_device(device.device_id);
        sessions.retain(|session| session.is_live());
        let newest = sessions.last();
        device.connected_at_ms = newest.map(|session| session.connected_at.as_millis());
    }
    call.reply(&answer)
}

pub(super) fn approve(call: &Call) -> Reply {
    let params: ApproveParams = call.params()?;
    // A text that cannot be an id names no request.
    let request_id =
        RequestId::parse(&params.request_id).map_err(|_| of_device(DeviceError::UnknownRequest))?;
    let chosen = params.commands.map(chosen_commands);
    if let Some(chosen) = &chosen {
        are_asked_for(call, &request_id, chosen)?;
    }
    let settings = call.parts.settings.load();
    let policy = &settings.config.gateway.node_commands;
    let keep = |command: &str| {
        let is_chosen = chosen
            .as_ref()
            .is_none_or(|chosen| chosen.contains(command));
        is_chosen && !policy.denies(command)
    };
    let devices = call.pairing().devices();
    let approved = devices.approve_commands(&request_id, &keep, &call.approver());
    let device = approved.map_err(of_approval)?;
    // The approval may be for less than a session of the device has.
    call.end_sessions(device.id, None);
    call.reply(&DeviceApproved {
        request_id,
        device: (&device).into(),
    })
}

pub(super) fn reject(call: &Call) -> Reply {
    let request_id = request(call)?;
    let rejected = call
        .pairing()
        .devices()
        .reject(&request_id, &call.approver());
    let request = rejected.map_err(of_device)?;
    call.reply(&DeviceRejected {
        request_id,
        device_id: request.device,
    })
}

pub(super) fn remove(call: &Call) -> Reply {
    let params: RemoveParams = call.params()?;
    let device_id =
        device(&params.device_id).ok_or_else(|| of_device(DeviceError::UnknownDevice))?;
    let removed = call.pairing().devices().remove(device_id, &call.approver());
    removed.map_err(of_device)?;
    call.end_sessions(device_id, None);
    call.reply(&DeviceRemoved { device_id })
}

pub(super) fn rename(call: &Call) -> Reply {
    let params: RenameParams = call.params()?;
    let id = device(&params.device_id).ok_or_else(|| of_device(DeviceError::UnknownDevice))?;
    let devices = call.pairing().devices();
    let (name, is_label) = match (&params.display_name, &params.label) {
        (Some(name), None) => (name, false),
        (None, Some(label)) => (label, true),
        _ => {
            return Err(ErrorShape::invalid(
                DetailCode::InvalidParams,
                "invalid device.pair.rename params: one of displayName and label is required",
            ));
        }
    };
    let renamed = devices.rename(id, name, &call.approver());
    let name = renamed.map_err(of_device)?.label;
    let (display_name, label) = if is_label { (None, name) } else { (name, None) };
    call.reply(&DeviceRenamed {
        device_id: id,
        display_name,
        label,
    })
}

pub(super) fn rotate(call: &Call) -> Reply {
    let (device_id, role, scopes) = role_of(call)?;
    let devices = call.pairing().devices();
    let rotated = devices.rotate(device_id, role, scopes.as_ref(), &call.approver());
    let Rotated { scopes, at, token } = rotated.map_err(of_device)?;
    call.end_sessions(device_id, Some(role));
    call.reply(&TokenRotated {
        device_id,
        role,
        scopes,
        rotated_at_ms: at.as_millis(),
        token_delivery: if token.is_some() {
            TokenDelivery::InBand
        } else {
            TokenDelivery::WithheldCrossDevice
        },
        token: token.map(|token| token.expose().into()),
    })
}

pub(super) fn revoke(call: &Call) -> Reply {
    let (device_id, role, scopes) = role_of(call)?;
    if scopes.is_some() {
        return Err(ErrorShape::invalid(
            DetailCode::InvalidParams,
            "invalid device.token.revoke params: at scopes: unknown field `scopes`",
        ));
    }
    let devices = call.pairing().devices();
    let revoked = devices.revoke(device_id, role, &call.approver());
    let at = revoked.map_err(of_device)?;
    call.end_sessions(device_id, Some(role));
    call.reply(&TokenRevoked {
        device_id,
        role,
        revoked_at_ms: at.as_millis(),
    })
}

impl Call {
    /// Ends the sessions that a decision about a device has ended, at once. With a role, all sessions in that
    /// role end; without one, those whose approval does not hold any more. The caller's own session gets its
    /// answer first.
    pub(super) fn end_sessions(&self, device: DeviceId, role: Option<Role>) {
        let devices = self.pairing().devices();
        self.parts
            .clients
            .end_sessions(&devices, device, role, Some(&self.session));
    }
}

/// The refusal for want of scopes contains the text that clients of releases from 2026.7 on look for.
fn of_approval(error: DeviceError) -> ErrorShape {
    match &error {
        DeviceError::Scope(scope) => ErrorShape::invalid(
            DetailCode::MissingScope,
            format!("{DEVICE_APPROVAL_DENIED}: {scope}"),
        ),
        _ => of_device(error),
    }
}

fn chosen_commands(commands: Vec<Text>) -> BTreeSet<String> {
    commands.into_iter().map(String::from).collect()
}

/// A choice of commands that the request does not ask for is a mistake, and approves nothing.
fn are_asked_for(call: &Call, id: &RequestId, chosen: &BTreeSet<String>) -> Result<(), ErrorShape> {
    let listed = call.pairing().devices().list(&call.approver());
    let pending = listed.map_err(of_list)?.pending;
    let Some(request) = pending.iter().find(|request| request.id == *id) else {
        return Err(of_device(DeviceError::UnknownRequest));
    };
    match chosen
        .iter()
        .find(|name| !request.ask.commands.contains(*name))
    {
        None => Ok(()),
        Some(name) => Err(not_asked_for("device.pair.approve", name)),
    }
}

/// The error of a choice of commands that names one which the request does not ask for.
pub(super) fn not_asked_for(method: &str, name: &str) -> ErrorShape {
    ErrorShape::invalid(
        DetailCode::InvalidParams,
        format!(
            "invalid {method} params: the request does not ask for the command {}",
            escape(name).limit(64)
        ),
    )
}

fn request(call: &Call) -> Result<RequestId, ErrorShape> {
    let params: RequestParams = call.params()?;
    // A text that cannot be an id names no request.
    RequestId::parse(&params.request_id).map_err(|_| of_device(DeviceError::UnknownRequest))
}

fn device(id: &str) -> Option<DeviceId> {
    DeviceId::parse(id).ok()
}

fn role_of(call: &Call) -> Result<(DeviceId, Role, Option<ScopeSet>), ErrorShape> {
    let params: RoleParams = call.params()?;
    let unknown = || of_device(DeviceError::UnknownRole);
    let id = device(&params.device_id).ok_or_else(unknown)?;
    let role = Role::parse(&params.role).map_err(|_| unknown())?;
    let scopes = params.scopes.map(|scopes| {
        let scopes = scopes.iter().map(|scope| Scope::parse(scope));
        scopes.collect::<Result<ScopeSet, _>>()
    });
    let scopes = scopes.transpose().map_err(|_| unknown())?;
    Ok((id, role, scopes))
}
