//! What a webhook delivers: messages, and what became of those that were sent.

use channel_kit::{Inbound, Incoming, MessageId, Pressed, Target, first_bytes};
use pairing_core::{Timestamp, escape};
use serde::Deserialize;
use serde_json::Value;

use crate::PhoneNumberId;
use crate::number::{digits, person};

/// The longest text that is handed on, in bytes. WhatsApp's own have at most 4096 characters.
const LONGEST_TEXT: usize = 16 << 10;

/// The longest id of a message, in bytes.
const LONGEST_ID: usize = 256;

/// The longest data of a button, in bytes.
const DATA: usize = 64;

/// The longest explanation of a failure, in characters.
const EXPLANATION: usize = 200;

/// Kinds of messages that a person writes. Their text is the caption, where there is one.
const WRITTEN: [&str; 10] = [
    "text", "image", "video", "audio", "voice", "document", "sticker", "location", "contacts",
    "order",
];

/// Something new.
#[derive(Debug)]
pub(crate) struct Event {
    /// The id of the message.
    pub(crate) id: String,
    /// Its time, in seconds since 1970.
    pub(crate) at: i64,
    pub(crate) what: Incoming,
}

/// A message that Meta took, and did not deliver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The id of the message.
    pub(crate) id: String,
    pub(crate) code: i64,
    /// Meta's text, escaped.
    pub(crate) text: String,
}

/// What a body holds for one number.
#[derive(Debug, Default)]
pub(crate) struct Delivered {
    pub(crate) events: Vec<Event>,
    pub(crate) failures: Vec<Failure>,
    /// Messages of people whose number WhatsApp does not tell.
    pub(crate) nameless: usize,
    /// Whether something of it is about the number.
    pub(crate) is_ours: bool,
    /// Whether something of it is about another number.
    pub(crate) is_others: bool,
}

/// Reads a body for one number. `None` if it is not what Meta sends.
///
/// Every part is read for itself, so that one that cannot be understood hides none of the others.
pub(crate) fn read(body: &[u8], number: &PhoneNumberId) -> Option<Delivered> {
    #[derive(Deserialize)]
    struct Body {
        object: String,
        entry: Vec<Value>,
    }
    let body: Body = serde_json::from_slice(body).ok()?;
    let mut delivered = Delivered::default();
    if body.object != "whatsapp_business_account" {
        return Some(delivered);
    }
    let changes = body.entry.iter().flat_map(|entry| list(&entry["changes"]));
    for change in changes.filter(|change| change["field"] == "messages") {
        let value = &change["value"];
        let Some(of) = value["metadata"]["phone_number_id"].as_str() else {
            continue;
        };
        if of == number.as_str() {
            delivered.is_ours = true;
            delivered.add(value);
        } else {
            delivered.is_others = true;
        }
    }
    Some(delivered)
}

impl Delivered {
    fn add(&mut self, value: &Value) {
        let own = text(&value["metadata"]["display_phone_number"]).unwrap_or_default();
        let own = person(&digits(own));
        for message in list(&value["messages"]) {
            match event(message, value, own.as_deref()) {
                Ok(Some(event)) => self.events.push(event),
                Ok(None) => {}
                Err(Nameless) => self.nameless += 1,
            }
        }
        let failed = list(&value["statuses"]).filter(|status| status["status"] == "failed");
        self.failures.extend(failed.filter_map(failure));
    }
}

/// Somebody wrote whose number WhatsApp does not tell.
struct Nameless;

/// A message, if it is a new one of a person, or the press of a button.
fn event(message: &Value, value: &Value, own: Option<&str>) -> Result<Option<Event>, Nameless> {
    let Some(head) = Head::of(message) else {
        return Ok(None);
    };
    let kind = text(&message["type"]).unwrap_or_default();
    let is_press = kind == "interactive" && message["interactive"]["type"] == "button_reply";
    if !is_press && !WRITTEN.contains(&kind) {
        return Ok(None);
    }
    let Some(from) = text(&message["from"]).filter(|from| !from.is_empty()) else {
        return Err(Nameless);
    };
    let Some(sender) = person(from).filter(|sender| Some(sender.as_str()) != own) else {
        return Ok(None);
    };
    // In a group the message says which.
    let group = &message["group_id"];
    let chat = match group {
        Value::Null => sender.clone(),
        Value::String(group) if is_id(group) => format!("{GROUP}{group}"),
        _ => return Ok(None),
    };
    let is_direct = group.is_null();
    let what = if is_press {
        let Some(pressed) = pressed(message, sender, chat) else {
            return Ok(None);
        };
        Incoming::Pressed(pressed)
    } else {
        let body = match kind {
            "text" => text(&message["text"]["body"]),
            _ => text(&message[kind]["caption"]),
        };
        if kind == "text" && body.is_none_or(|body| body.trim().is_empty()) {
            return Ok(None);
        }
        let mut message = Inbound::new(
            head.id.clone(),
            sender,
            Target::chat(chat),
            Timestamp::from_millis(head.at.saturating_mul(1000)),
        );
        message.is_direct = is_direct;
        message.text = first_bytes(body.unwrap_or_default().to_owned(), LONGEST_TEXT);
        // `historical` stays false: Meta keeps messages while the gateway is away, and those are still new.
        message.authenticated = true;
        message.meta = name_of(from, value);
        Incoming::Message(message)
    };
    Ok(Some(Event {
        id: head.id,
        at: head.at,
        what,
    }))
}

/// What stands before the id of a group in the name of a chat.
pub(crate) const GROUP: &str = "group:";

/// What every message has.
struct Head {
    id: String,
    at: i64,
}

impl Head {
    fn of(message: &Value) -> Option<Self> {
        let id = text(&message["id"]).filter(|id| is_id(id))?;
        let at = match &message["timestamp"] {
            Value::String(text) => text.parse().ok()?,
            Value::Number(number) => number.as_i64()?,
            _ => return None,
        };
        // Far beyond, milliseconds have no room.
        (0..=i64::MAX / 1000).contains(&at).then(|| Self {
            id: id.to_owned(),
            at,
        })
    }
}

fn pressed(message: &Value, sender: String, chat: String) -> Option<Pressed> {
    let data = text(&message["interactive"]["button_reply"]["id"])?;
    let under = text(&message["context"]["id"]).filter(|id| is_id(id))?;
    (data.len() <= DATA).then(|| {
        Pressed::new(
            sender,
            MessageId(under.to_owned()),
            Target::chat(chat),
            data,
        )
    })
}

/// The name that a person has given themselves.
fn name_of(from: &str, value: &Value) -> Vec<(String, String)> {
    let mut contacts = list(&value["contacts"]);
    let contact = contacts.find(|contact| contact["wa_id"] == from);
    let name = contact.and_then(|contact| text(&contact["profile"]["name"]));
    let name = name.filter(|name| !name.is_empty());
    let name = name.map(|name| ("name".to_owned(), first_bytes(name.to_owned(), LONGEST_ID)));
    name.into_iter().collect()
}

fn failure(status: &Value) -> Option<Failure> {
    let id = text(&status["id"]).filter(|id| is_id(id))?.to_owned();
    let error = list(&status["errors"]).next().unwrap_or(&Value::Null);
    let texts = [
        text(&error["error_data"]["details"]),
        text(&error["message"]),
        text(&error["title"]),
    ];
    let text = texts.into_iter().flatten().find(|text| !text.is_empty());
    Some(Failure {
        id,
        code: error["code"].as_i64().unwrap_or_default(),
        text: escape(text.unwrap_or("no reason is named"))
            .limit(EXPLANATION)
            .to_string(),
    })
}

/// An id that can be noted and sent back.
pub(crate) fn is_id(id: &str) -> bool {
    (1..=LONGEST_ID).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic())
}

fn text(value: &Value) -> Option<&str> {
    value.as_str()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NUMBER: &str = "106540352242922";

    fn number() -> PhoneNumberId {
        PhoneNumberId::parse(NUMBER).unwrap()
    }

    fn value(message: &Value) -> Value {
        json!({
            "messaging_product": "whatsapp",
            "metadata": { "display_phone_number": "1 555-078-3881", "phone_number_id": NUMBER },
            "contacts": [{ "profile": { "name": "Ann" }, "wa_id": "15550001111", "user_id": "US.13491208655302741918" }],
            "messages": [message],
        })
    }

    fn body(value: &Value) -> String {
        let change = json!({ "field": "messages", "value": value });
        json!({ "object": "whatsapp_business_account", "entry": [{ "id": "1", "changes": [change] }] }).to_string()
    }

    fn message(changes: &Value) -> Value {
        let mut message = json!({
            "from": "15550001111", "id": "wamid.A", "timestamp": "1795353726", "type": "text", "text": { "body": "hello" },
        });
        for (key, value) in changes.as_object().unwrap() {
            message[key] = value.clone();
        }
        message
    }

    fn events(changes: &Value) -> Vec<Event> {
        let body = body(&value(&message(changes)));
        read(body.as_bytes(), &number()).unwrap().events
    }

    fn inbound(changes: &Value) -> Option<Inbound> {
        match events(changes).pop()?.what {
            Incoming::Message(inbound) => Some(inbound),
            Incoming::Pressed(_) => None,
        }
    }

    #[test]
    fn a_text_a_picture_and_a_message_in_a_group() {
        let said = inbound(&json!({})).unwrap();
        assert_eq!(
            (said.id.as_str(), said.sender.as_str()),
            ("wamid.A", "+15550001111")
        );
        assert_eq!(
            (said.text.as_str(), said.chat),
            ("hello", Target::chat("+15550001111"))
        );
        assert_eq!(said.at, Timestamp::from_millis(1_795_353_726_000));
        assert_eq!(said.meta, [("name".to_owned(), "Ann".to_owned())]);
        assert!(said.is_direct && said.authenticated && !said.from_me && !said.historical);
        let picture = json!({ "type": "image", "image": { "id": "1", "caption": "look", "mime_type": "image/jpeg" } });
        assert_eq!(inbound(&picture).unwrap().text, "look");
        let bare = json!({ "type": "audio", "audio": { "id": "1", "voice": true } });
        assert_eq!(inbound(&bare).unwrap().text, "");
        let group = inbound(&json!({ "group_id": "Y2FwaV9ncm91cA" })).unwrap();
        assert!(!group.is_direct && group.chat == Target::chat("group:Y2FwaV9ncm91cA"));
        assert!(inbound(&json!({ "group_id": 7 })).is_none());
        let long = json!({ "text": { "body": "ä".repeat(100_000) } });
        assert_eq!(inbound(&long).unwrap().text.len(), LONGEST_TEXT);
    }

    #[test]
    fn a_button_that_is_pressed() {
        let press = json!({
            "type": "interactive", "context": { "from": "15550783881", "id": "wamid.B" },
            "interactive": { "type": "button_reply", "button_reply": { "id": "a:1", "title": "Approve" } },
        });
        let Some(Event {
            what: Incoming::Pressed(pressed),
            ..
        }) = events(&press).pop()
        else {
            panic!("no press");
        };
        assert_eq!(
            (pressed.sender.as_str(), pressed.data.as_str()),
            ("+15550001111", "a:1")
        );
        assert_eq!(pressed.message, MessageId("wamid.B".to_owned()));
        for (key, wrong) in [
            ("context", json!({})),
            (
                "interactive",
                json!({ "type": "list_reply", "list_reply": { "id": "a:1" } }),
            ),
            (
                "interactive",
                json!({ "type": "button_reply", "button_reply": { "id": "x".repeat(65) } }),
            ),
        ] {
            let mut press = press.clone();
            press[key] = wrong;
            assert!(events(&press).is_empty(), "{press}");
        }
    }

    #[test]
    fn everything_else_is_passed_over() {
        for changes in [
            json!({ "type": "reaction", "reaction": { "emoji": "👍" } }),
            json!({ "type": "system", "system": { "body": "changed" } }),
            json!({ "type": "unsupported", "errors": [{ "code": 131_051 }] }),
            json!({ "type": "edit", "edit": {} }),
            json!({ "type": "button", "button": { "text": "yes", "payload": "x" } }),
            json!({ "type": "tomorrow" }),
            json!({ "type": null }),
            json!({ "text": { "body": " " } }),
            json!({ "text": null }),
            json!({ "from": "15550783881" }),
            json!({ "from": "US.13491208655302741918" }),
            json!({ "from": "+15550001111" }),
            json!({ "id": "" }),
            json!({ "id": "wamid.\n" }),
            json!({ "id": "x".repeat(257) }),
            json!({ "timestamp": "soon" }),
            json!({ "timestamp": -1 }),
            json!({ "timestamp": "9223372036854775807" }),
            json!({ "timestamp": null }),
        ] {
            assert!(events(&changes).is_empty(), "{changes}");
        }
        let mut nameless = message(&json!({ "from_user_id": "US.13491208655302741918" }));
        nameless.as_object_mut().unwrap().remove("from");
        let read = read(body(&value(&nameless)).as_bytes(), &number()).unwrap();
        assert_eq!((read.nameless, read.events.len()), (1, 0));
    }

    #[test]
    fn each_number_takes_its_own_and_one_odd_part_hides_no_other() {
        let other = json!({ "metadata": { "phone_number_id": "9" }, "messages": [message(&json!({ "id": "wamid.O" }))] });
        let mut several = value(&json!({ "type": [] }));
        let messages = several["messages"].as_array_mut().unwrap();
        messages.extend([
            json!(null),
            message(&json!({ "id": "wamid.1" })),
            json!({ "id": {} }),
        ]);
        messages.push(message(&json!({ "id": "wamid.2" })));
        let change = |value: &Value| json!({ "field": "messages", "value": value });
        let elsewhere = json!({ "field": "account_update", "value": several });
        let whole = json!({ "object": "whatsapp_business_account", "entry": [
            7, {}, { "changes": [change(&other), change(&json!(7))] }, { "changes": [elsewhere, change(&several)] },
        ] });
        let found = read(whole.to_string().as_bytes(), &number()).unwrap();
        let ids: Vec<_> = found.events.iter().map(|event| event.id.as_str()).collect();
        assert_eq!(ids, ["wamid.1", "wamid.2"]);
        assert!(found.is_ours && found.is_others);
        let found = read(body(&other).as_bytes(), &number()).unwrap();
        assert!(!found.is_ours && found.is_others && found.events.is_empty());
        let page = read(br#"{"object":"page","entry":[{"id":"1"}]}"#, &number()).unwrap();
        assert!(!page.is_ours && !page.is_others);
    }

    #[test]
    fn messages_that_were_not_delivered_are_named() {
        let mut statuses = value(&json!({}));
        statuses["statuses"] = json!([
            { "id": "wamid.S", "status": "sent", "recipient_id": "15550001111", "timestamp": "1" },
            { "id": "wamid.F", "status": "failed", "recipient_id": "15550001111", "timestamp": "1", "errors": [{
                "code": 131_047, "title": "Re-engagement message", "error_data": { "details": "More than \u{1b}24 hours" },
            }] },
            { "id": "wamid.G", "status": "failed" },
            { "status": "failed" },
        ]);
        let found = read(body(&statuses).as_bytes(), &number()).unwrap();
        assert_eq!(found.failures.len(), 2);
        assert_eq!(
            (found.failures[0].code, found.failures[1].code),
            (131_047, 0)
        );
        assert!(!found.failures[0].text.contains('\u{1b}'));
        assert!(found.events.is_empty());
    }

    #[test]
    fn a_body_that_meta_does_not_send_is_named_so() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        for malformed in [
            "",
            "{",
            "[]",
            "null",
            "{}",
            r#"{"object":7,"entry":[]}"#,
            r#"{"object":"x"}"#,
            &deep,
        ] {
            assert!(read(malformed.as_bytes(), &number()).is_none());
        }
        assert!(read(b"\xff\xfe", &number()).is_none());
    }
}
