//! What the server knows.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::Instant;

use super::{Answer, Behaviour, Call, Counts, Sent, objects};

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
    /// Messages of the bot that are there, by chat and time.
    pub(super) messages: HashSet<(String, String)>,
    /// Files of the bot: what was uploaded, and whether it was shared.
    pub(super) files: HashMap<String, (Vec<u8>, bool)>,
    /// Addresses that are good for one connection, by their query.
    pub(super) tickets: HashSet<String>,
    pub(super) lines: BTreeMap<usize, Line>,
    /// Envelopes that are sent and not acknowledged, by their id.
    pub(super) waiting: BTreeMap<String, Waiting>,
    /// Envelopes that nobody is there for.
    pub(super) kept: VecDeque<(String, Value, u32)>,
    next_id: u64,
    chats: HashMap<String, String>,
}

/// A connection that is open and greeted.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) sender: UnboundedSender<Order>,
    /// Its end was announced: nothing more is sent on it.
    pub(super) is_leaving: bool,
}

/// An envelope that is not acknowledged.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) line: usize,
    pub(super) since: Instant,
    kind: String,
    payload: Value,
    attempt: u32,
}

/// What a connection is to do.
#[derive(Debug)]
pub(super) enum Order {
    Text(String),
    /// An envelope, which counts for `closes_after`.
    Envelope(String),
    Close,
    Tear,
}

impl State {
    fn number(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    pub(super) fn id(&mut self, prefix: &str) -> String {
        format!("{prefix}{:08}", self.number())
    }

    /// The time of a message, newer than those before.
    pub(super) fn ts(&mut self) -> String {
        format!("1795353726.{:06}", self.number())
    }

    pub(super) fn direct_chat(&mut self, person: &str) -> String {
        if let Some(chat) = self.chats.get(person) {
            return chat.clone();
        }
        let chat = self.id("D");
        self.chats.insert(person.to_owned(), chat.clone());
        chat
    }

    pub(super) fn person_of(&self, chat: &str) -> Option<String> {
        let mut chats = self.chats.iter();
        chats
            .find(|(_, id)| *id == chat)
            .map(|(person, _)| person.clone())
    }

    /// The connection on which envelopes are sent.
    pub(super) fn line(&self) -> Option<usize> {
        let mut lines = self.lines.iter().rev();
        lines
            .find(|(_, line)| !line.is_leaving)
            .map(|(number, _)| *number)
    }

    pub(super) fn event(&mut self, id: &str, event: &Value) {
        self.envelope("events_api", &objects::callback(id, event));
    }

    pub(super) fn envelope(&mut self, kind: &str, payload: &Value) {
        self.kept.push_back((kind.to_owned(), payload.clone(), 0));
        self.deliver();
    }

    /// Sends again what was sent and not acknowledged, in its order, and what was kept.
    pub(super) fn resend(&mut self, which: impl Fn(&Waiting) -> bool) {
        let waiting = std::mem::take(&mut self.waiting).into_iter();
        let (again, still): (Vec<_>, Vec<_>) = waiting.partition(|(_, waiting)| which(waiting));
        self.waiting = still.into_iter().collect();
        self.counts.repeated += again.len();
        for (_, waiting) in again.into_iter().rev() {
            // A press or a command is not repeated.
            if waiting.kind == "events_api" {
                self.kept
                    .push_front((waiting.kind, waiting.payload, waiting.attempt + 1));
            }
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
            && let Some((kind, payload, attempt)) = self.kept.pop_front()
        {
            let id = self.id("envelope-");
            let mut envelope = json!({
                "envelope_id": id, "type": kind, "payload": payload,
                "accepts_response_payload": kind == "slash_commands",
            });
            if kind == "events_api" {
                envelope["retry_attempt"] = attempt.into();
                envelope["retry_reason"] = if attempt == 0 { "" } else { "timeout" }.into();
            }
            let _ = self.lines[&line]
                .sender
                .send(Order::Envelope(envelope.to_string()));
            let since = Instant::now();
            let waiting = Waiting {
                line,
                since,
                kind,
                payload,
                attempt,
            };
            self.waiting.insert(id, waiting);
        }
    }

    /// When the next envelope on a connection should have been acknowledged.
    pub(super) fn due(&self, line: usize) -> Option<Instant> {
        let waiting = self.waiting.values().filter(|waiting| waiting.line == line);
        waiting
            .map(|waiting| waiting.since + self.behaviour.acknowledge)
            .min()
    }
}
