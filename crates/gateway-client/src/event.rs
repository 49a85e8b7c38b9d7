//! Events of a connection, as its user reads them.

use gateway_protocol::device::PendingDevice;
use gateway_protocol::dm::DmRequest;
use gateway_protocol::event::{
    self, DeviceResolved, DmResolved, NodeResolved, PairingChanged, PresenceChanged, Shutdown, Tick,
};
use gateway_protocol::invoke::InvokeRequest;
use gateway_protocol::node::PendingNode;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

/// An event from the gateway. Texts are as the gateway wrote them: escape them before a terminal shows them.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ClientEvent {
    /// Periodic sign that the gateway is alive.
    Tick(Tick),
    /// The list of connections has changed.
    Presence(PresenceChanged),
    /// A device requests pairing.
    DeviceRequested(PendingDevice),
    /// A device's request has been resolved.
    DeviceResolved(DeviceResolved),
    /// A legacy node requests pairing.
    NodeRequested(PendingNode),
    /// A legacy node's request has been resolved.
    NodeResolved(NodeResolved),
    /// A sender requests pairing.
    DmRequested(DmRequest),
    /// A sender's request has been resolved.
    DmResolved(DmResolved),
    /// Stored pairing data has changed.
    PairingChanged(PairingChanged),
    /// This node is asked to execute a command.
    InvokeRequest(InvokeRequest),
    /// The gateway is about to shut down.
    Shutdown(Shutdown),
    /// Number of events dropped because they were not read: state derived from events may be out of date.
    Missed(u64),
    /// An event that this version does not know, or whose payload it cannot parse.
    Other {
        /// Name of the event.
        event: String,
        /// Payload of the event.
        payload: Value,
    },
}

impl ClientEvent {
    pub(crate) fn read(event: String, payload: Option<&RawValue>) -> Self {
        let text = payload.map_or("null", RawValue::get);
        let known = match event.as_str() {
            event::TICK => known(text, Self::Tick),
            event::PRESENCE => known(text, Self::Presence),
            event::DEVICE_REQUESTED => known(text, Self::DeviceRequested),
            event::DEVICE_RESOLVED => known(text, Self::DeviceResolved),
            event::NODE_REQUESTED => known(text, Self::NodeRequested),
            event::NODE_RESOLVED => known(text, Self::NodeResolved),
            event::DM_REQUESTED => known(text, Self::DmRequested),
            event::DM_RESOLVED => known(text, Self::DmResolved),
            event::PAIRING_CHANGED => known(text, Self::PairingChanged),
            event::INVOKE_REQUEST => known(text, Self::InvokeRequest),
            event::SHUTDOWN => known(text, Self::Shutdown),
            _ => None,
        };
        known.unwrap_or_else(|| Self::Other {
            event,
            payload: serde_json::from_str(text).unwrap_or_default(),
        })
    }
}

fn known<T: DeserializeOwned>(
    text: &str,
    of: impl FnOnce(T) -> ClientEvent,
) -> Option<ClientEvent> {
    serde_json::from_str(text).ok().map(of)
}
