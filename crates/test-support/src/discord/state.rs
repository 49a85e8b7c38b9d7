//! What the server knows.

use std::collections::{HashMap, HashSet, VecDeque};

use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::Instant;

use super::{APPLICATION_ID, Answer, BOT_ID, Behaviour, Call, Counts, Sent, objects};

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) address: String,
    pub(super) behaviour: Behaviour,
    pub(super) counts: Counts,
    pub(super) calls: Vec<Call>,
    pub(super) seen: HashMap<String, usize>,
    pub(super) next: HashMap<String, VecDeque<Answer>>,
    pub(super) sent: Vec<Sent>,
    pub(super) sent_seen: usize,
    /// Messages of the bot, by their id.
    pub(super) messages: HashMap<String, Value>,
    /// Messages by their chat and nonce.
    pub(super) nonces: HashMap<(String, String), Value>,
    pub(super) shut: HashSet<String>,
    pub(super) registered: Vec<Value>,
    pub(super) interactions: HashMap<String, Interaction>,
    pub(super) buckets: HashMap<String, (u32, Instant)>,
    pub(super) last_identify: Option<Instant>,
    /// The session of the bot.
    pub(super) session: Option<Session>,
    /// Open connections.
    pub(super) connections: usize,
    pub(super) lines: HashMap<usize, Line>,
    next_id: u64,
    chats: HashMap<String, String>,
}

/// A session: what was sent in it, to be sent again.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) id: String,
    pub(super) events: Vec<String>,
    /// So many events before those are forgotten.
    pub(super) forgotten: usize,
    pub(super) intents: u64,
    /// The connection that it is on.
    pub(super) line: Option<usize>,
}

/// A connection that is open.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) sender: UnboundedSender<Order>,
}

/// What a connection is to do.
#[derive(Debug)]
pub(super) enum Order {
    Text(String),
    /// An event, which counts for `closes_after`.
    Event(String),
    Close(u16),
    Tear,
}

#[derive(Debug)]
pub(super) struct Interaction {
    pub(super) id: String,
    pub(super) chat: String,
    pub(super) since: Instant,
    pub(super) is_acknowledged: bool,
    /// The message that holds the answer; for a button the one above it.
    pub(super) original: Option<String>,
}

impl Session {
    /// The number of the last event.
    pub(super) fn last(&self) -> usize {
        self.forgotten + self.events.len()
    }
}

impl State {
    /// An id, newer than those before.
    pub(super) fn id(&mut self) -> String {
        self.next_id += 1;
        // Some time in 2026.
        ((360_000_000_000_u64 << 22) + self.next_id).to_string()
    }

    pub(super) fn direct_chat(&mut self, person: &str) -> String {
        if let Some(chat) = self.chats.get(person) {
            return chat.clone();
        }
        let chat = self.id();
        self.chats.insert(person.to_owned(), chat.clone());
        chat
    }

    pub(super) fn person_of(&self, chat: &str) -> Option<String> {
        let mut chats = self.chats.iter();
        let (person, _) = chats.find(|(_, id)| *id == chat)?;
        Some(person.clone())
    }

    pub(super) fn message(&mut self, chat: &str, author: &Value, text: &str) -> Value {
        let id = self.id();
        objects::message(&id, chat, author, text)
    }

    /// Sends an event in the session, if its intents have it. It is kept for when the session is resumed.
    pub(super) fn dispatch(&mut self, kind: &str, data: &Value, intents: Option<u64>) {
        let Some(session) = &mut self.session else {
            return;
        };
        if intents.is_some_and(|needed| session.intents & needed == 0) {
            return;
        }
        let seq = session.last() + 1;
        let text = json!({ "op": 0, "s": seq, "t": kind, "d": data }).to_string();
        session.events.push(text.clone());
        let line = session.line.and_then(|line| self.lines.get(&line));
        if let Some(line) = line {
            let _ = line.sender.send(Order::Event(text));
        }
    }

    pub(super) fn send_raw(&mut self, text: &str) {
        for line in self.lines.values() {
            let _ = line.sender.send(Order::Text(text.to_owned()));
        }
    }

    pub(super) fn close(&mut self, code: u16) {
        for line in self.lines.values() {
            let _ = line.sender.send(Order::Close(code));
        }
    }

    pub(super) fn tear(&mut self) {
        for line in self.lines.values() {
            let _ = line.sender.send(Order::Tear);
        }
    }

    pub(super) fn forget_sessions(&mut self) {
        self.session = None;
    }

    pub(super) fn suspend_session(&mut self) {
        if let Some(session) = &mut self.session {
            session.line = None;
        }
    }

    pub(super) fn is_connected(&self) -> bool {
        let line = self.session.as_ref().and_then(|session| session.line);
        line.is_some_and(|line| self.lines.contains_key(&line))
    }

    /// Sends an interaction; its id.
    pub(super) fn interaction(
        &mut self,
        chat: &str,
        person: u64,
        kind: u32,
        data: &Value,
        under: Option<&Value>,
    ) -> String {
        let id = self.id();
        let token = format!("aW50ZXJhY3Rpb246{id}");
        let mut sent = json!({
            "id": id, "application_id": APPLICATION_ID, "type": kind, "token": token, "version": 1,
            "channel_id": chat, "channel": { "id": chat, "type": 1 }, "context": 1, "locale": "en-US",
            "user": objects::user(person), "data": data, "entitlements": [], "app_permissions": "0",
            "authorizing_integration_owners": { "0": "0" }, "attachment_size_limit": 10_485_760,
        });
        if let Some(under) = under {
            sent["message"] = under.clone();
        }
        let original = under.and_then(|under| Some(under["id"].as_str()?.to_owned()));
        let interaction = Interaction {
            id: id.clone(),
            chat: chat.to_owned(),
            since: Instant::now(),
            is_acknowledged: false,
            original,
        };
        self.interactions.insert(token, interaction);
        self.dispatch("INTERACTION_CREATE", &sent, None);
        id
    }

    /// Notes a message of the bot.
    pub(super) fn post(
        &mut self,
        chat: &str,
        body: &Value,
        picture: Option<Vec<u8>>,
        is_ephemeral: bool,
    ) -> Value {
        let text = body["content"].as_str().unwrap_or_default().to_owned();
        let mut message = self.message(chat, &objects::bot(), &text);
        message["components"] = body["components"].clone();
        if message["components"].is_null() {
            message["components"] = json!([]);
        }
        let flags = body["flags"].as_u64().unwrap_or(0) | if is_ephemeral { 64 } else { 0 };
        message["flags"] = flags.into();
        if !body["nonce"].is_null() {
            message["nonce"] = body["nonce"].clone();
        }
        let id = message["id"].as_str().unwrap().to_owned();
        self.messages.insert(id.clone(), message.clone());
        self.sent.push(Sent {
            id,
            chat: chat.to_owned(),
            person: self.person_of(chat),
            text,
            buttons: buttons(body),
            is_ephemeral,
            picture,
        });
        if !is_ephemeral {
            // The bot hears itself.
            self.dispatch("MESSAGE_CREATE", &message, Some(1 << 12));
        }
        debug_assert_eq!(message["author"]["id"], BOT_ID);
        message
    }
}

fn buttons(body: &Value) -> Vec<(String, String)> {
    let rows = body["components"].as_array().into_iter().flatten();
    let buttons = rows.flat_map(|row| row["components"].as_array().into_iter().flatten());
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    buttons
        .map(|button| (text(&button["label"]), text(&button["custom_id"])))
        .collect()
}
