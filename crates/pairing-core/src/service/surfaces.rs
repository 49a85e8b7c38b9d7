//! Commands that a paired device waits to be approved for as a node, as a gateway of the other program recorded them.

use std::collections::BTreeSet;

use super::nodes::sees_nodes;
use super::transact::{Transaction, list, transact};
use super::{DeviceError, ListError, Nodes};
use crate::device::{Device, NodeRequest, RequestId, Role};
use crate::dm::Decision;
use crate::store::Change;
use crate::{Approver, AuditAction, AuditEvent, AuditSubject, MissingScope, Range, Record};

impl Nodes {
    /// Returns what devices wait to be approved for as nodes, newest first. None of it expires. Without those that
    /// have a pending request, which asks for the same. A device without admin sees none of them.
    ///
    /// Reads all devices. Only OpenClaw's own database gets such requests, from its own gateway.
    pub fn surfaces(&self, viewer: &Approver) -> Result<Vec<NodeRequest>, ListError> {
        if !sees_nodes(viewer) {
            return Ok(Vec::new());
        }
        let (devices, _) = list(self.0.store(), &Range::Devices)?;
        let devices = devices.iter().filter_map(|record| record.as_device());
        let mut waiting: Vec<_> = devices.filter_map(Device::waiting_surface).collect();
        if waiting.is_empty() {
            return Ok(Vec::new());
        }
        let (limits, now) = (&self.0.limits().devices, self.0.now());
        let (requests, _) = list(self.0.store(), &Range::DeviceRequests)?;
        let asking: BTreeSet<_> = requests
            .iter()
            .filter_map(|record| record.as_device_request())
            .filter(|request| request.ask.roles.contains(&Role::Node))
            .filter(|request| !request.is_expired(limits, now))
            .map(|request| request.device)
            .collect();
        waiting.retain(|(device, _)| !asking.contains(&device.id));
        let mut waiting: Vec<_> = waiting
            .into_iter()
            .map(|(_, asked)| asked.clone())
            .collect();
        waiting.sort_by_key(|request| std::cmp::Reverse(request.asked_at));
        Ok(waiting)
    }

    /// Approves the commands that a device waits for, in addition to those approved before, as far as `keep` accepts
    /// them. Its token stays as it is. The required scope is the one that [`approve`](Self::approve) requires.
    pub fn approve_surface(
        &self,
        id: &RequestId,
        keep: &dyn Fn(&str) -> bool,
        approver: &Approver,
    ) -> Result<Device, DeviceError> {
        approver.may_pair()?;
        let device = transact(self.0.store(), |tx| {
            let (mut device, request) = self.waiting(tx, id, approver)?;
            let mut info = request.info;
            info.commands.retain(|name| keep(name));
            let needed = info.approval_scope();
            if !approver.scopes().allows(needed) {
                return Err(MissingScope { scope: needed }.into());
            }
            device.end_surface();
            if let Some(node) = device.roles.get_mut(&Role::Node) {
                let approved = node.commands.get_or_insert_with(BTreeSet::new);
                approved.extend(info.commands);
                node.grant = Some(approver.grant(Some(request.asked_at), self.0.now()));
            }
            Ok::<_, DeviceError>(written(device))
        })?;
        self.audit_surface(AuditAction::Approved, approver, &device, id);
        Ok(device)
    }

    /// Rejects the commands that a device waits for. It stays paired, with the commands approved before, and asks
    /// again as soon as it connects with more.
    pub fn reject_surface(
        &self,
        id: &RequestId,
        approver: &Approver,
    ) -> Result<NodeRequest, DeviceError> {
        approver.may_pair()?;
        let (device, request) = transact(self.0.store(), |tx| {
            let (mut device, request) = self.waiting(tx, id, approver)?;
            device.end_surface();
            let Decision { changes, outcome } = written(device);
            Ok::<_, DeviceError>(Decision {
                changes,
                outcome: (outcome, request),
            })
        })?;
        self.audit_surface(AuditAction::Rejected, approver, &device, id);
        Ok(request)
    }

    /// Returns the device whose waiting commands have this id.
    fn waiting(
        &self,
        tx: &mut Transaction<'_>,
        id: &RequestId,
        approver: &Approver,
    ) -> Result<(Device, NodeRequest), DeviceError> {
        let (devices, _) = list(self.0.store(), &Range::Devices)?;
        let devices = devices.iter().filter_map(|record| record.as_device());
        let mut waiting = devices.filter_map(Device::waiting_surface);
        let found = waiting.find(|(_, asked)| asked.id == *id && sees_nodes(approver));
        let device = found.map(|(device, _)| device.id);
        // The list is no condition of the commit; the device is.
        let device = tx.device(device.ok_or(DeviceError::UnknownRequest)?)?;
        let device = device.ok_or(DeviceError::UnknownRequest)?;
        let request = device.waiting_surface().map(|(_, asked)| asked.clone());
        let request = request.filter(|request| request.id == *id);
        Ok((device, request.ok_or(DeviceError::UnknownRequest)?))
    }

    fn audit_surface(
        &self,
        action: AuditAction,
        approver: &Approver,
        device: &Device,
        request: &RequestId,
    ) {
        let subject = AuditSubject::Device { device: device.id };
        let mut event = AuditEvent::new(self.0.now(), action, approver, subject);
        event.request = Some(request.clone());
        if action == AuditAction::Approved {
            let node = device.roles.get(&Role::Node);
            let commands = node.and_then(|node| node.commands.clone());
            event.commands = commands.filter(|commands| !commands.is_empty());
        }
        self.0.audit(&event);
    }
}

fn written(device: Device) -> Decision<Device> {
    Decision {
        changes: vec![Change::Put(Record::from(device.clone()))],
        outcome: device,
    }
}
