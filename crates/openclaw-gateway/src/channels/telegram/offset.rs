//! Which updates have been taken, across restarts: `telegram/update-offset-<account>.json`, as OpenClaw
//! keeps it.

use std::fs;
use std::path::{Path, PathBuf};

use pairing_core::{AccountId, StoreError};
use pairing_fs::{StateDir, owned};
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
    pub(super) fn read(path: &Path, bot: &str) -> Self {
        let text = fs::read_to_string(path).unwrap_or_default();
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

    /// Notes it for the next start. Takes a moment: it is durable.
    pub(super) fn write(self, path: &Path, bot: &str) -> Result<(), StoreError> {
        let file = File {
            version: 2,
            last_update_id: self.last,
            bot_id: Some(bot.to_owned()),
        };
        // Two numbers: it cannot fail.
        let mut text = serde_json::to_string_pretty(&file).unwrap_or_default();
        text.push('\n');
        if let Some(dir) = path.parent() {
            owned::create_dir(dir)?;
        }
        owned::replace_file(path, &text)
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

/// The account's file.
pub(super) fn path(state: &StateDir, account: &AccountId) -> PathBuf {
    let is_kept = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let kept = account.as_str().split(|c| !is_kept(c));
    // A run of others is one `_`: as OpenClaw names it.
    let mut name = String::from("update-offset-");
    let mut is_gap = false;
    for (at, part) in kept.enumerate() {
        if at > 0 && !is_gap {
            name.push('_');
        }
        is_gap = part.is_empty();
        name.push_str(part);
    }
    state.root().join("telegram").join(name + ".json")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn taken(last: i64) -> Taken {
        let mut taken = Taken::default();
        taken.take(last);
        taken
    }

    #[test]
    fn what_was_taken_is_known_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::at(dir.path());
        let file = path(&state, &AccountId::parse("default").unwrap());
        assert_eq!(Taken::read(&file, "7"), Taken::default());
        for last in [1, (1 << 53) + 1, i64::MAX] {
            taken(last).write(&file, "7").unwrap();
            assert_eq!(Taken::read(&file, "7"), taken(last));
        }
        let text = fs::read_to_string(&file).unwrap();
        assert!(
            text.contains("\"lastUpdateId\": 9223372036854775807"),
            "{text}"
        );
        assert!(file.ends_with("telegram/update-offset-default.json"));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&file), 0o600);
        assert_eq!(mode(file.parent().unwrap()), 0o700);
    }

    #[test]
    fn another_bots_is_not_gone_by() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("offset.json");
        taken(5).write(&file, "7").unwrap();
        assert_eq!(Taken::read(&file, "8"), Taken::default());
        for broken in [
            "",
            "{",
            "[]",
            r#"{"version":3,"lastUpdateId":1,"botId":"7"}"#,
        ] {
            fs::write(&file, broken).unwrap();
            assert_eq!(Taken::read(&file, "7"), Taken::default());
        }
    }

    #[test]
    fn an_old_file_tells_what_was_taken_and_nothing_is_forgotten_for_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("offset.json");
        fs::write(&file, r#"{"version":1,"lastUpdateId":5}"#).unwrap();
        let mut taken = Taken::read(&file, "7");
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

    #[test]
    fn accounts_have_files_of_their_own() {
        let state = StateDir::at("/s");
        for (account, name) in [
            ("work", "update-offset-work.json"),
            ("a b::c", "update-offset-a_b_c.json"),
        ] {
            let Ok(account) = AccountId::parse(account) else {
                continue;
            };
            assert!(path(&state, &account).ends_with(name));
        }
    }
}
