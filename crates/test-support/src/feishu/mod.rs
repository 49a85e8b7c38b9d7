//! A stand-in for Feishu: the Open API and the long connection, on one port of loopback.
//!
//! It does what Feishu documents, as far as apps for direct messages notice: tokens that expire, addresses that are good for
//! one connection, frames with their pings, events in parts that are sent again unless they are acknowledged, messages that
//! are known again by a number, cards, pictures, rate limits. A test drives it: what people say and press, and what goes
//! wrong. `@larksuiteoapi/node-sdk` is run against it, so that it is not only our own idea of Feishu.

mod api;
mod calls;
mod frames;
mod objects;
mod serve;
mod socket;
mod state;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

pub use frames::event_frame;
use state::{Order, State};

/// The id of the app.
pub const APP_ID: &str = "cli_9f1a2b3c4d5e6f70";
/// The secret of the app.
pub const APP_SECRET: &str = "thispartissecretthispartissecret";
/// The bot's own id.
pub const BOT: &str = "ou_bot";

/// A wait that ends by then, or a test has failed.
const NEVER: Duration = Duration::from_secs(20);

/// The server; it is gone when this is dropped.
#[derive(Debug)]
pub struct Feishu {
    address: String,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

/// What the server does at the next call of a kind, in place of what it usually does.
#[derive(Debug)]
pub enum Answer {
    /// An error of Feishu: its code and its text.
    Code(i64, &'static str),
    /// Too many requests, with this `x-ogw-ratelimit-reset`.
    Later(&'static str),
    /// A status and a body.
    Raw(u16, String),
    /// The connection is closed, before or after the call was carried out.
    HangUp {
        /// Whether it was carried out.
        done: bool,
    },
    /// Nothing, ever.
    Silence,
}

/// A call that the server has got.
#[derive(Debug, Clone)]
pub struct Call {
    /// Its kind: `endpoint`, `token`, `bot`, `send`, `edit`, `card`, `delete` or `image`.
    pub kind: &'static str,
    /// The path, with the query.
    pub path: String,
    /// Its parameters.
    pub params: Value,
}

/// How the server behaves.
#[derive(Debug, Clone)]
pub struct Behaviour {
    /// Close the connection after so many events on it.
    pub closes_after: Option<usize>,
    /// An event that is not acknowledged within this time is sent again.
    pub acknowledge: Duration,
    /// How often the server wants a ping, in seconds.
    pub ping_interval: u64,
    /// Whether pings are answered.
    pub answers_pings: bool,
    /// The number of parts of each event.
    pub parts: usize,
    /// The most connections at a time.
    pub most_connections: usize,
    /// How long tokens are said to live, in seconds.
    pub expires: u64,
    /// The address that connections are opened at, in place of the right one.
    pub names: Option<String>,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            closes_after: None,
            acknowledge: Duration::from_secs(3),
            ping_interval: 120,
            answers_pings: true,
            parts: 1,
            most_connections: 50,
            expires: 7200,
            names: None,
        }
    }
}

/// What has happened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections that were opened.
    pub connections: usize,
    /// Connections that are open.
    pub open: usize,
    /// Events that were acknowledged.
    pub acknowledged: usize,
    /// Events that were sent again.
    pub repeated: usize,
    /// Pings that came.
    pub pings: usize,
    /// Messages that came again with a number that was known.
    pub doubles: usize,
    /// Tokens that were given.
    pub tokens: usize,
}

#[derive(Debug, Default)]
pub(crate) struct Shared {
    state: Mutex<State>,
    changed: Notify,
}

/// A message of the bot.
#[derive(Debug, Clone)]
pub struct Sent {
    /// Its id.
    pub id: String,
    /// The person or group that it was sent to.
    pub to: String,
    /// Its kind: `text`, `interactive` or `image`.
    pub kind: String,
    /// Its text, as it was sent.
    pub text: String,
    /// The buttons under it: label and data.
    pub buttons: Vec<(String, String)>,
    /// The picture that it is.
    pub picture: Option<Vec<u8>>,
    /// The number by which it is known again.
    pub uuid: Option<String>,
}

impl Feishu {
    /// Starts a server.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let shared = Arc::new(Shared::default());
        shared.state.lock().unwrap().address.clone_from(&address);
        let task = tokio::spawn(crate::serve::serve(
            listener,
            Arc::clone(&shared),
            serve::handle,
        ));
        Self {
            address,
            shared,
            task,
        }
    }

    /// For `apiRoot`.
    pub fn root(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Changes how the server behaves from now on.
    pub fn behave(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.state().behaviour);
    }

    /// A person writes to the bot; the id of the message. It is kept for an app that is away.
    pub fn says(&self, person: &str, text: &str) -> String {
        let event = self.message(person, text);
        let id = event["message"]["message_id"].as_str().unwrap().to_owned();
        self.event("im.message.receive_v1", &event);
        id
    }

    /// A message as Feishu writes it, which nobody has sent.
    pub fn message(&self, person: &str, text: &str) -> Value {
        let mut state = self.state();
        let (chat, id) = (state.direct_chat(person), state.id("om_"));
        objects::message(&id, &chat, person, text)
    }

    /// Sends an event; its id.
    pub fn event(&self, kind: &str, event: &Value) -> String {
        let id = self.state().id("e");
        self.event_as(&id, kind, event);
        id
    }

    /// Sends an event with an id.
    pub fn event_as(&self, id: &str, kind: &str, event: &Value) {
        self.push(objects::event(id, kind, event).to_string().as_bytes());
    }

    /// Sends a payload as an event, whatever it is.
    pub fn push(&self, payload: &[u8]) {
        let mut state = self.state();
        state.push(payload);
        self.changed(state);
    }

    /// A person presses a button under a card of the bot, in their direct chat.
    pub fn presses(&self, person: &str, message: &str, data: &str) {
        let event = {
            let mut state = self.state();
            let value = state.value_of(message, data);
            let chat = state.direct_chat(person);
            objects::press(message, &chat, person, &value)
        };
        self.event("card.action.trigger", &event);
    }

    /// Sends bytes on all connections, whatever they are.
    pub fn send_raw(&self, bytes: &[u8]) {
        self.order(|| Order::Raw(bytes.to_vec()));
    }

    /// Closes all connections.
    pub fn close(&self) {
        self.order(|| Order::Close);
    }

    /// Closes the sockets of all connections, in the middle of a frame.
    pub fn tear(&self) {
        self.order(|| Order::Tear);
    }

    /// Takes back all tokens.
    pub fn expire_tokens(&self) {
        self.state().tokens.clear();
    }

    /// The tokens that are good.
    pub fn tokens(&self) -> Vec<String> {
        self.state().tokens.iter().cloned().collect()
    }

    /// The direct chat with a person.
    pub fn chat_with(&self, person: &str) -> String {
        self.state().direct_chat(person)
    }

    /// What it does at the next call of a kind; several wait in a row.
    pub fn answers(&self, kind: &'static str, answer: Answer) {
        let mut state = self.state();
        let next: &mut VecDeque<_> = state.next.entry(kind).or_default();
        next.push_back(answer);
    }

    /// The next call of a kind that no test has seen yet, as soon as it comes.
    pub async fn called(&self, kind: &'static str) -> Call {
        self.until(&format!("{kind} is called"), |state| {
            let seen = state.seen.entry(kind).or_default();
            let mut calls = state.calls.iter().filter(|call| call.kind == kind);
            let call = calls.nth(*seen).cloned();
            *seen += usize::from(call.is_some());
            call
        })
        .await
    }

    /// The next message that the bot has sent.
    pub async fn sent(&self) -> Sent {
        self.until("the bot sends something", |state| {
            let sent = state.sent.get(state.sent_seen).cloned();
            state.sent_seen += usize::from(sent.is_some());
            sent
        })
        .await
    }

    /// The next message that the bot has sent to a person.
    pub async fn sent_to(&self, person: &str) -> Sent {
        loop {
            let sent = self.sent().await;
            if sent.to == person {
                return sent;
            }
        }
    }

    /// How often a kind of call was made.
    pub fn count(&self, kind: &str) -> usize {
        let state = self.state();
        state.calls.iter().filter(|call| call.kind == kind).count()
    }

    /// How many messages there are from the bot.
    pub fn count_sent(&self) -> usize {
        self.state().sent.len()
    }

    /// What has happened.
    pub fn counts(&self) -> Counts {
        self.state().counts
    }

    /// Waits until what has happened is enough.
    pub async fn until_counts(&self, what: &str, is_enough: impl Fn(Counts) -> bool) {
        self.until(what, |state| is_enough(state.counts).then_some(()))
            .await;
    }

    /// Waits until the app has a connection.
    pub async fn connected(&self) {
        self.until("the app is connected", |state| state.line().map(drop))
            .await;
    }

    /// Waits until no connection is open.
    pub async fn left(&self) {
        self.until("nobody is connected", |state| {
            (state.counts.open == 0).then_some(())
        })
        .await;
    }

    /// Waits until every event is acknowledged.
    pub async fn acknowledged(&self) {
        self.until("everything is acknowledged", |state| {
            (state.waiting.is_empty() && state.kept.is_empty()).then_some(())
        })
        .await;
    }

    /// Forgets what only tests look at.
    pub fn trims(&self) {
        let mut state = self.state();
        state.calls.clear();
        state.seen.clear();
    }

    async fn until<T>(&self, what: &str, look: impl FnMut(&mut State) -> Option<T>) -> T {
        let found = tokio::time::timeout(NEVER, self.shared.until(look)).await;
        found.unwrap_or_else(|_| {
            let state = self.state();
            panic!(
                "it never happens that {what}: {:?} {:?}",
                state.calls, state.counts
            )
        })
    }

    fn order(&self, order: impl Fn() -> Order) {
        let state = self.state();
        for line in state.lines.values() {
            let _ = line.send(order());
        }
        self.changed(state);
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.shared.state.lock().unwrap()
    }

    fn changed(&self, state: std::sync::MutexGuard<'_, State>) {
        drop(state);
        self.shared.changed.notify_waiters();
    }
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
}

impl Drop for Feishu {
    fn drop(&mut self) {
        self.task.abort();
    }
}
