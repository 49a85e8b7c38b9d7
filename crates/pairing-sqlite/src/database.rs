//! Connections to a database, set up alike.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use pairing_core::StoreError;
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use crate::error::{Operation, Unfit, is_busy};
use crate::file::Identity;

/// How long a write waits for others, unless set otherwise.
pub(crate) const BUSY_WAIT: Duration = Duration::from_secs(10);

/// Whether a write waits for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waiting {
    /// As long as the store was told to.
    AsSet,
    Never,
}

/// Maximum size of a value or a row, in bytes: far above any real one, small enough to hold in memory.
const MAX_VALUE: i32 = 16 * 1024 * 1024;

/// Number of prepared statements that a connection keeps.
const STATEMENTS: usize = 64;

/// An existing database file, with a connection for reads and one for writes, so that reads do not wait
/// until a commit is on the disk.
pub(crate) struct Database {
    path: PathBuf,
    identity: Identity,
    reader: Mutex<Connection>,
    writer: Mutex<Connection>,
}

impl Database {
    /// Opens a database. `prepare` is called once for each connection.
    pub(crate) fn open(
        path: &Path,
        busy_wait: Duration,
        prepare: impl Fn(&Connection) -> rusqlite::Result<()>,
    ) -> Result<Self, StoreError> {
        let operation = Operation::read(path);
        let connect = || connect(path, busy_wait);
        let writer = connect().map_err(|error| operation.failed(error))?;
        let reader = connect().map_err(|error| operation.failed(error))?;
        for connection in [&writer, &reader] {
            retried(busy_wait, || prepare(connection)).map_err(|error| operation.failed(error))?;
        }
        let identity = Identity::of(path).map_err(|error| operation.because(error))?;
        Ok(Self {
            path: path.to_owned(),
            identity,
            reader: Mutex::new(reader),
            writer: Mutex::new(writer),
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Checks that what is open is still what is at the path: what is written to a file without a name is
    /// lost.
    pub(crate) fn check(&self) -> Result<(), Unfit> {
        self.identity.check(&self.path)
    }

    pub(crate) fn reader(&self) -> MutexGuard<'_, Connection> {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn writer(&self) -> MutexGuard<'_, Connection> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the connection for writes; an error where another thread has it and is not to be waited for.
    pub(crate) fn writer_within(
        &self,
        waiting: Waiting,
    ) -> Result<MutexGuard<'_, Connection>, StoreError> {
        if waiting == Waiting::AsSet {
            return Ok(self.writer());
        }
        match self.writer.try_lock() {
            Ok(writer) => Ok(writer),
            Err(TryLockError::Poisoned(error)) => Ok(error.into_inner()),
            Err(TryLockError::WouldBlock) => Err(StoreError::Busy {
                resource: self.path.display().to_string(),
                holder: "another thread of this process".to_owned(),
                waited: Duration::ZERO,
            }),
        }
    }
}

/// Connects to a file that exists.
pub(crate) fn connect(path: &Path, busy_wait: Duration) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(busy_wait)?;
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, MAX_VALUE)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // A commit is on the disk when it returns, and nothing that the file says is run as a program.
    connection.execute_batch(
        "PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA trusted_schema = OFF;",
    )?;
    Ok(connection)
}

/// Begins a transaction that writes, as soon as nobody else writes; waits for as long as the connection waits for
/// locks.
///
/// SQLite's own waiting sleeps up to 100 ms between two looks. Beside somebody who writes without a pause, such a
/// sleeper hardly ever comes at the right moment; so this looks every few milliseconds.
pub(crate) fn immediate(connection: &mut Connection) -> rusqlite::Result<Transaction<'_>> {
    immediate_within(connection, Waiting::AsSet)
}

/// Begins a transaction that writes: as [`immediate`], or not at all where others would have to be waited for.
pub(crate) fn immediate_within(
    connection: &mut Connection,
    waiting: Waiting,
) -> rusqlite::Result<Transaction<'_>> {
    let usual = patience(connection)?;
    let patience = match waiting {
        Waiting::AsSet => usual,
        Waiting::Never => Duration::ZERO,
    };
    connection.busy_timeout(Duration::ZERO)?;
    let connection = &*connection;
    let began = Instant::now();
    let mut looks = 0_u64;
    let begun = loop {
        match Transaction::new_unchecked(connection, TransactionBehavior::Immediate) {
            Err(error) if is_busy(&error) && began.elapsed() < patience => {
                // Not in step with others who wait the same way.
                std::thread::sleep(Duration::from_micros(500 + 700 * (looks % 5)));
                looks += 1;
            }
            done => break done,
        }
    };
    connection.busy_timeout(usual)?;
    begun
}

/// Switches a database to write-ahead logging. SQLite itself does not wait for others who use the file.
pub(crate) fn write_ahead(connection: &Connection) -> rusqlite::Result<()> {
    retried(patience(connection)?, || {
        connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))
    })
}

/// Returns how long a connection waits for locks.
fn patience(connection: &Connection) -> rusqlite::Result<Duration> {
    let millis: i64 = connection.pragma_query_value(None, "busy_timeout", |row| row.get(0))?;
    Ok(Duration::from_millis(millis.unsigned_abs()))
}

/// Repeats what others are in the way of, for what SQLite itself does not wait for.
fn retried(
    patience: Duration,
    mut work: impl FnMut() -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let began = Instant::now();
    loop {
        match work() {
            Err(error) if is_busy(&error) && began.elapsed() < patience => {
                std::thread::sleep(Duration::from_millis(2));
            }
            done => return done,
        }
    }
}
