//! Payloads of the gateway.
//!
//! New speech is a message of a person, and nothing else: no edits, no forwards, no messages of bots (unless that is
//! configured), of webhooks, or about the chat itself. An event of a kind that is not known, or that cannot be read,
//! is passed over; its number still counts.

mod interaction;

use std::time::Duration;

use channel_kit::{Inbound, Target, first_bytes};
use pairing_core::Timestamp;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use crate::id::Id;
pub(crate) use interaction::{Interaction, Kind};

/// The longest payload, in bytes. The list of a bot's servers comes with the first event: a hundred bytes for each.
pub(crate) const LONGEST: usize = 4 << 20;

/// The longest name of a session, and the longest token of an interaction, in bytes.
const LONGEST_NAME: usize = 1024;

/// The longest text that is handed on, and the longest name, in bytes: far more than Discord allows. The rest is cut
/// off, so that what waits for a reader is bounded.
const LONGEST_TEXT: usize = 128 << 10;
const LONGEST_PERSON: usize = 1024;

/// The kind of a chat of two. A group without a server has another.
const DIRECT: u32 = 1;

/// A payload.
#[derive(Debug)]
pub(crate) enum Payload {
    /// The first one on a connection: how often to send a heartbeat.
    Hello { interval: Duration },
    /// A heartbeat was received.
    Acknowledged,
    /// The gateway wants a heartbeat now.
    HeartbeatWanted,
    /// The gateway wants the connection replaced.
    Reconnect,
    /// The session is not accepted; whether it may be resumed on another connection.
    InvalidSession { may_resume: bool },
    /// An event, by its number in the session.
    Event { seq: u64, event: Event },
    /// Something else.
    Other,
}

/// An event.
#[derive(Debug)]
pub(crate) enum Event {
    /// A session has begun.
    Ready(Ready),
    /// All events that were missed have come.
    Resumed,
    /// A message, from whomever.
    Message(Message),
    /// A button was pressed, or a command given.
    Interaction(Interaction),
    /// Something that is not asked for, or cannot be read.
    Other,
}

/// A session that has begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ready {
    pub(crate) session: String,
    /// Where it can be resumed, as it was written.
    pub(crate) resume_at: String,
    /// The bot's own user.
    pub(crate) me: Id,
    /// The application that the bot belongs to.
    pub(crate) application: Id,
}

/// A message.
#[derive(Debug)]
pub(crate) struct Message {
    id: Id,
    channel: Id,
    author: User,
    text: String,
    is_direct: bool,
    is_speech: bool,
    is_of_webhook: bool,
}

#[derive(Debug, Deserialize)]
struct User {
    id: Id,
    #[serde(default)]
    bot: bool,
    #[serde(default)]
    system: bool,
    #[serde(default)]
    username: Option<String>,
    #[serde(default)]
    global_name: Option<String>,
}

#[derive(Deserialize)]
struct Head<'p> {
    op: u8,
    #[serde(borrow, default)]
    d: Option<&'p RawValue>,
    #[serde(default)]
    s: Option<u64>,
    #[serde(borrow, default)]
    t: Option<std::borrow::Cow<'p, str>>,
}

/// Reads a payload; `None` where it is none.
pub(crate) fn parse(text: &str) -> Option<Payload> {
    let head: Head<'_> = serde_json::from_str(text).ok()?;
    let data = head.d.map(RawValue::get);
    Some(match head.op {
        0 => Payload::Event {
            seq: head.s?,
            event: event(head.t.as_deref()?, data.unwrap_or_default()),
        },
        1 => Payload::HeartbeatWanted,
        7 => Payload::Reconnect,
        9 => Payload::InvalidSession {
            may_resume: data == Some("true"),
        },
        10 => hello(data?)?,
        11 => Payload::Acknowledged,
        _ => Payload::Other,
    })
}

fn hello(data: &str) -> Option<Payload> {
    #[derive(Deserialize)]
    struct Hello {
        heartbeat_interval: f64,
    }
    // More often would be a flood, and more seldom would notice a dead connection too late.
    const BOUNDS: [Duration; 2] = [Duration::from_millis(20), Duration::from_secs(600)];
    let hello: Hello = read(data)?;
    let interval = channel_kit::http::seconds(hello.heartbeat_interval / 1000.0)?;
    Some(Payload::Hello {
        interval: interval.clamp(BOUNDS[0], BOUNDS[1]),
    })
}

fn event(kind: &str, data: &str) -> Event {
    let found = match kind {
        "READY" => ready(data).map(Event::Ready),
        "RESUMED" => Some(Event::Resumed),
        "MESSAGE_CREATE" => message(data).map(Event::Message),
        "INTERACTION_CREATE" => interaction::interaction(data).map(Event::Interaction),
        _ => None,
    };
    found.unwrap_or(Event::Other)
}

fn ready(data: &str) -> Option<Ready> {
    #[derive(Deserialize)]
    struct Body {
        session_id: String,
        resume_gateway_url: String,
        user: HasId,
        application: HasId,
    }
    #[derive(Deserialize)]
    struct HasId {
        id: Id,
    }
    let body: Body = read(data)?;
    let is_short = |text: &str| text.len() <= LONGEST_NAME;
    (is_short(&body.session_id) && is_short(&body.resume_gateway_url)).then_some(Ready {
        session: body.session_id,
        resume_at: body.resume_gateway_url,
        me: body.user.id,
        application: body.application.id,
    })
}

fn message(data: &str) -> Option<Message> {
    #[derive(Deserialize)]
    struct Body {
        id: Id,
        channel_id: Id,
        author: User,
        #[serde(default)]
        content: String,
        #[serde(rename = "type", default)]
        kind: u32,
        #[serde(default)]
        guild_id: Option<IgnoredAny>,
        #[serde(default)]
        channel_type: Option<u32>,
        #[serde(default)]
        webhook_id: Option<IgnoredAny>,
        #[serde(default)]
        message_reference: Option<Reference>,
    }
    #[derive(Deserialize)]
    struct Reference {
        #[serde(rename = "type", default)]
        kind: u32,
    }
    let body: Body = read(data)?;
    // Somebody has said something, or answered. What somebody passes on they have not said.
    let is_forward = body.message_reference.is_some_and(|about| about.kind == 1);
    Some(Message {
        id: body.id,
        channel: body.channel_id,
        author: body.author,
        text: body.content,
        is_direct: body.guild_id.is_none() && body.channel_type.is_none_or(|kind| kind == DIRECT),
        is_speech: matches!(body.kind, 0 | 19) && !is_forward,
        is_of_webhook: body.webhook_id.is_some(),
    })
}

fn read<'d, T: Deserialize<'d>>(data: &'d str) -> Option<T> {
    serde_json::from_str(data).ok()
}

impl Message {
    pub(crate) fn id(&self) -> &Id {
        &self.id
    }

    /// What there is to hand on, if anything: not the bot's own messages, and those of other bots only where
    /// `allows_bots` says so.
    pub(crate) fn inbound(self, me: &Id, allows_bots: bool, now: Timestamp) -> Option<Inbound> {
        let is_me = self.author.id == *me;
        // A webhook speaks under any name, so nobody vouches for it.
        if !self.is_speech || is_me || self.is_of_webhook || self.author.system {
            return None;
        }
        if self.author.bot && !allows_bots {
            return None;
        }
        let mut message = Inbound::new(
            self.id.to_string(),
            self.author.id.to_string(),
            Target::chat(self.channel.as_str()),
            self.id.made_at().unwrap_or(now),
        );
        message.is_direct = self.is_direct;
        message.text = first_bytes(self.text, LONGEST_TEXT);
        // `historical` stays false: Discord keeps messages while the gateway is away for a moment, and those are still new.
        message.authenticated = true;
        message.meta = self.author.names();
        Some(message)
    }
}

impl User {
    fn names(&self) -> Vec<(String, String)> {
        [
            ("username", &self.username),
            ("globalName", &self.global_name),
        ]
        .into_iter()
        .filter_map(|(name, value)| {
            Some((name.to_owned(), first_bytes(value.clone()?, LONGEST_PERSON)))
        })
        .collect()
    }
}

#[cfg(test)]
mod tests;
