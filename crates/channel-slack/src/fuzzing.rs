//! The parser of frames, for a fuzz target; not part of the interface.

use channel_kit::Incoming;
use pairing_core::Timestamp;

use crate::envelope::{self, Content, Frame, Home, Me};
use crate::id::Id;

/// An envelope: its id, and what is handed on of it.
pub type ParsedEnvelope = (String, Option<Incoming>);

/// Parses a frame for the bot with this user id; `None` if it is no envelope.
pub fn envelope(text: &str, me: &str) -> Option<ParsedEnvelope> {
    let now = Timestamp::from_millis(0);
    let me = Me {
        user: Id::parse(me)?,
        bot: None,
        home: Home::default(),
    };
    let Some(Frame::Envelope(envelope)) = envelope::parse(text) else {
        return None;
    };
    let what = match envelope.content {
        Content::Message(_, message) => message.inbound(&me, false, now).map(Incoming::Message),
        Content::Pressed(press) => press.pressed(&me).map(Incoming::Pressed),
        Content::Command(command) => Some(Incoming::Message(command.inbound(&envelope.id, now))),
        Content::Other => None,
    };
    Some((envelope.id.into(), what))
}

/// Escapes a text as it is sent.
pub fn plain(text: &str) -> Vec<String> {
    crate::plain::messages(text)
}

/// What was typed, out of what Slack makes of it.
pub fn typed(text: &str) -> String {
    crate::plain::typed(text)
}
