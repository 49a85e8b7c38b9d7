//! Messages, as the server describes them in webhooks and in its answers.

use channel_kit::{Handle as Name, Inbound, Target, first_bytes};
use pairing_core::Timestamp;
use serde::Deserialize;
use serde_json::Value;

/// The longest text that is handed on, in bytes.
const LONGEST_TEXT: usize = 64 << 10;

/// The longest id of a message or a chat, in bytes.
const LONGEST_ID: usize = 512;

/// What the apps put in the place of an attachment.
const ATTACHMENT: char = '\u{fffc}';

/// A new message of a person.
#[derive(Clone)]
pub(crate) struct Message {
    /// The id of the message.
    pub(crate) guid: String,
    /// The time that the server says, in milliseconds since 1970.
    pub(crate) at: i64,
    sender: String,
    chat: String,
    is_direct: bool,
    /// Whether it is a text message, whose sender can be forged.
    is_sms: bool,
    text: String,
}

/// What a webhook delivers.
pub(crate) enum Event {
    New(Message),
    /// Something else: a receipt, an edit, a message of one's own.
    Other,
    /// It is not what a server sends.
    Malformed,
}

/// Reads the body of a webhook.
pub(crate) fn event(body: &[u8]) -> Event {
    #[derive(Deserialize)]
    struct Body {
        r#type: String,
        #[serde(default)]
        data: Value,
    }
    let Ok(body) = serde_json::from_slice::<Body>(body) else {
        return Event::Malformed;
    };
    if body.r#type != "new-message" {
        return Event::Other;
    }
    match Content::read(body.data) {
        Some(content) => content.message().map_or(Event::Other, Event::New),
        None => Event::Malformed,
    }
}

/// What the server says of a message.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Content {
    guid: String,
    pub(crate) date_created: i64,
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    is_from_me: Option<bool>,
    #[serde(default)]
    handle: Option<Handle>,
    #[serde(default)]
    chats: Option<Vec<Chat>>,
    #[serde(default)]
    attachments: Option<Vec<serde::de::IgnoredAny>>,
    #[serde(default)]
    associated_message_type: Value,
    #[serde(default)]
    item_type: Value,
    #[serde(default)]
    group_action_type: Value,
    #[serde(default)]
    date_edited: Value,
    #[serde(default)]
    date_retracted: Value,
}

#[derive(Deserialize)]
struct Handle {
    address: String,
    #[serde(default)]
    service: Option<String>,
}

#[derive(Deserialize)]
struct Chat {
    guid: String,
}

impl Content {
    /// Reads it; `None` if something that every message has is missing or of another type.
    pub(crate) fn read(value: Value) -> Option<Self> {
        let content: Self = serde_json::from_value(value).ok()?;
        let is_id =
            |id: &str| !id.is_empty() && id.len() <= LONGEST_ID && !id.contains(char::is_control);
        let mut chats = content.chats.iter().flatten();
        let is_sound = is_id(&content.guid)
            && content.date_created >= 0
            && chats.all(|chat| is_id(&chat.guid));
        is_sound.then_some(content)
    }

    /// The message, if it is a new one of a person.
    pub(crate) fn message(self) -> Option<Message> {
        let is_something_else = [
            // A tapback or a sticker on another message.
            &self.associated_message_type,
            // A change of the group.
            &self.item_type,
            &self.group_action_type,
            &self.date_edited,
            &self.date_retracted,
        ];
        if self.is_from_me != Some(false) || is_something_else.into_iter().any(is_set) {
            return None;
        }
        let text = self.text.unwrap_or_default();
        let text = text.replace(ATTACHMENT, "");
        if text.trim().is_empty() && self.attachments.is_none_or(|files| files.is_empty()) {
            return None;
        }
        // A message is direct only if every chat that the server names for it is.
        let chats = self.chats.unwrap_or_default();
        let kinds: Vec<_> = chats.iter().map(|chat| is_direct(&chat.guid)).collect();
        let is_direct = kinds.iter().copied().collect::<Option<Vec<_>>>()?;
        let is_direct = is_direct.into_iter().all(|is_direct| is_direct);
        let handle = self.handle?;
        // Since macOS 26, the id of a chat may not name its service.
        let is_sms = handle.service.as_deref().is_some_and(is_text_service)
            || chats
                .iter()
                .any(|chat| is_text_service(service(&chat.guid)));
        Some(Message {
            sender: Name::parse(&handle.address)?.to_string(),
            is_sms,
            chat: chats.into_iter().next()?.guid,
            guid: self.guid,
            at: self.date_created,
            is_direct,
            text: first_bytes(text, LONGEST_TEXT),
        })
    }
}

impl Message {
    /// What is handed on. Text messages count as authenticated if `trusts_sms`.
    pub(crate) fn inbound(self, trusts_sms: bool) -> Inbound {
        let mut message = Inbound::new(
            self.guid,
            self.sender,
            Target::chat(self.chat),
            Timestamp::from_millis(self.at),
        );
        message.is_direct = self.is_direct;
        message.text = self.text;
        // `historical` stays false: BlueBubbles keeps messages while the gateway is away, and those are still new.
        message.authenticated = trusts_sms || !self.is_sms;
        message
    }
}

/// Whether a chat is direct, by its id: `<service>;-;<handle>`, or `<service>;+;<group>`. `None` if it is no id of a chat.
pub(crate) fn is_direct(chat: &str) -> Option<bool> {
    let mut parts = chat.splitn(3, ';');
    let (service, kind, id) = (parts.next()?, parts.next()?, parts.next()?);
    let is_whole = !service.is_empty() && !id.is_empty() && !id.contains(';');
    match kind {
        "-" if is_whole => Some(true),
        "+" if is_whole => Some(false),
        _ => None,
    }
}

/// The service of a chat, by its id.
fn service(chat: &str) -> &str {
    chat.split(';').next().unwrap_or_default()
}

/// Whether a service is the telephone network's.
fn is_text_service(service: &str) -> bool {
    let others = ["sms", "mms", "rcs"];
    others
        .iter()
        .any(|other| service.eq_ignore_ascii_case(other))
}

/// Whether a member says something: older servers write `0` where newer ones write `null`.
fn is_set(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !matches!(text.as_str(), "" | "0"),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn body(changes: &Value) -> String {
        let mut data = json!({
            "originalROWID": 12, "guid": "p:0/ABC", "text": "hello", "isFromMe": false, "dateCreated": 1_795_000_000_123_i64,
            "handle": { "originalROWID": 3, "address": "+15550001111", "country": "us", "service": "iMessage" },
            "chats": [{ "guid": "iMessage;-;+15550001111", "style": 45 }], "attachments": [],
            "associatedMessageType": null, "associatedMessageGuid": null, "itemType": 0, "groupActionType": 0,
            "dateEdited": null, "dateRetracted": null,
        });
        for (key, value) in changes.as_object().unwrap() {
            data[key] = value.clone();
        }
        json!({ "type": "new-message", "data": data }).to_string()
    }

    fn inbound(changes: &Value) -> Option<Inbound> {
        match event(body(changes).as_bytes()) {
            Event::New(message) => Some(message.inbound(false)),
            Event::Other | Event::Malformed => None,
        }
    }

    #[test]
    fn the_sender_of_a_text_message_is_not_vouched_for() {
        let handle = |service: &str| json!({ "address": "+15550001111", "service": service });
        for changes in [
            json!({ "chats": [{ "guid": "SMS;-;+15550001111" }] }),
            json!({ "chats": [{ "guid": "RCS;-;+15550001111" }] }),
            json!({ "chats": [{ "guid": "any;-;+15550001111" }], "handle": handle("SMS") }),
            json!({ "chats": [{ "guid": "iMessage;-;+15550001111" }, { "guid": "sms;-;+15550001111" }] }),
        ] {
            assert!(!inbound(&changes).unwrap().authenticated, "{changes}");
            let Event::New(message) = event(body(&changes).as_bytes()) else {
                panic!("{changes}");
            };
            assert!(message.inbound(true).authenticated);
        }
        let any = json!({ "chats": [{ "guid": "any;-;+15550001111" }] });
        assert!(inbound(&any).unwrap().authenticated);
    }

    #[test]
    fn a_direct_message_and_one_in_a_group() {
        let message = inbound(&json!({})).unwrap();
        assert_eq!(
            (
                message.id.as_str(),
                message.sender.as_str(),
                message.text.as_str()
            ),
            ("p:0/ABC", "+15550001111", "hello")
        );
        assert_eq!(message.chat, Target::chat("iMessage;-;+15550001111"));
        assert_eq!(message.at, Timestamp::from_millis(1_795_000_000_123));
        assert!(message.is_direct && message.authenticated && !message.from_me);
        let group = json!({ "chats": [{ "guid": "iMessage;+;chat123" }] });
        assert!(!inbound(&group).unwrap().is_direct);
        let both = json!({ "chats": [{ "guid": "iMessage;-;+15550001111" }, { "guid": "iMessage;+;chat123" }] });
        assert!(!inbound(&both).unwrap().is_direct);
        let mail = json!({ "handle": { "address": "Ann@Example.ORG" } });
        assert_eq!(inbound(&mail).unwrap().sender, "ann@example.org");
        let picture = json!({ "text": "\u{fffc}", "attachments": [{ "guid": "x" }] });
        assert_eq!(inbound(&picture).unwrap().text, "");
        let long = json!({ "text": "ä".repeat(100_000) });
        assert_eq!(inbound(&long).unwrap().text.len(), LONGEST_TEXT);
    }

    #[test]
    fn everything_else_is_no_message() {
        for changes in [
            json!({ "isFromMe": true }),
            json!({ "isFromMe": null }),
            json!({ "text": null }),
            json!({ "text": " " }),
            json!({ "associatedMessageType": "love", "associatedMessageGuid": "p:0/X" }),
            json!({ "associatedMessageType": 2001 }),
            json!({ "itemType": 1 }),
            json!({ "groupActionType": 1 }),
            json!({ "dateEdited": 1 }),
            json!({ "dateRetracted": 1 }),
            json!({ "handle": null }),
            json!({ "handle": { "address": "262966" } }),
            json!({ "chats": null }),
            json!({ "chats": [] }),
            json!({ "chats": [{ "guid": "chat123" }] }),
            json!({ "chats": [{ "guid": "iMessage;-;a;b" }] }),
        ] {
            assert!(inbound(&changes).is_none(), "{changes}");
        }
        for other in [
            r#"{"type":"updated-message","data":{}}"#,
            r#"{"type":"typing-indicator","data":{"display":true}}"#,
            r#"{"type":"hello-world"}"#,
        ] {
            assert!(matches!(event(other.as_bytes()), Event::Other), "{other}");
        }
    }

    #[test]
    fn a_body_that_no_server_sends_is_named_so() {
        let long = body(&json!({ "guid": "x".repeat(LONGEST_ID + 1) }));
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        for malformed in [
            "",
            "{",
            "[]",
            "null",
            "{}",
            r#"{"type":7}"#,
            r#"{"type":"new-message"}"#,
            r#"{"type":"new-message","data":[]}"#,
            &body(&json!({ "guid": null })),
            &body(&json!({ "guid": "" })),
            &body(&json!({ "guid": "a\nb" })),
            &body(&json!({ "dateCreated": "soon" })),
            &body(&json!({ "dateCreated": -1 })),
            &body(&json!({ "dateCreated": 1e300 })),
            &body(&json!({ "chats": [{ "guid": "iMessage;-;\u{0}" }] })),
            &long,
            &deep,
        ] {
            assert!(matches!(event(malformed.as_bytes()), Event::Malformed));
        }
        assert!(matches!(event(b"\xff\xfe"), Event::Malformed));
    }
}
