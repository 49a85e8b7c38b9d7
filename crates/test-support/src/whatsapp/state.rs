//! What the server knows.

use std::collections::{BTreeSet, HashMap, VecDeque};

use serde_json::{Value, json};

use super::{Answer, NUMBER, NUMBER_ID, Sent, TOKEN, body, value_of};

#[derive(Debug)]
pub(super) struct State {
    pub(super) token: String,
    /// Ids of numbers, and how they are shown.
    pub(super) numbers: Vec<(String, String)>,
    pub(super) webhook: Option<String>,
    pub(super) has_window: bool,
    /// Those who have written within the last 24 hours.
    pub(super) writers: BTreeSet<String>,
    pub(super) sent: Vec<Sent>,
    /// What was sent, and nobody has looked at.
    pub(super) unseen: VecDeque<Sent>,
    pub(super) media: HashMap<String, Vec<u8>>,
    pub(super) undelivered: VecDeque<String>,
    pub(super) answers: HashMap<&'static str, VecDeque<Answer>>,
    pub(super) calls: Vec<&'static str>,
    pub(super) now: i64,
    number: u64,
}

impl State {
    pub(super) fn new() -> Self {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Self {
            token: TOKEN.to_owned(),
            numbers: vec![(NUMBER_ID.to_owned(), NUMBER.to_owned())],
            webhook: None,
            has_window: true,
            writers: BTreeSet::new(),
            sent: Vec::new(),
            unseen: VecDeque::new(),
            media: HashMap::new(),
            undelivered: VecDeque::new(),
            answers: HashMap::new(),
            calls: Vec::new(),
            now: i64::try_from(now.unwrap().as_secs()).unwrap(),
            number: 0,
        }
    }

    pub(super) fn id(&mut self) -> String {
        self.number += 1;
        format!("wamid.HBgLMTU1NTAwMDExMTEVAgASGBQz{:08X}", self.number)
    }

    pub(super) fn time(&self) -> i64 {
        self.now
    }

    /// The body that says what became of a message.
    pub(super) fn status(&mut self, id: &str, to: &str, status: &str, errors: &Value) -> Value {
        let wa_id = to.trim_start_matches('+');
        let mut one = json!({
            "id": id, "status": status, "timestamp": self.now.to_string(), "recipient_id": wa_id,
            "recipient_user_id": super::user_id(wa_id),
        });
        if !errors.is_null() {
            one["errors"] = errors.clone();
        }
        body(&[value_of(
            NUMBER_ID,
            NUMBER,
            wa_id,
            json!({ "statuses": [one] }),
        )])
    }
}
