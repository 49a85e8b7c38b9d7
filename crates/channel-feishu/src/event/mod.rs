//! What Feishu sends as events: messages, and buttons that were pressed.
//!
//! An event whose kind is not known, or that cannot be read, is acknowledged and passed over.

mod message;
mod pressed;

use serde::Deserialize;
use serde_json::value::RawValue;

pub(crate) use message::Message;
pub(crate) use pressed::Press;

/// The longest text that is handed on, in bytes. The rest is cut off, so that what waits for a reader is bounded.
const LONGEST_TEXT: usize = 128 << 10;

/// The longest id of an event, in bytes.
const LONGEST_ID: usize = 256;

/// An event, by the id that it has again when it is sent again.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) id: Box<str>,
    pub(crate) content: Content,
}

/// What is in an event.
#[derive(Debug)]
pub(crate) enum Content {
    /// A message.
    Message(Box<Message>),
    /// A button was pressed.
    Pressed(Box<Press>),
}

/// Reads an event; `None` where it is not asked for, or cannot be read.
pub(crate) fn parse(payload: &[u8]) -> Option<Event> {
    #[derive(Deserialize)]
    struct Body<'p> {
        header: Header,
        #[serde(borrow)]
        event: &'p RawValue,
    }
    #[derive(Deserialize)]
    struct Header {
        event_id: String,
        event_type: String,
    }
    let body: Body<'_> = serde_json::from_slice(payload).ok()?;
    let id = body.header.event_id;
    if id.is_empty() || id.len() > LONGEST_ID {
        return None;
    }
    let content = match body.header.event_type.as_str() {
        "im.message.receive_v1" => Content::Message(Box::new(message::message(body.event.get())?)),
        "card.action.trigger" => Content::Pressed(Box::new(pressed::press(body.event.get())?)),
        _ => return None,
    };
    Some(Event {
        id: id.into(),
        content,
    })
}

fn read<'d, T: Deserialize<'d>>(data: &'d str) -> Option<T> {
    serde_json::from_str(data).ok()
}

#[cfg(test)]
mod tests;
