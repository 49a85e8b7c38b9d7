//! The parsers of frames and events, for a fuzz target; not part of the interface.

use channel_kit::Incoming;
use pairing_core::Timestamp;
use tokio::time::Instant;

use crate::event::{self, Content};
use crate::frame::{Frame, Kind};
use crate::parts::{Joined, Parts};

/// Joins the events in frames that follow each other; the payloads of those that are complete.
pub fn joined<'f>(frames: impl IntoIterator<Item = &'f [u8]>) -> Vec<Vec<u8>> {
    let mut parts = Parts::default();
    let now = Instant::now();
    let mut whole = Vec::new();
    for bytes in frames {
        let Some(mut frame) = Frame::parse(bytes) else {
            continue;
        };
        if frame.kind() == Kind::Event
            && let Joined::Whole(payload) = parts.join(&mut frame, now)
        {
            whole.push(payload);
            assert!(Frame::parse(&frame.acknowledged().bytes()).is_some());
        }
    }
    whole
}

/// Parses an event: its id, and what is handed on of it.
pub fn event(payload: &[u8]) -> Option<(String, Option<Incoming>)> {
    let event = event::parse(payload)?;
    let what = match event.content {
        Content::Message(message) => message
            .inbound(Timestamp::from_millis(0))
            .map(Incoming::Message),
        Content::Pressed(press) => Some(Incoming::Pressed(press.pressed())),
    };
    Some((event.id.into(), what))
}

/// Escapes a text as it is sent.
pub fn plain(text: &str) -> Vec<String> {
    crate::plain::messages(text)
}
