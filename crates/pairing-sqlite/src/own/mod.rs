//! [`OwnStore`]: the four operations of a pairing store, on a database of our own.

mod commit;
mod schema;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pairing_core::store::{
    Batch, Changed, Changes, Cursor, Page, PageRequest, Position, Read, Version,
};
use pairing_core::{ChannelId, Key, PairingStore, Problem, Range, StoreError};
use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};

use crate::cache::Cache;
use crate::database::{self, BUSY_WAIT, Database, Waiting};
use crate::error::{Operation, Unfit};
use crate::file;
use crate::signal::{Signal, Watch};
use crate::{paths, stored};
use schema::SchemaError;

/// Number of commits whose changes are remembered in the database.
const REMEMBERED: u64 = 4096;

/// Default time for which a record read before is used without asking whether others have changed it.
const RECHECK_AFTER: Duration = Duration::from_millis(100);

/// A [`PairingStore`] on an SQLite database that only this project uses.
///
/// - A batch is one immediate transaction, on condition that every record and range that it rests on is
///   unchanged, deletions included. It is on the disk when its commit returns.
/// - Any number of handles and processes on one machine may use the database at once. A change by another
///   is seen within 100 ms; a write waits 10 seconds for others unless
///   [set otherwise](OwnStore::open_with), and then says who is in the way.
/// - The cost of an operation on a record does not depend on the number of others. Memory holds the
///   records in use, at most 16,384 of them.
/// - A row that cannot be understood is an error for whoever needs that record, and a remark in lists.
///
/// Shared between threads and cheap to clone.
#[derive(Clone)]
pub struct OwnStore {
    inner: Arc<Inner>,
}

struct Inner {
    database: Database,
    recheck_after: Duration,
    cache: Mutex<Cache>,
    signal: Arc<Signal>,
    watch: Watch,
}

impl OwnStore {
    /// Opens the database at `path`, making it if it is missing: mode 0600, in a directory of mode 0700.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::open_with(path, BUSY_WAIT)
    }

    /// Does the same, with another time that a write waits for other writers.
    pub fn open_with(path: &Path, busy_wait: Duration) -> Result<Self, StoreError> {
        let operation = Operation::write(path);
        file::make(path).map_err(|error| operation.because(error))?;
        if !path.is_file() {
            return Err(operation.because(Unfit::NoFile));
        }
        let operation = Operation::read(path);
        let mut first =
            database::connect(path, busy_wait).map_err(|error| operation.failed(error))?;
        schema::prepare(&mut first).map_err(|error| match error {
            SchemaError::Sqlite(error) => operation.failed(error),
            SchemaError::Unfit(error) => operation.because(error),
        })?;
        let database = Database::open(path, busy_wait, |connection| {
            connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))
        })?;
        drop(first);
        let revision = head(&database.reader()).map_err(|error| operation.failed(error))?;
        Ok(Self {
            inner: Arc::new(Inner {
                database,
                recheck_after: RECHECK_AFTER,
                cache: Mutex::new(Cache::new(revision)),
                signal: Arc::default(),
                watch: Watch::default(),
            }),
        })
    }

    /// Returns the channels of which anything was ever stored.
    ///
    /// Reads a row for each range that was ever changed: two for a channel and two for each of its accounts.
    pub fn channels(&self) -> Result<BTreeSet<ChannelId>, StoreError> {
        let database = &self.inner.database;
        let operation = Operation::read(database.path());
        let reader = database.reader();
        let channels = prefixes(&reader).map_err(|error| operation.failed(error))?;
        let channels = channels.iter().filter_map(|prefix| {
            let (kind, rest) = prefix.split_once('/')?;
            let is_channels =
                ["request", "allow", "attempts", "turned-away", "claim"].contains(&kind);
            let channel = rest.split('/').next().filter(|_| is_channels)?;
            ChannelId::parse(channel).ok()
        });
        Ok(channels.collect())
    }
}

impl Inner {
    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Drops from the cache what others have changed, and returns the number of the last commit.
    fn refresh(&self) -> Result<u64, StoreError> {
        let operation = Operation::read(self.database.path());
        self.database
            .check()
            .map_err(|error| operation.because(error))?;
        let known = self.cache().revision();
        let changed = self.changed_after(known)?;
        let (revision, paths) = changed;
        self.cache().advance(known, revision, paths.as_deref());
        Ok(revision)
    }

    /// Returns the number of the last commit, and the paths changed after another; `None` if some are not
    /// known any more.
    fn changed_after(&self, after: u64) -> Result<(u64, Option<Vec<String>>), StoreError> {
        let operation = Operation::read(self.database.path());
        let mut reader = self.database.reader();
        changed_after(&mut reader, after).map_err(|error| operation.failed(error))
    }
}

impl PairingStore for OwnStore {
    fn read(&self, key: &Key) -> Result<Read, StoreError> {
        let (inner, path) = (&self.inner, key.path());
        let is_due = inner.cache().is_due(inner.recheck_after);
        if is_due {
            inner.refresh()?;
        }
        if let Some(read) = inner.cache().get(&path) {
            return Ok(read);
        }
        let operation = Operation::read(inner.database.path());
        let (revision, found) = {
            let reader = inner.database.reader();
            row(&reader, &path).map_err(|error| operation.failed(error))?
        };
        let read = understood(inner.database.path(), &path, found)?;
        inner.cache().insert(path, read.clone(), revision);
        Ok(read)
    }

    fn read_at_once(&self, key: &Key) -> Option<Read> {
        let mut cache = self.inner.cache();
        if cache.is_due(self.inner.recheck_after) {
            return None;
        }
        cache.get(&key.path())
    }

    fn range(&self, range: &Range, page: &PageRequest) -> Result<Page, StoreError> {
        let database = &self.inner.database;
        let operation = Operation::read(database.path());
        let mut reader = database.reader();
        page_of(&mut reader, database.path(), range, page).map_err(|error| operation.failed(error))
    }

    fn commit(&self, batch: &Batch) -> Result<(), StoreError> {
        self.inner.commit(batch, Waiting::AsSet)
    }

    fn commit_at_once(&self, batch: &Batch) -> Result<(), StoreError> {
        self.inner.commit(batch, Waiting::Never)
    }

    fn changes(&self, after: Option<Position>, timeout: Duration) -> Result<Changes, StoreError> {
        let (inner, began) = (&self.inner, Instant::now());
        inner.watch.start(inner.database.path(), &inner.signal);
        let Some(after) = after.map(Position::number) else {
            return Ok(Changes {
                position: Position::new(inner.refresh()?),
                changed: Changed::Keys(Vec::new()),
            });
        };
        loop {
            let seen = inner.signal.seen();
            // Whoever is told of a change sees it when reading next.
            let revision = inner.refresh()?;
            let left = timeout.saturating_sub(began.elapsed());
            if revision != after || left.is_zero() {
                let (revision, paths) = inner.changed_after(after)?;
                return Ok(Changes {
                    position: Position::new(revision),
                    changed: told(paths),
                });
            }
            inner.signal.wait(seen, left);
        }
    }
}

/// Returns the keys with these paths.
fn told(paths: Option<Vec<String>>) -> Changed {
    let keys = paths.and_then(|paths| paths.iter().map(|path| paths::key(path)).collect());
    keys.map_or(Changed::Everything, Changed::Keys)
}

fn head(connection: &Connection) -> rusqlite::Result<u64> {
    connection
        .prepare_cached("SELECT revision FROM head")?
        .query_row([], |row| row.get(0).map(unsigned))
}

/// A record as it is stored: its version and its value.
type Row = (i64, String);

/// The number of the last commit, and the row at a path.
const READ: &str = "SELECT head.revision, record.version, record.value
    FROM head LEFT JOIN record ON record.path = ?1";

fn row(connection: &Connection, path: &str) -> rusqlite::Result<(u64, Option<Row>)> {
    connection.prepare_cached(READ)?.query_row([path], |row| {
        let found = match row.get(1)? {
            Some(version) => Some((version, row.get(2)?)),
            None => None,
        };
        Ok((unsigned(row.get(0)?), found))
    })
}

fn understood(database: &Path, path: &str, found: Option<Row>) -> Result<Read, StoreError> {
    let Some((version, value)) = found else {
        return Ok(Read {
            version: Version::ABSENT,
            record: None,
        });
    };
    match stored::decode(path, &value) {
        Ok(record) => Ok(Read {
            version: Version::new(unsigned(version)),
            record: Some(Arc::new(record)),
        }),
        Err(error) => Err(StoreError::Unreadable {
            resource: format!("{}: {}", database.display(), stored::shown(path)),
            source: error.into(),
        }),
    }
}

/// The version of a range.
const SPAN: &str = "SELECT version FROM span WHERE prefix = ?1";

/// The records of a range, from a path on.
const PAGE: &str = "SELECT path, value FROM record
    WHERE path > ?1 AND path < ?2 ORDER BY path";

fn page_of(
    connection: &mut Connection,
    database: &Path,
    range: &Range,
    wanted: &PageRequest,
) -> rusqlite::Result<Page> {
    let transaction = connection.transaction()?;
    let prefix = range.prefix();
    let start = wanted
        .after
        .as_ref()
        .map_or(prefix.as_str(), Cursor::as_str);
    let mut page = Page {
        version: span(&transaction, &prefix)?,
        records: Vec::new(),
        next: None,
        problems: Vec::new(),
    };
    let mut statement = transaction.prepare_cached(PAGE)?;
    let mut rows = statement.query(params![start, end_of(&prefix)])?;
    let mut last: Option<String> = None;
    while let Some(row) = rows.next()? {
        let (path, value): (String, String) = (row.get(0)?, row.get(1)?);
        match stored::decode(&path, &value) {
            Ok(_) if page.records.len() >= wanted.limit.max(1) => {
                page.next = last.map(Cursor::new);
                break;
            }
            Ok(record) => page.records.push(Arc::new(record)),
            Err(error) => page.problems.push(Problem {
                resource: format!("{}: {}", database.display(), stored::shown(&path)),
                detail: format!("passed over: {error}"),
            }),
        }
        last = Some(path);
    }
    Ok(page)
}

fn span(connection: &Connection, prefix: &str) -> rusqlite::Result<Version> {
    let version = connection
        .prepare_cached(SPAN)?
        .query_row([prefix], |row| row.get(0))
        .optional()?;
    Ok(version.map_or(Version::ABSENT, |version| Version::new(unsigned(version))))
}

/// Returns the least text above all that start with a range's prefix, which ends with a slash.
pub(crate) fn end_of(prefix: &str) -> String {
    let mut end = prefix.strip_suffix('/').unwrap_or(prefix).to_owned();
    // The character after the slash.
    end.push('0');
    end
}

fn prefixes(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare_cached("SELECT prefix FROM span")?;
    let rows = statement.query_map([], |row| row.get(0))?;
    rows.collect()
}

/// The paths that were changed after a commit.
const CHANGED: &str = "SELECT DISTINCT path FROM change WHERE revision > ?1";

fn changed_after(
    connection: &mut Connection,
    after: u64,
) -> rusqlite::Result<(u64, Option<Vec<String>>)> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Deferred)?;
    let revision = head(&transaction)?;
    if revision == after {
        return Ok((revision, Some(Vec::new())));
    }
    let first: Option<i64> = transaction
        .prepare_cached("SELECT min(revision) FROM change")?
        .query_row([], |row| row.get(0))?;
    let is_known = first.is_some_and(|first| unsigned(first) <= after.saturating_add(1));
    if revision < after || !is_known {
        return Ok((revision, None));
    }
    let mut statement = transaction.prepare_cached(CHANGED)?;
    let paths = statement.query_map([signed(after)], |row| row.get(0))?;
    Ok((revision, Some(paths.collect::<Result<_, _>>()?)))
}

/// SQLite has no unsigned numbers; ours count commits, and start at zero.
fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

impl fmt::Debug for OwnStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnStore")
            .field("path", &self.inner.database.path())
            .finish_non_exhaustive()
    }
}
