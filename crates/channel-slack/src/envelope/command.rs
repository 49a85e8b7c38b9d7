//! Slash commands.

use channel_kit::{Inbound, Target};
use pairing_core::Timestamp;
use serde::Deserialize;

use super::{Home, Me, name, read};
use crate::id::Id;
use crate::plain;

/// The text of an inbound command cannot be longer, in bytes.
const LONGEST: usize = 1000;

/// A slash command, as it was typed.
#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) user: Id,
    pub(crate) channel: Id,
    text: String,
    user_name: Option<String>,
    home: Home,
}

pub(super) fn command(payload: &str) -> Option<Command> {
    #[derive(Deserialize)]
    struct Body {
        command: String,
        #[serde(default)]
        text: Option<String>,
        user_id: Id,
        #[serde(default)]
        user_name: Option<String>,
        channel_id: Id,
        #[serde(flatten)]
        home: Home,
    }
    let body: Body = read(payload)?;
    let what = plain::typed(&body.text.unwrap_or_default());
    let text = format!("{} {}", body.command, what.trim());
    let text = text.trim_end();
    (text.starts_with('/') && text.len() <= LONGEST).then(|| Command {
        user: body.user_id,
        channel: body.channel_id,
        text: text.to_owned(),
        user_name: body.user_name.and_then(name),
        home: body.home,
    })
}

impl Command {
    /// Whether it was given where the bot is.
    pub(crate) fn is_for(&self, me: &Me) -> bool {
        me.home.is_home_of(&self.home)
    }

    /// A command as the message that it stands for, by the id of its envelope.
    pub(crate) fn inbound(self, id: &str, now: Timestamp) -> Inbound {
        let username = self.user_name.map(|name| ("username".to_owned(), name));
        let mut message = Inbound::new(
            id,
            self.user.to_string(),
            Target::chat(self.channel.as_str()),
            now,
        );
        message.is_direct = self.channel.is_direct_chat();
        message.text = self.text;
        message.authenticated = true;
        message.meta = username.into_iter().collect();
        message
    }
}
