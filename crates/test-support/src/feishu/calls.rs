//! What each call does.

use hyper::Uri;
use hyper::body::Bytes;
use serde_json::{Value, json};

use super::objects::{buttons, refused};
use super::state::State;
use super::{APP_ID, APP_SECRET, Sent, objects};

pub(super) fn carry_out(
    state: &mut State,
    kind: &str,
    uri: &Uri,
    form: &str,
    body: &Bytes,
) -> Value {
    let params: Value = serde_json::from_slice(body).unwrap_or_default();
    let is_app = |id: &str, secret: &str| params[id] == APP_ID && params[secret] == APP_SECRET;
    let message = uri.path().rsplit('/').next().unwrap_or_default();
    match kind {
        "endpoint" => {
            if !is_app("AppID", "AppSecret") {
                // Feishu's own client looks into `data` before it looks at the code.
                let mut answer = refused(514, "auth failed: the app secret is invalid");
                answer["data"] = json!({});
                return answer;
            }
            if state.counts.open >= state.behaviour.most_connections {
                return refused(1_000_040_350, "exceed connection limit");
            }
            let ticket = format!(
                "fpid=493&aid=552564&device_id=7300000000000000000&access_key=x&service_id={}&ticket={}",
                super::frames::SERVICE,
                state.id("ticket"),
            );
            let usual = format!("ws://{}/ws/v2?{ticket}", state.address);
            state.tickets.insert(ticket);
            let url = state.behaviour.names.clone().unwrap_or(usual);
            let settings = objects::settings(state.behaviour.ping_interval);
            json!({ "code": 0, "msg": "", "data": { "URL": url, "ClientConfig": settings } })
        }
        "token" => {
            if params["app_id"] != APP_ID {
                return refused(10_003, "invalid param");
            }
            if !is_app("app_id", "app_secret") {
                return refused(10_014, "app secret invalid");
            }
            let token = state.id("t-g1");
            state.counts.tokens += 1;
            state.tokens.insert(token.clone());
            let expire = state.behaviour.expires;
            json!({ "code": 0, "msg": "ok", "tenant_access_token": token, "expire": expire })
        }
        "bot" => json!({ "code": 0, "msg": "ok", "bot": objects::bot() }),
        "image" => {
            let Some(content) = content(form, body) else {
                return refused(234_001, "Invalid request param.");
            };
            let key = state.id("img_v3_");
            state.pictures.insert(key.clone(), content);
            json!({ "code": 0, "msg": "success", "data": { "image_key": key } })
        }
        "send" => send(state, uri.query().unwrap_or_default(), &params),
        "edit" | "card" => {
            let content = params["content"].as_str().unwrap_or_default().to_owned();
            let Some((there, _)) = state.messages.get(message).cloned() else {
                return refused(
                    230_110,
                    "Action unavailable as the message has been deleted.",
                );
            };
            let is_right = match kind {
                "edit" => there == "text" && params["msg_type"] == "text",
                _ => there == "interactive",
            };
            if !is_right || malformed(&there, &content).is_some() {
                return refused(
                    230_001,
                    "Your request contains an invalid request parameter.",
                );
            }
            state
                .messages
                .insert(message.to_owned(), (there.clone(), content.clone()));
            if kind == "card" {
                return json!({ "code": 0, "msg": "success", "data": {} });
            }
            let data = objects::sent(message, "oc_x", &there, &content);
            json!({ "code": 0, "msg": "success", "data": data })
        }
        _ => match state.messages.remove(message) {
            Some(_) => json!({ "code": 0, "msg": "success", "data": {} }),
            None => refused(
                230_110,
                "Action unavailable as the message has been deleted.",
            ),
        },
    }
}

fn send(state: &mut State, query: &str, params: &Value) -> Value {
    let text = |name: &str| params[name].as_str().unwrap_or_default().to_owned();
    let (to, kind, content) = (text("receive_id"), text("msg_type"), text("content"));
    let chat = match query {
        "receive_id_type=open_id" if to.starts_with("ou_") => state.direct_chat(&to),
        "receive_id_type=chat_id" if state.is_chat(&to) => to.clone(),
        "receive_id_type=chat_id" => {
            return refused(230_002, "Bot/User can NOT be out of the chat.");
        }
        _ => return refused(99_992_351, "not a valid open_id"),
    };
    if let Some(error) = malformed(&kind, &content) {
        return error;
    }
    let uuid = params["uuid"].as_str().map(str::to_owned);
    if let Some(known) = uuid
        .as_ref()
        .and_then(|uuid| state.numbers.get(uuid))
        .cloned()
    {
        state.counts.doubles += 1;
        let data = objects::sent(&known, &chat, &kind, &content);
        return json!({ "code": 0, "msg": "success", "data": data });
    }
    let parsed: Value = serde_json::from_str(&content).unwrap_or_default();
    let picture = match parsed["image_key"]
        .as_str()
        .map(|key| state.pictures.get(key))
    {
        None => None,
        Some(Some(picture)) => Some(picture.clone()),
        Some(None) => return refused(230_001, "the image_key is invalid"),
    };
    let id = state.id("om_");
    state
        .messages
        .insert(id.clone(), (kind.clone(), content.clone()));
    if let Some(uuid) = &uuid {
        state.numbers.insert(uuid.clone(), id.clone());
    }
    let words = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let shown = match kind.as_str() {
        "text" => words(&parsed["text"]),
        _ => words(&parsed["elements"][0]["text"]["content"]),
    };
    let buttons = buttons(&parsed);
    state.sent.push(Sent {
        id: id.clone(),
        to,
        text: shown,
        buttons: buttons
            .iter()
            .map(|button| {
                (
                    words(&button["text"]["content"]),
                    words(&button["value"]["data"]),
                )
            })
            .collect(),
        picture,
        uuid,
        kind: kind.clone(),
    });
    json!({ "code": 0, "msg": "success", "data": objects::sent(&id, &chat, &kind, &content) })
}

/// What is wrong with the content of a message.
fn malformed(kind: &str, content: &str) -> Option<Value> {
    let parsed: Value = serde_json::from_str(content).unwrap_or_default();
    let (most, is_right) = match kind {
        "text" => (
            150 << 10,
            parsed["text"].as_str().is_some_and(|text| !text.is_empty()),
        ),
        "image" => (1000, parsed["image_key"].is_string()),
        "interactive" => (30 << 10, is_card(&parsed)),
        _ => return Some(refused(230_001, "invalid msg_type")),
    };
    if content.len() > most {
        return Some(refused(
            230_025,
            "The length of the message content reaches its limit.",
        ));
    }
    (!is_right).then(|| refused(230_001, "invalid content"))
}

fn is_card(card: &Value) -> bool {
    let is_plain = |text: &Value| text["tag"] == "plain_text" && text["content"].is_string();
    let is_element = |element: &Value| match element["tag"].as_str() {
        Some("div") => is_plain(&element["text"]),
        Some("action") => element["actions"].as_array().is_some_and(|actions| {
            let is_button = |action: &Value| {
                action["tag"] == "button"
                    && is_plain(&action["text"])
                    && action["value"].is_object()
            };
            !actions.is_empty() && actions.iter().all(is_button)
        }),
        _ => false,
    };
    let elements = card["elements"].as_array();
    elements.is_some_and(|elements| !elements.is_empty() && elements.iter().all(is_element))
}

/// The picture of a form; `None` where it is none for a message.
fn content(kind: &str, body: &Bytes) -> Option<Vec<u8>> {
    let (_, boundary) = kind.split_once("boundary=")?;
    let find = |what: &[u8], from: usize| {
        let mut places = body.get(from..)?.windows(what.len());
        places.position(|part| part == what).map(|at| from + at)
    };
    let field = find(b"name=\"image_type\"", 0)?;
    let value = find(b"\r\n\r\n", field)? + 4;
    if !body[value..].starts_with(b"message\r\n") {
        return None;
    }
    let file = find(b"name=\"image\"", 0)?;
    let begin = find(b"\r\n\r\n", file)? + 4;
    let end = find(format!("\r\n--{boundary}").as_bytes(), begin)?;
    Some(body[begin..end].to_vec())
}
