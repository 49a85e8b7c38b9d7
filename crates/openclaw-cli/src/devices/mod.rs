//! `openclaw devices`.

mod clear;
mod decide;
mod join;
mod list;
mod tokens;
mod watch;

use pairing_core::device::{Device, DeviceRequest};
use pairing_core::{DeviceList, NodeList};

use self::watch::Devices;
use crate::args::DevicesCommand;
use crate::backend::Backend;
use crate::console::Screen;
use crate::subject::find;
use crate::watch::{Source, run as watch};
use crate::{Exit, Failure};

/// A command about devices, and how to answer it.
pub(crate) struct Call {
    pub(crate) backend: Backend,
    pub(crate) json: bool,
}

impl Call {
    pub(crate) fn run(
        mut self,
        command: &DevicesCommand,
        screen: &mut Screen<'_, '_>,
    ) -> Result<Exit, Failure> {
        match command {
            DevicesCommand::List => self.list(screen),
            DevicesCommand::Watch => {
                let source = Source::follow(&mut self.backend)?;
                watch(&Devices(&self), source, self.json, screen)
            }
            DevicesCommand::JoinCode => self.join_code(screen),
            DevicesCommand::Approve(None, _) => self.preview(screen),
            DevicesCommand::Approve(Some(request), commands) => {
                self.approve(request, commands.as_ref(), screen)
            }
            DevicesCommand::Reject(request) => self.reject(request, screen),
            DevicesCommand::Remove(device) => self.remove(device, screen),
            DevicesCommand::Clear(clear) => self.clear(*clear, screen),
            DevicesCommand::Rename(device, name) => self.rename(device, name, screen),
            DevicesCommand::Rotate(device, role, scopes) => {
                self.rotate(device, *role, scopes.as_ref(), screen)
            }
            DevicesCommand::Revoke(device, role) => self.revoke(device, *role, screen),
        }
    }

    /// Reads all devices and requests, and warns about what cannot be understood.
    fn read(&self, screen: &mut Screen<'_, '_>) -> Result<DeviceList, Failure> {
        let list = self.backend.devices()?;
        screen.problems(&list.problems);
        Ok(list)
    }

    /// Reads the paired devices, whether or not the requests can be read.
    fn read_paired(&self, screen: &mut Screen<'_, '_>) -> Result<DeviceList, Failure> {
        let list = self.backend.paired_devices()?;
        screen.problems(&list.problems);
        Ok(list)
    }

    /// Finds the request that is meant.
    fn request<'l>(
        &self,
        typed: &str,
        list: &'l DeviceList,
        verb: &str,
    ) -> Result<&'l DeviceRequest, Failure> {
        let found = find(typed, &list.pending).map_err(|error| {
            error.or_instead(|| {
                let other = find(typed, &self.legacy().waiting()).ok()?.id.clone();
                Some(format!(
                    "it is a request of a node: `openclaw nodes {verb} {other}`"
                ))
            })
        });
        Ok(found?)
    }

    /// Finds the device that is meant.
    fn device<'l>(
        &self,
        typed: &str,
        list: &'l DeviceList,
        verb: Option<&str>,
    ) -> Result<&'l Device, Failure> {
        let found = find(typed, &list.paired).map_err(|error| {
            error.or_instead(|| {
                // The id is not repeated, because a node may choose one that means something to a shell.
                find(typed, &self.legacy().paired).ok()?;
                Some(format!("it is a node: `openclaw nodes {}`", verb?))
            })
        });
        Ok(found?)
    }

    /// Reads the legacy nodes; none if they cannot be read.
    fn legacy(&self) -> NodeList {
        self.backend.nodes().unwrap_or_default()
    }
}
