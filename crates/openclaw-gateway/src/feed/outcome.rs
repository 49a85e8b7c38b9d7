//! How a request that is no longer pending has ended. It is worked out from the store, because another
//! process may have decided. While the store cannot be read, nobody knows: nothing is a rejection for that.

use gateway_protocol::event::Decision;
use pairing_core::device::{Device, DeviceRequest};
use pairing_core::store::{Group, PendingRequest};
use pairing_core::{Admission, Approver, Pairing, StoreError};

/// How a sender's request has ended.
pub(crate) fn of_sender(pairing: &Pairing, gone: &PendingRequest) -> Result<Decision, StoreError> {
    Ok(if is_allowed(pairing, gone)? {
        Decision::Approved
    } else if gone.is_expired(pairing.limits(), pairing.now()) {
        Decision::Expired
    } else {
        Decision::Rejected
    })
}

/// How a device's request has ended, given the devices whose requests are still pending. Reads the device, unless
/// it has a newer request.
pub(crate) fn of_device<'r>(
    pairing: &Pairing,
    viewer: &Approver,
    mut waiting: impl Iterator<Item = &'r DeviceRequest>,
    gone: &DeviceRequest,
) -> Result<Decision, StoreError> {
    if waiting.any(|request| request.device == gone.device) {
        return Ok(Decision::Superseded);
    }
    let device = pairing.devices().get(gone.device, viewer);
    let device = device.map_err(|error| error.0);
    let device = match device {
        Ok(device) => device,
        Err(error) => {
            concerns_one(pairing, error)?;
            None
        }
    };
    let is_approved = |device: Device| {
        let grants = device.roles.values().map(|role| role.grant.as_ref());
        // The other program does not record grants, so the time of approval has to do.
        let is_newer = device.approved_at > gone.asked_at;
        grants.into_iter().any(|grant| match grant {
            Some(grant) => grant.requested_at == Some(gone.asked_at),
            None => is_newer,
        })
    };
    Ok(if device.is_some_and(is_approved) {
        Decision::Approved
    } else if gone.is_expired(&pairing.limits().devices, pairing.now()) {
        Decision::Expired
    } else {
        Decision::Rejected
    })
}

fn is_allowed(pairing: &Pairing, request: &PendingRequest) -> Result<bool, StoreError> {
    let Ok(channel) = pairing.channel_of(&request.channel) else {
        return Ok(false);
    };
    let account = channel.account_of(request.account.clone());
    let admission = account.admit_sender(&request.sender)?;
    Ok(matches!(admission, Admission::Approved(_)))
}

/// Passes an error that concerns more than one device: with a store of files, the whole file. One record that cannot be
/// understood approves nothing, and it stays so.
fn concerns_one(pairing: &Pairing, error: StoreError) -> Result<(), StoreError> {
    match error {
        StoreError::Unreadable { .. } => pairing.check(Group::Devices).map(drop),
        error => Err(error),
    }
}
