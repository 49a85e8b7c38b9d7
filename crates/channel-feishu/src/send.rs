//! Sending, replacing and deleting messages.

use channel_kit::http::{Body, Method};
use channel_kit::{Button, Form, MessageId, Outgoing, SendError, Target};
use pairing_core::{Entropy, SenderId, escape};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Feishu;
use crate::api::{self, Call, CallError};
use crate::id::Id;
use crate::plain;

/// The longest data of a button, in bytes.
const DATA: usize = 64;

/// The longest label of a button, in characters.
const LABEL: usize = 100;

/// Maximum number of buttons under a message.
const BUTTONS: usize = 20;

const MESSAGES: &str = "/open-apis/im/v1/messages";

/// One part of what the adapter calls a message.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    /// A text, or a picture.
    Message(Id),
    /// A card with buttons, which is replaced in another way.
    Card(Id),
}

/// The name of a card.
pub(crate) fn card_id(message: &Id) -> String {
    format!("card:{message}")
}

/// Sends it all; the id names every message that it took. Where one of several fails, those before it are there.
pub(crate) async fn send(
    bot: &Feishu,
    to: &Target,
    what: &Outgoing,
) -> Result<MessageId, SendError> {
    let chat = chat_of(to)?;
    let is_possible = what.buttons.len() <= BUTTONS
        && what.buttons.iter().all(|button| button.data.len() <= DATA);
    let texts = plain::messages(&what.text);
    if !is_possible || (texts.is_empty() && (what.picture.is_none() || !what.buttons.is_empty())) {
        return Err(SendError::Unable);
    }
    let mut parts = Vec::new();
    if let Some(png) = &what.picture {
        let key = upload(bot, png).await.map_err(|error| of_call(&error))?;
        let content = json!({ "image_key": key.as_str() });
        let sent = post(bot, &chat, "image", &content).await;
        parts.push(Part::Message(sent.map_err(|error| of_call(&error))?));
    }
    let count = texts.len();
    for (at, text) in texts.iter().enumerate() {
        let has_buttons = at + 1 == count && !what.buttons.is_empty();
        let sent = if has_buttons {
            post(bot, &chat, "interactive", &card(text, &what.buttons, &chat)).await
        } else {
            post(bot, &chat, "text", &json!({ "text": text })).await
        };
        let id = sent.map_err(|error| of_call(&error))?;
        parts.push(if has_buttons {
            Part::Card(id)
        } else {
            Part::Message(id)
        });
    }
    let names: Vec<_> = parts.iter().map(Part::name).collect();
    Ok(MessageId(names.join(",")))
}

/// Sends one message. Feishu knows it again by a number of ours, so that one that is sent twice arrives once.
async fn post(bot: &Feishu, chat: &Id, kind: &str, content: &Value) -> Result<Id, CallError> {
    #[derive(Deserialize)]
    struct Made {
        message_id: Id,
    }
    const NAME: &str = "message";
    let mut call = Call::new(NAME, Method::Post);
    let by = if chat.is_person() {
        "open_id"
    } else {
        "chat_id"
    };
    let path = format!("{MESSAGES}?receive_id_type={by}");
    let mut params = json!({
        "receive_id": chat.as_str(), "msg_type": kind, "content": content.to_string(),
    });
    if let Some(number) = number(&*bot.entropy) {
        params["uuid"] = number.into();
        call = call.repeatable();
    }
    let body = || Some(Body::json(&params));
    let sent = bot
        .api
        .patient(call, &path, body, &bot.pace, &bot.entropy)
        .await?;
    api::data::<Made>(&sent, NAME).map(|made| made.message_id)
}

/// A number by which a message is known again; `None` where there is no randomness.
fn number(entropy: &dyn Entropy) -> Option<String> {
    let mut bytes = [0; 16];
    entropy.fill(&mut bytes).ok()?;
    Some(format!("{:032x}", u128::from_be_bytes(bytes)))
}

/// Uploads a picture, which is not seen by anybody yet.
async fn upload(bot: &Feishu, png: &[u8]) -> Result<Id, CallError> {
    #[derive(Deserialize)]
    struct Made {
        image_key: Id,
    }
    const NAME: &str = "picture";
    // One that is uploaded twice is sent once.
    const UPLOAD: Call = Call::new(NAME, Method::Post).repeatable();
    let body = || {
        let mut form = Form::of_picture("image", png.to_vec());
        form.field("image_type", "message".to_owned());
        Some(form.into_body())
    };
    let sent = bot
        .api
        .patient(
            UPLOAD,
            "/open-apis/im/v1/images",
            body,
            &bot.pace,
            &bot.entropy,
        )
        .await?;
    api::data::<Made>(&sent, NAME).map(|made| made.image_key)
}

/// One that is gone already counts as deleted.
pub(crate) async fn delete(
    bot: &Feishu,
    from: &Target,
    message: &MessageId,
) -> Result<(), SendError> {
    const DELETE: Call = Call::new("deletion", Method::Delete).repeatable();
    chat_of(from)?;
    let mut failed = None;
    for part in parts(message)? {
        let path = format!("{MESSAGES}/{}", part.id());
        let deleted = bot
            .api
            .patient(DELETE, &path, || None, &bot.pace, &bot.entropy)
            .await;
        match deleted {
            Err(error) if !is_gone(&error) => failed = Some(of_call(&error)),
            _ => {}
        }
    }
    failed.map_or(Ok(()), Err)
}

/// Its buttons go with what was there.
pub(crate) async fn replace(
    bot: &Feishu,
    at: &Target,
    message: &MessageId,
    text: &str,
) -> Result<(), SendError> {
    const TEXT: Call = Call::new("change", Method::Put).repeatable();
    const CARD: Call = Call::new("change", Method::Patch).repeatable();
    let chat = chat_of(at)?;
    let text = plain::first_message(text);
    // The buttons are under the last.
    let part = parts(message)?.pop().ok_or(SendError::Unable)?;
    let (call, params) = match &part {
        Part::Message(_) => {
            let content = json!({ "text": text }).to_string();
            (TEXT, json!({ "msg_type": "text", "content": content }))
        }
        Part::Card(_) => {
            let content = card(&text, &[], &chat).to_string();
            (CARD, json!({ "content": content }))
        }
    };
    let path = format!("{MESSAGES}/{}", part.id());
    let body = || Some(Body::json(&params));
    let changed = bot
        .api
        .patient(call, &path, body, &bot.pace, &bot.entropy)
        .await;
    changed.map(drop).map_err(|error| of_call(&error))
}

/// A person is written to by their id; Feishu opens the chat where there is none.
pub(crate) fn direct(sender: &SenderId) -> Result<Target, SendError> {
    let person = Id::with("ou_", sender.as_str()).ok_or_else(|| SendError::Chat {
        reason: format!(
            "{} is no open id of Feishu: it begins with ou_",
            escape(sender.as_str()).limit(64)
        ),
    })?;
    Ok(Target::chat(person.as_str()))
}

/// The chat that a target names: a person by `ou_…` or `user:ou_…`, a group by `oc_…` or `chat:oc_…`.
fn chat_of(target: &Target) -> Result<Id, SendError> {
    let text = &target.chat;
    let bare = ["user:", "open_id:", "chat:", "chat_id:"]
        .iter()
        .find_map(|prefix| text.strip_prefix(prefix))
        .unwrap_or(text);
    let id = Id::with("ou_", bare).or_else(|| Id::with("oc_", bare));
    let id = id.filter(|_| target.thread.is_none());
    id.ok_or_else(|| SendError::Chat {
        reason: format!("{} is no chat of Feishu", escape(text).limit(64)),
    })
}

/// A card: plain text, and buttons below it. Each button says which chat it is for, since Feishu names a direct chat in
/// another way when the button is pressed.
fn card(text: &str, buttons: &[Button], chat: &Id) -> Value {
    let plain = |text: &str| json!({ "tag": "plain_text", "content": text });
    let mut elements = vec![json!({ "tag": "div", "text": plain(text) })];
    if !buttons.is_empty() {
        let actions: Vec<_> = buttons
            .iter()
            .map(|button| {
                let label: String = button.label.chars().take(LABEL).collect();
                json!({
                    "tag": "button", "type": "default", "text": plain(&label),
                    "value": { "data": button.data, "chat": chat.as_str() },
                })
            })
            .collect();
        elements.push(json!({ "tag": "action", "actions": actions }));
    }
    // Everybody sees the same card, and nobody hands it on.
    let config = json!({ "wide_screen_mode": true, "enable_forward": false, "update_multi": true });
    json!({ "config": config, "elements": elements })
}

impl Part {
    fn id(&self) -> &Id {
        match self {
            Self::Message(id) | Self::Card(id) => id,
        }
    }

    fn name(&self) -> String {
        match self {
            Self::Message(id) => id.to_string(),
            Self::Card(id) => card_id(id),
        }
    }

    fn parse(name: &str) -> Option<Self> {
        match name.strip_prefix("card:") {
            Some(id) => Id::with("om_", id).map(Self::Card),
            None => Id::with("om_", name).map(Self::Message),
        }
    }
}

fn parts(message: &MessageId) -> Result<Vec<Part>, SendError> {
    let parts = message.0.split(',').map(Part::parse);
    parts.collect::<Option<_>>().ok_or(SendError::Unable)
}

/// The message was taken back, or deleted.
fn is_gone(error: &CallError) -> bool {
    matches!(error.code(), Some(230_011 | 230_110))
}

fn of_call(error: &CallError) -> SendError {
    let reason = error.to_string();
    let is_chats = !error.is_final()
        && !error.is_servers()
        && !error.is_about_token()
        && !error.is_about_permission();
    match error {
        CallError::Refused { .. } if is_chats => SendError::Chat { reason },
        _ => SendError::Unavailable { reason },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_found_again_by_its_id() {
        for name in ["om_1", "card:om_1"] {
            assert_eq!(Part::parse(name).unwrap().name(), name);
        }
        for wrong in ["", "x", "om_", "card:", "card:x", "om_../x", "om_1/../x"] {
            assert!(Part::parse(wrong).is_none(), "{wrong}");
        }
        let id = MessageId("om_1,om_2,card:om_3".to_owned());
        assert_eq!(parts(&id).unwrap().len(), 3);
    }

    #[test]
    fn what_is_a_chat() {
        for (text, meant) in [
            ("ou_1", "ou_1"),
            ("user:ou_1", "ou_1"),
            ("oc_1", "oc_1"),
            ("chat:oc_1", "oc_1"),
        ] {
            assert_eq!(chat_of(&Target::chat(text)).unwrap().as_str(), meant);
        }
        for wrong in [
            "",
            "ou_",
            "on_1",
            "user:",
            "ou_1?x",
            "ou_1/..",
            "user:user:ou_1",
        ] {
            assert!(chat_of(&Target::chat(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_largest_card_fits() {
        let buttons = vec![Button::new("\u{1}".repeat(LABEL), "\u{1}".repeat(DATA)); 2];
        let id = Id::parse("ou_1").unwrap();
        let content = card(&"\u{1}".repeat(4000), &buttons, &id).to_string();
        assert!(json!(content).to_string().len() < 31_000);
    }
}
