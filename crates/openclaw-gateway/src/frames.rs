//! Serialises what is sent to clients. A frame is serialised once, and shared by all that it goes to.

use gateway_protocol::{Event, StateVersion};
use serde::Serialize;
use tokio_tungstenite::tungstenite::{Bytes, Utf8Bytes};

/// An event, without the number that each connection gives its own events.
pub(crate) fn event(name: &str, payload: &impl Serialize) -> Utf8Bytes {
    event_with(name, payload, None)
}

/// The same, with the number of the snapshot that it stands for.
pub(crate) fn event_with(
    name: &str,
    payload: &impl Serialize,
    state_version: Option<StateVersion>,
) -> Utf8Bytes {
    let event = Event {
        event: name,
        payload: Some(payload),
        seq: None,
        state_version,
    };
    frame(serde_json::to_vec(&event).unwrap_or_default())
}

/// A frame made of bytes that are JSON.
pub(crate) fn frame(json: Vec<u8>) -> Utf8Bytes {
    // Serde writes nothing but UTF-8.
    Utf8Bytes::try_from(Bytes::from(json)).unwrap_or_default()
}
