//! The events that were handed on lately, saved across restarts: Slack sends again what it takes for lost.

use std::collections::VecDeque;
use std::time::Duration;

use channel_kit::{SaveError, SavedText};
use pairing_core::Timestamp;
use serde::{Deserialize, Serialize};

/// How long an event is remembered, and how many at most. Slack sends an event again at once, after a minute and after
/// five.
const WITHIN: Duration = Duration::from_secs(3600);
const MOST: usize = 128;

/// The last events that were handed on, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Seen(VecDeque<(String, Timestamp)>);

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    version: u32,
    /// Tells whether it is this app's, at this server; holds nothing of the tokens.
    app: String,
    /// Ids of events with the time at which they came, in milliseconds since 1970.
    events: Vec<(String, i64)>,
}

impl Seen {
    /// What was saved; nothing if there is nothing, if it is another app's, or if it cannot be read.
    pub(crate) fn load(saved: &dyn SavedText, app: &str) -> Self {
        let file = saved
            .load()
            .and_then(|text| serde_json::from_str(&text).ok());
        let file = file.filter(|file: &File| file.version == 1 && file.app == app);
        let events = file.map(|file| file.events).unwrap_or_default();
        let skipped = events.len().saturating_sub(MOST);
        let events = events.into_iter().skip(skipped);
        Self(
            events
                .map(|(id, at)| (id, Timestamp::from_millis(at)))
                .collect(),
        )
    }

    /// The ids, with the times at which they came.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, Timestamp)> {
        self.0.iter().map(|(id, at)| (id.as_str(), *at))
    }

    /// Notes an event.
    pub(crate) fn add(&mut self, id: &str, now: Timestamp) {
        while let Some((_, at)) = self.0.front()
            && (*at + WITHIN <= now || self.0.len() >= MOST)
        {
            self.0.pop_front();
        }
        self.0.push_back((id.to_owned(), now));
    }

    /// The text to save.
    pub(crate) fn text(&self, app: &str) -> String {
        let file = File {
            version: 1,
            app: app.to_owned(),
            events: self
                .0
                .iter()
                .map(|(id, at)| (id.clone(), at.as_millis()))
                .collect(),
        };
        // Numbers and strings always serialise.
        serde_json::to_string(&file).unwrap_or_default() + "\n"
    }
}

/// Saves a text. Blocks until it is durable.
pub(crate) fn save(saved: &dyn SavedText, text: &str) -> Result<(), SaveError> {
    saved.save(text)
}

/// The mark of an app in its file: a part of its fingerprint.
pub(crate) fn mark(fingerprint: &[u8; 32]) -> String {
    let head = fingerprint.first_chunk().copied().unwrap_or_default();
    format!("{:016x}", u64::from_be_bytes(head))
}

#[cfg(test)]
mod tests {
    use channel_kit::InMemory;

    use super::*;

    fn ids(seen: &Seen) -> Vec<String> {
        seen.iter().map(|(id, _)| id.to_owned()).collect()
    }

    #[test]
    fn the_last_events_of_the_same_app_are_known_after_a_restart() {
        let now = Timestamp::from_millis(1_800_000_000_000);
        let saved = InMemory::default();
        let mut seen = Seen::load(&saved, "a");
        seen.add("Ev0", now);
        for number in 1..2 * MOST {
            seen.add(&format!("Ev{number}"), now + WITHIN);
        }
        assert_eq!(ids(&seen).len(), MOST);
        save(&saved, &seen.text("a")).unwrap();
        assert_eq!(ids(&Seen::load(&saved, "a")), ids(&seen));
        assert!(ids(&Seen::load(&saved, "b")).is_empty());
        let text = saved.load().unwrap();
        for broken in [
            "",
            "{",
            "[]",
            &text.replace("\"version\":1", "\"version\":2"),
        ] {
            saved.save(broken).unwrap();
            assert!(ids(&Seen::load(&saved, "a")).is_empty(), "{broken}");
        }
    }
}
