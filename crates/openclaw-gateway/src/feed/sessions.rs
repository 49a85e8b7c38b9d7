//! Ends sessions whose approval has ended.

use std::cell::Cell;
use std::collections::BTreeSet;

use pairing_core::device::AuthenticatedDevice;
use pairing_core::{DeviceId, ListError};

use super::{Feed, Unreachable};

impl Feed<'_> {
    pub(super) fn connected(&self) -> BTreeSet<DeviceId> {
        let all = self.parts.clients.sessions.all();
        let devices = all.iter().filter_map(|session| session.device());
        devices.map(AuthenticatedDevice::id).collect()
    }

    /// Ends the sessions of a device whose approval does not hold any more. What cannot be read now ends
    /// nothing, and is tried again.
    pub(super) fn recheck(&mut self, device: DeviceId) -> Result<(), Unreachable> {
        let devices = self.parts.pairing.devices();
        let failure = Cell::new(None);
        let ended = self
            .parts
            .clients
            .sessions
            .end_of_device(device, None, |session| {
                let holds = session.device().map(|proof| devices.still_holds(proof));
                match holds {
                    Some(Ok(holds)) => !holds,
                    Some(Err(error)) => {
                        failure.set(Some(error.0));
                        false
                    }
                    None => false,
                }
            });
        note_ended(device, ended);
        match failure.into_inner() {
            Some(error) => self.later(None, &error, |stale| {
                stale.sessions.insert(device);
            }),
            None => Ok(()),
        }
    }

    /// Ends the sessions of roles that were rotated. A session that came with the shared secret has no token
    /// that would show it. Reads the devices that are connected.
    pub(super) fn end_rotated(&self) -> Result<(), ListError> {
        let sessions = &self.parts.clients.sessions;
        for id in self.connected() {
            let Some(device) = self.parts.pairing.devices().get(id, &self.viewer)? else {
                continue;
            };
            let ended = sessions.end_of_device(id, None, |session| {
                let approved = device.standing(session.role());
                let token = approved.and_then(|approved| approved.token.as_ref());
                token
                    .and_then(|token| token.rotated_at)
                    .is_some_and(|at| at > session.connected_at)
            });
            note_ended(id, ended);
        }
        Ok(())
    }
}

fn note_ended(device: DeviceId, ended: bool) {
    if ended {
        tracing::info!(%device, "rights of a device changed: its sessions were ended");
    }
}
