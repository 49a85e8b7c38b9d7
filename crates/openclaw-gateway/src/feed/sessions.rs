//! Ends sessions whose approval has ended.

use std::cell::Cell;
use std::collections::BTreeSet;

use pairing_core::device::AuthenticatedDevice;
use pairing_core::{DeviceId, ListError, Problem, StoreError};

use super::{Feed, Unreachable};

impl Feed<'_> {
    pub(super) fn connected(&self) -> BTreeSet<DeviceId> {
        let all = self.parts.clients.sessions.all();
        let devices = all.iter().filter_map(|session| session.device());
        devices.map(AuthenticatedDevice::id).collect()
    }

    /// Whether the record of a device cannot be read. A store that cannot be reached says nothing about it.
    pub(super) fn is_bad(&self, device: DeviceId) -> bool {
        let read = self.parts.pairing.devices().get(device, &self.viewer);
        matches!(read, Err(ListError(StoreError::Unreadable { .. })))
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
    /// that would show it. Reads the devices that are connected, and returns what is wrong with those that cannot be
    /// read: they say nothing about the others.
    pub(super) fn end_rotated(&self) -> Result<Vec<Problem>, StoreError> {
        let sessions = &self.parts.clients.sessions;
        let mut problems = Vec::new();
        for id in self.connected() {
            let device = match self.parts.pairing.devices().get(id, &self.viewer) {
                Ok(Some(device)) => device,
                Ok(None) => continue,
                Err(ListError(error @ StoreError::Unreachable { .. })) => return Err(error),
                Err(ListError(error)) => {
                    problems.push(Problem::of(&error));
                    continue;
                }
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
        Ok(problems)
    }
}

fn note_ended(device: DeviceId, ended: bool) {
    if ended {
        tracing::info!(%device, "rights of a device changed: its sessions were ended");
    }
}
