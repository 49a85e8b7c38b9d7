//! What Slack sends in Socket Mode: greetings, announcements, and envelopes with something in them.
//!
//! New speech is a message of a person, and nothing else: no edits, no messages of apps (unless that is configured) or
//! about the chat. An envelope whose content is not known, or cannot be read, is acknowledged and passed over.

mod command;
mod message;
mod pressed;

use std::borrow::Cow;

use channel_kit::first_bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

pub(crate) use command::Command;
pub(crate) use message::{Home, Me, Message};
pub(crate) use pressed::Press;

/// The longest text of a frame, in bytes. A message has at most 40,000 characters, and comes with all its blocks.
pub(crate) const LONGEST: usize = 4 << 20;

/// The longest text that is handed on, and the longest name, in bytes. The rest is cut off, so that what waits for a reader
/// is bounded.
const LONGEST_TEXT: usize = 128 << 10;
const LONGEST_NAME: usize = 256;

/// The longest id of an envelope and of an event, in bytes.
const LONGEST_ID: usize = 256;

/// A frame.
#[derive(Debug)]
pub(crate) enum Frame {
    /// The first one on a connection: it is ready.
    Hello,
    /// The connection is about to end.
    Disconnect(Reason),
    /// Something that has to be acknowledged.
    Envelope(Envelope),
    /// Something else.
    Other,
}

/// Why a connection is about to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// Another one is wanted in its place.
    Replaced,
    /// Socket Mode was turned off for the app.
    LinkDisabled,
}

/// Something that has to be acknowledged, by its id.
#[derive(Debug)]
pub(crate) struct Envelope {
    pub(crate) id: Box<str>,
    pub(crate) content: Content,
}

/// What is in an envelope.
#[derive(Debug)]
pub(crate) enum Content {
    /// A message, by the id of its event, which is the same when the event is sent again.
    Message(Box<str>, Box<Message>),
    /// A button was pressed.
    Pressed(Box<Press>),
    /// A slash command.
    Command(Box<Command>),
    /// Something that is not asked for, or cannot be read.
    Other,
}

#[derive(Deserialize)]
struct Head<'f> {
    #[serde(rename = "type", borrow, default)]
    kind: Option<Cow<'f, str>>,
    #[serde(default)]
    envelope_id: Option<String>,
    #[serde(borrow, default)]
    reason: Option<Cow<'f, str>>,
    #[serde(borrow, default)]
    payload: Option<&'f RawValue>,
}

/// Reads a frame; `None` where it is none.
pub(crate) fn parse(text: &str) -> Option<Frame> {
    let head: Head<'_> = read(text)?;
    let kind = head.kind.as_deref().unwrap_or_default();
    if let Some(id) = head.envelope_id {
        if id.is_empty() || id.len() > LONGEST_ID {
            return None;
        }
        let payload = head.payload.map_or("", RawValue::get);
        let content = match kind {
            "events_api" => event(payload),
            "interactive" => pressed::press(payload).map(|press| Content::Pressed(Box::new(press))),
            "slash_commands" => {
                command::command(payload).map(|command| Content::Command(Box::new(command)))
            }
            _ => None,
        };
        return Some(Frame::Envelope(Envelope {
            id: id.into(),
            content: content.unwrap_or(Content::Other),
        }));
    }
    Some(match kind {
        "hello" => Frame::Hello,
        "disconnect" => Frame::Disconnect(match head.reason.as_deref() {
            Some("link_disabled") => Reason::LinkDisabled,
            // `warning`, `refresh_requested`, and what may come to be.
            _ => Reason::Replaced,
        }),
        _ => Frame::Other,
    })
}

fn event(payload: &str) -> Option<Content> {
    #[derive(Deserialize)]
    struct Body<'p> {
        event_id: String,
        #[serde(borrow)]
        event: &'p RawValue,
        #[serde(default)]
        authorizations: Option<Vec<message::Authorization>>,
    }
    let body: Body<'_> = read(payload)?;
    if body.event_id.is_empty() || body.event_id.len() > LONGEST_ID {
        return None;
    }
    let mut message = message::message(body.event.get())?;
    message.authorizations = body.authorizations.unwrap_or_default();
    Some(Content::Message(body.event_id.into(), Box::new(message)))
}

fn name(text: String) -> Option<String> {
    (!text.trim().is_empty()).then(|| first_bytes(text, LONGEST_NAME))
}

fn read<'d, T: Deserialize<'d>>(data: &'d str) -> Option<T> {
    serde_json::from_str(data).ok()
}

#[cfg(test)]
mod tests;
