//! `openclaw devices approve`, `reject`, `remove` and `rename`.

use std::collections::BTreeSet;

use gateway_protocol::device::{DeviceApproved, DeviceRejected, DeviceRemoved};
use pairing_core::device::{Ask, Device, DeviceRequest, Role};

use super::Call;
use super::list::origin;
use crate::console::Screen;
use crate::subject::label;
use crate::{Exit, Failure, json, text};

impl Call {
    /// Shows what approving the newest request would grant. It approves nothing, because whoever asks last
    /// could decide which request is the newest.
    pub(super) fn preview(&self, screen: &mut Screen<'_, '_>) -> Result<Exit, Failure> {
        let list = self.read(screen)?;
        let Some(newest) = list.pending.first() else {
            return Err(Failure::NoDeviceWaits);
        };
        let known = list.paired.iter().find(|device| device.id == newest.device);
        if self.json {
            screen.json(&json::Preview {
                status: "preview",
                request: newest.into(),
            })?;
        } else {
            self.show(newest, known, screen)?;
            if let Some(known) = known {
                screen.line(format_args!("Approved before: {}", text::approved(known)))?;
            }
        }
        if list.pending.len() > 1 {
            let others = text::count(list.pending.len() as u64 - 1, "other request");
            screen.note(format_args!("{others}: see `openclaw devices list`"));
        }
        screen.hint(&format!(
            "nothing is approved yet; if this is your device: `openclaw devices approve {}`",
            newest.id
        ));
        Ok(Exit::Refused)
    }

    fn show(
        &self,
        request: &DeviceRequest,
        known: Option<&Device>,
        screen: &mut Screen<'_, '_>,
    ) -> Result<(), Failure> {
        let now = self.backend.now();
        screen.line(format_args!("Newest request: {}", request.id))?;
        screen.line(format_args!("  Device:   {}", request.device))?;
        let facts = [
            ("Name", text::said(request.info.display_name.as_deref())),
            ("Platform", text::platform(&request.info)),
            ("From", origin(request)),
        ];
        for (fact, said) in facts {
            if !said.is_empty() {
                screen.line(format_args!("  {:<9} {said}", format!("{fact}:")))?;
            }
        }
        let asked = text::ago(now, request.asked_at);
        match self.expires_at(request) {
            Some(at) => {
                let left = text::left(now, at);
                screen.line(format_args!("  Asked:    {asked}, expires in {left}"))?;
            }
            None => screen.line(format_args!("  Asked:    {asked}"))?,
        }
        screen.line("Approving it would let it")?;
        let before = known.and_then(|known| known.standing(Role::Node));
        let before = before.and_then(|node| node.commands.as_ref());
        for right in text::rights(&request.ask, before) {
            screen.line(format_args!("  {right}"))?;
        }
        Ok(())
    }

    pub(super) fn approve(
        &self,
        typed: &str,
        commands: Option<&BTreeSet<String>>,
        screen: &mut Screen<'_, '_>,
    ) -> Result<Exit, Failure> {
        let list = self.read(screen)?;
        let request = self.request(typed, &list, "approve")?;
        let device = self.backend.approve_device(request, commands)?;
        if self.json {
            screen.json(&DeviceApproved {
                request_id: request.id.clone(),
                device: (&device).into(),
            })?;
        } else {
            screen.line(format_args!(
                "Approved device {}, which may now",
                label(&device)
            ))?;
            for right in text::rights(&standing(&device), None) {
                screen.line(format_args!("  {right}"))?;
            }
        }
        Ok(Exit::Done)
    }

    pub(super) fn reject(&self, typed: &str, screen: &mut Screen<'_, '_>) -> Result<Exit, Failure> {
        let list = self.read(screen)?;
        let request = self.request(typed, &list, "reject")?;
        let rejected = self.backend.reject_device(request)?;
        if self.json {
            screen.json(&DeviceRejected {
                request_id: rejected.id,
                device_id: rejected.device,
            })?;
        } else {
            screen.line(format_args!("Rejected request {}", label(&rejected)))?;
        }
        Ok(Exit::Done)
    }

    pub(super) fn remove(&self, typed: &str, screen: &mut Screen<'_, '_>) -> Result<Exit, Failure> {
        let list = self.read_paired(screen)?;
        let device = self.device(typed, &list, Some("remove"))?;
        let removed = self.backend.remove_device(device)?;
        if self.json {
            screen.json(&DeviceRemoved {
                device_id: removed.id,
            })?;
        } else {
            screen.line(format_args!("Removed device {}", label(&removed)))?;
        }
        Ok(Exit::Done)
    }

    pub(super) fn rename(
        &self,
        typed: &str,
        name: &str,
        screen: &mut Screen<'_, '_>,
    ) -> Result<Exit, Failure> {
        let list = self.read_paired(screen)?;
        let device = self.device(typed, &list, Some("rename"))?;
        let renamed = self.backend.rename_device(device, name)?;
        if self.json {
            screen.json(&json::DeviceRenamed {
                device_id: renamed.id,
                display_name: renamed.label,
            })?;
        } else {
            screen.line(format_args!("Renamed device {}", label(&renamed)))?;
        }
        Ok(Exit::Done)
    }
}

/// Describes what a device may do now.
fn standing(device: &Device) -> Ask {
    let roles = device.roles.keys().copied();
    let operator = device.standing(Role::Operator);
    let node = device.standing(Role::Node);
    Ask {
        roles: roles
            .filter(|role| device.standing(*role).is_some())
            .collect(),
        scopes: operator
            .map(|operator| operator.scopes.clone())
            .unwrap_or_default(),
        commands: node
            .and_then(|node| node.commands.clone())
            .unwrap_or_default(),
    }
}
