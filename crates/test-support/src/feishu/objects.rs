//! Objects as Feishu writes them.

use serde_json::{Value, json};

use super::{APP_ID, BOT};

fn ids(person: &str) -> Value {
    let rest = person.trim_start_matches("ou_");
    json!({ "open_id": person, "union_id": format!("on_{rest}"), "user_id": rest })
}

pub(super) fn event(id: &str, kind: &str, event: &Value) -> Value {
    json!({
        "schema": "2.0",
        "header": {
            "event_id": id, "event_type": kind, "create_time": "1795353726325", "token": "", "app_id": APP_ID,
            "tenant_key": "736588c9260f175d",
        },
        "event": event,
    })
}

pub(super) fn message(id: &str, chat: &str, person: &str, text: &str) -> Value {
    json!({
        "sender": { "sender_id": ids(person), "sender_type": "user", "tenant_key": "736588c9260f175d" },
        "message": {
            "message_id": id, "create_time": "1795353726325", "update_time": "1795353726325", "chat_id": chat,
            "chat_type": "p2p", "message_type": "text", "content": json!({ "text": text }).to_string(),
            "user_agent": "Mozilla/5.0",
        },
    })
}

pub(super) fn press(message: &str, chat: &str, person: &str, value: &Value) -> Value {
    let mut operator = ids(person);
    operator["tenant_key"] = "736588c9260f175d".into();
    json!({
        "operator": operator, "token": "c-295ee57216a5dc9de90fefd0aadb4b1d7xxxx",
        "action": { "value": value, "tag": "button" }, "host": "im_message", "delivery_type": "",
        "context": { "open_message_id": message, "open_chat_id": chat },
    })
}

pub(super) fn sent(id: &str, chat: &str, kind: &str, content: &str) -> Value {
    json!({
        "message_id": id, "chat_id": chat, "msg_type": kind, "create_time": "1795353726325",
        "update_time": "1795353726325", "deleted": false, "updated": false,
        "sender": { "id": APP_ID, "id_type": "app_id", "sender_type": "app", "tenant_key": "736588c9260f175d" },
        "body": { "content": content },
    })
}

pub(super) fn bot() -> Value {
    json!({
        "activate_status": 2, "app_name": "OpenClaw", "avatar_url": "https://x.example/a.png", "ip_white_list": [],
        "open_id": BOT,
    })
}

pub(super) fn refused(code: i64, text: &str) -> Value {
    json!({ "code": code, "msg": text })
}

/// The buttons of a card.
pub(super) fn buttons(card: &Value) -> Vec<Value> {
    let elements = card["elements"].as_array().into_iter().flatten();
    let actions = elements.flat_map(|element| element["actions"].as_array().into_iter().flatten());
    actions.cloned().collect()
}

/// What the server wishes of a connection.
pub(super) fn settings(ping_interval: u64) -> Value {
    json!({
        "ReconnectCount": -1, "ReconnectInterval": 1, "ReconnectNonce": 0, "PingInterval": ping_interval,
    })
}
