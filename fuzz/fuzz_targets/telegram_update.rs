//! Answers of a Bot API server: nothing is taken for speech that another reading finds was not said by
//! somebody, and every id is the one that was written.

use channel_kit::{Inbound, Incoming, Pressed};
use channel_telegram::fuzzing::updates as telegram_updates;
use serde_json::Value;

const ME: i64 = 7;

target!(|text: &str| {
    let Some(updates) = telegram_updates(text, ME) else {
        return;
    };
    // In order, so that the last one is the one to go on from.
    assert!(updates.is_sorted_by_key(|(id, ..)| *id));
    let Ok(Value::Array(list)) = serde_json::from_str::<Value>(text) else {
        // Numbers that are out of range, somewhere in what is not looked at.
        return;
    };
    assert!(updates.len() <= list.len());
    for (id, what, query) in updates {
        if what.is_none() && query.is_none() {
            continue;
        }
        let mut alike = list.iter().filter(|update| update["update_id"] == id);
        let is_said = alike.any(|update| match &what {
            None => true,
            Some(Incoming::Message(said)) => is_message(&update["message"], said),
            Some(Incoming::Pressed(pressed)) => is_button(&update["callback_query"], pressed),
        });
        assert!(is_said, "{id} in {text}");
    }
});

fn is_message(message: &Value, said: &Inbound) -> bool {
    let from = member(&message["from"], "id", 0);
    let words = [&message["text"], &message["caption"]];
    message.get("forward_origin").is_none()
        && from.to_string() == said.sender
        && member(&message["chat"], "id", 0).to_string() == said.chat.chat
        && said.is_direct == (member(&message["chat"], "type", 1) == "private")
        && said.from_me == (*from == ME)
        && (said.text.is_empty() || words.iter().any(|words| **words == said.text))
}

fn is_button(query: &Value, pressed: &Pressed) -> bool {
    let under = member(query, "message", 1);
    member(member(query, "from", 0), "id", 0).to_string() == pressed.sender
        && *member(query, "data", 2) == pressed.data
        && member(under, "message_id", 0).to_string() == pressed.message.0
}

/// Objects may be written as lists of their values.
fn member<'v>(value: &'v Value, name: &str, at: usize) -> &'v Value {
    if value.is_array() {
        &value[at]
    } else {
        &value[name]
    }
}
