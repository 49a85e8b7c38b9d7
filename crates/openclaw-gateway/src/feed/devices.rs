//! Events about requests of devices.

use std::collections::BTreeMap;

use gateway_protocol::device::PendingDevice;
use gateway_protocol::event::{self, Decision, DeviceResolved};
use pairing_core::device::{DeviceRequest, RequestId};

use super::{Feed, News, label, outcome, without};

impl Feed<'_> {
    pub(super) fn devices(&mut self, now: BTreeMap<RequestId, DeviceRequest>, tell: bool) {
        let before = std::mem::replace(&mut self.seen.devices, now);
        if !tell {
            return;
        }
        let mut unknown = Vec::new();
        for gone in without(&before, &self.seen.devices) {
            let waiting = self.seen.devices.values();
            match outcome::of_device(&self.parts.pairing, &self.viewer, waiting, gone) {
                Ok(decision) => self.device_resolved(gone, decision),
                Err(_) => unknown.push((gone.id.clone(), gone.clone())),
            }
        }
        for new in without(&self.seen.devices, &before) {
            self.parts.metrics.requested("device");
            self.news(News::Asks);
            self.tell(
                event::DEVICE_REQUESTED,
                &PendingDevice::from(new),
                |session| session.may_see_device(new.device),
            );
        }
        // How these ended is told once the store can be read.
        if !unknown.is_empty() {
            self.stale.devices(false);
        }
        self.seen.devices.extend(unknown);
    }

    fn device_resolved(&self, gone: &DeviceRequest, decision: Decision) {
        self.parts.metrics.decided("device", label(decision));
        self.news(News::Device(Box::new(gone.clone()), decision));
        let resolved = DeviceResolved {
            request_id: gone.id.clone(),
            device_id: gone.device,
            decision,
            ts: self.now(),
        };
        self.tell(event::DEVICE_RESOLVED, &resolved, |session| {
            session.may_see_device(gone.device)
        });
    }
}
