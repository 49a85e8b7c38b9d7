//! A stand-in for Discord: the REST API and the gateway, on one port of loopback.
//!
//! It does what Discord documents, as far as bots for direct messages notice: sessions that are begun, resumed and
//! invalidated, heartbeats, close codes, rate limits by bucket and global, interactions with their three seconds,
//! messages that are created once for each nonce. A test drives it: what people say and press, and what goes wrong.
//! `discord.js` is run against it, so that it is not only our own idea of Discord.

mod objects;
mod rest;
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

use state::State;

/// The bot's token, and the part of it that is secret.
pub const BOT_TOKEN: &str = "MTAwMDAx.GhStand.this_part_is_secret";
/// The secret part of [`BOT_TOKEN`].
pub const BOT_SECRET: &str = "this_part_is_secret";
/// The bot's own user.
pub const BOT_ID: &str = "100001";
/// The application of the bot.
pub const APPLICATION_ID: &str = "100002";

/// A wait that ends by then, or a test has failed.
const NEVER: Duration = Duration::from_secs(20);

/// The server; it is gone when this is dropped.
#[derive(Debug)]
pub struct Discord {
    address: String,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

/// What the server does at the next request to a route, in place of what it usually does.
#[derive(Debug)]
pub enum Answer {
    /// An error of Discord: status, code and message.
    Error(u16, u64, &'static str),
    /// Too many requests: the seconds to wait, and whether the whole bot has to.
    Later(f64, bool),
    /// A status, one header and a body.
    Raw(u16, (&'static str, &'static str), String),
    /// The connection is closed, before or after the request was carried out.
    HangUp {
        /// Whether it was carried out.
        done: bool,
    },
    /// Nothing, ever.
    Silence,
}

/// A request that the server has got.
#[derive(Debug, Clone)]
pub struct Call {
    /// The method and the path, with `{}` for each id and token: `POST /channels/{}/messages`.
    pub route: String,
    /// The ids and tokens in the path.
    pub ids: Vec<String>,
    /// The JSON of the body, or of its part `payload_json`.
    pub body: Value,
    /// The file of a form.
    pub picture: Option<Vec<u8>>,
    /// The status of the response; 0 if there was none.
    pub status: u16,
}

/// How the gateway behaves. The defaults are quick, and have no limits.
#[derive(Debug, Clone)]
pub struct Behaviour {
    /// The interval of heartbeats.
    pub interval: Duration,
    /// Whether the gateway says hello.
    pub says_hello: bool,
    /// Whether heartbeats are acknowledged.
    pub acknowledges: bool,
    /// Whether sessions begin once they were asked for.
    pub begins: bool,
    /// Intents that the bot may ask for.
    pub intents: u64,
    /// Close the connection after so many events on it.
    pub closes_after: Option<usize>,
    /// The time within which only one session may be begun.
    pub identify: Duration,
    /// Sessions that may still be begun today.
    pub sessions_left: u64,
    /// The time after which they are counted anew.
    pub sessions_again: Duration,
    /// The limit of each bucket: requests in a time.
    pub limit: (u32, Duration),
    /// The time within which an interaction has to be acknowledged.
    pub acknowledge: Duration,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            interval: Duration::from_millis(41_250),
            says_hello: true,
            acknowledges: true,
            begins: true,
            intents: u64::MAX,
            closes_after: None,
            identify: Duration::ZERO,
            sessions_left: 1000,
            sessions_again: Duration::from_secs(3600),
            limit: (1000, Duration::from_secs(1)),
            acknowledge: Duration::from_secs(3),
        }
    }
}

/// What has happened at the gateway.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections that were opened.
    pub connections: usize,
    /// Sessions that were asked for.
    pub identifies: usize,
    /// Sessions that were resumed.
    pub resumes: usize,
    /// Heartbeats that came.
    pub heartbeats: usize,
    /// The number of the last event that the bot has received, as its last heartbeat names it.
    pub received: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Shared {
    state: Mutex<State>,
    changed: Notify,
}

impl Discord {
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

    /// For `gatewayUrl`.
    pub fn gateway(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// Changes how the gateway behaves from now on.
    pub fn behave(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.state().behaviour);
    }

    /// A person writes to the bot; the id of the message. It is kept for a bot that is away and resumes its session.
    pub fn says(&self, person: u64, text: &str) -> String {
        let mut state = self.state();
        let chat = state.direct_chat(&person.to_string());
        let message = state.message(&chat, &objects::user(person), text);
        let id = message["id"].as_str().unwrap().to_owned();
        state.dispatch("MESSAGE_CREATE", &message, Some(1 << 12));
        self.changed(state);
        id
    }

    /// A person writes in a channel of a server that the bot is in.
    pub fn says_in(&self, guild: u64, person: u64, text: &str) -> String {
        let mut state = self.state();
        let mut message = state.message(&format!("7{guild}"), &objects::user(person), text);
        message["guild_id"] = guild.to_string().into();
        message["channel_type"] = 0.into();
        let id = message["id"].as_str().unwrap().to_owned();
        // Sent to a bot that asks for messages in servers, and here to all, for what would be made of them.
        state.dispatch("MESSAGE_CREATE", &message, None);
        self.changed(state);
        id
    }

    /// A person presses a button under a message of the bot, in their direct chat; the id of the interaction.
    pub fn presses(&self, person: u64, message: &str, data: &str) -> String {
        let mut state = self.state();
        let chat = state.direct_chat(&person.to_string());
        let under = state.messages.get(message).cloned();
        let under = under.unwrap_or_else(|| json!({ "id": message, "flags": 0 }));
        let id = state.interaction(
            &chat,
            person,
            3,
            &json!({ "component_type": 2, "custom_id": data, "id": 1 }),
            Some(&under),
        );
        self.changed(state);
        id
    }

    /// A person gives a command in their direct chat with the bot; the id of the interaction.
    pub fn commands(&self, person: u64, name: &str, what: Option<&str>) -> String {
        let mut state = self.state();
        let chat = state.direct_chat(&person.to_string());
        let options = what.map(|what| json!([{ "name": "what", "type": 3, "value": what }]));
        let data =
            json!({ "id": "9", "name": name, "type": 1, "options": options.unwrap_or(json!([])) });
        let id = state.interaction(&chat, person, 2, &data, None);
        self.changed(state);
        id
    }

    /// Sends an event, whatever it is.
    pub fn push(&self, kind: &str, data: &Value) {
        let mut state = self.state();
        state.dispatch(kind, data, None);
        self.changed(state);
    }

    /// Sends a text on all connections, whatever it is.
    pub fn send_raw(&self, text: &str) {
        let mut state = self.state();
        state.send_raw(text);
        self.changed(state);
    }

    /// A message as Discord writes it, which nobody has sent.
    pub fn message(&self, person: u64, text: &str) -> Value {
        let mut state = self.state();
        let chat = state.direct_chat(&person.to_string());
        state.message(&chat, &objects::user(person), text)
    }

    /// The direct chat with a person.
    pub fn chat_with(&self, person: u64) -> String {
        self.state().direct_chat(&person.to_string())
    }

    /// The person of a direct chat.
    pub fn person_of(&self, chat: &str) -> Option<String> {
        self.state().person_of(chat)
    }

    /// Closes all connections with a code.
    pub fn close(&self, code: u16) {
        let mut state = self.state();
        state.close(code);
        self.changed(state);
    }

    /// Closes the sockets of all connections, in the middle of a frame.
    pub fn tear(&self) {
        let mut state = self.state();
        state.tear();
        self.changed(state);
    }

    /// Asks all connections to be replaced.
    pub fn asks_to_reconnect(&self) {
        self.send_raw(r#"{"op":7,"d":null,"s":null,"t":null}"#);
    }

    /// Asks all connections for a heartbeat.
    pub fn asks_for_heartbeat(&self) {
        self.send_raw(r#"{"op":1,"d":null,"s":null,"t":null}"#);
    }

    /// Tells all connections that their session is invalid. One that may not be resumed is forgotten.
    pub fn invalidates(&self, may_resume: bool) {
        let mut state = self.state();
        if may_resume {
            // It may be resumed on this connection, or on another.
            state.suspend_session();
        } else {
            state.forget_sessions();
        }
        state.send_raw(&json!({ "op": 9, "d": may_resume, "s": null, "t": null }).to_string());
        self.changed(state);
    }

    /// Forgets all sessions, as after a bot was away for too long.
    pub fn forgets_sessions(&self) {
        self.state().forget_sessions();
    }

    /// No message can be sent to a person: code 50007.
    pub fn shuts_out(&self, person: u64) {
        self.state().shut.insert(person.to_string());
    }

    /// What it does at the next request to a route; several wait in a row.
    pub fn answers(&self, route: &str, answer: Answer) {
        let mut state = self.state();
        let next: &mut VecDeque<_> = state.next.entry(route.to_owned()).or_default();
        next.push_back(answer);
    }

    /// The next request to a route that no test has seen yet, as soon as it comes.
    pub async fn called(&self, route: &str) -> Call {
        self.until(&format!("{route} is called"), |state| {
            let seen = state.seen.entry(route.to_owned()).or_default();
            let mut calls = state.calls.iter().filter(|call| call.route == route);
            let call = calls.nth(*seen).cloned();
            *seen += usize::from(call.is_some());
            call
        })
        .await
    }

    /// The next message that the bot has sent to a chat, answers to commands among them.
    pub async fn sent(&self) -> Sent {
        self.until("the bot sends something", |state| {
            let sent = state.sent.get(state.sent_seen).cloned();
            state.sent_seen += usize::from(sent.is_some());
            sent
        })
        .await
    }

    /// The next message that the bot has sent to a person.
    pub async fn sent_to(&self, person: u64) -> Sent {
        loop {
            let sent = self.sent().await;
            if sent.person.as_deref() == Some(&person.to_string()) {
                return sent;
            }
        }
    }

    /// How often a route was called.
    pub fn count(&self, route: &str) -> usize {
        let state = self.state();
        let calls = state.calls.iter();
        calls.filter(|call| call.route == route).count()
    }

    /// How many messages there are from the bot.
    pub fn count_sent(&self) -> usize {
        self.state().sent.len()
    }

    /// What has happened at the gateway.
    pub fn counts(&self) -> Counts {
        self.state().counts
    }

    /// Waits until what has happened at the gateway is enough.
    pub async fn until_counts(&self, what: &str, is_enough: impl Fn(Counts) -> bool) {
        self.until(what, |state| is_enough(state.counts).then_some(()))
            .await;
    }

    /// Waits until the bot has a session and a connection.
    pub async fn connected(&self) {
        self.until("the bot is connected", |state| {
            state.is_connected().then_some(())
        })
        .await;
    }

    /// Waits until no connection is open.
    pub async fn left(&self) {
        self.until("nobody is connected", |state| {
            (state.connections == 0).then_some(())
        })
        .await;
    }

    /// Forgets what only tests look at: requests, and events that nobody will miss any more.
    pub fn trims(&self) {
        let mut state = self.state();
        state.calls.clear();
        state.seen.clear();
        if let Some(session) = &mut state.session {
            // The bot may not have noted the latest ones yet.
            let old = session.events.len().saturating_sub(100);
            session.events.drain(..old);
            session.forgotten += old;
        }
    }

    /// The commands that are registered.
    pub fn registered(&self) -> Vec<Value> {
        self.state().registered.clone()
    }

    async fn until<T>(&self, what: &str, look: impl FnMut(&mut State) -> Option<T>) -> T {
        let found = tokio::time::timeout(NEVER, self.shared.until(look)).await;
        found.unwrap_or_else(|_| panic!("it never happens that {what}: {:?}", self.state().calls))
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.shared.state.lock().unwrap()
    }

    fn changed(&self, state: std::sync::MutexGuard<'_, State>) {
        drop(state);
        self.shared.changed.notify_waiters();
    }
}

/// A message of the bot.
#[derive(Debug, Clone)]
pub struct Sent {
    /// Its id.
    pub id: String,
    /// The chat.
    pub chat: String,
    /// The person of the chat, if it is a direct one.
    pub person: Option<String>,
    /// Its text.
    pub text: String,
    /// The buttons under it: label and data.
    pub buttons: Vec<(String, String)>,
    /// Whether one person sees it alone.
    pub is_ephemeral: bool,
    /// The picture with it.
    pub picture: Option<Vec<u8>>,
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

impl Drop for Discord {
    fn drop(&mut self) {
        self.task.abort();
    }
}
