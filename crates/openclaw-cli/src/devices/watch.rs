//! Pending requests of devices.

use gateway_protocol::device::PendingDevice;
use pairing_core::device::{DeviceRequest, Role};
use serde_json::json;

use super::Call;
use crate::console::Screen;
use crate::subject::label;
use crate::watch::{Item, Watched};
use crate::{Failure, text};

pub(crate) struct Devices<'c>(pub(crate) &'c Call);

impl Watched<7> for Devices<'_> {
    type Subject = DeviceRequest;

    const TITLE: &'static str = "Devices that wait";
    const NOBODY: &'static str = "No device waits.";
    const HEADER: [&'static str; 7] = [
        "Request",
        "Name",
        "Platform",
        "Asks for",
        "From",
        "Asked",
        "Expires in",
    ];
    const BREAKABLE: &'static [usize] = &[1, 2, 3, 4, 5];

    fn waiting(&self, screen: &mut Screen<'_, '_>) -> Result<Vec<Item<DeviceRequest, 7>>, Failure> {
        let list = self.0.backend.devices()?;
        screen.problems(&list.problems);
        let width = if screen.has_tables() {
            crate::subject::enough(&list.pending)
        } else {
            usize::MAX
        };
        let item = |request: &DeviceRequest| {
            let known = list
                .paired
                .iter()
                .find(|device| device.id == request.device);
            let before = known.and_then(|known| known.standing(Role::Node));
            let before = before.and_then(|node| node.commands.as_ref());
            Item {
                id: request.id.to_string(),
                cells: self.0.pending_row(request, width),
                rights: text::rights(&request.ask, before),
                json: json!(PendingDevice::from(request)),
                subject: request.clone(),
            }
        };
        Ok(list.pending.iter().map(item).collect())
    }

    fn decide(&self, request: &DeviceRequest, approve: bool) -> Result<String, Failure> {
        if approve {
            let device = self.0.backend.approve_device(request, None)?;
            Ok(format!("Approved device {}", label(&device)))
        } else {
            let rejected = self.0.backend.reject_device(request)?;
            Ok(format!("Rejected request {}", label(&rejected)))
        }
    }
}
