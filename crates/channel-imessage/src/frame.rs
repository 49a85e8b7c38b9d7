//! What `imsg rpc` writes: answers and notifications, one a line.

use channel_kit::{Handle, Inbound, Target, first_bytes};
use pairing_core::{Timestamp, escape};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use std::time::Duration;

/// The longest line that is read, in bytes.
pub(crate) const LINE: usize = 1 << 20;

/// The longest text that is handed on, in bytes.
const LONGEST_TEXT: usize = 64 << 10;

/// The longest name of a message or a chat, in bytes.
const LONGEST_NAME: usize = 256;

/// The longest explanation that is passed on, in characters.
const EXPLANATION: usize = 200;

/// What was written so long ago is history: Messages may deliver old messages after a long time without a network.
const HISTORY: Duration = Duration::from_secs(2 * 3600);

/// One line.
#[derive(Debug)]
pub(crate) enum Frame {
    /// The answer to a request.
    Answer {
        id: u64,
        outcome: Result<Value, Refusal>,
    },
    /// A new message of a person.
    Message(Box<Message>),
    /// The watch has failed.
    WatchFailed(String),
}

/// The program refuses a request. Its words are escaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: i64,
    pub(crate) message: String,
}

/// What a person wrote.
#[derive(Debug)]
pub(crate) struct Message {
    /// Its number in the database of Messages.
    pub(crate) row: Option<i64>,
    /// Its name, which no other message has.
    pub(crate) guid: String,
    sender: Handle,
    /// The chat, if it is a group.
    group: Option<Target>,
    is_sms: bool,
    text: String,
    at: Option<Timestamp>,
}

/// Reads a line. `None` for everything that means nothing here.
pub(crate) fn parse(line: &[u8]) -> Option<Frame> {
    #[derive(Deserialize)]
    struct Line {
        #[serde(default)]
        id: Option<Value>,
        #[serde(default)]
        method: Option<String>,
        #[serde(default)]
        params: Value,
        #[serde(default)]
        result: Value,
        #[serde(default)]
        error: Option<Value>,
    }
    let line: Line = serde_json::from_slice(line).ok()?;
    match line.method.as_deref() {
        Some("message") => {
            let mut params = line.params;
            // Releases before 0.4 put the message into `params` itself.
            let message = match params.get_mut("message") {
                Some(message) => message.take(),
                None => params,
            };
            message_of(message).map(|message| Frame::Message(Box::new(message)))
        }
        Some("error") => Some(Frame::WatchFailed(
            refusal(line.params.get("error").unwrap_or(&line.params)).message,
        )),
        Some(_) => None,
        None => {
            let id = line.id?;
            let id = id.as_u64().or_else(|| id.as_str()?.parse().ok())?;
            let outcome = match line.error {
                Some(error) => Err(refusal(&error)),
                None => Ok(line.result),
            };
            Some(Frame::Answer { id, outcome })
        }
    }
}

fn refusal(error: &Value) -> Refusal {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    // The reason is in `data`, if there is one: `message` names the kind of failure alone.
    let message = match (text(&error["message"]), text(&error["data"])) {
        (Some(message), Some(data)) => format!("{message}: {data}"),
        (message, data) => message
            .or(data)
            .unwrap_or_else(|| "no reason is given".to_owned()),
    };
    Refusal {
        code: error["code"].as_i64().unwrap_or_default(),
        message: escape(&message).limit(EXPLANATION).to_string(),
    }
}

fn message_of(value: Value) -> Option<Message> {
    #[derive(Deserialize)]
    struct Said {
        #[serde(default)]
        id: Option<i64>,
        #[serde(default)]
        guid: Option<String>,
        #[serde(default)]
        chat_id: Option<i64>,
        #[serde(default)]
        chat_guid: Option<String>,
        #[serde(default)]
        sender: Option<String>,
        is_from_me: bool,
        #[serde(default)]
        is_group: Option<bool>,
        #[serde(default)]
        chat_identifier: Option<String>,
        #[serde(default)]
        participants: Option<Vec<IgnoredAny>>,
        #[serde(default)]
        service: Option<String>,
        #[serde(default)]
        text: Option<String>,
        #[serde(default)]
        attachments: Option<Vec<IgnoredAny>>,
        #[serde(default)]
        is_reaction: Option<bool>,
        #[serde(default)]
        created_at: Option<String>,
    }
    let said: Said = serde_json::from_value(value).ok()?;
    let text = said.text.unwrap_or_default();
    let has_content = !text.is_empty() || said.attachments.is_some_and(|files| !files.is_empty());
    if said.is_from_me || said.is_reaction == Some(true) || !has_content {
        return None;
    }
    let chat_guid = said.chat_guid.filter(|guid| !guid.is_empty());
    let service = said
        .service
        .as_deref()
        .or_else(|| chat_guid.as_deref()?.split(';').next());
    let is_sms = service.is_some_and(|service| {
        ["sms", "rcs"]
            .iter()
            .any(|other| service.eq_ignore_ascii_case(other))
    });
    // One sign of a group is enough: what is said in a group must never count as said in private.
    let is_group = said.is_group == Some(true)
        || chat_guid
            .as_deref()
            .is_some_and(|guid| guid.contains(";+;"))
        || said.chat_identifier.as_deref().is_some_and(is_of_group)
        || said.participants.is_some_and(|people| people.len() > 1);
    let group = match (is_group, said.chat_id, chat_guid) {
        (false, ..) => None,
        (true, Some(id), _) => Some(Target::chat(format!("chat_id:{id}"))),
        (true, None, Some(guid)) if guid.len() <= LONGEST_NAME => {
            Some(Target::chat(format!("chat_guid:{guid}")))
        }
        (true, None, _) => return None,
    };
    let guid = said.guid.filter(|guid| !guid.is_empty());
    let guid = guid.or_else(|| said.id.map(|row| format!("row:{row}")))?;
    (guid.len() <= LONGEST_NAME).then_some(())?;
    Some(Message {
        row: said.id,
        guid,
        sender: Handle::parse(said.sender.as_deref()?)?,
        group,
        is_sms,
        text: first_bytes(text, LONGEST_TEXT),
        at: said.created_at.and_then(|at| Timestamp::parse(&at).ok()),
    })
}

/// Whether the identifier of a chat is that of a group: Messages names them `chat` and a number. A direct chat has the
/// handle of its person.
fn is_of_group(identifier: &str) -> bool {
    let number = identifier.strip_prefix("chat");
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

impl Message {
    /// What is handed on. Text messages count as authenticated if `trusts_sms`.
    pub(crate) fn inbound(self, now: Timestamp, trusts_sms: bool) -> Inbound {
        // An undated message is treated as live.
        let at = self.at.unwrap_or(now);
        Inbound {
            id: self.guid,
            is_direct: self.group.is_none(),
            chat: self
                .group
                .unwrap_or_else(|| Target::chat(self.sender.as_str())),
            sender: self.sender.as_str().to_owned(),
            also: Vec::new(),
            text: self.text,
            at,
            from_me: false,
            from_bot: false,
            via_bot: false,
            historical: at + HISTORY < now,
            authenticated: trusts_sms || !self.is_sms,
            meta: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_identifier_of_a_group_is_enough_of_a_sign() {
        let is_direct = |identifier: &str| {
            let line = json!({ "method": "message", "params": { "message": {
                "id": 1, "guid": "A", "chat_id": 7, "sender": "+15550001111", "is_from_me": false, "is_group": false,
                "chat_identifier": identifier, "text": "x",
            } } });
            match parse(line.to_string().as_bytes()) {
                Some(Frame::Message(message)) => {
                    message.inbound(Timestamp::from_millis(0), false).is_direct
                }
                other => panic!("{other:?}"),
            }
        };
        assert!(!is_direct("chat726354"));
        for identifier in [
            "",
            "+15550001111",
            "chat@example.org",
            "chat",
            "chat7@example.org",
        ] {
            assert!(is_direct(identifier), "{identifier}");
        }
    }
}
