//! A stand-in for Slack: the Web API and Socket Mode, on one port of loopback.
//!
//! It does what Slack documents, as far as apps for direct messages notice: connections that are good for one time, greetings,
//! connections that are announced to end, envelopes that are sent again unless they are acknowledged, rate limits, scopes
//! that are missing, pictures in three steps. A test drives it: what people say, press and command, and what goes wrong.
//! `@slack/socket-mode` and `@slack/web-api` are run against it, so that it is not only our own idea of Slack.

mod api;
mod methods;
mod objects;
mod serve;
mod socket;
mod state;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use state::{Order, State};

/// The bot's token.
pub const BOT_TOKEN: &str = "xoxb-1-2-thispartissecret";
/// The app's token.
pub const APP_TOKEN: &str = "xapp-1-A0-2-thispartissecret";
/// The secret part of both.
pub const SECRET: &str = "thispartissecret";
/// The bot's own user.
pub const BOT_USER: &str = "U0BOT";
/// The bot.
pub const BOT_ID: &str = "B0BOT";
/// The scopes that the bot has, unless a test says otherwise.
pub const SCOPES: &str = "chat:write,commands,files:write,im:history,im:write,users:read";

/// A wait that ends by then, or a test has failed.
const NEVER: Duration = Duration::from_secs(20);

/// The server; it is gone when this is dropped.
#[derive(Debug)]
pub struct Slack {
    address: String,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

/// What the server does at the next call of a method, in place of what it usually does.
#[derive(Debug)]
pub enum Answer {
    /// An error of Slack.
    Error(&'static str),
    /// A scope is missing: the one that is needed, and those that are there.
    Scope(&'static str, &'static str),
    /// Too many requests, with this `Retry-After`.
    Later(&'static str),
    /// A status and a body.
    Raw(u16, String),
    /// The connection is closed, before or after the method was carried out.
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
    /// The method.
    pub method: String,
    /// Its parameters.
    pub params: Value,
}

/// How the server behaves.
#[derive(Debug, Clone)]
pub struct Behaviour {
    /// Whether connections are greeted.
    pub says_hello: bool,
    /// Close the connection after so many envelopes on it.
    pub closes_after: Option<usize>,
    /// An envelope that is not acknowledged within this time is sent again.
    pub acknowledge: Duration,
    /// How often the server sends a ping.
    pub pings: Duration,
    /// Whether pings are answered.
    pub answers_pings: bool,
    /// The scopes of the bot.
    pub scopes: &'static str,
    /// The address that connections are opened at, in place of the right one.
    pub names: Option<String>,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            says_hello: true,
            closes_after: None,
            acknowledge: Duration::from_secs(3),
            pings: Duration::from_secs(10),
            answers_pings: true,
            scopes: SCOPES,
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
    /// The most connections that were open at a time.
    pub most_open: usize,
    /// Envelopes that were acknowledged.
    pub acknowledged: usize,
    /// Envelopes that were sent again.
    pub repeated: usize,
    /// Pings that came.
    pub pings: usize,
    /// Answers to the server's own pings.
    pub pongs: usize,
}

#[derive(Debug, Default)]
pub(crate) struct Shared {
    state: Mutex<State>,
    changed: Notify,
}

/// A message of the bot.
#[derive(Debug, Clone)]
pub struct Sent {
    /// The time that names it.
    pub ts: String,
    /// The chat.
    pub chat: String,
    /// The thread in it.
    pub thread: Option<String>,
    /// The person of the chat, if it is a direct one.
    pub person: Option<String>,
    /// Its text, as it was sent: escaped.
    pub text: String,
    /// The buttons under it: label and value.
    pub buttons: Vec<(String, String)>,
    /// The person who sees it alone.
    pub only_for: Option<String>,
    /// The picture that it is, and its file.
    pub picture: Option<(String, Vec<u8>)>,
}

impl Slack {
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
        format!("http://{}/api", self.address)
    }

    /// Changes how the server behaves from now on.
    pub fn behave(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.state().behaviour);
    }

    /// A person writes to the bot; the time that names the message. It is kept for an app that is away.
    pub fn says(&self, person: &str, text: &str) -> String {
        let event = self.message(person, text);
        let ts = event["ts"].as_str().unwrap().to_owned();
        self.event(&event);
        ts
    }

    /// A message as Slack writes it, which nobody has sent.
    pub fn message(&self, person: &str, text: &str) -> Value {
        let mut state = self.state();
        let (chat, ts) = (state.direct_chat(person), state.ts());
        objects::message(&chat, &ts, person, text)
    }

    /// Sends an event; its id.
    pub fn event(&self, event: &Value) -> String {
        let mut state = self.state();
        let id = state.id("Ev");
        state.event(&id, event);
        self.changed(state);
        id
    }

    /// Sends an event with an id.
    pub fn event_as(&self, id: &str, event: &Value) {
        let mut state = self.state();
        state.event(id, event);
        self.changed(state);
    }

    /// A person presses a button under a message of the bot, in their direct chat.
    pub fn presses(&self, person: &str, ts: &str, value: &str) {
        let mut state = self.state();
        let chat = state.direct_chat(person);
        let payload = objects::press(&chat, ts, person, value);
        state.envelope("interactive", &payload);
        self.changed(state);
    }

    /// A person gives a slash command in their direct chat with the bot.
    pub fn commands(&self, person: &str, command: &str, text: &str) {
        let chat = self.state().direct_chat(person);
        self.commands_in(&chat, person, command, text);
    }

    /// A person gives a slash command in some chat.
    pub fn commands_in(&self, chat: &str, person: &str, command: &str, text: &str) {
        let mut state = self.state();
        let payload = objects::command(chat, person, command, text);
        state.envelope("slash_commands", &payload);
        self.changed(state);
    }

    /// Sends an envelope, whatever it is.
    pub fn push(&self, kind: &str, payload: &Value) {
        let mut state = self.state();
        state.envelope(kind, payload);
        self.changed(state);
    }

    /// Sends a text on all connections, whatever it is.
    pub fn send_raw(&self, text: &str) {
        self.order(|| Order::Text(text.to_owned()));
    }

    /// Announces the end of all connections that are open now, for this reason. Nothing more is sent on them.
    pub fn disconnects(&self, reason: &str) {
        let mut state = self.state();
        for line in state.lines.values_mut() {
            line.is_leaving = true;
        }
        let text = json!({ "type": "disconnect", "reason": reason, "debug_info": { "host": "x" } });
        for line in state.lines.values() {
            let _ = line.sender.send(Order::Text(text.to_string()));
        }
        self.changed(state);
    }

    /// Closes all connections.
    pub fn close(&self) {
        self.order(|| Order::Close);
    }

    /// Closes the sockets of all connections, in the middle of a frame.
    pub fn tear(&self) {
        self.order(|| Order::Tear);
    }

    /// The direct chat with a person.
    pub fn chat_with(&self, person: &str) -> String {
        self.state().direct_chat(person)
    }

    /// What it does at the next call of a method; several wait in a row.
    pub fn answers(&self, method: &str, answer: Answer) {
        let mut state = self.state();
        let next: &mut VecDeque<_> = state.next.entry(method.to_owned()).or_default();
        next.push_back(answer);
    }

    /// The next call of a method that no test has seen yet, as soon as it comes.
    pub async fn called(&self, method: &str) -> Call {
        self.until(&format!("{method} is called"), |state| {
            let seen = state.seen.entry(method.to_owned()).or_default();
            let mut calls = state.calls.iter().filter(|call| call.method == method);
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
            if sent.person.as_deref() == Some(person) {
                return sent;
            }
        }
    }

    /// How often a method was called.
    pub fn count(&self, method: &str) -> usize {
        let state = self.state();
        state
            .calls
            .iter()
            .filter(|call| call.method == method)
            .count()
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

    /// Waits until the app has a connection on which envelopes are sent.
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

    /// Waits until every envelope is acknowledged.
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
            let _ = line.sender.send(order());
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

impl Drop for Slack {
    fn drop(&mut self) {
        self.task.abort();
    }
}
