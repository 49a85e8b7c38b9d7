//! `openclaw devices clear`.

use pairing_core::DeviceError;

use super::Call;
use crate::args::Clear;
use crate::console::Screen;
use crate::{Exit, Failure, json, text};

impl Call {
    /// Removes all devices and, if told to, ends all requests, one after the other. What somebody else
    /// removes meanwhile is counted as removed.
    pub(super) fn clear(&self, clear: Clear, screen: &mut Screen<'_, '_>) -> Result<Exit, Failure> {
        let list = self.read(screen)?;
        let pending = if clear.pending {
            list.pending.as_slice()
        } else {
            &[]
        };
        if !clear.yes {
            return Err(Failure::Unconfirmed {
                devices: list.paired.len(),
                requests: clear.pending.then_some(pending.len()),
            });
        }
        let mut cleared = json::Cleared {
            removed: Vec::new(),
            rejected: Vec::new(),
        };
        // Requests come first, because removing a device also ends its request.
        for request in pending {
            match self.backend.reject_device(request) {
                Ok(rejected) => cleared.rejected.push(rejected.id),
                Err(Failure::Device(DeviceError::UnknownRequest)) => {}
                Err(error) => return Err(error),
            }
        }
        for device in &list.paired {
            match self.backend.remove_device(device) {
                Ok(removed) => cleared.removed.push(removed.id),
                Err(Failure::Device(DeviceError::UnknownDevice)) => {}
                Err(error) => return Err(error),
            }
        }
        if self.json {
            screen.json(&cleared)?;
            return Ok(Exit::Done);
        }
        screen.line(format_args!(
            "Removed {}",
            text::count(cleared.removed.len() as u64, "device")
        ))?;
        if clear.pending {
            let rejected = text::count(cleared.rejected.len() as u64, "request");
            screen.line(format_args!("Rejected {rejected}"))?;
        }
        Ok(Exit::Done)
    }
}
