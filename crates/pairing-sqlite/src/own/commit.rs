//! One batch, one transaction.

use std::collections::BTreeSet;

use pairing_core::StoreError;
use pairing_core::store::{Batch, Change, Condition, Version};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{Inner, REMEMBERED, signed, span, unsigned};
use crate::database::{Waiting, immediate_within};
use crate::error::Operation;
use crate::stored;

/// A change as it is written.
enum Write {
    Put { path: String, value: String },
    Delete { path: String },
}

impl Write {
    fn path(&self) -> &String {
        match self {
            Self::Put { path, .. } | Self::Delete { path } => path,
        }
    }
}

impl Inner {
    pub(super) fn commit(&self, batch: &Batch, waiting: Waiting) -> Result<(), StoreError> {
        let operation = Operation::write(self.database.path());
        self.database
            .check()
            .map_err(|error| operation.because(error))?;
        if batch.changes.is_empty() {
            let mut reader = self.database.reader();
            let transaction = reader
                .transaction()
                .map_err(|error| operation.failed(error))?;
            let held = holds(&transaction, &batch.conditions);
            return self.outcome(held.map_err(|error| operation.failed(error))?);
        }
        let writes = batch.changes.iter().map(write).collect::<Result<_, _>>();
        let writes: Vec<Write> = writes.map_err(|error| operation.because(error))?;
        let prefixes: BTreeSet<String> = batch
            .changes
            .iter()
            .flat_map(|change| change.key().ranges())
            .map(|range| range.prefix())
            .collect();
        let committed = {
            let mut writer = self.database.writer_within(waiting)?;
            commit(&mut writer, waiting, &batch.conditions, &writes, &prefixes)
        };
        let Some(revision) = committed.map_err(|error| operation.failed(error))? else {
            return self.outcome(false);
        };
        let paths: Vec<String> = writes.iter().map(|write| write.path().clone()).collect();
        self.cache().committed(revision, &paths);
        self.signal.raise();
        Ok(())
    }

    fn outcome(&self, held: bool) -> Result<(), StoreError> {
        if held {
            return Ok(());
        }
        // Whoever decides again must see what is in the way.
        self.cache().expire();
        Err(StoreError::Conflict)
    }
}

fn write(change: &Change) -> Result<Write, serde_json::Error> {
    let path = change.key().path();
    Ok(match change {
        Change::Put(record) => Write::Put {
            path,
            value: stored::encode(record)?,
        },
        Change::Delete(_) => Write::Delete { path },
    })
}

/// The version of a record.
const VERSION: &str = "SELECT version FROM record WHERE path = ?1";

fn holds(connection: &Connection, conditions: &[Condition]) -> rusqlite::Result<bool> {
    for condition in conditions {
        let (found, expected) = match condition {
            Condition::Record(key, version) => (version_of(connection, &key.path())?, version),
            Condition::Range(range, version) => (span(connection, &range.prefix())?, version),
        };
        if found != *expected {
            return Ok(false);
        }
    }
    Ok(true)
}

fn version_of(connection: &Connection, path: &str) -> rusqlite::Result<Version> {
    let version = connection
        .prepare_cached(VERSION)?
        .query_row([path], |row| row.get(0))
        .optional()?;
    Ok(version.map_or(Version::ABSENT, |version| Version::new(unsigned(version))))
}

/// The statements of a commit, each of which finds its rows by a primary key.
const NEXT: &str = "UPDATE head SET revision = revision + 1 RETURNING revision";
const PUT: &str = "INSERT INTO record (path, version, value) VALUES (?1, ?2, ?3)
    ON CONFLICT (path) DO UPDATE SET version = ?2, value = ?3";
const DELETE: &str = "DELETE FROM record WHERE path = ?1";
const TOUCH: &str = "INSERT INTO span (prefix, version) VALUES (?1, ?2)
    ON CONFLICT (prefix) DO UPDATE SET version = ?2";
const LOG: &str = "INSERT OR IGNORE INTO change (revision, path) VALUES (?1, ?2)";
const TRIM: &str = "DELETE FROM change WHERE revision <= ?1";

/// Returns the number of the commit; `None` if a condition does not hold, so that nothing was written.
fn commit(
    connection: &mut Connection,
    waiting: Waiting,
    conditions: &[Condition],
    writes: &[Write],
    prefixes: &BTreeSet<String>,
) -> rusqlite::Result<Option<u64>> {
    let transaction = immediate_within(connection, waiting)?;
    if !holds(&transaction, conditions)? {
        return Ok(None);
    }
    let revision: i64 = transaction
        .prepare_cached(NEXT)?
        .query_row([], |row| row.get(0))?;
    {
        let mut log = transaction.prepare_cached(LOG)?;
        for write in writes {
            match write {
                Write::Put { path, value } => {
                    let mut put = transaction.prepare_cached(PUT)?;
                    put.execute(params![path, revision, value])?;
                }
                Write::Delete { path } => {
                    transaction.prepare_cached(DELETE)?.execute([path])?;
                }
            }
            log.execute(params![revision, write.path()])?;
        }
        let mut touch = transaction.prepare_cached(TOUCH)?;
        for prefix in prefixes {
            touch.execute(params![prefix, revision])?;
        }
        let oldest = revision.saturating_sub(signed(REMEMBERED));
        transaction.prepare_cached(TRIM)?.execute([oldest])?;
    }
    transaction.commit()?;
    Ok(Some(unsigned(revision)))
}

#[cfg(test)]
pub(super) const STATEMENTS: [&str; 7] = [NEXT, VERSION, PUT, DELETE, TOUCH, LOG, TRIM];
