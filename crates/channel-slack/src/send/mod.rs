//! Sending, replacing and deleting messages, and opening direct chats.

mod picture;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use channel_kit::{Button, MessageId, Outgoing, SendError, Target};
use pairing_core::{SenderId, escape};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Slack;
use crate::api::{self, Call, CallError};
use crate::id::{Id, Ts};
use crate::plain;

/// The longest data of a button, in bytes.
const DATA: usize = 64;

/// The longest label of a button, in characters.
const LABEL: usize = 75;

/// Maximum number of buttons under a message.
const BUTTONS: usize = 25;

/// Maximum number of direct chats that are remembered.
const CHATS: usize = 1000;

/// Direct chats that have been opened, by person.
#[derive(Debug, Default)]
pub(crate) struct Chats(Mutex<HashMap<Box<str>, Id>>);

/// Where a message goes.
#[derive(Debug, Clone)]
struct Place {
    chat: Id,
    thread: Option<Ts>,
}

/// One part of what the adapter calls a message.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    /// A message, and its chat where that is not the one it was sent to.
    Message { chat: Option<Id>, ts: Ts },
    /// What one person sees alone. Slack lets nobody change it.
    Ephemeral,
    /// A picture.
    File(Id),
}

/// Sends it all; the id names every message that it took. Where one of several fails, those before it are there.
pub(crate) async fn send(
    bot: &Slack,
    to: &Target,
    what: &Outgoing,
) -> Result<MessageId, SendError> {
    let mut place = place_of(bot, to).await?;
    let is_possible = what.buttons.len() <= BUTTONS
        && what.buttons.iter().all(|button| button.data.len() <= DATA);
    let mut texts = plain::messages(&what.text);
    if !is_possible || (texts.is_empty() && (what.picture.is_none() || !what.buttons.is_empty())) {
        return Err(SendError::Unable);
    }
    let giver = bot.commands.answers(place.chat.as_str());
    let mut elsewhere = None;
    if let Some(giver) = &giver {
        // Commands can be given anywhere; the bot need not be there. Who gave it has a chat with the bot.
        let own = open(bot, giver).await?;
        if own != place.chat {
            elsewhere = Some(own.clone());
            place = Place {
                chat: own,
                thread: None,
            };
        }
    }
    // What is to be deleted later, and what has buttons, has to stay in the chat.
    let only_for = giver.filter(|_| !what.is_secret && what.buttons.is_empty());
    let mut parts = Vec::new();
    if let Some(png) = &what.picture {
        // Its words come with it, unless they have buttons.
        let is_with_it = !texts.is_empty() && (texts.len() > 1 || what.buttons.is_empty());
        let words = is_with_it.then(|| texts.remove(0));
        let sent = picture::send(bot, &place, png, words.as_deref()).await;
        parts.push(Part::File(sent.map_err(|error| of_call(&error))?));
    }
    let count = texts.len();
    for (at, text) in texts.iter().enumerate() {
        let buttons: &[Button] = if at + 1 == count { &what.buttons } else { &[] };
        let sent = post(bot, &place, text, buttons, only_for.as_ref()).await;
        let ts = sent.map_err(|error| of_call(&error))?;
        parts.push(ts.map_or(Part::Ephemeral, |ts| Part::Message {
            chat: elsewhere.clone(),
            ts,
        }));
    }
    let names: Vec<_> = parts.iter().map(Part::name).collect();
    Ok(MessageId(names.join(",")))
}

/// Posts one message. `None` where one person sees it alone.
async fn post(
    bot: &Slack,
    place: &Place,
    text: &str,
    buttons: &[Button],
    only_for: Option<&Id>,
) -> Result<Option<Ts>, CallError> {
    #[derive(Deserialize)]
    struct Made {
        ts: Ts,
    }
    const POST: Call = Call::new("chat.postMessage");
    const EPHEMERAL: Call = Call::new("chat.postEphemeral");
    let mut params = json!({
        "channel": place.chat.as_str(), "text": text, "mrkdwn": false, "parse": "none",
        "link_names": false, "unfurl_links": false, "unfurl_media": false,
    });
    if let Some(thread) = &place.thread {
        params["thread_ts"] = thread.as_str().into();
    }
    if !buttons.is_empty() {
        params["blocks"] = blocks(text, buttons);
    }
    if let Some(person) = only_for {
        params["user"] = person.as_str().into();
        let sent = bot.api.patient(EPHEMERAL, &params, &bot.pace, &bot.entropy);
        return sent.await.map(|_| None);
    }
    let sent = bot
        .api
        .patient(POST, &params, &bot.pace, &bot.entropy)
        .await?;
    api::read::<Made>(&sent, "chat.postMessage").map(|made| Some(made.ts))
}

/// One that is gone already counts as deleted.
pub(crate) async fn delete(
    bot: &Slack,
    from: &Target,
    message: &MessageId,
) -> Result<(), SendError> {
    const MESSAGE: Call = Call::new("chat.delete").repeatable();
    const FILE: Call = Call::new("files.delete").repeatable();
    let place = place_of(bot, from).await?;
    let mut failed = None;
    for part in parts(message)? {
        let (call, params) = match part {
            Part::Message { chat, ts } => {
                let chat = chat.unwrap_or_else(|| place.chat.clone());
                (
                    MESSAGE,
                    json!({ "channel": chat.as_str(), "ts": ts.as_str() }),
                )
            }
            Part::File(file) => (FILE, json!({ "file": file.as_str() })),
            Part::Ephemeral => {
                failed = Some(SendError::Unable);
                continue;
            }
        };
        match bot
            .api
            .patient(call, &params, &bot.pace, &bot.entropy)
            .await
        {
            Ok(_) => {}
            Err(error) if is_gone(&error) => {}
            Err(error) => failed = Some(of_call(&error)),
        }
    }
    failed.map_or(Ok(()), Err)
}

/// Its buttons go with what was there.
pub(crate) async fn replace(
    bot: &Slack,
    at: &Target,
    message: &MessageId,
    text: &str,
) -> Result<(), SendError> {
    const UPDATE: Call = Call::new("chat.update").repeatable();
    let place = place_of(bot, at).await?;
    // The buttons are under the last.
    let Some(Part::Message { chat, ts }) = parts(message)?.pop() else {
        return Err(SendError::Unable);
    };
    let chat = chat.unwrap_or(place.chat);
    let params = json!({
        "channel": chat.as_str(), "ts": ts.as_str(), "text": plain::first_message(text), "blocks": [],
        "parse": "none", "link_names": false,
    });
    let updated = bot
        .api
        .patient(UPDATE, &params, &bot.pace, &bot.entropy)
        .await;
    updated.map(drop).map_err(|error| of_call(&error))
}

/// The direct chat with a person. Opening one that is there gives the same, and is done once.
pub(crate) async fn direct(bot: &Slack, sender: &SenderId) -> Result<Target, SendError> {
    let person = Id::parse(sender.as_str()).ok_or_else(|| SendError::Chat {
        reason: format!(
            "{} is no user id of Slack: it consists of letters and digits",
            escape(sender.as_str()).limit(64)
        ),
    })?;
    open(bot, &person)
        .await
        .map(|chat| Target::chat(chat.as_str()))
}

async fn open(bot: &Slack, person: &Id) -> Result<Id, SendError> {
    #[derive(Deserialize)]
    struct Opened {
        channel: Channel,
    }
    #[derive(Deserialize)]
    struct Channel {
        id: Id,
    }
    const METHOD: &str = "conversations.open";
    const OPEN: Call = Call::new(METHOD).repeatable();
    if let Some(known) = bot.chats.get(person) {
        return Ok(known);
    }
    let params = json!({ "users": person.as_str() });
    let opened = bot
        .api
        .patient(OPEN, &params, &bot.pace, &bot.entropy)
        .await;
    let opened = opened.and_then(|response| api::read::<Opened>(&response, METHOD));
    let chat = opened.map_err(|error| of_call(&error))?.channel.id;
    bot.chats.put(person, &chat);
    Ok(chat)
}

/// The chat that a target names: by its id, as `channel:<id>`, or by the person it is with, as `user:<id>`.
async fn place_of(bot: &Slack, target: &Target) -> Result<Place, SendError> {
    let no = |text: &str| SendError::Chat {
        reason: format!("{} is no chat of Slack", escape(text).limit(64)),
    };
    let text = &target.chat;
    let thread = target.thread.as_deref();
    let thread = thread
        .map(|ts| Ts::parse(ts).ok_or_else(|| no(ts)))
        .transpose()?;
    let chat = if let Some(person) = text.strip_prefix("user:") {
        open(bot, &Id::parse(person).ok_or_else(|| no(text))?).await?
    } else {
        let id = Id::parse(text.strip_prefix("channel:").unwrap_or(text));
        let id = id.ok_or_else(|| no(text))?;
        // A person by their id alone.
        if id.as_str().starts_with(['U', 'W']) {
            open(bot, &id).await?
        } else {
            id
        }
    };
    Ok(Place { chat, thread })
}

/// A message with buttons. Its text, which is escaped already, stands in blocks of its own.
fn blocks(text: &str, buttons: &[Button]) -> Value {
    let parts = plain::PART.split(text).into_iter();
    let mut blocks: Vec<_> = parts
        .map(|part| {
            json!({ "type": "section", "text": { "type": "plain_text", "text": part, "emoji": false } })
        })
        .collect();
    let elements: Vec<_> = buttons
        .iter()
        .enumerate()
        .map(|(at, button)| {
            let label: String = button.label.chars().take(LABEL).collect();
            json!({
                "type": "button", "action_id": format!("openclaw-{at}"), "value": button.data,
                "text": { "type": "plain_text", "text": label, "emoji": false },
            })
        })
        .collect();
    blocks.push(json!({ "type": "actions", "elements": elements }));
    blocks.into()
}

impl Part {
    fn name(&self) -> String {
        match self {
            Self::Message { chat: None, ts } => ts.to_string(),
            Self::Message {
                chat: Some(chat),
                ts,
            } => format!("{chat}/{ts}"),
            Self::Ephemeral => "ephemeral".to_owned(),
            Self::File(file) => format!("file:{file}"),
        }
    }

    fn parse(name: &str) -> Option<Self> {
        if name == "ephemeral" {
            return Some(Self::Ephemeral);
        }
        if let Some(file) = name.strip_prefix("file:") {
            return Id::parse(file).map(Self::File);
        }
        let (chat, ts) = match name.split_once('/') {
            Some((chat, ts)) => (Some(Id::parse(chat)?), ts),
            None => (None, name),
        };
        Ts::parse(ts).map(|ts| Self::Message { chat, ts })
    }
}

fn parts(message: &MessageId) -> Result<Vec<Part>, SendError> {
    let parts = message.0.split(',').map(Part::parse);
    parts.collect::<Option<_>>().ok_or(SendError::Unable)
}

fn is_gone(error: &CallError) -> bool {
    matches!(
        error.code(),
        Some("message_not_found" | "file_not_found" | "file_deleted" | "thread_not_found")
    )
}

fn of_call(error: &CallError) -> SendError {
    let reason = error.to_string();
    match error {
        CallError::Refused { .. } if !error.is_final() && !error.is_servers() => {
            SendError::Chat { reason }
        }
        _ => SendError::Unavailable { reason },
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_found_again_by_its_id() {
        for name in [
            "1355517523.000005",
            "D1/1355517523.000005",
            "ephemeral",
            "file:F1",
        ] {
            assert_eq!(Part::parse(name).unwrap().name(), name);
        }
        for wrong in ["", "x", "D1/", "/1.0", "file:", "file:../x", "a/b/1.0"] {
            assert!(Part::parse(wrong).is_none(), "{wrong}");
        }
        let id = MessageId("file:F1,1.0,D1/2.0".to_owned());
        assert_eq!(parts(&id).unwrap().len(), 3);
    }
}
