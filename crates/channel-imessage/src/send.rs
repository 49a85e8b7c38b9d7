//! Sending messages.

use channel_kit::{Handle, MessageId, Outgoing, SendError, Target, TextLimit};
use pairing_core::escape;
use serde_json::{Value, json};

use crate::IMessage;
use crate::calls::CallError;

/// The longest text.
pub(crate) const TEXT: TextLimit = TextLimit::chars(4000);

/// Sends a message, in as many parts as its text needs; the id names all of them. If a part fails, those before it were sent.
pub(crate) async fn send(
    imessage: &IMessage,
    to: &Target,
    what: &Outgoing,
) -> Result<MessageId, SendError> {
    let to = recipient(to)?;
    let texts = TEXT.split(&what.text);
    if !what.buttons.is_empty() || what.picture.is_some() || texts.is_empty() {
        return Err(SendError::Unable);
    }
    let mut sent = Vec::new();
    for text in texts {
        let mut params = json!({ "text": text, "service": imessage.service.as_str() });
        if let Some(region) = &imessage.region {
            params["region"] = region.as_str().into();
        }
        params[to.0] = to.1.clone();
        let answer = imessage
            .calls
            .call("send", params, imessage.pace.send)
            .await;
        sent.extend(name(&answer.map_err(|error| of_call(&error))?));
    }
    Ok(MessageId(sent.join(",")))
}

/// The name of a message that was sent, where the program knows it.
fn name(answer: &Value) -> Option<String> {
    let names = ["guid", "messageId", "message_id"].iter();
    let mut names = names.filter_map(|key| answer[*key].as_str());
    names.next().map(|name| escape(name).limit(128).to_string())
}

/// The member that names a target, and its value: an e-mail address or a number, `chat_id:<number>` or `chat_guid:<id>`.
fn recipient(target: &Target) -> Result<(&'static str, Value), SendError> {
    let text = target.chat.as_str();
    let found = if let Some(id) = text.strip_prefix("chat_id:") {
        id.parse::<i64>().ok().map(|id| ("chat_id", id.into()))
    } else if let Some(guid) = text.strip_prefix("chat_guid:") {
        let is_guid = !guid.is_empty() && guid.len() <= 256 && !guid.contains(char::is_control);
        is_guid.then(|| ("chat_guid", guid.into()))
    } else {
        Handle::parse(text).map(|handle| ("to", handle.as_str().into()))
    };
    found.ok_or_else(|| SendError::Chat {
        reason: format!(
            "{} is no chat of Messages: it is a number such as +15550001111, an e-mail address, chat_id:… or chat_guid:…",
            escape(text).limit(64)
        ),
    })
}

fn of_call(error: &CallError) -> SendError {
    let reason = error.to_string();
    let may_not = reason.contains("-1743") || reason.to_lowercase().contains("not authorized");
    let reason = match error {
        CallError::Refused { .. } if may_not => format!(
            "{reason}: allow it to control Messages on the Mac: System Settings, Privacy & Security, Automation"
        ),
        // Invalid parameters: nobody has this handle, or the chat is gone.
        CallError::Refused { refusal, .. } if refusal.code == -32602 => {
            return SendError::Chat { reason };
        }
        _ if error.may_be_done() => format!("{reason}: it may have been sent"),
        _ => reason,
    };
    SendError::Unavailable { reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chats_are_handles_ids_and_guids() {
        let of = |chat: &str| recipient(&Target::chat(chat));
        for (chat, member, value) in [
            ("+1 555 000 1111", "to", json!("+15550001111")),
            ("Ann@example.org", "to", json!("ann@example.org")),
            ("chat_id:42", "chat_id", json!(42)),
            (
                "chat_guid:iMessage;+;chat1",
                "chat_guid",
                json!("iMessage;+;chat1"),
            ),
        ] {
            assert_eq!(of(chat).unwrap(), (member, value));
        }
        for none in [
            "",
            "ann",
            "15550001111",
            "chat_id:",
            "chat_id:x",
            "chat_guid:",
            "chat_guid:a\n",
            "-a",
        ] {
            assert!(matches!(of(none), Err(SendError::Chat { .. })), "{none}");
        }
    }
}
