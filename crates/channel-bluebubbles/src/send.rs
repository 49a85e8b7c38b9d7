//! Sending messages.

use channel_kit::http::{Body, HttpError};
use channel_kit::{Form, Handle, MessageId, Outgoing, SendError, Target, TextLimit};
use pairing_core::escape;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::BlueBubbles;
use crate::api::CallError;
use crate::message::is_direct;

/// The longest text, as the other program has it. Messages takes longer ones, and becomes slow.
pub(crate) const TEXT: TextLimit = TextLimit::chars(4000);

/// The services whose direct chats are looked for. Since macOS 26, `any` stands for all of them.
const SERVICES: [&str; 3] = ["iMessage", "any", "SMS"];

const TEXT_METHOD: &str = "message/text";
const PICTURE: &str = "message/attachment";
const NEW_CHAT: &str = "chat/new";

/// Where a message goes.
enum Recipient {
    /// A chat that is there.
    Chat(String),
    /// A person with whom there is no chat yet.
    Person(String),
}

/// Sends a message, in as many parts as its text needs; the id is that of the last one. If a part fails, those before it were
/// sent.
pub(crate) async fn send(
    account: &BlueBubbles,
    to: &Target,
    what: &Outgoing,
) -> Result<MessageId, SendError> {
    let texts = TEXT.split(&what.text);
    if !what.buttons.is_empty() || (texts.is_empty() && what.picture.is_none()) {
        return Err(SendError::Unable);
    }
    let mut recipient = recipient(account, to).await?;
    let mut last = None;
    for text in texts {
        let (guid, chat) = text_to(account, &recipient, text).await?;
        last = Some(guid);
        if let Some(chat) = chat {
            recipient = Recipient::Chat(chat);
        }
    }
    if let Some(png) = &what.picture {
        last = Some(picture(account, &recipient, png).await?);
    }
    last.map(MessageId).ok_or(SendError::Unable)
}

/// Sends a text; returns its id, and the chat if that is new.
async fn text_to(
    account: &BlueBubbles,
    to: &Recipient,
    text: &str,
) -> Result<(String, Option<String>), SendError> {
    let temporary = temporary_id(account)?;
    let (method, body) = match to {
        Recipient::Chat(chat) => (
            TEXT_METHOD,
            json!({ "chatGuid": chat, "tempGuid": temporary, "message": text }),
        ),
        Recipient::Person(person) => (
            NEW_CHAT,
            json!({ "addresses": [person], "tempGuid": temporary, "message": text }),
        ),
    };
    let sent = account
        .api
        .post(method, Body::json(&body), account.pace.call)
        .await;
    let sent = sent.map_err(|error| of_call(&error, to))?;
    match to {
        Recipient::Chat(_) => Ok((id_of(&sent, temporary), None)),
        Recipient::Person(_) => {
            let chat = sent["guid"]
                .as_str()
                .filter(|chat| is_direct(chat).is_some());
            let first = sent["messages"].as_array().and_then(|all| all.first());
            let id = id_of(first.unwrap_or(&Value::Null), temporary);
            Ok((id, chat.map(str::to_owned)))
        }
    }
}

async fn picture(account: &BlueBubbles, to: &Recipient, png: &[u8]) -> Result<String, SendError> {
    let Recipient::Chat(chat) = to else {
        return Err(SendError::Chat {
            reason: "a chat cannot begin with a picture".to_owned(),
        });
    };
    let temporary = temporary_id(account)?;
    let mut form = Form::of_picture("attachment", png.to_vec());
    form.field("chatGuid", chat.clone());
    form.field("tempGuid", temporary.clone());
    form.field("name", "picture.png".to_owned());
    let sent = account
        .api
        .post(PICTURE, form.into_body(), account.pace.call)
        .await;
    let sent = sent.map_err(|error| of_call(&error, to))?;
    Ok(id_of(&sent, temporary))
}

/// The id of a message that was sent. With AppleScript, the server does not always find it in time.
fn id_of(sent: &Value, temporary: String) -> String {
    sent["guid"].as_str().map_or(temporary, str::to_owned)
}

/// The chat that a target names: by its id, or by the handle of a person.
async fn recipient(account: &BlueBubbles, to: &Target) -> Result<Recipient, SendError> {
    let text = to.chat.trim();
    let guid = text.strip_prefix("chat_guid:").unwrap_or(text);
    if is_direct(guid).is_some() && !guid.contains(char::is_control) {
        return Ok(Recipient::Chat(guid.to_owned()));
    }
    let Some(person) = Handle::parse(text).map(|handle| handle.to_string()) else {
        return Err(SendError::Chat {
            reason: format!(
                "{} is no chat of iMessage: it is a number such as +15550001111, an e-mail address, or the id of a chat",
                escape(text).limit(64)
            ),
        });
    };
    for service in SERVICES {
        let guid = format!("{service};-;{person}");
        let path = format!("chat/{}", utf8_percent_encode(&guid, NON_ALPHANUMERIC));
        match account.api.get(("chat", &path), account.pace.call).await {
            Ok(_) => return Ok(Recipient::Chat(guid)),
            Err(error) if error.is_missing() => {}
            Err(error) => return Err(of_call(&error, &Recipient::Chat(guid))),
        }
    }
    Ok(Recipient::Person(person))
}

/// The id by which the server recognises a request that is repeated.
fn temporary_id(account: &BlueBubbles) -> Result<String, SendError> {
    let mut bytes = [0; 16];
    let filled = account.entropy.fill(&mut bytes);
    filled.map_err(|error| SendError::Unavailable {
        reason: error.to_string(),
    })?;
    Ok(format!("temp-{:032x}", u128::from_be_bytes(bytes)))
}

fn of_call(error: &CallError, to: &Recipient) -> SendError {
    match (error, to) {
        (CallError::Refused { .. }, Recipient::Person(_)) => SendError::Chat {
            reason: format!(
                "{error}: there is no chat with this person yet, and the server cannot begin one; let them write \
                 first, or turn on its Private API"
            ),
        },
        (
            CallError::Refused {
                is_of_messages: true,
                ..
            },
            _,
        ) => SendError::Chat {
            reason: error.to_string(),
        },
        _ if error.is_missing() => SendError::Chat {
            reason: error.to_string(),
        },
        (
            CallError::Http {
                error: HttpError::Connect,
                ..
            },
            _,
        ) => SendError::Unavailable {
            reason: format!("{error}: BlueBubbles does not run at serverUrl"),
        },
        _ if error.may_be_done() => SendError::Unavailable {
            reason: format!("{error}: it may have been sent"),
        },
        _ => SendError::Unavailable {
            reason: error.to_string(),
        },
    }
}
