//! Devices that ask, and what became of them.

use std::collections::BTreeMap;

use gateway_protocol::device::PendingDevice;
use gateway_protocol::event::{self, Decision, DeviceResolved};
use pairing_core::device::{Device, DeviceRequest, RequestId};

use super::{Feed, label, without};
use crate::channels::news::News;

impl Feed<'_> {
    pub(super) fn devices(&mut self, now: BTreeMap<RequestId, DeviceRequest>, tell: bool) {
        let before = std::mem::replace(&mut self.seen.devices, now);
        if !tell {
            return;
        }
        for gone in without(&before, &self.seen.devices) {
            self.device_resolved(gone, self.device_decision(gone));
        }
        for new in without(&self.seen.devices, &before) {
            self.shared.metrics.requested("device");
            self.news(News::Asks);
            self.tell(
                event::DEVICE_REQUESTED,
                &PendingDevice::from(new),
                |session| session.may_see_device(new.device),
            );
        }
    }

    /// What became of a request, as the store tells: whoever decided may be another process.
    fn device_decision(&self, gone: &DeviceRequest) -> Decision {
        let (pairing, now) = (&self.shared.pairing, self.shared.pairing.now());
        let mut waiting = self.seen.devices.values();
        if waiting.any(|request| request.device == gone.device) {
            return Decision::Superseded;
        }
        let paired = pairing
            .devices()
            .paired(&self.viewer)
            .unwrap_or_default()
            .paired;
        let device = paired.iter().find(|device| device.id == gone.device);
        let is_approved = |device: &Device| {
            let grants = device.roles.values().map(|role| role.grant.as_ref());
            // Where it is not written down, by another program, the time has to do.
            let is_newer = device.approved_at > gone.asked_at;
            grants.into_iter().any(|grant| match grant {
                Some(grant) => grant.requested_at == Some(gone.asked_at),
                None => is_newer,
            })
        };
        if device.is_some_and(is_approved) {
            Decision::Approved
        } else if gone.is_expired(&pairing.limits().devices, now) {
            Decision::Expired
        } else {
            Decision::Rejected
        }
    }

    fn device_resolved(&self, gone: &DeviceRequest, decision: Decision) {
        self.shared.metrics.decided("device", label(decision));
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
