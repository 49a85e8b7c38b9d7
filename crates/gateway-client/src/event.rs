//! Events, as whoever holds the connection reads them.

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

/// Something happened. Texts are as the gateway wrote them: escape them before a terminal shows them.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ClientEvent {
    /// The gateway is alive.
    Tick(Tick),
    /// The list of connections.
    Presence(PresenceChanged),
    /// A device asks.
    DeviceRequested(PendingDevice),
    /// A device has its answer.
    DeviceResolved(DeviceResolved),
    /// A legacy node asks.
    NodeRequested(PendingNode),
    /// A legacy node has its answer.
    NodeResolved(NodeResolved),
    /// A sender asks.
    DmRequested(DmRequest),
    /// A sender has its answer.
    DmResolved(DmResolved),
    /// Something of what is stored has changed.
    PairingChanged(PairingChanged),
    /// This node is asked to do something.
    InvokeRequest(InvokeRequest),
    /// The gateway is about to end.
    Shutdown(Shutdown),
    /// So many events came while nobody read, and were let go: what is known from events may be out of
    /// date.
    Missed(u64),
    /// An event that this version does not know, or whose payload it cannot read.
    Other {
        /// Its name.
        event: String,
        /// What it carries.
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
