//! Requests of connected operators for more scopes, so that they can wait for the decision.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use pairing_core::DeviceId;
use pairing_core::device::{DeviceRequest, RequestId};

/// Maximum number of requests that are remembered; the oldest makes room.
const MOST: usize = 256;

/// The requests that were made on connections to this gateway, decided or not. A restart forgets them.
#[derive(Default)]
pub(crate) struct Upgrades(Mutex<VecDeque<DeviceRequest>>);

impl Upgrades {
    /// Remembers a request, the latest one of its device.
    pub(crate) fn note(&self, request: DeviceRequest) {
        let mut requests = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        requests.retain(|known| known.device != request.device);
        if requests.len() >= MOST {
            requests.pop_front();
        }
        requests.push_back(request);
    }

    /// The request with this id, if this device made it.
    pub(crate) fn of(&self, device: DeviceId, id: &RequestId) -> Option<DeviceRequest> {
        let requests = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        requests
            .iter()
            .find(|request| request.device == device && request.id == *id)
            .cloned()
    }
}
