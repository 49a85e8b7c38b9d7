//! Saying something: messages, pictures, buttons, and taking them back.

use std::sync::Arc;

use channel_kit::http::Body;
use channel_kit::{Backoff, Button, Form, MessageId, Outgoing, SendError, Target, TextLimit};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::Telegram;
use crate::api::{self, CallError};

/// The longest text of a message, and of one under a picture.
pub(crate) const TEXT: TextLimit = TextLimit::utf16(4096);
const CAPTION: TextLimit = TextLimit::utf16(1024);

/// Attempts when the server fails.
const TRIES: u32 = 3;

/// The longest data of a button, in bytes.
const DATA: usize = 64;

/// Sends it all; the id names every message that it took. Where one of several fails, those before it are
/// there.
pub(crate) async fn send(
    bot: &Telegram,
    to: &Target,
    what: &Outgoing,
) -> Result<MessageId, SendError> {
    let to = Chat::of(to)?;
    if what.buttons.iter().any(|button| button.data.len() > DATA) {
        return Err(SendError::Unable);
    }
    let is_caption = what.picture.is_some() && CAPTION.fits(&what.text);
    let texts = if is_caption {
        Vec::new()
    } else {
        TEXT.split(&what.text)
    };
    if what.picture.is_none() && texts.is_empty() {
        return Err(SendError::Unable);
    }
    let mut ids = Vec::new();
    if let Some(png) = &what.picture {
        let caption = if is_caption { what.text.as_str() } else { "" };
        let buttons: &[Button] = if texts.is_empty() { &what.buttons } else { &[] };
        ids.push(picture(bot, &to, png, caption, buttons, what.is_secret).await?);
    }
    for (at, text) in texts.iter().enumerate() {
        let mut params = json!({
            "text": text,
            "link_preview_options": { "is_disabled": true },
        });
        to.write(&mut params);
        if at + 1 == texts.len() && !what.buttons.is_empty() {
            params["reply_markup"] = keyboard(&what.buttons);
        }
        ids.push(made(bot, "sendMessage", || Body::json(&params)).await?);
    }
    let ids: Vec<_> = ids.iter().map(i64::to_string).collect();
    Ok(MessageId(ids.join(",")))
}

/// One that is gone already counts as taken back.
pub(crate) async fn delete(
    bot: &Telegram,
    from: &Target,
    message: &MessageId,
) -> Result<(), SendError> {
    let chat = Chat::of(from)?;
    let mut failed = None;
    for id in ids(message)? {
        let params = json!({ "chat_id": chat.id, "message_id": id });
        match patient(bot, "deleteMessage", || Body::json(&params)).await {
            Ok(_) => {}
            Err(error) if says(&error, "message to delete not found") => {}
            // Older than two days, for one.
            Err(error) if says(&error, "can't be deleted") => failed = Some(SendError::Unable),
            Err(error) => failed = Some(of_call(error)),
        }
    }
    failed.map_or(Ok(()), Err)
}

/// Its buttons go with what was there.
pub(crate) async fn replace(
    bot: &Telegram,
    at: &Target,
    message: &MessageId,
    text: &str,
) -> Result<(), SendError> {
    let chat = Chat::of(at)?;
    // The buttons are under the last.
    let id = ids(message)?.pop().ok_or(SendError::Unable)?;
    let head = |limit: TextLimit| limit.split(text).first().copied().unwrap_or("…").to_owned();
    let params = json!({
        "chat_id": chat.id, "message_id": id, "text": head(TEXT),
        "link_preview_options": { "is_disabled": true },
    });
    let edited = match patient(bot, "editMessageText", || Body::json(&params)).await {
        Err(error) if says(&error, "no text in the message") => {
            let params = json!({ "chat_id": chat.id, "message_id": id, "caption": head(CAPTION) });
            patient(bot, "editMessageCaption", || Body::json(&params)).await
        }
        edited => edited,
    };
    match edited {
        Err(error) if !says(&error, "message is not modified") => Err(of_call(error)),
        _ => Ok(()),
    }
}

async fn picture(
    bot: &Telegram,
    to: &Chat,
    png: &[u8],
    caption: &str,
    buttons: &[Button],
    is_secret: bool,
) -> Result<i64, SendError> {
    let form = || {
        let mut form = Form::of_picture("photo", png.to_vec());
        form.field("chat_id", plain(&to.id));
        if let Some(thread) = to.thread {
            form.field("message_thread_id", thread.to_string());
        }
        if !caption.trim().is_empty() {
            form.field("caption", caption.to_owned());
        }
        if is_secret {
            // Never a text's: apps would not let its reader copy it either, and a setup code is there to
            // be copied.
            form.field("protect_content", "true".to_owned());
        }
        if !buttons.is_empty() {
            form.field("reply_markup", keyboard(buttons).to_string());
        }
        form.into_body()
    };
    made(bot, "sendPhoto", form).await
}

/// A chat, as the Bot API names it.
struct Chat {
    id: Value,
    thread: Option<i64>,
}

impl Chat {
    fn of(target: &Target) -> Result<Self, SendError> {
        let no = |what: &str| SendError::Chat {
            reason: format!(
                "{} is no {what} of Telegram",
                pairing_core::escape(what_is(target, what))
            ),
        };
        let id = match (target.chat.parse::<i64>(), target.chat.strip_prefix('@')) {
            (Ok(id), _) => id.into(),
            (_, Some(name)) if is_name(name) => target.chat.as_str().into(),
            _ => return Err(no("chat")),
        };
        let thread = target.thread.as_deref().map(str::parse);
        let thread = thread.transpose().map_err(|_| no("thread"))?;
        Ok(Self { id, thread })
    }

    fn write(&self, params: &mut Value) {
        params["chat_id"] = self.id.clone();
        if let Some(thread) = self.thread {
            params["message_thread_id"] = thread.into();
        }
    }
}

fn what_is<'t>(target: &'t Target, what: &str) -> &'t str {
    match (what, &target.thread) {
        ("thread", Some(thread)) => thread,
        _ => &target.chat,
    }
}

fn is_name(name: &str) -> bool {
    let is_kept = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    !name.is_empty() && name.bytes().all(is_kept)
}

fn plain(id: &Value) -> String {
    id.as_str().map_or_else(|| id.to_string(), str::to_owned)
}

fn ids(message: &MessageId) -> Result<Vec<i64>, SendError> {
    let ids = message.0.split(',').map(str::parse);
    ids.collect::<Result<_, _>>().map_err(|_| SendError::Unable)
}

fn keyboard(buttons: &[Button]) -> Value {
    let row: Vec<_> = buttons
        .iter()
        .map(|button| json!({ "text": button.label, "callback_data": button.data }))
        .collect();
    json!({ "inline_keyboard": [row] })
}

async fn made(bot: &Telegram, method: &str, body: impl Fn() -> Body) -> Result<i64, SendError> {
    let result = patient(bot, method, body).await.map_err(of_call)?;
    api::message_id(&result).map_err(of_call)
}

/// Asks again what was not done: where the server has too much to do, for as long as patience lasts, and
/// where it is not well or cannot be reached, a few times. What was lost on the way may have been done, and is
/// not asked again.
async fn patient(
    bot: &Telegram,
    method: &str,
    body: impl Fn() -> Body,
) -> Result<Box<RawValue>, CallError> {
    let mut backoff = Backoff::new(Arc::clone(&bot.entropy), bot.pace.backoff);
    let until = Instant::now() + bot.pace.patience;
    let mut tries = 0;
    loop {
        let called = api::call(&bot.http, method, body(), bot.pace.call).await;
        let Err(error) = &called else {
            return called;
        };
        tries += u32::from(!error.is_limit());
        let wait = backoff.failed(error.retry_after());
        if !error.is_passing() || tries >= TRIES || Instant::now() + wait > until {
            return called;
        }
        sleep(wait).await;
    }
}

fn says(error: &CallError, what: &str) -> bool {
    matches!(error, CallError::Refused { status: 400, description, .. } if description.contains(what))
}

fn of_call(error: CallError) -> SendError {
    match error {
        CallError::Refused {
            status: 400 | 403,
            description,
            ..
        } => SendError::Chat {
            reason: description,
        },
        error => SendError::Unavailable {
            reason: error.to_string(),
        },
    }
}
