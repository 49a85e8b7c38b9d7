//! A Bot API server: what Telegram's does, as far as bots notice, and whatever else a test wants it to do.

use std::collections::{HashMap, VecDeque};
use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::support::NEVER;

/// The bot's token, and the part of it that is secret.
pub(crate) const BOT_TOKEN: &str = "4242:AAE-this_part_is_secret";
pub(crate) const BOT_SECRET: &str = "AAE-this_part_is_secret";

/// The bot's own id.
pub(crate) const BOT_ID: i64 = 4242;

/// A server on a port of its own; gone when dropped.
pub(crate) struct BotApi {
    root: String,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

/// What the server does next when a method is called, in place of what it usually does.
pub(crate) enum Answer {
    /// An error, as the Bot API has them.
    Error(u16, &'static str),
    /// Too many requests: come back after so many seconds.
    Later(u64),
    /// A status and a body.
    Raw(u16, String),
    /// A result.
    Result(Value),
    /// Nothing, and the connection is closed.
    HangUp,
    /// Nothing, ever.
    Silence,
}

/// A call that the server has got.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) method: String,
    /// Parameters; of a form the text fields.
    pub(crate) params: Value,
    /// The picture of a form.
    pub(crate) picture: Option<Vec<u8>>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    updates: Vec<Value>,
    next_update: i64,
    next_message: i64,
    calls: Vec<Call>,
    /// So many calls of each method have been looked at.
    seen: HashMap<String, usize>,
    next: HashMap<String, VecDeque<Answer>>,
    is_forgetful: bool,
    is_hasty: bool,
    /// So many polls hang.
    polls: usize,
}

/// Counts a poll for as long as it hangs.
struct Hanging<'s>(&'s Shared);

impl<'s> Hanging<'s> {
    fn new(shared: &'s Shared) -> Self {
        shared.state.lock().unwrap().polls += 1;
        Self(shared)
    }
}

impl Drop for Hanging<'_> {
    fn drop(&mut self) {
        self.0.state.lock().unwrap().polls -= 1;
        self.0.changed.notify_waiters();
    }
}

impl BotApi {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let root = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared::default());
        {
            let mut state = shared.state.lock().unwrap();
            state.next_update = 1000;
            state.next_message = 1;
        }
        let task = tokio::spawn(serve(listener, Arc::clone(&shared)));
        Self { root, shared, task }
    }

    /// For `apiRoot`.
    pub(crate) fn root(&self) -> &str {
        &self.root
    }

    /// Somebody writes to the bot, just now; the id of the message.
    pub(crate) fn says(&self, from: i64, text: &str) -> i64 {
        let now = time_now();
        let message = self.next_message();
        self.push(json!({ "message": {
            "message_id": message, "date": now, "text": text,
            "from": user(from), "chat": { "id": from, "type": "private" },
        } }));
        message
    }

    /// Somebody writes to a group that the bot is in.
    pub(crate) fn says_in(&self, group: i64, from: i64, text: &str) -> i64 {
        let now = time_now();
        let message = self.next_message();
        self.push(json!({ "message": {
            "message_id": message, "date": now, "text": text,
            "from": user(from), "chat": { "id": group, "type": "supergroup" },
        } }));
        message
    }

    /// Somebody presses a button under a message of the bot, in their chat with it.
    pub(crate) fn presses(&self, from: i64, message: i64, data: &str) {
        self.push(json!({ "callback_query": {
            "id": format!("query-{message}-{data}"), "from": user(from), "data": data,
            "message": { "message_id": message, "date": 1, "chat": { "id": from, "type": "private" } },
        } }));
    }

    /// An update, with the next id unless it has one; its id.
    pub(crate) fn push(&self, mut update: Value) -> i64 {
        let mut state = self.shared.state.lock().unwrap();
        let id = match update["update_id"].as_i64() {
            Some(id) => id,
            None => state.next_update,
        };
        state.next_update = id.saturating_add(1);
        update["update_id"] = id.into();
        state.updates.push(update);
        drop(state);
        self.shared.changed.notify_waiters();
        id
    }

    /// The next call of a method that no test has seen yet, as soon as it comes.
    pub(crate) async fn called(&self, method: &str) -> Call {
        self.until(&format!("{method} is called"), |state| {
            let seen = state.seen.entry(method.to_owned()).or_default();
            let mut calls = state.calls.iter().filter(|call| call.method == method);
            let call = calls.nth(*seen).cloned();
            *seen += usize::from(call.is_some());
            call
        })
        .await
    }

    /// The next text that the bot sends, and to which chat.
    pub(crate) async fn sent(&self) -> (i64, String) {
        let call = self.called("sendMessage").await;
        let text = call.params["text"].as_str().unwrap().to_owned();
        (call.params["chat_id"].as_i64().unwrap(), text)
    }

    /// How often a method was called.
    pub(crate) fn count(&self, method: &str) -> usize {
        let state = self.shared.state.lock().unwrap();
        let calls = state.calls.iter();
        calls.filter(|call| call.method == method).count()
    }

    /// Waits until all updates have been taken and confirmed.
    pub(crate) async fn confirmed(&self) {
        self.until("the updates are confirmed", |state| {
            state.updates.is_empty().then_some(())
        })
        .await;
    }

    /// How many polls hang.
    pub(crate) fn polls(&self) -> usize {
        self.shared.state.lock().unwrap().polls
    }

    /// Waits until nobody polls, after somebody has.
    pub(crate) async fn left(&self) {
        self.until("nobody polls", |state| (state.polls == 0).then_some(()))
            .await;
    }

    /// What it answers the next time that a method is called; several wait in a row.
    pub(crate) fn answers(&self, method: &str, answer: Answer) {
        let mut state = self.shared.state.lock().unwrap();
        let next = state.next.entry(method.to_owned()).or_default();
        next.push_back(answer);
    }

    /// Updates come again and again, whatever the bot says that it has.
    pub(crate) fn forgets_offsets(&self) {
        self.shared.state.lock().unwrap().is_forgetful = true;
    }

    /// Polls never hang.
    pub(crate) fn answers_at_once(&self) {
        self.shared.state.lock().unwrap().is_hasty = true;
    }

    fn next_message(&self) -> i64 {
        let mut state = self.shared.state.lock().unwrap();
        state.next_message += 1;
        state.next_message
    }

    async fn until<T>(&self, what: &str, look: impl FnMut(&mut State) -> Option<T>) -> T {
        let found = tokio::time::timeout(NEVER, self.shared.until(look)).await;
        found.unwrap_or_else(|_| panic!("it never happens that {what}"))
    }
}

impl Drop for BotApi {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn user(id: i64) -> Value {
    json!({ "id": id, "is_bot": false, "first_name": format!("User {id}"), "username": format!("user{id}") })
}

/// Never before the tests' own clock, nor before the system's.
fn time_now() -> i64 {
    use pairing_core::Clock as _;
    (pairing_fs::SystemClock.now().as_millis() / 1000).max(1_795_353_726)
}

impl Shared {
    async fn until<T>(&self, mut look: impl FnMut(&mut State) -> Option<T>) -> T {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if let Some(found) = look(&mut self.state.lock().unwrap()) {
                return found;
            }
            changed.await;
        }
    }

    /// `None`: hangs up.
    async fn answer(&self, call: Call) -> Option<(u16, String)> {
        let method = call.method.clone();
        let params = call.params.clone();
        let next = {
            let mut state = self.state.lock().unwrap();
            state.calls.push(call);
            state.next.get_mut(&method).and_then(VecDeque::pop_front)
        };
        self.changed.notify_waiters();
        let error = |status: u16, text: &str| {
            let body = json!({ "ok": false, "error_code": status, "description": text });
            Some((status, body.to_string()))
        };
        let result = match next {
            Some(Answer::Error(status, text)) => return error(status, text),
            Some(Answer::Later(after)) => {
                let body = json!({
                    "ok": false, "error_code": 429,
                    "description": format!("Too Many Requests: retry after {after}"),
                    "parameters": { "retry_after": after },
                });
                return Some((429, body.to_string()));
            }
            Some(Answer::Raw(status, body)) => return Some((status, body)),
            Some(Answer::HangUp) => return None,
            Some(Answer::Silence) => pending().await,
            Some(Answer::Result(result)) => result,
            None => match method.as_str() {
                "getMe" => json!({ "id": BOT_ID, "is_bot": true, "username": "the_bot" }),
                "getUpdates" => self.updates(&params).await,
                "sendMessage" | "sendPhoto" => {
                    let mut state = self.state.lock().unwrap();
                    state.next_message += 1;
                    json!({ "message_id": state.next_message, "chat": { "id": params["chat_id"] } })
                }
                "deleteMessage"
                | "editMessageText"
                | "editMessageCaption"
                | "answerCallbackQuery"
                | "setMyCommands" => json!(true),
                _ => return error(404, "Not Found: method not found"),
            },
        };
        Some((200, json!({ "ok": true, "result": result }).to_string()))
    }

    /// Those from `offset` on; those before are forgotten. Waits for one for `timeout` seconds.
    async fn updates(&self, params: &Value) -> Value {
        let _hanging = Hanging::new(self);
        let offset = params["offset"].as_i64().unwrap_or(i64::MIN);
        let mut is_first = true;
        let some = self.until(|state| {
            let before = state.updates.len();
            if !state.is_forgetful {
                let id = |update: &Value| update["update_id"].as_i64().unwrap();
                state.updates.retain(|update| id(update) >= offset);
            }
            if std::mem::take(&mut is_first) && before != state.updates.len() {
                self.changed.notify_waiters();
            }
            let is_now = state.is_hasty || !state.updates.is_empty();
            is_now.then(|| Value::from(state.updates.clone()))
        });
        let timeout = Duration::from_secs(params["timeout"].as_u64().unwrap_or(0));
        let some = tokio::time::timeout(timeout, some).await;
        some.unwrap_or_else(|_| json!([]))
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let (socket, _) = listener.accept().await.unwrap();
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            let service = service_fn(move |request| handle(request, Arc::clone(&shared)));
            // Bots go away as they like.
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(socket), service)
                .await;
        });
    }
}

async fn handle(
    request: Request<Incoming>,
    shared: Arc<Shared>,
) -> Result<Response<Full<Bytes>>, HungUp> {
    let path = request.uri().path().to_owned();
    let kind = request.headers().get("content-type");
    let kind = kind.map_or("", |kind| kind.to_str().unwrap()).to_owned();
    let Ok(body) = request.into_body().collect().await else {
        return Err(HungUp);
    };
    let method = path.strip_prefix(&format!("/bot{BOT_TOKEN}/"));
    let answer = if let Some(method) = method {
        let call = call(method, &kind, &body.to_bytes());
        shared.answer(call).await.ok_or(HungUp)?
    } else {
        let body = json!({ "ok": false, "error_code": 401, "description": "Unauthorized" });
        (401, body.to_string())
    };
    let response = Response::builder()
        .status(answer.0)
        .header("content-type", "application/json")
        .body(Full::from(answer.1));
    Ok(response.unwrap())
}

fn call(method: &str, kind: &str, body: &[u8]) -> Call {
    let (params, picture) = match kind.strip_prefix("multipart/form-data; boundary=") {
        Some(boundary) => form(boundary, body),
        None => (serde_json::from_slice(body).unwrap(), None),
    };
    Call {
        method: method.to_owned(),
        params,
        picture,
    }
}

fn form(boundary: &str, body: &[u8]) -> (Value, Option<Vec<u8>>) {
    let (mut params, mut picture) = (json!({}), None);
    let mark = format!("--{boundary}");
    for part in pieces(body, mark.as_bytes()).into_iter().skip(1) {
        let Some(at) = part.windows(4).position(|end| end == b"\r\n\r\n") else {
            assert_eq!(part, b"--\r\n");
            continue;
        };
        let head = std::str::from_utf8(&part[..at]).unwrap();
        let content = part[at + 4..].strip_suffix(b"\r\n").unwrap();
        let name = head.split("name=\"").nth(1).unwrap();
        let name = name.split('"').next().unwrap();
        if head.contains("filename=") {
            assert!(head.contains("content-type: image/png"));
            picture = Some(content.to_vec());
        } else {
            params[name] = std::str::from_utf8(content).unwrap().into();
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

/// What closes the connection.
#[derive(Debug)]
struct HungUp;

impl std::fmt::Display for HungUp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("hung up")
    }
}

impl std::error::Error for HungUp {}
