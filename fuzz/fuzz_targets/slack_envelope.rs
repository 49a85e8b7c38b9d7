//! Frames of Slack's Socket Mode: nothing is taken for speech that another reading finds was not said by somebody to the
//! bot, every id is the one that was written, and what is sent back is read as it was meant.

use channel_kit::{Inbound, Incoming, Pressed};
use channel_slack::fuzzing::{envelope, plain, typed};
use serde_json::Value;

const ME: &str = "U0BOT";

target!(|text: &str| {
    for message in plain(text) {
        assert!(message.chars().count() <= 4000);
        assert!(!message.trim().is_empty());
        assert!(!message.contains(['<', '>']));
    }
    if text.len() < 200 && !text.trim().is_empty() {
        assert_eq!(typed(&plain(text).concat()), text);
    }
    let Some((id, what)) = envelope(text, ME) else {
        return;
    };
    let Ok(frame) = serde_json::from_str::<Value>(text) else {
        // Numbers that are out of range, somewhere in what is not looked at.
        return;
    };
    // Objects may be written as lists of their values; those are not looked at again.
    if !frame.is_object() || !frame["payload"].is_object() {
        return;
    }
    assert_eq!(frame["envelope_id"], *id);
    let payload = &frame["payload"];
    match what {
        None => {}
        Some(Incoming::Message(said)) if frame["type"] == "events_api" => {
            assert!(is_message(&payload["event"], &said), "{text}");
        }
        Some(Incoming::Message(said)) => {
            assert!(frame["type"] == "slash_commands", "{text}");
            assert!(is_command(payload, &said), "{text}");
        }
        Some(Incoming::Pressed(pressed)) => {
            assert!(frame["type"] == "interactive", "{text}");
            assert!(is_button(payload, &pressed), "{text}");
        }
    }
});

fn is_message(event: &Value, said: &Inbound) -> bool {
    let is_null = |name: &str| event.get(name).is_none_or(Value::is_null);
    let subtype = event["subtype"].as_str();
    !event.is_object()
        || (event["type"] == "message"
            && event["user"] == *said.sender
            && said.sender != ME
            && is_null("bot_id")
            && matches!(subtype, None | Some("file_share" | "thread_broadcast"))
            && event.get("hidden") != Some(&true.into())
            && event["ts"] == *said.id
            && event["channel"] == *said.chat.chat
            && said.is_direct == (event["channel_type"] == "im")
            && said.authenticated
            && !said.from_me
            && !said.from_bot)
}

fn is_command(payload: &Value, said: &Inbound) -> bool {
    payload["user_id"] == *said.sender
        && payload["channel_id"] == *said.chat.chat
        && said.is_direct == said.chat.chat.starts_with('D')
        && said.text.starts_with('/')
}

fn is_button(payload: &Value, pressed: &Pressed) -> bool {
    let (user, under, action) = (
        &payload["user"],
        &payload["container"],
        &payload["actions"][0],
    );
    (!user.is_object() || user["id"] == *pressed.sender)
        && (!under.is_object()
            || (under["message_ts"] == *pressed.message.0
                && under["channel_id"] == *pressed.chat.chat))
        && (!action.is_object() || action["value"] == *pressed.data)
}
