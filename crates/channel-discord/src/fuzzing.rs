//! The parser of gateway payloads, for a fuzz target; not part of the interface.

use channel_kit::Incoming;
use pairing_core::Timestamp;

use crate::event::{self, Event, Kind, Payload};
use crate::id::Id;

/// An event that is handed on: its number, and its content if there is any.
pub type ParsedEvent = (u64, Option<Incoming>);

/// Parses a payload for the bot with this id; `None` if it is no event.
pub fn event(text: &str, me: &str) -> Option<ParsedEvent> {
    let now = Timestamp::from_millis(0);
    let me = Id::parse(me)?;
    let Some(Payload::Event { seq, event }) = event::parse(text) else {
        return None;
    };
    let what = match event {
        Event::Message(message) => message.inbound(&me, false, now).map(Incoming::Message),
        Event::Interaction(interaction) => match &interaction.kind {
            Kind::Button { message, data, .. } => {
                interaction.pressed(message, data).map(Incoming::Pressed)
            }
            Kind::Command { text } => interaction.inbound(text, now).map(Incoming::Message),
        },
        _ => None,
    };
    Some((seq, what))
}

/// Escapes a text as it is sent.
pub fn plain(text: &str) -> Vec<String> {
    crate::plain::messages(text)
}
