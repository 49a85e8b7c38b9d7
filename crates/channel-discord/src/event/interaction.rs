//! Interactions: buttons that were pressed, and commands that were given.

use channel_kit::{Inbound, MessageId, Pressed, Target};
use pairing_core::Timestamp;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::{DIRECT, LONGEST_NAME, User, read};
use crate::id::Id;

/// The text of an inbound command cannot be longer.
const LONGEST_OPTION: usize = 200;

/// The longest data of a button that Discord allows, in characters of one byte.
const LONGEST_DATA: usize = 100;

/// The flag of a message that only one person sees.
const EPHEMERAL: u64 = 1 << 6;

/// The context of a direct chat with the bot. Chats of other people, with or without a server, have others.
const WITH_BOT: u32 = 1;

/// An interaction: it has to be acknowledged within three seconds.
#[derive(Debug)]
pub(crate) struct Interaction {
    pub(crate) id: Id,
    /// For acknowledging and answering it; valid for 15 minutes.
    pub(crate) token: String,
    pub(crate) kind: Kind,
    /// The application that it is for, if that is said.
    application: Option<Id>,
    channel: Id,
    user: User,
    is_direct: bool,
}

/// The kind of an interaction.
#[derive(Debug)]
pub(crate) enum Kind {
    /// A button under a message.
    Button {
        message: Id,
        /// Whether only this person sees the message.
        is_ephemeral: bool,
        data: String,
    },
    /// A command, as it would be typed.
    Command { text: String },
}

pub(super) fn interaction(data: &str) -> Option<Interaction> {
    #[derive(Deserialize)]
    struct Body<'d> {
        id: Id,
        #[serde(rename = "type")]
        kind: u32,
        token: String,
        #[serde(default)]
        application_id: Option<Id>,
        #[serde(default)]
        guild_id: Option<IgnoredAny>,
        #[serde(default)]
        context: Option<u32>,
        #[serde(default)]
        channel: Option<Channel>,
        #[serde(default)]
        channel_id: Option<Id>,
        #[serde(default)]
        user: Option<User>,
        #[serde(default)]
        member: Option<Member>,
        #[serde(borrow)]
        data: &'d RawValue,
        #[serde(default)]
        message: Option<Under>,
    }
    #[derive(Deserialize)]
    struct Channel {
        #[serde(rename = "type", default)]
        kind: Option<u32>,
    }
    #[derive(Deserialize)]
    struct Member {
        user: User,
    }
    #[derive(Deserialize)]
    struct Under {
        id: Id,
        #[serde(default)]
        flags: u64,
    }
    let body: Body<'_> = read(data)?;
    let is_token = body
        .token
        .bytes()
        .all(|b| b.is_ascii_graphic() && !b"/?#%".contains(&b));
    if body.token.is_empty() || body.token.len() > LONGEST_NAME || !is_token {
        return None;
    }
    let kind = match body.kind {
        2 => command(body.data.get())?,
        3 => button(
            body.data.get(),
            body.message.map(|under| (under.id, under.flags))?,
        )?,
        _ => return None,
    };
    let chat = body.channel.and_then(|channel| channel.kind);
    let is_direct = body.guild_id.is_none()
        && body.context.is_none_or(|context| context == WITH_BOT)
        && chat.is_none_or(|kind| kind == DIRECT);
    Some(Interaction {
        id: body.id,
        token: body.token,
        kind,
        application: body.application_id,
        channel: body.channel_id?,
        is_direct,
        user: body.user.or(body.member.map(|member| member.user))?,
    })
}

fn button(data: &str, (message, flags): (Id, u64)) -> Option<Kind> {
    #[derive(Deserialize)]
    struct Data {
        component_type: u32,
        custom_id: String,
    }
    let data: Data = read(data)?;
    let is_button = data.component_type == 2 && data.custom_id.len() <= LONGEST_DATA;
    is_button.then_some(Kind::Button {
        message,
        is_ephemeral: flags & EPHEMERAL != 0,
        data: data.custom_id,
    })
}

/// The command as it would be typed: its name, and its options that are text, in their order.
fn command(data: &str) -> Option<Kind> {
    #[derive(Deserialize)]
    struct Data {
        name: String,
        #[serde(rename = "type", default = "of_text")]
        kind: u32,
        #[serde(default)]
        options: Vec<Given>,
    }
    #[derive(Deserialize)]
    struct Given {
        #[serde(rename = "type")]
        kind: u32,
        #[serde(default)]
        value: Option<serde_json::Value>,
    }
    fn of_text() -> u32 {
        1
    }
    let data: Data = read(data)?;
    // Of the two other kinds, one is about a message and one about a person.
    if data.kind != 1 {
        return None;
    }
    let mut text = format!("/{}", data.name);
    for given in data.options {
        if let (3, Some(serde_json::Value::String(value))) = (given.kind, given.value) {
            text.push(' ');
            text.push_str(value.trim());
        }
    }
    (text.len() <= LONGEST_OPTION).then_some(Kind::Command { text })
}

impl Interaction {
    pub(crate) fn channel(&self) -> &Id {
        &self.channel
    }

    /// Whether it is for an application.
    pub(crate) fn is_for(&self, application: &Id) -> bool {
        self.application
            .as_ref()
            .is_none_or(|own| own == application)
    }

    /// A command as the message that it stands for.
    pub(crate) fn inbound(&self, text: &str, now: Timestamp) -> Option<Inbound> {
        if self.user.bot || self.user.system {
            return None;
        }
        let mut message = Inbound::new(
            self.id.to_string(),
            self.user.id.to_string(),
            Target::chat(self.channel.as_str()),
            self.id.made_at().unwrap_or(now),
        );
        message.is_direct = self.is_direct;
        message.text = text.into();
        message.authenticated = true;
        message.meta = self.user.names();
        Some(message)
    }

    /// The press of a button.
    pub(crate) fn pressed(&self, message: &Id, data: &str) -> Option<Pressed> {
        if self.user.bot || self.user.system {
            return None;
        }
        Some(Pressed::new(
            self.user.id.to_string(),
            MessageId(message.to_string()),
            Target::chat(self.channel.as_str()),
            data,
        ))
    }
}
