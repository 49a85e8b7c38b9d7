//! The methods of the Web API.

use serde_json::{Value, json};

use super::state::State;
use super::{BOT_ID, BOT_USER, Sent, objects};

fn refused(error: &str) -> Value {
    json!({ "ok": false, "error": error })
}

pub(super) fn carry_out(state: &mut State, method: &str, params: &Value) -> Value {
    let text = |name: &str| params[name].as_str().unwrap_or_default();
    match method {
        "auth.test" => json!({
            "ok": true, "url": "https://example.slack.com/", "team": "Example", "user": "bot", "team_id": "T0",
            "user_id": BOT_USER, "bot_id": BOT_ID, "is_enterprise_install": false,
        }),
        "apps.connections.open" => {
            let ticket = format!("ticket={}&app_id=A0", state.id("t"));
            let usual = format!("ws://{}/link/?{ticket}", state.address);
            state.tickets.insert(ticket);
            json!({ "ok": true, "url": state.behaviour.names.clone().unwrap_or(usual) })
        }
        "conversations.open" => {
            let person = text("users");
            if !person.starts_with('U') {
                return refused("user_not_found");
            }
            let chat = state.direct_chat(person);
            json!({ "ok": true, "no_op": true, "already_open": true, "channel": { "id": chat } })
        }
        "users.info" => match text("user") {
            person if person.starts_with('U') => {
                json!({ "ok": true, "user": objects::user(person) })
            }
            _ => refused("user_not_found"),
        },
        "chat.postMessage" => post(state, params, None),
        "chat.postEphemeral" => match text("user") {
            "" => refused("no_user"),
            person => {
                if state.person_of(text("channel")).as_deref() != Some(person) {
                    return refused("channel_not_found");
                }
                let person = person.to_owned();
                let made = post(state, params, Some(person));
                if made["ok"] == false {
                    return made;
                }
                json!({ "ok": true, "message_ts": made["ts"] })
            }
        },
        "chat.update" | "chat.delete" => {
            let key = (text("channel").to_owned(), text("ts").to_owned());
            if !state.messages.contains(&key) {
                return refused("message_not_found");
            }
            if method == "chat.delete" {
                state.messages.remove(&key);
            }
            json!({
                "ok": true, "channel": key.0, "ts": key.1, "text": params["text"],
                "message": { "type": "message", "user": BOT_USER, "bot_id": BOT_ID, "text": params["text"] },
            })
        }
        "files.getUploadURLExternal" => {
            let length = params["length"].as_str().and_then(|text| text.parse().ok());
            if text("filename").is_empty() || length.or_else(|| params["length"].as_u64()).is_none()
            {
                return refused("invalid_arguments");
            }
            let file = state.id("F");
            state.files.insert(file.clone(), (Vec::new(), false));
            let url = format!("http://{}/upload/{file}", state.address);
            json!({ "ok": true, "upload_url": url, "file_id": file })
        }
        "files.completeUploadExternal" => complete(state, params),
        "files.delete" => match state.files.remove(text("file")) {
            Some(_) => json!({ "ok": true }),
            None => refused("file_not_found"),
        },
        _ => refused("unknown_method"),
    }
}

fn post(state: &mut State, params: &Value, only_for: Option<String>) -> Value {
    let text = |name: &str| params[name].as_str().unwrap_or_default().to_owned();
    let chat = text("channel");
    let Some(person) = state.person_of(&chat) else {
        return refused("channel_not_found");
    };
    if let Some(error) = malformed(params) {
        return refused(error);
    }
    let ts = state.ts();
    if only_for.is_none() {
        state.messages.insert((chat.clone(), ts.clone()));
    }
    let is_ephemeral = only_for.is_some();
    state.sent.push(Sent {
        ts: ts.clone(),
        chat: chat.clone(),
        thread: params["thread_ts"].as_str().map(str::to_owned),
        person: Some(person),
        text: text("text"),
        buttons: buttons(params),
        only_for,
        picture: None,
    });
    let mut message = objects::message(&chat, &ts, BOT_USER, &text("text"));
    message["bot_id"] = BOT_ID.into();
    if !is_ephemeral {
        // The bot hears itself.
        let id = state.id("Ev");
        state.event(&id, &message);
    }
    json!({ "ok": true, "channel": chat, "ts": ts, "message": message })
}

fn complete(state: &mut State, params: &Value) -> Value {
    let chat = params["channel_id"].as_str().unwrap_or_default().to_owned();
    let person = state.person_of(&chat);
    let ids: Vec<_> = params["files"]
        .as_array()
        .into_iter()
        .flatten()
        .cloned()
        .collect();
    if person.is_none() || ids.is_empty() {
        return refused(if ids.is_empty() {
            "invalid_arguments"
        } else {
            "channel_not_found"
        });
    }
    for file in &ids {
        let id = file["id"].as_str().unwrap_or_default().to_owned();
        let Some(found) = state.files.get_mut(&id) else {
            return refused("file_not_found");
        };
        found.1 = true;
        let picture = Some((id, found.0.clone()));
        let ts = state.ts();
        state.sent.push(Sent {
            ts,
            chat: chat.clone(),
            thread: params["thread_ts"].as_str().map(str::to_owned),
            person: person.clone(),
            text: params["initial_comment"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
            buttons: Vec::new(),
            only_for: None,
            picture,
        });
    }
    json!({ "ok": true, "files": ids })
}

/// What is wrong with a message.
fn malformed(params: &Value) -> Option<&'static str> {
    let text = params["text"].as_str().unwrap_or_default();
    let blocks = params["blocks"].as_array().cloned().unwrap_or_default();
    if text.is_empty() && blocks.is_empty() {
        return Some("no_text");
    }
    if text.chars().count() > 40_000 {
        return Some("msg_too_long");
    }
    let is_text = |value: &Value, most: usize| {
        let length = value["text"]
            .as_str()
            .map_or(0, |text| text.chars().count());
        value["type"] == "plain_text" && (1..=most).contains(&length)
    };
    let is_button = |button: &Value| {
        let is_short =
            |name: &str, most| button[name].as_str().is_some_and(|text| text.len() <= most);
        button["type"] == "button"
            && is_text(&button["text"], 75)
            && is_short("action_id", 255)
            && is_short("value", 2000)
    };
    let is_block = |block: &Value| match block["type"].as_str() {
        Some("section") => is_text(&block["text"], 3000),
        Some("actions") => block["elements"].as_array().is_some_and(|elements| {
            (1..=25).contains(&elements.len()) && elements.iter().all(is_button)
        }),
        _ => false,
    };
    (blocks.len() > 50 || !blocks.iter().all(is_block)).then_some("invalid_blocks")
}

fn buttons(params: &Value) -> Vec<(String, String)> {
    let blocks = params["blocks"].as_array().into_iter().flatten();
    let elements = blocks.flat_map(|block| block["elements"].as_array().into_iter().flatten());
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    elements
        .map(|button| (text(&button["text"]["text"]), text(&button["value"])))
        .collect()
}
