//! Objects as Slack writes them.

use serde_json::{Value, json};

use super::BOT_ID;

pub(super) fn message(chat: &str, ts: &str, person: &str, text: &str) -> Value {
    json!({
        "type": "message", "user": person, "text": text, "ts": ts, "event_ts": ts, "channel": chat,
        "channel_type": "im", "team": "T0", "client_msg_id": "d2ad33ed-0000-4000-8000-000000000000",
        "blocks": [{ "type": "rich_text", "block_id": "x", "elements": [{
            "type": "rich_text_section", "elements": [{ "type": "text", "text": text }],
        }] }],
    })
}

pub(super) fn callback(id: &str, event: &Value) -> Value {
    json!({
        "token": "old", "team_id": "T0", "context_team_id": "T0", "api_app_id": "A0", "event": event,
        "type": "event_callback", "event_id": id, "event_time": 1_795_353_726, "is_ext_shared_channel": false,
        "authorizations": [{
            "enterprise_id": null, "team_id": "T0", "user_id": super::BOT_USER, "is_bot": true,
            "is_enterprise_install": false,
        }],
        "event_context": "4-x",
    })
}

pub(super) fn press(chat: &str, ts: &str, person: &str, value: &str) -> Value {
    json!({
        "type": "block_actions", "api_app_id": "A0", "token": "old", "trigger_id": "1.2.x", "team": {
            "id": "T0", "domain": "example" },
        "user": { "id": person, "username": person.to_lowercase(), "name": person.to_lowercase(), "team_id": "T0" },
        "container": { "type": "message", "message_ts": ts, "channel_id": chat, "is_ephemeral": false },
        "channel": { "id": chat, "name": "directmessage" }, "enterprise": null, "is_enterprise_install": false,
        "state": { "values": {} }, "response_url": "https://evil.example/actions",
        "message": { "type": "message", "user": super::BOT_USER, "bot_id": BOT_ID, "ts": ts, "text": "" },
        "actions": [{
            "type": "button", "action_id": "x", "block_id": "y", "value": value, "action_ts": ts,
            "text": { "type": "plain_text", "text": value, "emoji": false },
        }],
    })
}

pub(super) fn command(chat: &str, person: &str, command: &str, text: &str) -> Value {
    let name = if chat.starts_with('D') {
        "directmessage"
    } else {
        "general"
    };
    json!({
        "token": "old", "team_id": "T0", "team_domain": "example", "channel_id": chat, "channel_name": name,
        "user_id": person, "user_name": person.to_lowercase(), "command": command, "text": text,
        "api_app_id": "A0", "is_enterprise_install": "false", "trigger_id": "1.2.x",
        "response_url": "https://evil.example/commands",
    })
}

pub(super) fn user(id: &str) -> Value {
    json!({
        "id": id, "team_id": "T0", "name": id.to_lowercase(), "deleted": false, "real_name": format!("Person {id}"),
        "is_bot": false, "profile": { "display_name": id.to_lowercase(), "real_name": format!("Person {id}") },
    })
}
