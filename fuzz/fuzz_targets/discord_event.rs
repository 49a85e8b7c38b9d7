//! Payloads of Discord's gateway: nothing is taken for speech that another reading finds was not said by somebody to
//! the bot, every id is the one that was written, and what is sent back is shown as it was meant.

use channel_discord::fuzzing::{event as discord_event, plain};
use channel_kit::{Inbound, Incoming, Pressed};
use serde_json::Value;

const ME: &str = "7";

target!(|text: &str| {
    for message in plain(text) {
        assert!(message.chars().count() <= 2000);
        assert!(!message.trim().is_empty());
    }
    let Some((seq, what)) = discord_event(text, ME) else {
        return;
    };
    let Ok(payload) = serde_json::from_str::<Value>(text) else {
        // Numbers that are out of range, somewhere in what is not looked at.
        return;
    };
    // Objects may be written as lists of their values; those are not looked at again.
    if !payload.is_object() || !payload["d"].is_object() {
        return;
    }
    assert_eq!(payload["s"], seq);
    let data = &payload["d"];
    match what {
        None => {}
        Some(Incoming::Message(said)) if payload["t"] == "MESSAGE_CREATE" => {
            assert!(is_message(data, &said), "{text}");
        }
        Some(Incoming::Message(said)) => assert!(is_command(data, &said), "{text}"),
        Some(Incoming::Pressed(pressed)) => assert!(is_button(data, &pressed), "{text}"),
    }
});

fn is_message(data: &Value, said: &Inbound) -> bool {
    if !data["author"].is_object() {
        return true;
    }
    let author = &data["author"];
    author["id"] == *said.sender
        && said.sender != ME
        && author.get("bot") != Some(&true.into())
        && data.get("webhook_id").is_none_or(Value::is_null)
        && data["id"] == *said.id
        && data["channel_id"] == *said.chat.chat
        && said.is_direct == data.get("guild_id").is_none_or(Value::is_null)
        && data
            .get("content")
            .is_none_or(|content| *content == *said.text)
        && said.authenticated
        && !said.from_me
        && !said.from_bot
}

fn is_command(data: &Value, said: &Inbound) -> bool {
    data["id"] == *said.id
        && data["type"] == 2
        && data["channel_id"] == *said.chat.chat
        && is_by(data, &said.sender)
        && said.text.starts_with('/')
        && said.is_direct == data.get("guild_id").is_none_or(Value::is_null)
}

fn is_button(data: &Value, pressed: &Pressed) -> bool {
    let is_object = data["data"].is_object() && data["message"].is_object();
    data["type"] == 3
        && data["channel_id"] == *pressed.chat.chat
        && is_by(data, &pressed.sender)
        && (!is_object
            || (data["data"]["custom_id"] == *pressed.data
                && data["message"]["id"] == *pressed.message.0))
}

/// Whether an interaction is by this person: in a server they are a member of it.
fn is_by(data: &Value, sender: &str) -> bool {
    let member = &data["member"]["user"];
    let user = if data["user"].is_null() {
        member
    } else {
        &data["user"]
    };
    !user.is_object() || user["id"] == *sender
}
