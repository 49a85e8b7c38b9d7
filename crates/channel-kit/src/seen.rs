//! What was handed on lately, saved across restarts: a chat system may send it again.

use std::collections::VecDeque;
use std::time::Duration;

use pairing_core::Timestamp;
use serde::{Deserialize, Serialize};

use crate::SavedText;

/// Ids of messages or events that were handed on lately, oldest first, in a form that is saved.
///
/// - Bounded: when it is full, the oldest id is forgotten. Looking for an id costs as much as there are.
/// - Holds nothing but ids and times.
///
/// ```
/// use std::time::Duration;
/// use channel_kit::{InMemory, SavedText as _, Seen};
/// use pairing_core::Timestamp;
///
/// let saved = InMemory::default();
/// let mut seen = Seen::new(Duration::from_secs(3600), 100);
/// seen.add("17", Timestamp::from_millis(1_800_000_000_000));
/// saved.save(&seen.text("this account"))?;
/// let again = Seen::new(Duration::from_secs(3600), 100).load(&saved, "this account");
/// assert!(again.has("17"));
/// # Ok::<(), channel_kit::SaveError>(())
/// ```
#[derive(Debug)]
pub struct Seen {
    within: Duration,
    most: usize,
    ids: VecDeque<(String, Timestamp)>,
}

#[derive(Serialize, Deserialize)]
struct File {
    version: u32,
    /// Whose it is: an account at a server.
    app: String,
    /// Ids with the time at which they came, in milliseconds since 1970.
    events: Vec<(String, i64)>,
}

impl Seen {
    /// Nothing seen so far; ids are remembered for the time `within`, and at most `most` of them.
    pub fn new(within: Duration, most: usize) -> Self {
        Self {
            within,
            most,
            ids: VecDeque::new(),
        }
    }

    /// With what was saved; the same if nothing was, if it is of another `account`, or if it cannot be read. It blocks.
    pub fn load(mut self, saved: &dyn SavedText, account: &str) -> Self {
        let file = saved
            .load()
            .and_then(|text| serde_json::from_str(&text).ok());
        let file = file.filter(|file: &File| file.version == 1 && file.app == account);
        let ids = file.map(|file| file.events).unwrap_or_default();
        let skipped = ids.len().saturating_sub(self.most);
        let ids = ids.into_iter().skip(skipped);
        self.ids
            .extend(ids.map(|(id, at)| (id, Timestamp::from_millis(at))));
        self
    }

    /// The ids, with the times at which they came.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Timestamp)> {
        self.ids.iter().map(|(id, at)| (id.as_str(), *at))
    }

    /// Whether an id was seen lately.
    pub fn has(&self, id: &str) -> bool {
        self.ids.iter().any(|(known, _)| known == id)
    }

    /// Notes an id.
    pub fn add(&mut self, id: &str, now: Timestamp) {
        while let Some((_, at)) = self.ids.front()
            && (*at + self.within <= now || self.ids.len() >= self.most)
        {
            self.ids.pop_front();
        }
        self.ids.push_back((id.to_owned(), now));
    }

    /// Gives an id that is known another time, as if it had come then.
    pub fn renew(&mut self, id: &str, now: Timestamp) {
        if let Some(at) = self.ids.iter().position(|(known, _)| known == id)
            && let Some((id, _)) = self.ids.remove(at)
        {
            self.ids.push_back((id, now));
        }
    }

    /// The text to save. `account` tells it from another account's.
    pub fn text(&self, account: &str) -> String {
        let file = File {
            version: 1,
            app: account.to_owned(),
            events: self
                .ids
                .iter()
                .map(|(id, at)| (id.clone(), at.as_millis()))
                .collect(),
        };
        // Numbers and strings always serialise.
        serde_json::to_string(&file).unwrap_or_default() + "\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::InMemory;

    const WITHIN: Duration = Duration::from_secs(3600);
    const MOST: usize = 128;

    fn load(saved: &InMemory, account: &str) -> Seen {
        Seen::new(WITHIN, MOST).load(saved, account)
    }

    fn ids(seen: &Seen) -> Vec<String> {
        seen.iter().map(|(id, _)| id.to_owned()).collect()
    }

    #[test]
    fn the_last_ids_of_the_same_account_are_known_after_a_restart() {
        let now = Timestamp::from_millis(1_800_000_000_000);
        let saved = InMemory::default();
        let mut seen = load(&saved, "a");
        seen.add("Ev0", now);
        for number in 1..2 * MOST {
            seen.add(&format!("Ev{number}"), now + WITHIN);
        }
        assert!(!seen.has("Ev0") && !seen.has("Ev1") && seen.has(&format!("Ev{}", 2 * MOST - 1)));
        assert_eq!(ids(&seen).len(), MOST);
        saved.save(&seen.text("a")).unwrap();
        assert_eq!(ids(&load(&saved, "a")), ids(&seen));
        assert!(ids(&load(&saved, "b")).is_empty());
        let text = saved.load().unwrap();
        for broken in [
            "",
            "{",
            "[]",
            &text.replace("\"version\":1", "\"version\":2"),
        ] {
            saved.save(broken).unwrap();
            assert!(ids(&load(&saved, "a")).is_empty(), "{broken}");
        }
    }

    #[test]
    fn an_id_that_is_renewed_is_forgotten_last() {
        let now = Timestamp::from_millis(1_800_000_000_000);
        let mut seen = Seen::new(WITHIN, 2);
        seen.add("a", now);
        seen.add("b", now);
        seen.renew("a", now + WITHIN);
        seen.renew("unknown", now);
        assert_eq!(ids(&seen), ["b", "a"]);
        seen.add("c", now + WITHIN);
        let all: Vec<_> = seen.iter().collect();
        assert_eq!(all, [("a", now + WITHIN), ("c", now + WITHIN)]);
    }

    #[test]
    fn the_form_that_is_saved() {
        let mut seen = Seen::new(WITHIN, MOST);
        seen.add("Ev1", Timestamp::from_millis(7));
        let text = "{\"version\":1,\"app\":\"a\",\"events\":[[\"Ev1\",7]]}\n";
        assert_eq!(seen.text("a"), text);
    }
}
