//! The number of the last update that was received, saved across restarts in the format of OpenClaw.

use channel_kit::{SaveError, SavedText};
use serde::{Deserialize, Serialize};

/// An id so far below the last one is no repetition. After a week without updates they start anew,
/// anywhere.
const NEAR: i64 = 100_000;

/// The last update that was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Taken {
    last: Option<i64>,
    /// It is this bot's, for certain: the server may forget all up to it.
    is_ours: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    version: u32,
    last_update_id: Option<i64>,
    #[serde(default)]
    bot_id: Option<String>,
}

impl Taken {
    /// What the file says; nothing where it is missing, another bot's, or cannot be read: an update may
    /// come twice then, and none is lost.
    pub(super) fn load(saved: &dyn SavedText, bot: &str) -> Self {
        let text = saved.load().unwrap_or_default();
        match serde_json::from_str::<File>(&text) {
            // Older installs did not say whose it is.
            Ok(file) if file.version == 1 => Self {
                last: file.last_update_id,
                is_ours: false,
            },
            Ok(file) if file.version == 2 && file.bot_id.as_deref() == Some(bot) => Self {
                last: file.last_update_id,
                is_ours: true,
            },
            _ => Self::default(),
        }
    }

    /// Saves it for the next start. Blocks until it is durable.
    pub(super) fn save(self, saved: &dyn SavedText, bot: &str) -> Result<(), SaveError> {
        let file = File {
            version: 2,
            last_update_id: self.last,
            bot_id: Some(bot.to_owned()),
        };
        // Two numbers and a string always serialise.
        let mut text = serde_json::to_string_pretty(&file).unwrap_or_default();
        text.push('\n');
        saved.save(&text)
    }

    /// What to ask for.
    pub(super) fn offset(self) -> Option<i64> {
        let last = self.last.filter(|_| self.is_ours)?;
        Some(last.saturating_add(1))
    }

    pub(super) fn has(self, update: i64) -> bool {
        self.last
            .is_some_and(|last| update <= last && update > last.saturating_sub(NEAR))
    }

    pub(super) fn take(&mut self, update: i64) {
        *self = Self {
            last: Some(update),
            is_ours: true,
        };
    }
}

#[cfg(test)]
mod tests {
    use channel_kit::InMemory;

    use super::*;

    fn taken(last: i64) -> Taken {
        let mut taken = Taken::default();
        taken.take(last);
        taken
    }

    fn saved(text: &str) -> InMemory {
        let saved = InMemory::default();
        saved.save(text).unwrap();
        saved
    }

    #[test]
    fn what_was_taken_is_known_after_a_restart() {
        let saved = InMemory::default();
        assert_eq!(Taken::load(&saved, "7"), Taken::default());
        for last in [1, (1 << 53) + 1, i64::MAX] {
            taken(last).save(&saved, "7").unwrap();
            assert_eq!(Taken::load(&saved, "7"), taken(last));
        }
        let text = saved.load().unwrap();
        assert!(
            text.contains("\"lastUpdateId\": 9223372036854775807"),
            "{text}"
        );
    }

    #[test]
    fn another_bots_is_not_gone_by() {
        let of_seven = InMemory::default();
        taken(5).save(&of_seven, "7").unwrap();
        assert_eq!(Taken::load(&of_seven, "8"), Taken::default());
        for broken in [
            "",
            "{",
            "[]",
            r#"{"version":3,"lastUpdateId":1,"botId":"7"}"#,
        ] {
            assert_eq!(Taken::load(&saved(broken), "7"), Taken::default());
        }
    }

    #[test]
    fn an_old_file_tells_what_was_taken_and_nothing_is_forgotten_for_it() {
        let mut taken = Taken::load(&saved(r#"{"version":1,"lastUpdateId":5}"#), "7");
        assert!(taken.has(5) && !taken.has(6));
        assert_eq!(taken.offset(), None);
        taken.take(6);
        assert_eq!(taken.offset(), Some(7));
    }

    #[test]
    fn ids_that_start_anew_are_new() {
        let taken = taken(1_000_000);
        assert!(taken.has(1_000_000) && taken.has(999_999) && !taken.has(1_000_001));
        assert!(!taken.has(900_000) && !taken.has(3));
        assert!(!super::tests::taken(i64::MIN).has(0));
        assert!(!Taken::default().has(0));
    }
}
