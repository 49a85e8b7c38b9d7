//! What the server knows.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::Instant;

use super::{Answer, Behaviour, Call, Counts, Sent, event_frame};

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) address: String,
    pub(super) behaviour: Behaviour,
    pub(super) counts: Counts,
    pub(super) calls: Vec<Call>,
    pub(super) seen: HashMap<&'static str, usize>,
    pub(super) next: HashMap<&'static str, VecDeque<Answer>>,
    pub(super) sent: Vec<Sent>,
    pub(super) sent_seen: usize,
    /// Messages of the bot that are there: their kind and content.
    pub(super) messages: HashMap<String, (String, String)>,
    /// Messages by the number that came with them.
    pub(super) numbers: HashMap<String, String>,
    /// Pictures that were uploaded.
    pub(super) pictures: HashMap<String, Vec<u8>>,
    /// Tokens that are good.
    pub(super) tokens: HashSet<String>,
    /// Addresses that are good for one connection, by their query.
    pub(super) tickets: HashSet<String>,
    pub(super) lines: BTreeMap<usize, UnboundedSender<Order>>,
    /// Events that are sent and not acknowledged, by the id of their frames.
    pub(super) waiting: BTreeMap<String, Waiting>,
    /// Events that nobody is there for.
    pub(super) kept: VecDeque<Vec<u8>>,
    next_id: u64,
    chats: HashMap<String, String>,
}

/// An event that is not acknowledged.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) line: usize,
    pub(super) since: Instant,
    payload: Vec<u8>,
}

/// What a connection is to do.
#[derive(Debug)]
pub(super) enum Order {
    Raw(Vec<u8>),
    /// The frames of an event, which counts for `closes_after`.
    Event(Vec<Vec<u8>>),
    Close,
    Tear,
}

impl State {
    pub(super) fn id(&mut self, prefix: &str) -> String {
        self.next_id += 1;
        format!("{prefix}{:08}", self.next_id)
    }

    pub(super) fn direct_chat(&mut self, person: &str) -> String {
        if let Some(chat) = self.chats.get(person) {
            return chat.clone();
        }
        let chat = self.id("oc_");
        self.chats.insert(person.to_owned(), chat.clone());
        chat
    }

    pub(super) fn is_chat(&self, id: &str) -> bool {
        self.chats.values().any(|chat| chat == id)
    }

    /// The value of a button of a card, by its data.
    pub(super) fn value_of(&self, message: &str, data: &str) -> Value {
        let content = self.messages.get(message).map(|(_, content)| content);
        let card: Value = content
            .and_then(|content| serde_json::from_str(content).ok())
            .unwrap_or_default();
        let mut values = super::objects::buttons(&card).into_iter();
        let value = values.find(|button| button["value"]["data"] == data);
        value.map_or_else(|| json!({ "data": data }), |button| button["value"].clone())
    }

    /// The connection on which events are sent.
    pub(super) fn line(&self) -> Option<usize> {
        self.lines.keys().next_back().copied()
    }

    pub(super) fn push(&mut self, payload: &[u8]) {
        self.kept.push_back(payload.to_vec());
        self.deliver();
    }

    /// Sends again what was sent and not acknowledged, in its order, and what was kept.
    pub(super) fn resend(&mut self, which: impl Fn(&Waiting) -> bool) {
        let waiting = std::mem::take(&mut self.waiting).into_iter();
        let (again, still): (Vec<_>, Vec<_>) = waiting.partition(|(_, waiting)| which(waiting));
        self.waiting = still.into_iter().collect();
        self.counts.repeated += again.len();
        for (_, waiting) in again.into_iter().rev() {
            self.kept.push_front(waiting.payload);
        }
        self.deliver();
    }

    fn deliver(&mut self) {
        // What a connection that is closing has not acknowledged comes first: it is not known yet.
        let is_closing = |waiting: &Waiting| !self.lines.contains_key(&waiting.line);
        if self.waiting.values().any(is_closing) {
            return;
        }
        while let Some(line) = self.line()
            && let Some(payload) = self.kept.pop_front()
        {
            let id = self.id("frame-");
            let count = self.behaviour.parts.max(1);
            let size = payload.len().div_ceil(count).max(1);
            let parts: Vec<_> = if payload.is_empty() {
                vec![&payload[..]]
            } else {
                payload.chunks(size).collect()
            };
            let sum = parts.len().to_string();
            let frames = parts.iter().enumerate();
            let frames = frames.map(|(seq, part)| event_frame(&id, &sum, &seq.to_string(), part));
            let _ = self.lines[&line].send(Order::Event(frames.collect()));
            let since = Instant::now();
            let waiting = Waiting {
                line,
                since,
                payload,
            };
            self.waiting.insert(id, waiting);
        }
    }

    /// When the next event on a connection should have been acknowledged.
    pub(super) fn due(&self, line: usize) -> Option<Instant> {
        let waiting = self.waiting.values().filter(|waiting| waiting.line == line);
        waiting
            .map(|waiting| waiting.since + self.behaviour.acknowledge)
            .min()
    }
}
