//! Objects as Discord writes them.

use serde_json::{Value, json};

use super::{APPLICATION_ID, BOT_ID};

pub(super) fn user(id: u64) -> Value {
    json!({
        "id": id.to_string(), "username": format!("user{id}"), "global_name": format!("User {id}"),
        "discriminator": "0", "avatar": null, "public_flags": 0,
    })
}

pub(super) fn bot() -> Value {
    json!({
        "id": BOT_ID, "username": "the_bot", "global_name": null, "discriminator": "1234", "avatar": null,
        "bot": true, "verified": true, "email": null, "mfa_enabled": false, "flags": 0,
    })
}

pub(super) fn message(id: &str, chat: &str, author: &Value, text: &str) -> Value {
    json!({
        "id": id, "channel_id": chat, "author": author, "content": text, "type": 0,
        "timestamp": "2026-11-26T12:00:00.000000+00:00", "edited_timestamp": null, "tts": false,
        "mention_everyone": false, "mentions": [], "mention_roles": [], "attachments": [], "embeds": [],
        "pinned": false, "components": [], "flags": 0, "channel_type": 1,
    })
}

pub(super) fn ready(session: &str, address: &str) -> Value {
    json!({
        "v": 10, "user": bot(), "guilds": [], "session_id": session, "session_type": "normal",
        "resume_gateway_url": format!("ws://{address}/resume"), "user_settings": {}, "relationships": [],
        "private_channels": [], "presences": [], "application": { "id": APPLICATION_ID, "flags": 0 },
    })
}

pub(super) fn direct_chat(id: &str, person: &str) -> Value {
    json!({
        "id": id, "type": 1, "last_message_id": null, "flags": 0,
        "recipients": [user(person.parse().unwrap_or_default())],
    })
}
