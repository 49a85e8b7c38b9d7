//! The REST API.

use std::time::Duration;

use http_body_util::Full;
use hyper::Response;
use hyper::body::Bytes;
use hyper::http::request::Parts;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::state::State;
use super::{APPLICATION_ID, Answer, BOT_TOKEN, Call, Shared, objects};

/// What closes the connection.
#[derive(Debug)]
pub(super) struct HungUp;

impl std::fmt::Display for HungUp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("hung up")
    }
}

impl std::error::Error for HungUp {}

/// A status and a body.
type Reply = (u16, Value);

pub(super) async fn answer(
    head: &Parts,
    body: &Bytes,
    shared: &Shared,
) -> Result<Response<Full<Bytes>>, HungUp> {
    let path = head.uri.path();
    let Some(path) = path.strip_prefix("/api/v10/") else {
        return Ok(respond(404, &[], &error(404, 0, "404: Not Found").1));
    };
    let (route, ids) = shape(head.method.as_str(), path);
    let kind = head.headers.get("content-type");
    let kind = kind.map_or("", |kind| kind.to_str().unwrap_or_default());
    let (sent, picture) = read(kind, body);
    let is_bot = head
        .headers
        .get("authorization")
        .is_some_and(|given| given == &format!("Bot {BOT_TOKEN}"));
    let is_public = route.starts_with("POST /interactions/") || route.contains(" /webhooks/");
    let call = Call {
        route: route.clone(),
        ids,
        body: sent,
        picture,
        status: 0,
    };
    let (next, number) = {
        let mut state = shared.state.lock().unwrap();
        state.calls.push(call.clone());
        let number = state.calls.len() - 1;
        (
            state
                .next
                .get_mut(&route)
                .and_then(std::collections::VecDeque::pop_front),
            number,
        )
    };
    shared.changed.notify_waiters();
    let mut hangs_up = false;
    let refused = match next {
        Some(Answer::Error(status, code, message)) => Some(error(status, code, message)),
        Some(Answer::Later(after, is_global)) => {
            let body = json!({ "message": "You are being rate limited.", "retry_after": after, "global": is_global });
            let mut headers = vec![("retry-after", after.ceil().to_string())];
            if is_global {
                headers.push(("x-ratelimit-global", "true".to_owned()));
            }
            return Ok(respond(429, &headers, &body));
        }
        Some(Answer::Raw(status, (name, value), body)) => {
            let response = Response::builder().status(status).header(name, value);
            return Ok(response.body(Full::from(body)).unwrap());
        }
        Some(Answer::HangUp { done: false }) => return Err(HungUp),
        Some(Answer::HangUp { done: true }) => {
            hangs_up = true;
            None
        }
        Some(Answer::Silence) => std::future::pending().await,
        None => None,
    };
    let (headers, (status, body)) = {
        let mut state = shared.state.lock().unwrap();
        let (headers, limited) = if is_public {
            (Vec::new(), None)
        } else {
            limit(&mut state, &call)
        };
        let reply = if let Some(after) = limited {
            (
                429,
                json!({ "message": "You are being rate limited.", "retry_after": after, "global": false }),
            )
        } else if !is_bot && !is_public {
            error(401, 0, "401: Unauthorized")
        } else {
            refused.unwrap_or_else(|| carry_out(&mut state, &call))
        };
        state.calls[number].status = reply.0;
        (headers, reply)
    };
    shared.changed.notify_waiters();
    if hangs_up {
        return Err(HungUp);
    }
    Ok(respond(status, &headers, &body))
}

fn respond(status: u16, headers: &[(&str, String)], body: &Value) -> Response<Full<Bytes>> {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, value);
    }
    if status == 204 {
        return response.body(Full::default()).unwrap();
    }
    let response = response.header("content-type", "application/json");
    response.body(Full::from(body.to_string())).unwrap()
}

fn error(status: u16, code: u64, message: &str) -> Reply {
    (status, json!({ "message": message, "code": code }))
}

/// The route, with `{}` for ids and tokens, and those.
fn shape(method: &str, path: &str) -> (String, Vec<String>) {
    let mut ids = Vec::new();
    let path = path.replace("%40", "@");
    let parts: Vec<_> = path.split('/').collect();
    let mut route = format!("{method} ");
    for (at, part) in parts.iter().enumerate() {
        let is_number = part.bytes().all(|b| b.is_ascii_digit());
        // The token of an interaction comes after an id.
        let is_token = at == 2 && matches!(parts[0], "interactions" | "webhooks");
        route.push('/');
        if is_number || is_token {
            ids.push((*part).to_owned());
            route.push_str("{}");
        } else {
            route.push_str(part);
        }
    }
    (route, ids)
}

/// Takes a request out of its bucket; the headers that say so, and the seconds to wait if it was empty.
fn limit(state: &mut State, call: &Call) -> (Vec<(&'static str, String)>, Option<f64>) {
    let (most, within) = state.behaviour.limit;
    let chat = call.ids.first().map_or("", String::as_str);
    let key = format!("{} {chat}", call.route);
    let now = Instant::now();
    let bucket = state.buckets.entry(key).or_insert((most, now + within));
    if bucket.1 <= now {
        *bucket = (most, now + within);
    }
    let is_empty = bucket.0 == 0;
    bucket.0 = bucket.0.saturating_sub(1);
    let after = (bucket.1 - now).as_secs_f64();
    let mut headers = vec![
        ("x-ratelimit-limit", most.to_string()),
        ("x-ratelimit-remaining", bucket.0.to_string()),
        ("x-ratelimit-reset-after", format!("{after:.3}")),
        // By a clock that is not the bot's.
        (
            "x-ratelimit-reset",
            format!("{:.3}", 1_000_000_000.0 + after),
        ),
        (
            "x-ratelimit-bucket",
            format!("{:08x}", bucket_of(&call.route)),
        ),
    ];
    if is_empty {
        headers.push(("retry-after", after.ceil().to_string()));
        headers.push(("x-ratelimit-scope", "user".to_owned()));
    }
    (headers, is_empty.then_some(after))
}

fn bucket_of(route: &str) -> u32 {
    route.bytes().fold(7, |hash: u32, byte| {
        hash.wrapping_mul(31).wrapping_add(byte.into())
    })
}

fn carry_out(state: &mut State, call: &Call) -> Reply {
    let id = |at: usize| call.ids.get(at).map_or("", String::as_str);
    match call.route.as_str() {
        "GET /gateway/bot" => {
            let behaviour = &state.behaviour;
            let again = u64::try_from(behaviour.sessions_again.as_millis()).unwrap();
            let url = format!("ws://{}", state.address);
            (
                200,
                json!({ "url": url, "shards": 1, "session_start_limit": {
                "total": 1000, "remaining": behaviour.sessions_left, "reset_after": again, "max_concurrency": 1,
            } }),
            )
        }
        "GET /users/@me" => (200, objects::bot()),
        "POST /users/@me/channels" => match call.body["recipient_id"].as_str() {
            Some(person) if person.parse::<u64>().is_ok() => {
                let chat = state.direct_chat(person);
                (200, objects::direct_chat(&chat, person))
            }
            _ => error(400, 50033, "Invalid Recipient(s)"),
        },
        "GET /channels/{}" => match state.person_of(id(0)) {
            Some(person) => (200, objects::direct_chat(id(0), &person)),
            None => error(404, 10003, "Unknown Channel"),
        },
        "POST /channels/{}/messages" => create(state, id(0), call),
        "PATCH /channels/{}/messages/{}" => edit(state, id(1), &call.body, false),
        "DELETE /channels/{}/messages/{}" => remove(state, id(1), false),
        "POST /applications/{}/commands" => {
            if id(0) != APPLICATION_ID {
                return error(
                    403,
                    20012,
                    "You are not authorized to perform this action on this application",
                );
            }
            let mut command = call.body.clone();
            state
                .registered
                .retain(|other| other["name"] != command["name"]);
            state.registered.push(command.clone());
            command["id"] = state.id().into();
            command["application_id"] = APPLICATION_ID.into();
            command["version"] = "1".into();
            (201, command)
        }
        "POST /interactions/{}/{}/callback" => acknowledge(state, id(0), id(1), &call.body),
        _ if call.route.contains(" /webhooks/{}/{}") => follow_up(state, call),
        _ => error(404, 0, "404: Not Found"),
    }
}

fn create(state: &mut State, chat: &str, call: &Call) -> Reply {
    let Some(person) = state.person_of(chat) else {
        return error(404, 10003, "Unknown Channel");
    };
    if state.shut.contains(&person) {
        return error(403, 50007, "Cannot send messages to this user");
    }
    if let Some(refusal) = malformed(call) {
        return refusal;
    }
    let nonce = call.body["nonce"].as_str().unwrap_or_default().to_owned();
    let key = (chat.to_owned(), nonce);
    if call.body["enforce_nonce"] == true
        && !key.1.is_empty()
        && let Some(before) = state.nonces.get(&key)
    {
        return (200, before.clone());
    }
    let message = state.post(chat, &call.body, call.picture.clone(), false);
    state.nonces.insert(key, message.clone());
    (200, message)
}

/// What is wrong with a message.
fn malformed(call: &Call) -> Option<Reply> {
    let body = &call.body;
    let invalid = || Some(error(400, 50035, "Invalid Form Body"));
    let text = body["content"].as_str().unwrap_or_default();
    if text.chars().count() > 2000 {
        return invalid();
    }
    if text.trim().is_empty() && call.picture.is_none() {
        return Some(error(400, 50006, "Cannot send an empty message"));
    }
    if body["nonce"].as_str().is_some_and(|nonce| nonce.len() > 25) {
        return invalid();
    }
    for row in body["components"].as_array().into_iter().flatten() {
        let buttons = row["components"].as_array().cloned().unwrap_or_default();
        let is_button = |button: &Value| {
            let is_short = |value: &Value, most: usize| {
                let length = value.as_str().map_or(0, |text| text.chars().count());
                (1..=most).contains(&length)
            };
            button["type"] == 2
                && is_short(&button["label"], 80)
                && is_short(&button["custom_id"], 100)
        };
        if row["type"] != 1
            || buttons.is_empty()
            || buttons.len() > 5
            || !buttons.iter().all(is_button)
        {
            return invalid();
        }
    }
    None
}

fn edit(state: &mut State, message: &str, body: &Value, by_webhook: bool) -> Reply {
    let Some(found) = state.messages.get_mut(message) else {
        return error(404, 10008, "Unknown Message");
    };
    let is_ephemeral = found["flags"].as_u64().unwrap_or(0) & 64 != 0;
    // What one person sees alone is no message of the chat.
    if is_ephemeral && !by_webhook {
        return error(404, 10008, "Unknown Message");
    }
    for name in ["content", "components"] {
        if !body[name].is_null() {
            found[name] = body[name].clone();
        }
    }
    (200, found.clone())
}

fn remove(state: &mut State, message: &str, by_webhook: bool) -> Reply {
    let found = state.messages.get(message);
    let is_ephemeral = found.map(|found| found["flags"].as_u64().unwrap_or(0) & 64 != 0);
    if is_ephemeral.is_none_or(|is_ephemeral| is_ephemeral && !by_webhook) {
        return error(404, 10008, "Unknown Message");
    }
    state.messages.remove(message);
    (204, Value::Null)
}

fn acknowledge(state: &mut State, id: &str, token: &str, body: &Value) -> Reply {
    let within: Duration = state.behaviour.acknowledge;
    let Some(interaction) = state.interactions.get_mut(token) else {
        return error(404, 10062, "Unknown interaction");
    };
    if interaction.id != id || interaction.since.elapsed() > within {
        return error(404, 10062, "Unknown interaction");
    }
    if interaction.is_acknowledged {
        return error(400, 40060, "Interaction has already been acknowledged.");
    }
    match body["type"].as_u64() {
        Some(4..=7) => interaction.is_acknowledged = true,
        _ => return error(400, 50035, "Invalid Form Body"),
    }
    if body["type"] == 4 {
        let chat = interaction.chat.clone();
        let is_ephemeral = body["data"]["flags"].as_u64().unwrap_or(0) & 64 != 0;
        let message = state.post(&chat, &body["data"], None, is_ephemeral);
        let original = message["id"].as_str().map(str::to_owned);
        if let Some(interaction) = state.interactions.get_mut(token) {
            interaction.original = original;
        }
    }
    (204, Value::Null)
}

fn follow_up(state: &mut State, call: &Call) -> Reply {
    let unknown = error(404, 10015, "Unknown Webhook");
    let token = call.ids.get(1).cloned().unwrap_or_default();
    let Some(interaction) = state.interactions.get(&token) else {
        return unknown;
    };
    if !interaction.is_acknowledged || call.ids[0] != APPLICATION_ID {
        return unknown;
    }
    let (chat, original) = (interaction.chat.clone(), interaction.original.clone());
    let is_original = call.route.ends_with("/messages/@original");
    let message = if is_original {
        original
    } else {
        call.ids.get(2).cloned()
    };
    let method = call.route.split(' ').next().unwrap_or_default();
    match (method, message) {
        // The answer takes the place of "thinking".
        ("PATCH", None) => {
            if let Some(refusal) = malformed(call) {
                return refusal;
            }
            let made = state.post(&chat, &call.body, call.picture.clone(), true);
            let id = made["id"].as_str().map(str::to_owned);
            if let Some(interaction) = state.interactions.get_mut(&token) {
                interaction.original = id;
            }
            (200, made)
        }
        ("PATCH", Some(message)) => edit(state, &message, &call.body, true),
        ("DELETE", Some(message)) => remove(state, &message, true),
        ("DELETE", None) => (204, Value::Null),
        ("GET", Some(message)) => match state.messages.get(&message) {
            Some(found) => (200, found.clone()),
            None => error(404, 10008, "Unknown Message"),
        },
        ("POST", _) => {
            if let Some(refusal) = malformed(call) {
                return refusal;
            }
            let is_ephemeral = call.body["flags"].as_u64().unwrap_or(0) & 64 != 0;
            (
                200,
                state.post(&chat, &call.body, call.picture.clone(), is_ephemeral),
            )
        }
        _ => error(405, 0, "405: Method Not Allowed"),
    }
}

fn read(kind: &str, body: &[u8]) -> (Value, Option<Vec<u8>>) {
    match kind.strip_prefix("multipart/form-data; boundary=") {
        Some(boundary) => form(boundary.trim_matches('"'), body),
        None => (serde_json::from_slice(body).unwrap_or(Value::Null), None),
    }
}

fn form(boundary: &str, body: &[u8]) -> (Value, Option<Vec<u8>>) {
    let (mut params, mut picture) = (Value::Null, None);
    let mark = format!("--{boundary}");
    for part in pieces(body, mark.as_bytes()).into_iter().skip(1) {
        let Some(at) = part.windows(4).position(|end| end == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8_lossy(&part[..at]).to_lowercase();
        let content = &part[at + 4..];
        let content = content.strip_suffix(b"\r\n").unwrap_or(content);
        if head.contains("name=\"payload_json\"") {
            params = serde_json::from_slice(content).unwrap_or(Value::Null);
        } else if head.contains("name=\"files[0]\"") && head.contains("filename=") {
            picture = Some(content.to_vec());
        }
    }
    (params, picture)
}

fn pieces<'b>(body: &'b [u8], mark: &[u8]) -> Vec<&'b [u8]> {
    let mut pieces = Vec::new();
    let mut rest = body;
    while let Some(at) = rest.windows(mark.len()).position(|part| part == mark) {
        pieces.push(&rest[..at]);
        rest = &rest[at + mark.len()..];
    }
    pieces.push(rest);
    pieces
}
