//! `openclaw devices list`.

use gateway_protocol::device::DevicePairList;
use pairing_core::device::{Device, DeviceRequest};

use pairing_core::Timestamp;

use super::Call;
use crate::backend::Backend;
use crate::console::{Rows, Screen};
use crate::subject::{self, enough};
use crate::{Exit, Failure, text};

impl Call {
    pub(super) fn list(&self, screen: &mut Screen<'_, '_>) -> Result<Exit, Failure> {
        let list = self.read(screen)?;
        if self.json {
            screen.json(&DevicePairList::from(&list))?;
            return Ok(Exit::Done);
        }
        let whole = !screen.has_tables();
        if !list.pending.is_empty() {
            screen.title("Pending")?;
            let width = if whole {
                usize::MAX
            } else {
                enough(&list.pending)
            };
            let rows = Rows {
                header: [
                    "Request",
                    "Name",
                    "Platform",
                    "Asks for",
                    "From",
                    "Asked",
                    "Expires in",
                ],
                cells: list
                    .pending
                    .iter()
                    .map(|request| self.pending_row(request, width))
                    .collect(),
                breakable: &[1, 2, 3, 4, 5],
            };
            screen.rows("pending", rows)?;
        }
        if !list.paired.is_empty() {
            screen.title("Paired")?;
            let width = if whole {
                usize::MAX
            } else {
                enough(&list.paired)
            };
            let rows = Rows {
                header: [
                    "Device", "Name", "Platform", "May be", "Approved", "By", "Used",
                ],
                cells: list
                    .paired
                    .iter()
                    .map(|device| self.paired_row(device, width))
                    .collect(),
                breakable: &[1, 2, 3, 4, 5, 6],
            };
            screen.rows("paired", rows)?;
        }
        if list.pending.is_empty() && list.paired.is_empty() {
            screen.remark("No devices, neither pending nor paired.")?;
        }
        Ok(Exit::Done)
    }

    pub(crate) fn pending_row(&self, request: &DeviceRequest, width: usize) -> [String; 7] {
        let now = self.backend.now();
        let name = text::said(request.info.display_name.as_deref());
        let mut asks = text::ask(&request.ask);
        if request.is_repair {
            asks.push_str(" (paired before)");
        }
        [
            subject::start(request.id.as_str(), width),
            name,
            text::platform(&request.info),
            asks,
            origin(request),
            text::ago(now, request.asked_at),
            self.expires_at(request)
                .map_or_else(String::new, |at| text::left(now, at)),
        ]
    }

    fn paired_row(&self, device: &Device, width: usize) -> [String; 7] {
        let now = self.backend.now();
        let last = device.roles.values().max_by_key(|role| role.approved_at);
        let grant = last.and_then(|role| role.grant.as_ref());
        let tokens = device.roles.values().filter_map(|role| role.token.as_ref());
        let used = tokens.filter_map(|token| token.last_used_at).max();
        [
            subject::start(&device.id.to_string(), width),
            text::said(device.name()),
            text::platform(&device.info),
            text::approved(device),
            text::ago(now, device.approved_at),
            text::said(grant.map(|grant| grant.by.as_str())),
            used.map_or_else(String::new, |at| text::ago(now, at)),
        ]
    }

    /// When a request expires; `None` if it was repeated and the gateway does not say.
    pub(super) fn expires_at(&self, request: &DeviceRequest) -> Option<Timestamp> {
        let at = request.refreshed_at + self.backend.request_lifetime();
        let told = matches!(self.backend, Backend::Files(_)) || at > self.backend.now();
        told.then_some(at)
    }
}

/// The address of a request, escaped.
pub(super) fn origin(request: &DeviceRequest) -> String {
    let address = match request.info.remote_ip.as_deref() {
        Some(address) => text::said(Some(address)),
        None => "this machine".to_owned(),
    };
    match request.origin.as_deref() {
        Some(page) => format!("{address}, page {}", pairing_core::quoted(page)),
        None => address,
    }
}
