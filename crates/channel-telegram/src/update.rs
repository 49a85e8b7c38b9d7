//! What came in, out of an answer to `getUpdates`.
//!
//! New speech is a message of a person, and nothing else: no edits, no posts of channels (neither is asked
//! for), no forwards. What somebody passes on they have not said: a forwarded `/pair approve` is nobody's
//! command.

use pairing_core::Timestamp;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use channel_kit::{Inbound, Incoming, MessageId, Pressed, Target};

/// An update, whether or not there is anything in it for us.
#[derive(Debug)]
pub(crate) struct Update {
    pub(crate) id: i64,
    pub(crate) what: Option<Incoming>,
    /// Of a pressed button: the one who pressed it waits for an answer to this.
    pub(crate) query: Option<String>,
}

/// What has to be known to tell what an update is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Context {
    /// The bot's own id.
    pub(crate) me: i64,
    /// What was said before is history.
    pub(crate) since: Timestamp,
}

/// The answer is no list of updates.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// The updates in the order of their ids. One that cannot be made out has only its id, and one without
/// an id is passed over.
pub(crate) fn parse(result: &str, context: Context) -> Result<Vec<Update>, Malformed> {
    let list: Vec<&RawValue> = serde_json::from_str(result).map_err(|_| Malformed)?;
    let found = list.iter().filter_map(|item| update(item.get(), context));
    let mut updates: Vec<_> = found.collect();
    updates.sort_by_key(|update| update.id);
    if updates.is_empty() && !list.is_empty() {
        // We could not acknowledge them, so they would come back for ever.
        return Err(Malformed);
    }
    Ok(updates)
}

fn update(text: &str, context: Context) -> Option<Update> {
    #[derive(Deserialize)]
    struct Head {
        update_id: i64,
    }
    #[derive(Deserialize)]
    struct Query {
        callback_query: QueryHead,
    }
    #[derive(Deserialize)]
    struct QueryHead {
        id: String,
    }
    let Head { update_id } = serde_json::from_str(text).ok()?;
    let body = serde_json::from_str::<Body>(text).ok();
    let query = serde_json::from_str::<Query>(text).ok();
    Some(Update {
        id: update_id,
        what: body.and_then(|body| body.incoming(context)),
        query: query.map(|query| query.callback_query.id),
    })
}

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    message: Option<Heard>,
    #[serde(default)]
    callback_query: Option<CallbackQuery>,
}

/// A number that may be larger than floating point can hold.
#[derive(Deserialize)]
#[serde(untagged)]
enum Id {
    Signed(i64),
    Unsigned(u64),
}

#[derive(Deserialize)]
struct User {
    id: Id,
    #[serde(default)]
    is_bot: bool,
    #[serde(default)]
    first_name: Option<String>,
    #[serde(default)]
    last_name: Option<String>,
    #[serde(default)]
    username: Option<String>,
}

#[derive(Deserialize)]
struct Chat {
    id: Id,
    #[serde(rename = "type", default)]
    kind: String,
}

#[derive(Deserialize)]
struct Heard {
    message_id: i64,
    #[serde(default)]
    date: Option<i64>,
    #[serde(default)]
    from: Option<User>,
    #[serde(default)]
    sender_chat: Option<IgnoredAny>,
    chat: Chat,
    #[serde(default)]
    message_thread_id: Option<i64>,
    #[serde(default)]
    is_topic_message: bool,
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    caption: Option<String>,
    #[serde(flatten)]
    marks: Marks,
}

/// What else may be in a message, of which only matters that it is there.
#[derive(Deserialize)]
#[serde(transparent)]
#[expect(
    clippy::zero_sized_map_values,
    reason = "serde collects the rest of an object in a map"
)]
struct Marks(std::collections::HashMap<String, IgnoredAny>);

impl Marks {
    fn has_any(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.0.contains_key(*name))
    }

    /// By all the names that it has had.
    fn is_forward(&self) -> bool {
        self.has_any(&[
            "forward_origin",
            "forward_date",
            "forward_from",
            "forward_from_chat",
            "forward_sender_name",
            "is_automatic_forward",
        ])
    }

    /// Somebody sent something, if without words. All else is about the chat: who came, what was pinned.
    fn is_sent(&self) -> bool {
        self.has_any(&[
            "animation",
            "audio",
            "contact",
            "dice",
            "document",
            "game",
            "location",
            "paid_media",
            "photo",
            "poll",
            "sticker",
            "story",
            "venue",
            "video",
            "video_note",
            "voice",
        ])
    }
}

#[derive(Deserialize)]
struct CallbackQuery {
    from: User,
    #[serde(default)]
    message: Option<Under>,
    #[serde(default)]
    data: Option<String>,
}

/// The message under which a button was; one that is too old has little else than its id.
#[derive(Deserialize)]
struct Under {
    message_id: i64,
    chat: Chat,
    #[serde(default)]
    message_thread_id: Option<i64>,
    #[serde(default)]
    is_topic_message: bool,
}

impl Body {
    fn incoming(self, context: Context) -> Option<Incoming> {
        if let Some(message) = self.message {
            return message.inbound(context).map(Incoming::Message);
        }
        self.callback_query?.pressed().map(Incoming::Pressed)
    }
}

impl Heard {
    fn inbound(self, context: Context) -> Option<Inbound> {
        let from = self.from?;
        let is_speech = self.text.is_some() || self.caption.is_some() || self.marks.is_sent();
        if !is_speech || self.marks.is_forward() {
            return None;
        }
        let at = self
            .date
            .map(|secs| Timestamp::from_millis(secs.saturating_mul(1000)));
        // An undated message is treated as live.
        let at = at.unwrap_or(context.since);
        let thread = self.message_thread_id.filter(|_| self.is_topic_message);
        let mut message = Inbound::new(
            self.message_id.to_string(),
            from.id.text(),
            Target::chat(self.chat.id.text()).thread(thread.map(|id| id.to_string())),
            at,
        );
        message.is_direct = self.chat.kind == "private";
        message.text = self.text.or(self.caption).unwrap_or_default();
        message.from_me = from.id.is(context.me);
        message.from_bot = from.is_bot;
        message.via_bot = self.marks.has_any(&["via_bot"]);
        message.historical = at < context.since;
        // With `sender_chat` set, `from` is not the real author.
        message.authenticated = self.sender_chat.is_none();
        message.meta = from.names();
        Some(message)
    }
}

impl CallbackQuery {
    fn pressed(self) -> Option<Pressed> {
        let under = self.message?;
        let data = self.data?;
        if self.from.is_bot {
            return None;
        }
        let thread = under.message_thread_id.filter(|_| under.is_topic_message);
        Some(Pressed::new(
            self.from.id.text(),
            MessageId(under.message_id.to_string()),
            Target::chat(under.chat.id.text()).thread(thread.map(|id| id.to_string())),
            data,
        ))
    }
}

impl User {
    fn names(self) -> Vec<(String, String)> {
        [
            ("username", self.username),
            ("firstName", self.first_name),
            ("lastName", self.last_name),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect()
    }
}

impl Id {
    fn text(&self) -> String {
        match self {
            Self::Signed(id) => id.to_string(),
            Self::Unsigned(id) => id.to_string(),
        }
    }

    fn is(&self, other: i64) -> bool {
        matches!(self, Self::Signed(id) if *id == other)
    }
}

#[cfg(test)]
#[path = "update_tests.rs"]
mod tests;
