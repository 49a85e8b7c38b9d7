//! What the gateway itself is told of requests, as they come and go, whoever decides about them.

use gateway_protocol::event::Decision;
use pairing_core::device::DeviceRequest;
use pairing_core::store::PendingRequest;

/// One piece of news.
#[derive(Debug, Clone)]
pub(crate) enum News {
    /// Somebody asks, or a code has been used.
    Asks,
    /// A request of a device has ended so.
    Device(Box<DeviceRequest>, Decision),
    /// A request of a sender has.
    Sender(Box<PendingRequest>, Decision),
}

/// Capacity of the queue. A receiver that misses some reads the store instead.
pub(crate) const WAITING: usize = 64;
