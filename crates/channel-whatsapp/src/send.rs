//! Sending messages.

use channel_kit::http::{Body, Method};
use channel_kit::{Button, Form, MessageId, Outgoing, SendError, Target, TextLimit};
use pairing_core::escape;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::WhatsApp;
use crate::api::{self, Call, CallError};
use crate::event::{GROUP, is_id};
use crate::number::person;

/// The longest text.
pub(crate) const TEXT: TextLimit = TextLimit::chars(4096);

/// The longest text above buttons, and the longest caption.
const SHORT: TextLimit = TextLimit::chars(1024);

/// The longest data of a button, in bytes, and the longest label, in characters.
const DATA: usize = 64;
const LABEL: TextLimit = TextLimit::chars(20);

/// Maximum number of buttons under a message.
const BUTTONS: usize = 3;

const MESSAGE: &str = "message";

/// Whom a message goes to.
enum Recipient {
    Person(String),
    Group(String),
}

/// Sends it all; the id names the last message, which is the one with the buttons. Where one of several fails, those before it are there.
pub(crate) async fn send(
    account: &WhatsApp,
    to: &Target,
    what: &Outgoing,
) -> Result<MessageId, SendError> {
    let to = recipient(to)?;
    let mut messages = messages(what).ok_or(SendError::Unable)?;
    if let Some(png) = &what.picture {
        let id = upload(account, png).await;
        let id = id.map_err(|error| of_call(account, &error))?;
        let mut image = json!({ "id": id });
        // It is below the text, which is its caption if that fits and has no buttons.
        let caption = match messages.as_slice() {
            [one] if what.buttons.is_empty() && SHORT.fits(&what.text) => {
                one["text"]["body"].as_str()
            }
            _ => None,
        };
        if let Some(caption) = caption {
            image["caption"] = caption.into();
            messages.clear();
        }
        messages.push(json!({ "type": "image", "image": image }));
        // Buttons are last, since the id names them.
        if !what.buttons.is_empty() {
            let end = messages.len().saturating_sub(2);
            messages.swap(end, end + 1);
        }
    }
    let mut last = None;
    for message in messages {
        let sent = post(account, &to, message).await;
        last = Some(sent.map_err(|error| of_call(account, &error))?);
    }
    last.map(MessageId).ok_or(SendError::Unable)
}

/// Sends a text as a reply to a message.
pub(crate) async fn reply(
    account: &WhatsApp,
    at: &Target,
    message: &MessageId,
    text: &str,
) -> Result<(), SendError> {
    let to = recipient(at)?;
    if !is_id(&message.0) || text.trim().is_empty() {
        return Err(SendError::Unable);
    }
    let mut body = plain(TEXT.head(text));
    body["context"] = json!({ "message_id": message.0 });
    let sent = post(account, &to, body).await;
    sent.map(drop).map_err(|error| of_call(account, &error))
}

/// The messages that a text takes, with its buttons under the last. `None` if that is not possible.
fn messages(what: &Outgoing) -> Option<Vec<Value>> {
    let is_possible = what.buttons.len() <= BUTTONS
        && what.buttons.iter().all(|button| {
            !button.label.trim().is_empty() && (1..=DATA).contains(&button.data.len())
        });
    let limit = if what.buttons.is_empty() { TEXT } else { SHORT };
    let mut texts = limit.split(&what.text);
    if !is_possible || (texts.is_empty() && (what.picture.is_none() || !what.buttons.is_empty())) {
        return None;
    }
    let last = if what.buttons.is_empty() {
        None
    } else {
        texts.pop()
    };
    let plain = texts.into_iter().map(plain);
    let last = last.map(|text| interactive(text, &what.buttons));
    Some(plain.chain(last).collect())
}

fn plain(text: &str) -> Value {
    json!({ "type": "text", "text": { "preview_url": false, "body": text } })
}

fn interactive(text: &str, buttons: &[Button]) -> Value {
    let buttons: Vec<_> = buttons
        .iter()
        .map(|button| {
            let title = LABEL.head(button.label.trim());
            json!({ "type": "reply", "reply": { "id": button.data, "title": title } })
        })
        .collect();
    json!({
        "type": "interactive",
        "interactive": { "type": "button", "body": { "text": text }, "action": { "buttons": buttons } },
    })
}

/// Sends one message. It is not repeated where it may have arrived: WhatsApp does not know it again.
async fn post(account: &WhatsApp, to: &Recipient, message: Value) -> Result<String, CallError> {
    #[derive(Deserialize)]
    struct Made {
        messages: [Id; 1],
    }
    #[derive(Deserialize)]
    struct Id {
        id: String,
    }
    const POST: Call = Call::new(MESSAGE, Method::Post);
    let (kind, to) = match to {
        Recipient::Person(number) => ("individual", number),
        Recipient::Group(id) => ("group", id),
    };
    let mut body = message;
    body["messaging_product"] = "whatsapp".into();
    body["recipient_type"] = kind.into();
    body["to"] = to.as_str().into();
    let body = || Body::json(&body);
    let sent = account
        .api
        .patient(POST, "/messages", body, &account.pace, &account.entropy)
        .await?;
    let Made {
        messages: [Id { id }],
    } = api::read(&sent, MESSAGE)?;
    if is_id(&id) {
        Ok(id)
    } else {
        Err(CallError::Malformed { call: MESSAGE })
    }
}

/// Uploads a picture, which is not seen by anybody yet.
async fn upload(account: &WhatsApp, png: &[u8]) -> Result<String, CallError> {
    #[derive(Deserialize)]
    struct Made {
        id: String,
    }
    const PICTURE: &str = "picture";
    // One that is uploaded twice is sent once.
    const UPLOAD: Call = Call::new(PICTURE, Method::Post).repeatable();
    let body = || {
        let mut form = Form::of_picture("file", png.to_vec());
        form.field("messaging_product", "whatsapp".to_owned());
        form.field("type", "image/png".to_owned());
        form.into_body()
    };
    let sent = account
        .api
        .patient(UPLOAD, "/media", body, &account.pace, &account.entropy)
        .await?;
    let Made { id } = api::read(&sent, PICTURE)?;
    if is_id(&id) {
        Ok(id)
    } else {
        Err(CallError::Malformed { call: PICTURE })
    }
}

/// The chat that a target names: a number with its country, or `group:` and the id of a group.
fn recipient(target: &Target) -> Result<Recipient, SendError> {
    let text = target.chat.trim();
    let text = text.strip_prefix("whatsapp:").unwrap_or(text);
    let found = match text.strip_prefix(GROUP) {
        Some(id) => is_id(id).then(|| Recipient::Group(id.to_owned())),
        None => text
            .strip_prefix('+')
            .and_then(person)
            .map(Recipient::Person),
    };
    found
        .filter(|_| target.thread.is_none())
        .ok_or_else(|| SendError::Chat {
            reason: format!(
                "{} is no chat of WhatsApp: it is a number with its country, such as +15550001111",
                escape(text).limit(64)
            ),
        })
}

fn of_call(account: &WhatsApp, error: &CallError) -> SendError {
    let reason = error.to_string();
    if error.is_about_token() {
        // The account ends if it is so.
        account.doubts.notify_one();
    }
    if error.is_chats() {
        SendError::Chat { reason }
    } else if error.may_be_done() {
        SendError::Unavailable {
            reason: format!("{reason}; it may have been sent"),
        }
    } else {
        SendError::Unavailable { reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_buttons(text: &str, labels: &[&str]) -> Outgoing {
        let button = |label: &&str| Button::new(*label, "a:1");
        Outgoing::text(text).buttons(labels.iter().map(button).collect())
    }

    #[test]
    fn what_a_text_becomes() {
        let long = messages(&Outgoing::text("x".repeat(5000))).unwrap();
        let lengths: Vec<_> = long
            .iter()
            .map(|one| one["text"]["body"].as_str().unwrap().len())
            .collect();
        assert_eq!(lengths, [4096, 904]);
        let text = format!("{}\n{}", "x".repeat(1000), "y".repeat(100));
        let asked = messages(&with_buttons(
            &text,
            &["Approve", "A label that is far too long"],
        ));
        let asked = asked.unwrap();
        assert_eq!(asked.len(), 2);
        assert_eq!(asked[0]["type"], "text");
        let below = &asked[1]["interactive"];
        assert_eq!(below["body"]["text"], "y".repeat(100));
        let title = &below["action"]["buttons"][1]["reply"]["title"];
        assert_eq!(title, "A label that is far ");
    }

    #[test]
    fn what_cannot_be_sent() {
        for wrong in [
            Outgoing::text(" \n"),
            with_buttons("", &["a"]),
            with_buttons("x", &["a", "b", "c", "d"]),
            with_buttons("x", &[" "]),
        ] {
            assert!(messages(&wrong).is_none());
        }
    }

    #[test]
    fn what_is_a_chat() {
        for text in ["+15550001111", "whatsapp:+15550001111"] {
            let found = recipient(&Target::chat(text));
            assert!(matches!(found, Ok(Recipient::Person(number)) if number == "+15550001111"));
        }
        assert!(matches!(
            recipient(&Target::chat("group:Y2Fw")),
            Ok(Recipient::Group(_))
        ));
        for wrong in [
            "",
            "15550001111",
            "+0555",
            "group:",
            "group:a b",
            "ann@example.org",
            "+1555../x",
        ] {
            assert!(recipient(&Target::chat(wrong)).is_err(), "{wrong}");
        }
    }
}
