//! Which messages were handed on, in a form that is saved.

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use channel_kit::SavedText;
use serde::{Deserialize, Serialize};

/// Maximum number of messages that are remembered.
const MOST: usize = 2048;

/// Meta delivers a message again for up to seven days. One that is older was recorded by somebody else, and is replayed.
const OLDEST: Duration = Duration::from_secs(8 * 24 * 3600);

/// The messages that were handed on lately. Times are those of the messages, in seconds since 1970.
///
/// What must hold: a message that was added is known for ever. When there is no more room, the earliest one is forgotten,
/// and everything of its time or earlier counts as known; and everything that is too old does.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// What is not later than this counts as known.
    floor: i64,
    /// Earliest first.
    messages: BTreeSet<(i64, String)>,
    ids: HashSet<String>,
}

#[derive(Serialize, Deserialize)]
struct File {
    version: u32,
    /// Whose it is: a number at a server.
    number: String,
    floor: i64,
    messages: Vec<(i64, String)>,
}

impl Progress {
    /// What was saved; nothing if nothing was, if it is another number's, or if it cannot be read. It blocks.
    pub(crate) fn load(saved: &dyn SavedText, number: &str) -> Self {
        let file = saved.load();
        let file = file.and_then(|text| serde_json::from_str::<File>(&text).ok());
        let is_ours =
            |file: &File| file.version == 1 && file.number == number && file.messages.len() <= MOST;
        let Some(file) = file.filter(is_ours) else {
            return Self::default();
        };
        Self {
            floor: file.floor,
            ids: file.messages.iter().map(|(_, id)| id.clone()).collect(),
            messages: file.messages.into_iter().collect(),
        }
    }

    /// The text to save. `number` tells it from another number's.
    pub(crate) fn text(&self, number: &str) -> String {
        let file = File {
            version: 1,
            number: number.to_owned(),
            floor: self.floor,
            messages: self.messages.iter().cloned().collect(),
        };
        // Texts and numbers always serialise.
        serde_json::to_string(&file).unwrap_or_default() + "\n"
    }

    /// Whether a message was handed on, or is too old.
    pub(crate) fn knows(&self, id: &str, at: i64, now: i64) -> bool {
        at <= self.floor || at < now.saturating_sub(oldest()) || self.ids.contains(id)
    }

    /// Notes a message. `now` is the time in seconds.
    pub(crate) fn add(&mut self, id: &str, at: i64, now: i64) {
        // A time to come would be remembered for ever.
        let at = at.min(now);
        if self.ids.insert(id.to_owned()) {
            self.messages.insert((at, id.to_owned()));
        }
        let too_old = now.saturating_sub(oldest());
        while let Some((at, _)) = self.messages.first()
            && (self.messages.len() > MOST || *at < too_old)
        {
            let Some((at, id)) = self.messages.pop_first() else {
                return;
            };
            self.ids.remove(&id);
            self.floor = self.floor.max(at);
        }
    }
}

fn oldest() -> i64 {
    i64::try_from(OLDEST.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use channel_kit::InMemory;
    use proptest::prelude::*;

    use super::*;

    const NOW: i64 = 1_795_353_726;

    #[test]
    fn what_was_handed_on_is_known_after_a_restart_of_the_same_number() {
        let saved = InMemory::default();
        let mut progress = Progress::load(&saved, "a");
        progress.add("wamid.1", NOW - 5, NOW);
        saved.save(&progress.text("a")).unwrap();
        let again = Progress::load(&saved, "a");
        assert_eq!(again, progress);
        assert!(again.knows("wamid.1", NOW - 5, NOW) && again.knows("wamid.1", NOW + 99, NOW));
        assert!(!again.knows("wamid.2", NOW - 5, NOW));
        assert_eq!(Progress::load(&saved, "b"), Progress::default());
        let text = saved.load().unwrap();
        for broken in [
            "",
            "{",
            "[]",
            &text.replace("\"version\":1", "\"version\":2"),
        ] {
            saved.save(broken).unwrap();
            assert_eq!(Progress::load(&saved, "a"), Progress::default());
        }
    }

    #[test]
    fn the_form_that_is_saved() {
        let mut progress = Progress::default();
        progress.add("wamid.1", NOW, NOW);
        let text = "{\"version\":1,\"number\":\"a\",\"floor\":0,\"messages\":[[1795353726,\"wamid.1\"]]}\n";
        assert_eq!(progress.text("a"), text);
    }

    #[test]
    fn t182_a_replay_is_known_for_a_week_and_too_old_after_that() {
        let mut progress = Progress::default();
        let day = 24 * 3600;
        progress.add("wamid.1", NOW, NOW);
        for days in 0..30 {
            let now = NOW + days * day;
            assert!(progress.knows("wamid.1", NOW, now));
            progress.add(&format!("wamid.{now}"), now, now);
            assert!(progress.knows("wamid.1", NOW, now));
        }
        // Seven days of Meta's own attempts are no replay.
        assert!(!progress.knows("wamid.late", NOW + 23 * day, NOW + 30 * day));
        assert!(progress.messages.len() < 12);
    }

    #[test]
    fn a_wrong_clock_does_not_hide_what_comes_later() {
        let mut progress = Progress::default();
        progress.add("far", i64::MAX, NOW);
        for number in 0..2 * MOST {
            let (id, at) = (
                number.to_string(),
                NOW - 1000 + i64::try_from(number).unwrap() / 8,
            );
            progress.add(&id, at, NOW);
        }
        assert!(progress.knows("far", i64::MAX, NOW) && !progress.knows("new", NOW, NOW));
        assert_eq!(progress.messages.len(), MOST);
        assert_eq!(progress.ids.len(), MOST);
    }

    proptest! {
        #[test]
        fn nothing_is_handed_on_twice(times in proptest::collection::vec(0_i64..2000, 1..200), repeats in 1_usize..40) {
            let mut progress = Progress::default();
            let all: Vec<_> = times.iter().enumerate().flat_map(|(number, at)| {
                (0..repeats).map(move |repeat| (format!("{number}.{repeat}"), NOW - at))
            }).collect();
            for (id, at) in &all {
                if !progress.knows(id, *at, NOW) {
                    progress.add(id, *at, NOW);
                }
                prop_assert!(progress.messages.len() <= MOST);
            }
            for (id, at) in &all {
                prop_assert!(progress.knows(id, *at, NOW));
            }
        }
    }
}
