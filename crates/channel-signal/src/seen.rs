//! The messages that were handed on lately, saved across restarts: the daemon may deliver one again.

use std::collections::VecDeque;
use std::time::Duration;

use channel_kit::SavedText;
use pairing_core::Timestamp;
use serde::{Deserialize, Serialize};

/// How long a message is remembered, and how many at most.
const WITHIN: Duration = Duration::from_secs(24 * 3600);
const MOST: usize = 256;

/// The last messages that were handed on, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Seen(VecDeque<(String, Timestamp)>);

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    version: u32,
    /// The account and daemon at which they were received.
    account: String,
    /// Messages with the time at which they came, in milliseconds since 1970.
    messages: Vec<(String, i64)>,
}

impl Seen {
    /// What was saved; nothing if nothing was, if it is another account's, or if it cannot be read.
    pub(crate) fn load(saved: &dyn SavedText, account: &str) -> Self {
        let file = saved
            .load()
            .and_then(|text| serde_json::from_str(&text).ok());
        let file = file.filter(|file: &File| file.version == 1 && file.account == account);
        let messages = file.map(|file| file.messages).unwrap_or_default();
        let skipped = messages.len().saturating_sub(MOST);
        let messages = messages.into_iter().skip(skipped);
        Self(
            messages
                .map(|(id, at)| (id, Timestamp::from_millis(at)))
                .collect(),
        )
    }

    /// Whether a message was handed on lately.
    pub(crate) fn has(&self, id: &str) -> bool {
        self.0.iter().any(|(known, _)| known == id)
    }

    /// Notes a message.
    pub(crate) fn add(&mut self, id: String, now: Timestamp) {
        while let Some((_, at)) = self.0.front()
            && (*at + WITHIN <= now || self.0.len() >= MOST)
        {
            self.0.pop_front();
        }
        self.0.push_back((id, now));
    }

    /// The text to save.
    pub(crate) fn text(&self, account: &str) -> String {
        let file = File {
            version: 1,
            account: account.to_owned(),
            messages: self
                .0
                .iter()
                .map(|(id, at)| (id.clone(), at.as_millis()))
                .collect(),
        };
        // Texts and numbers always serialise.
        serde_json::to_string(&file).unwrap_or_default() + "\n"
    }
}

#[cfg(test)]
mod tests {
    use channel_kit::InMemory;

    use super::*;

    #[test]
    fn the_last_messages_of_the_same_account_are_known_after_a_restart() {
        let now = Timestamp::from_millis(1_800_000_000_000);
        let saved = InMemory::default();
        let mut seen = Seen::load(&saved, "a");
        seen.add("old".into(), now);
        for number in 0..2 * MOST {
            seen.add(number.to_string(), now + WITHIN);
        }
        assert!(!seen.has("old") && !seen.has("0") && seen.has(&(2 * MOST - 1).to_string()));
        saved.save(&seen.text("a")).unwrap();
        assert!(Seen::load(&saved, "a").has(&MOST.to_string()));
        assert_eq!(Seen::load(&saved, "b").0.len(), 0);
        saved.save("[]").unwrap();
        assert_eq!(Seen::load(&saved, "a").0.len(), 0);
    }
}
