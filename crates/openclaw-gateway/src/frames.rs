//! Serialising frames for clients. A frame is serialised once, and shared by all clients that get it.

use gateway_protocol::{Event, StateVersion};
use serde::Serialize;
use tokio_tungstenite::tungstenite::{Bytes, Utf8Bytes};

/// Serialises an event, without the sequence number that each connection adds.
pub(crate) fn event(name: &str, payload: &impl Serialize) -> Utf8Bytes {
    event_with(name, payload, None)
}

/// The same, with the version of the state that the event stands for.
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

/// Makes a frame of bytes that are JSON.
pub(crate) fn frame(json: Vec<u8>) -> Utf8Bytes {
    // Serde writes only UTF-8.
    Utf8Bytes::try_from(Bytes::from(json)).unwrap_or_default()
}
