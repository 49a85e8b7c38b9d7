//! Messages.

use channel_kit::{Inbound, Target, first_bytes};
use pairing_core::Timestamp;
use serde::Deserialize;

use super::{LONGEST_TEXT, read};
use crate::id::Id;

/// Maximum number of mentions in a message that are shown by name.
const MENTIONS: usize = 50;

/// A message.
#[derive(Debug)]
pub(crate) struct Message {
    sender: Id,
    /// The sender's id for all apps of the same maker.
    union: Option<Id>,
    id: Id,
    chat: Id,
    is_direct: bool,
    is_person: bool,
    text: String,
    at: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Mention {
    key: String,
    name: String,
}

pub(super) fn message(event: &str) -> Option<Message> {
    #[derive(Deserialize)]
    struct Body {
        sender: Sender,
        message: Said,
    }
    #[derive(Deserialize)]
    struct Sender {
        sender_id: Ids,
        sender_type: String,
    }
    #[derive(Deserialize)]
    struct Ids {
        open_id: String,
        #[serde(default)]
        union_id: Option<String>,
    }
    #[derive(Deserialize)]
    struct Said {
        message_id: Id,
        chat_id: Id,
        chat_type: String,
        message_type: String,
        #[serde(default)]
        create_time: Option<String>,
        #[serde(default)]
        content: String,
        #[serde(default)]
        mentions: Option<Vec<Mention>>,
    }
    let Body { sender, message } = read(event)?;
    let text = match message.message_type.as_str() {
        "text" => text(&message.content),
        "post" => post(&message.content),
        // A picture, a file and the like: somebody has written, and said nothing in words.
        _ => Some(String::new()),
    };
    let at = message.create_time.and_then(|millis| millis.parse().ok());
    Some(Message {
        // The user id is left out: administrators choose it, so it could be made to look like an id of another person.
        sender: Id::with("ou_", &sender.sender_id.open_id)?,
        union: sender
            .sender_id
            .union_id
            .and_then(|id| Id::with("on_", &id)),
        is_person: sender.sender_type == "user",
        id: message.message_id,
        chat: message.chat_id,
        is_direct: message.chat_type == "p2p",
        text: named(text?, message.mentions.unwrap_or_default()),
        at: at.map(Timestamp::from_millis),
    })
}

fn text(content: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Content {
        text: String,
    }
    read::<Content>(content).map(|content| content.text)
}

/// The words of a message with styles, line by line.
fn post(content: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Content {
        #[serde(default)]
        title: String,
        #[serde(default)]
        content: Vec<Vec<Element>>,
    }
    #[derive(Deserialize)]
    struct Element {
        #[serde(default)]
        tag: String,
        #[serde(default)]
        text: Option<String>,
        #[serde(default)]
        href: Option<String>,
        #[serde(default)]
        user_name: Option<String>,
    }
    let Content { title, content } = read(content)?;
    let mut text = title;
    for line in content {
        if !text.is_empty() {
            text.push('\n');
        }
        for element in line {
            let words = element.text.unwrap_or_default();
            text.push_str(&words);
            match element.tag.as_str() {
                // A link is shown with its address, unless that is what was written.
                "a" => {
                    if let Some(href) = element.href.filter(|href| *href != words) {
                        text.extend([" (", &href, ")"]);
                    }
                }
                "at" => {
                    text.push('@');
                    text.push_str(&element.user_name.unwrap_or_default());
                }
                _ => {}
            }
        }
    }
    Some(text)
}

/// A text with the names of those who are mentioned, in place of `@_user_1` and the like.
fn named(text: String, mut mentions: Vec<Mention>) -> String {
    let text = first_bytes(text, LONGEST_TEXT);
    mentions.retain(|mention| mention.key.starts_with("@_user_") && mention.key.len() < 20);
    mentions.truncate(MENTIONS);
    let mut named = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(at) = rest.find("@_user_") {
        let (before, from) = rest.split_at(at);
        named.push_str(before);
        // `@_user_10` is not `@_user_1` with a zero behind it.
        let found = mentions
            .iter()
            .filter(|mention| from.starts_with(&mention.key));
        let found = found.max_by_key(|mention| mention.key.len());
        named.push('@');
        named.push_str(found.map_or("", |mention| &mention.name));
        let used = found.map_or(1, |mention| mention.key.len());
        rest = from.get(used..).unwrap_or_default();
    }
    named.push_str(rest);
    first_bytes(named, LONGEST_TEXT)
}

impl Message {
    /// What there is to hand on, if anything: nothing of bots.
    pub(crate) fn inbound(self, now: Timestamp) -> Option<Inbound> {
        if !self.is_person {
            return None;
        }
        // A person is written to by their id. So a direct chat has one name, whether they have written or not.
        let chat = if self.is_direct {
            self.sender.as_str()
        } else {
            self.chat.as_str()
        };
        let mut message = Inbound::new(
            self.id.to_string(),
            self.sender.to_string(),
            Target::chat(chat),
            self.at.unwrap_or(now),
        );
        message.also = self.union.iter().map(Id::to_string).collect();
        message.is_direct = self.is_direct;
        message.text = self.text;
        // `historical` stays false: Feishu keeps messages while the gateway is away, and those are still new.
        message.authenticated = true;
        Some(message)
    }
}
