//! Installs with a database that the real program made.

use std::path::{Path, PathBuf};

use pairing_core::{Channels, Entropy, EntropyError, ManualClock, Timestamp};
use pairing_sqlite::{OpenClawStore, Settings};
use rusqlite::Connection;
use rusqlite::types::ValueRef;

/// Randomness that is none, so that what is written can be told.
pub(crate) struct Sevens;

impl Entropy for Sevens {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        bytes.fill(7);
        Ok(())
    }
}

pub(crate) const NOW: i64 = 1_795_715_500_000;

pub(crate) fn settings() -> Settings {
    let clock = ManualClock::new(Timestamp::from_millis(NOW));
    Settings::new(Channels::builtin(), clock, Sevens)
}

/// A state directory with a copy of the recorded database.
pub(crate) struct Install {
    dir: tempfile::TempDir,
}

impl Install {
    /// An install as it was recorded.
    pub(crate) fn recorded() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let install = Self { dir };
        std::fs::create_dir(install.dir.path().join("state")).unwrap();
        let schema = include_str!("openclaw-2026.9.6/pairing.sql");
        let connection = Connection::open(install.database()).unwrap();
        connection
            .pragma_update(None, "journal_mode", "wal")
            .unwrap();
        connection.execute_batch(schema).unwrap();
        install
    }

    /// The same, without rows in the tables of pairing.
    pub(crate) fn empty() -> Self {
        let install = Self::recorded();
        let tables = [
            "channel_pairing_requests",
            "channel_pairing_allow_entries",
            "device_pairing_pending",
            "device_pairing_paired",
            "device_bootstrap_tokens",
        ];
        for table in tables {
            install.sql(&format!("DELETE FROM {table}"));
        }
        install
    }

    pub(crate) fn state(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.dir.path().join("state/openclaw.sqlite")
    }

    pub(crate) fn beside(&self) -> PathBuf {
        self.dir.path().join("pairing/beside.sqlite")
    }

    pub(crate) fn open(&self) -> OpenClawStore {
        OpenClawStore::open(&self.database(), &self.beside(), settings()).unwrap()
    }

    /// Runs statements as another program would.
    pub(crate) fn sql(&self, statements: &str) {
        let connection = Connection::open(self.database()).unwrap();
        connection
            .busy_timeout(std::time::Duration::from_secs(10))
            .unwrap();
        connection.execute_batch(statements).unwrap();
    }
}

impl Install {
    /// Returns the rows of a query as another program would read them, columns separated by `|`.
    pub(crate) fn rows(&self, query: &str) -> Vec<String> {
        let connection = Connection::open(self.database()).unwrap();
        let mut statement = connection.prepare(query).unwrap();
        let count = statement.column_count();
        let rows = statement
            .query_map([], |row| {
                let cells = (0..count).map(|at| {
                    Ok(match row.get_ref(at)? {
                        ValueRef::Null => "NULL".to_owned(),
                        ValueRef::Integer(number) => number.to_string(),
                        ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
                        other => format!("{other:?}"),
                    })
                });
                Ok(cells.collect::<rusqlite::Result<Vec<_>>>()?.join("|"))
            })
            .unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    }
}
