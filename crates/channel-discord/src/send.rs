//! Sending, replacing and deleting messages, and opening direct chats.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use channel_kit::http::{Body, Method, Response};
use channel_kit::{Button, Form, MessageId, Outgoing, SendError, Target};
use pairing_core::{SenderId, escape};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Discord;
use crate::id::Id;
use crate::interactions::{Answer, Token};
use crate::plain;
use crate::rest::{Call, CallError, read};

/// The longest data of a button, in bytes.
const DATA: usize = 64;

/// The longest label of a button, in characters.
const LABEL: usize = 80;

/// Maximum number of buttons in a row, and of rows.
const ROW: usize = 5;

/// Maximum number of direct chats that are remembered.
const CHATS: usize = 1000;

/// No link of a message gets a preview.
const NO_PREVIEWS: u64 = 1 << 2;

/// One person sees the message alone.
const EPHEMERAL: u64 = 1 << 6;

/// Direct chats that have been opened, by person.
#[derive(Debug, Default)]
pub(crate) struct Chats(Mutex<HashMap<Box<str>, Id>>);

#[derive(Deserialize)]
struct Made {
    id: Id,
}

/// Sends it all; the id names every message that it took. Where one of several fails, those before it are there.
pub(crate) async fn send(
    bot: &Discord,
    to: &Target,
    what: &Outgoing,
) -> Result<MessageId, SendError> {
    let chat = chat_of(bot, to).await?;
    let is_possible = what.buttons.len() <= ROW * ROW
        && what.buttons.iter().all(|button| button.data.len() <= DATA);
    if !is_possible {
        return Err(SendError::Unable);
    }
    let is_word = what.is_secret && !what.text.contains(char::is_whitespace);
    let mut texts = if is_word && plain::TEXT.fits(&plain::word(&what.text)) {
        vec![plain::word(&what.text)]
    } else {
        plain::messages(&what.text)
    };
    texts.retain(|text| !text.is_empty());
    if texts.is_empty() {
        if what.picture.is_none() {
            return Err(SendError::Unable);
        }
        texts.push(String::new());
    }
    let mut ids = Vec::new();
    let last = texts.len() - 1;
    for (at, text) in texts.into_iter().enumerate() {
        let picture = what.picture.as_deref().filter(|_| at == 0);
        let buttons: &[Button] = if at == last { &what.buttons } else { &[] };
        let message = Message {
            text: &text,
            picture,
            buttons,
        };
        ids.push(message.send(bot, &chat).await?.to_string());
    }
    Ok(MessageId(ids.join(",")))
}

/// One that is gone already counts as deleted.
pub(crate) async fn delete(
    bot: &Discord,
    from: &Target,
    message: &MessageId,
) -> Result<(), SendError> {
    let chat = chat_of(bot, from).await?;
    let mut failed = None;
    for id in ids(message)? {
        let call = at_message(bot, Method::Delete, &chat, &id);
        let deleted = bot
            .rest
            .patient(&call, || None, &bot.pace, &bot.entropy)
            .await;
        match deleted {
            Ok(_) => {}
            Err(error) if error.has_code(UNKNOWN_MESSAGE) => {}
            Err(error) => failed = Some(of_call(&error)),
        }
    }
    failed.map_or(Ok(()), Err)
}

/// Its buttons go with what was there.
pub(crate) async fn replace(
    bot: &Discord,
    at: &Target,
    message: &MessageId,
    text: &str,
) -> Result<(), SendError> {
    let chat = chat_of(bot, at).await?;
    // The buttons are under the last.
    let id = ids(message)?.pop().ok_or(SendError::Unable)?;
    let params = json!({
        "content": plain::first_message(text), "components": [], "allowed_mentions": { "parse": [] },
    });
    let call = at_message(bot, Method::Patch, &chat, &id);
    let edited = bot
        .rest
        .patient(&call, || Some(Body::json(&params)), &bot.pace, &bot.entropy)
        .await;
    edited.map(drop).map_err(|error| of_call(&error))
}

/// The direct chat with a person. Opening one that is there gives the same, and is done once.
pub(crate) async fn direct(bot: &Discord, sender: &SenderId) -> Result<Target, SendError> {
    let person = Id::parse(sender.as_str()).ok_or_else(|| SendError::Chat {
        reason: format!(
            "{} is no user id of Discord: it consists of digits",
            escape(sender.as_str()).limit(64)
        ),
    })?;
    open(bot, &person)
        .await
        .map(|chat| Target::chat(chat.as_str()))
}

async fn open(bot: &Discord, person: &Id) -> Result<Id, SendError> {
    if let Some(known) = bot.chats.get(person) {
        return Ok(known);
    }
    let params = json!({ "recipient_id": person.as_str() });
    let shape = "POST /users/@me/channels";
    let call = Call::new(Method::Post, "/users/@me/channels".to_owned(), shape, "").repeatable();
    let opened = bot
        .rest
        .patient(&call, || Some(Body::json(&params)), &bot.pace, &bot.entropy)
        .await;
    let opened = opened.and_then(|response| read::<Made>(&response, "chat"));
    let chat = opened.map_err(|error| of_call(&error))?.id;
    bot.chats.put(person, &chat);
    Ok(chat)
}

/// The chat that a target names: by its id, as `channel:<id>`, or by the person it is with, as `user:<id>`. A thread is a
/// chat of its own.
async fn chat_of(bot: &Discord, target: &Target) -> Result<Id, SendError> {
    let text = target.thread.as_deref().unwrap_or(&target.chat);
    let no = || SendError::Chat {
        reason: format!("{} is no chat of Discord", escape(text).limit(64)),
    };
    if let Some(person) = text.strip_prefix("user:") {
        return open(bot, &Id::parse(person).ok_or_else(no)?).await;
    }
    Id::parse(text.strip_prefix("channel:").unwrap_or(text)).ok_or_else(no)
}

/// One message.
struct Message<'m> {
    text: &'m str,
    picture: Option<&'m [u8]>,
    buttons: &'m [Button],
}

impl Message<'_> {
    async fn send(&self, bot: &Discord, chat: &Id) -> Result<Id, SendError> {
        // What has buttons stays in the chat, for later.
        if self.buttons.is_empty()
            && let Some(answer) = bot.interactions.answer(chat.as_str()).await
            && let Some(application) = bot.application()
        {
            match self.answer(bot, &application, &answer).await {
                Ok(id) => {
                    bot.interactions.sent(id.as_str(), answer.token);
                    return Ok(id);
                }
                // The interaction has expired, say. The chat is still there.
                Err(error) => {
                    tracing::debug!(%error, "discord: a command cannot be answered privately");
                }
            }
        }
        let path = format!("/channels/{chat}/messages");
        let shape = "POST /channels/{chat}/messages";
        let mut call = Call::new(Method::Post, path, shape, chat.as_str());
        let mut params = self.params(NO_PREVIEWS);
        if let Some(nonce) = bot.nonce() {
            // A message with the same nonce is not sent twice, so that a lost one can be sent again.
            params["nonce"] = nonce.into();
            params["enforce_nonce"] = true.into();
            call = call.repeatable();
        }
        self.made(bot, &call, &params)
            .await
            .map_err(|error| of_call(&error))
    }

    /// Answers a command, for the person who gave it alone.
    async fn answer(
        &self,
        bot: &Discord,
        application: &Id,
        Answer { token, is_first }: &Answer,
    ) -> Result<Id, CallError> {
        let path = format!("/webhooks/{application}/{}", token.0);
        // The flags of the first one were given with the acknowledgement.
        let call = if *is_first {
            let path = path + "/messages/@original";
            Call::new(Method::Patch, path, "PATCH /webhooks/@original", &token.0)
        } else {
            Call::new(Method::Post, path, "POST /webhooks", &token.0)
        };
        let call = call.of_interaction();
        let flags = if *is_first {
            0
        } else {
            EPHEMERAL | NO_PREVIEWS
        };
        let mut params = self.params(flags);
        if *is_first && let Value::Object(params) = &mut params {
            params.remove("flags");
        }
        self.made(bot, &call, &params).await
    }

    fn params(&self, flags: u64) -> Value {
        let mut params = json!({
            "content": self.text, "allowed_mentions": { "parse": [] }, "flags": flags,
        });
        if !self.buttons.is_empty() {
            params["components"] = rows(self.buttons);
        }
        params
    }

    async fn made(&self, bot: &Discord, call: &Call, params: &Value) -> Result<Id, CallError> {
        let body = || match self.picture {
            None => Body::json(params),
            Some(png) => {
                let mut form = Form::of_picture("files[0]", png.to_vec());
                form.field("payload_json", params.to_string());
                form.into_body()
            }
        };
        let sent: Result<Response, _> = bot
            .rest
            .patient(call, || Some(body()), &bot.pace, &bot.entropy)
            .await;
        read::<Made>(&sent?, "message").map(|made| made.id)
    }
}

fn rows(buttons: &[Button]) -> Value {
    let rows = buttons.chunks(ROW).map(|row| {
        let row: Vec<_> = row
            .iter()
            .map(|button| {
                let label: String = button.label.chars().take(LABEL).collect();
                json!({ "type": 2, "style": 2, "label": label, "custom_id": button.data })
            })
            .collect();
        json!({ "type": 1, "components": row })
    });
    rows.collect()
}

/// A request about a message: an ordinary one, or an answer that one person sees alone.
fn at_message(bot: &Discord, method: Method, chat: &Id, message: &Id) -> Call {
    let token = bot.interactions.of_message(message.as_str());
    if let (Some(Token(token)), Some(application)) = (token, bot.application()) {
        let path = format!("/webhooks/{application}/{token}/messages/{message}");
        return Call::new(method, path, "/webhooks/messages", &token).of_interaction();
    }
    let path = format!("/channels/{chat}/messages/{message}");
    // Deleting has a bucket of its own.
    let shape = if method == Method::Delete {
        "DELETE /channels/{chat}/messages/{id}"
    } else {
        "PATCH /channels/{chat}/messages/{id}"
    };
    Call::new(method, path, shape, chat.as_str())
}

fn ids(message: &MessageId) -> Result<Vec<Id>, SendError> {
    let ids = message.0.split(',').map(Id::parse);
    ids.collect::<Option<_>>().ok_or(SendError::Unable)
}

const UNKNOWN_MESSAGE: u64 = 10008;

fn of_call(error: &CallError) -> SendError {
    match error {
        // The person takes no messages from the bot, or shares no server with it.
        CallError::Refused {
            code: 50007 | 50278,
            ..
        } => SendError::Chat {
            reason: format!(
                "{error}: they have to share a server with the bot, and to allow direct messages"
            ),
        },
        CallError::Refused {
            status: 400 | 403 | 404,
            ..
        } => SendError::Chat {
            reason: error.to_string(),
        },
        _ => SendError::Unavailable {
            reason: error.to_string(),
        },
    }
}

impl Chats {
    fn get(&self, person: &Id) -> Option<Id> {
        let chats = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        chats.get(person.as_str()).cloned()
    }

    fn put(&self, person: &Id, chat: &Id) {
        let mut chats = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if chats.len() >= CHATS {
            // They are opened again when they are needed.
            chats.clear();
        }
        chats.insert(person.as_str().into(), chat.clone());
    }
}
