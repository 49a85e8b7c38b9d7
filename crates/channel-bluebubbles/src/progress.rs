//! Which messages were handed on, in a form that is saved.

use std::collections::BTreeSet;

use channel_kit::SavedText;
use serde::{Deserialize, Serialize};

/// Maximum number of messages that are remembered, and of those among them whose time is still to come.
const MOST: usize = 256;
const MOST_TO_COME: usize = 128;

/// The messages that were handed on lately, and from where on the server is asked for more. Times are the server's, in
/// milliseconds since 1970.
///
/// What must hold: a message that was added is known for ever. When there is no more room, the earliest one is forgotten,
/// and everything of its time or earlier counts as known.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    /// What is not later than this was there before the first start.
    begin: i64,
    /// The latest time that was seen.
    last: i64,
    /// What is not later than this counts as known.
    floor: i64,
    messages: BTreeSet<(i64, String)>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    version: u32,
    /// The server whose messages these are.
    server: String,
    begin: i64,
    last: i64,
    floor: i64,
    messages: Vec<(i64, String)>,
}

impl Progress {
    /// Starts after the latest message of a server.
    pub(crate) fn after(latest: i64) -> Self {
        Self {
            begin: latest,
            last: latest,
            floor: -1,
            messages: BTreeSet::new(),
        }
    }

    /// What was saved; `None` if nothing was, if it is another server's, or if it cannot be read.
    pub(crate) fn load(saved: &dyn SavedText, server: &str) -> Option<Self> {
        let file: File = serde_json::from_str(&saved.load()?).ok()?;
        let is_ours = file.version == 1 && file.server == server && file.messages.len() <= MOST;
        is_ours.then(|| Self {
            begin: file.begin,
            last: file.last,
            floor: file.floor,
            messages: file.messages.into_iter().collect(),
        })
    }

    /// The text to save.
    pub(crate) fn text(&self, server: &str) -> String {
        let file = File {
            version: 1,
            server: server.to_owned(),
            begin: self.begin,
            last: self.last,
            floor: self.floor,
            messages: self.messages.iter().cloned().collect(),
        };
        // Texts and numbers always serialise.
        serde_json::to_string(&file).unwrap_or_default() + "\n"
    }

    /// The latest time that was seen.
    pub(crate) fn last(&self) -> i64 {
        self.last
    }

    /// Whether a message of this time was there before the first start.
    pub(crate) fn is_history(&self, at: i64) -> bool {
        at <= self.begin
    }

    /// Whether a message was handed on.
    pub(crate) fn knows(&self, guid: &str, at: i64) -> bool {
        at <= self.floor || self.messages.iter().any(|(_, known)| known == guid)
    }

    /// Whether a message may be handed on now. One from the future may, but not so many that they leave no room for others:
    /// forgetting the earliest of them would make everything before it count as known.
    pub(crate) fn has_room(&self, at: i64, soon: i64) -> bool {
        let to_come = || {
            let later = self.messages.iter().rev();
            later.take_while(|(at, _)| *at > soon).count()
        };
        at <= soon || to_come() < MOST_TO_COME
    }

    /// Notes a message.
    pub(crate) fn add(&mut self, guid: &str, at: i64, now: i64) {
        self.pass(at, now);
        self.messages.insert((at, guid.to_owned()));
        while self.messages.len() > MOST {
            let Some((at, _)) = self.messages.pop_first() else {
                return;
            };
            self.floor = self.floor.max(at);
        }
    }

    /// Notes the time of a message that is not handed on. A time to come, which a wrong clock may say, does not count.
    pub(crate) fn pass(&mut self, at: i64, now: i64) {
        self.last = self.last.max(at.min(now));
    }
}

#[cfg(test)]
mod tests {
    use channel_kit::InMemory;
    use proptest::prelude::*;

    use super::*;

    const NOW: i64 = 1_795_353_726_325;

    #[test]
    fn what_was_handed_on_is_known_after_a_restart_at_the_same_server() {
        let saved = InMemory::default();
        let mut progress = Progress::after(100);
        assert!(progress.is_history(100) && !progress.is_history(101));
        progress.add("a", 105, NOW);
        progress.pass(110, NOW);
        saved.save(&progress.text("http://a")).unwrap();
        let again = Progress::load(&saved, "http://a").unwrap();
        assert_eq!(again, progress);
        assert!(again.knows("a", 105) && again.knows("a", 999) && !again.knows("b", 105));
        assert_eq!(again.last(), 110);
        assert_eq!(Progress::load(&saved, "http://b"), None);
        let text = saved.load().unwrap();
        for broken in [
            "",
            "{",
            "[]",
            &text.replace("\"version\":1", "\"version\":2"),
        ] {
            saved.save(broken).unwrap();
            assert_eq!(Progress::load(&saved, "http://a"), None);
        }
    }

    #[test]
    fn the_form_that_is_saved() {
        let mut progress = Progress::after(5);
        progress.add("a", 7, NOW);
        let text = "{\"version\":1,\"server\":\"s\",\"begin\":5,\"last\":7,\"floor\":-1,\"messages\":[[7,\"a\"]]}\n";
        assert_eq!(progress.text("s"), text);
    }

    #[test]
    fn a_wrong_clock_does_not_hide_what_comes_later() {
        let mut progress = Progress::after(0);
        progress.add("far", i64::MAX, NOW);
        assert_eq!(progress.last(), NOW);
        for number in 0..2 * MOST {
            let guid = number.to_string();
            assert!(!progress.knows(&guid, NOW));
            progress.add(&guid, NOW - 1000 + i64::try_from(number).unwrap(), NOW);
        }
        assert!(progress.knows("far", i64::MAX) && !progress.knows("new", NOW));
        assert_eq!(progress.messages.len(), MOST);
    }

    proptest! {
        #[test]
        fn nothing_is_handed_on_twice(times in proptest::collection::vec(0_i64..2000, 1..1000)) {
            let mut progress = Progress::after(0);
            for (number, at) in times.iter().enumerate() {
                if !progress.knows(&number.to_string(), *at) {
                    progress.add(&number.to_string(), *at, NOW);
                }
                prop_assert!(progress.messages.len() <= MOST);
            }
            for (number, at) in times.iter().enumerate() {
                prop_assert!(progress.knows(&number.to_string(), *at));
            }
        }
    }
}
