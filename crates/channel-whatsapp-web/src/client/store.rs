//! The keys of the account, in one SQLite file.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pairing_core::Clock;
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

/// How long another program that uses the file is waited for.
const BUSY: Duration = Duration::from_secs(5);

/// What is kept under a name, by its kind. Where others could fill the file, the oldest of a kind are forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kind {
    name: &'static str,
    most: Option<u32>,
}

impl Kind {
    pub(crate) const fn all(name: &'static str) -> Self {
        Self { name, most: None }
    }

    pub(crate) const fn at_most(name: &'static str, most: u32) -> Self {
        let most = Some(most);
        Self { name, most }
    }
}

/// A row: an area within its kind, a name, a value, and a time by which it may expire.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) area: String,
    pub(crate) name: String,
    pub(crate) value: Vec<u8>,
    pub(crate) at: i64,
}

/// The keys cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeysError {
    #[error("the directory of the keys cannot be used")]
    Directory(#[source] io::Error),
    #[error("another program uses the keys")]
    InUse,
    #[error("the keys cannot be read or written")]
    Sqlite(#[source] rusqlite::Error),
    #[error("a key cannot be understood")]
    Value(#[source] serde_json::Error),
    #[error("the keys are closed")]
    Closed,
    #[error("the work on the keys was given up")]
    GivenUp,
}

/// The open file, which is closed when this is dropped, whoever else has the store.
pub(crate) struct Keys(Store);

impl Keys {
    pub(crate) fn new(store: Store) -> Self {
        Self(store)
    }

    pub(crate) fn store(&self) -> &Store {
        &self.0
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        *self.0.db.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// The open file. No other program can open it meanwhile.
#[derive(Clone)]
pub(crate) struct Store {
    /// `None` once it is closed.
    db: Arc<Mutex<Option<Connection>>>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Store {
    /// Opens the file `keys.sqlite` in a directory; both are made if they are not there. It blocks.
    pub(crate) fn open(dir: &Path, clock: Arc<dyn Clock>) -> Result<Self, KeysError> {
        let path = dir.join("keys.sqlite");
        private(dir, &path).map_err(KeysError::Directory)?;
        let db = Connection::open(&path).map_err(of)?;
        db.busy_timeout(BUSY).map_err(of)?;
        // A single program, which keeps its lock; a journal that takes the file's own mode; nothing that was deleted stays.
        db.execute_batch(
            "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = TRUNCATE; PRAGMA synchronous = FULL;
             PRAGMA secure_delete = ON;
             BEGIN EXCLUSIVE;
             CREATE TABLE IF NOT EXISTS key (
                 kind TEXT NOT NULL, area TEXT NOT NULL, name TEXT NOT NULL, value BLOB NOT NULL, at INTEGER NOT NULL,
                 UNIQUE (kind, area, name)
             );
             COMMIT;",
        )
        .map_err(of)?;
        let db = Arc::new(Mutex::new(Some(db)));
        Ok(Self { db, clock })
    }

    /// Works on the file, on the blocking pool. What it writes is there as a whole, or not at all.
    pub(crate) async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, KeysError> {
        let db = Arc::clone(&self.db);
        let done = tokio::task::spawn_blocking(move || {
            let mut db = db.lock().unwrap_or_else(PoisonError::into_inner);
            let db = db.as_mut().ok_or(KeysError::Closed)?;
            let transaction = db.transaction().map_err(of)?;
            let done = work(&transaction).map_err(of)?;
            transaction.commit().map_err(of)?;
            Ok(done)
        });
        done.await.map_err(|_| KeysError::GivenUp)?
    }

    pub(crate) async fn get(
        &self,
        kind: Kind,
        area: &str,
        name: &str,
    ) -> Result<Option<Row>, KeysError> {
        let (area, name) = (area.to_owned(), name.to_owned());
        self.work(move |db| {
            let sql =
                "SELECT area, name, value, at FROM key WHERE kind = ? AND area = ? AND name = ?";
            let mut found = db.prepare_cached(sql)?;
            found
                .query_row(params![kind.name, area, name], row)
                .optional()
        })
        .await
    }

    /// All rows of an area, in the order of their names.
    pub(crate) async fn all(&self, kind: Kind, area: &str) -> Result<Vec<Row>, KeysError> {
        let area = area.to_owned();
        self.work(move |db| {
            let sql =
                "SELECT area, name, value, at FROM key WHERE kind = ? AND area = ? ORDER BY name";
            let mut found = db.prepare_cached(sql)?;
            found.query_map(params![kind.name, area], row)?.collect()
        })
        .await
    }

    pub(crate) async fn put(&self, kind: Kind, rows: Vec<Row>) -> Result<(), KeysError> {
        self.work(move |db| put(db, kind, &rows)).await
    }

    pub(crate) async fn put_one(
        &self,
        kind: Kind,
        area: &str,
        name: &str,
        value: impl Into<Vec<u8>>,
    ) -> Result<(), KeysError> {
        self.put(kind, vec![Row::new(area, name, value)]).await
    }

    /// Deletes rows, and says how many there were.
    pub(crate) async fn delete(
        &self,
        kind: Kind,
        area: &str,
        names: Vec<String>,
    ) -> Result<usize, KeysError> {
        let area = area.to_owned();
        self.work(move |db| {
            let sql = "DELETE FROM key WHERE kind = ? AND area = ? AND name = ?";
            let mut delete = db.prepare_cached(sql)?;
            let mut deleted = 0;
            for name in names {
                deleted += delete.execute(params![kind.name, area, name])?;
            }
            Ok(deleted)
        })
        .await
    }

    /// Deletes what has a condition, and says how much that was.
    pub(crate) async fn delete_where(
        &self,
        kind: Kind,
        condition: &'static str,
        value: impl rusqlite::ToSql + Send + 'static,
    ) -> Result<usize, KeysError> {
        self.work(move |db| {
            let sql = format!("DELETE FROM key WHERE kind = ?1 AND {condition}");
            db.execute(&sql, params![kind.name, value])
        })
        .await
    }

    /// Forgets the account.
    pub(crate) async fn clear(&self) -> Result<(), KeysError> {
        self.work(|db| db.execute("DELETE FROM key", []).map(drop))
            .await
    }
}

impl Row {
    pub(crate) fn new(area: &str, name: &str, value: impl Into<Vec<u8>>) -> Self {
        Self {
            area: area.to_owned(),
            name: name.to_owned(),
            value: value.into(),
            at: 0,
        }
    }

    pub(crate) fn at(self, at: i64) -> Self {
        Self { at, ..self }
    }
}

pub(crate) fn put(db: &Transaction<'_>, kind: Kind, rows: &[Row]) -> rusqlite::Result<()> {
    let mut put = db.prepare_cached(
        "INSERT INTO key (kind, area, name, value, at) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (kind, area, name) DO UPDATE SET value = excluded.value, at = excluded.at",
    )?;
    let before = db.last_insert_rowid();
    for row in rows {
        put.execute(params![kind.name, row.area, row.name, row.value, row.at])?;
    }
    // Rows that were only changed take no more room.
    if let Some(most) = kind.most
        && db.last_insert_rowid() != before
    {
        let mut forget = db.prepare_cached(
            "DELETE FROM key WHERE rowid IN (
                 SELECT rowid FROM key WHERE kind = ?1 ORDER BY rowid DESC LIMIT -1 OFFSET ?2)",
        )?;
        forget.execute(params![kind.name, most])?;
    }
    Ok(())
}

fn row(row: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    Ok(Row {
        area: row.get(0)?,
        name: row.get(1)?,
        value: row.get(2)?,
        at: row.get(3)?,
    })
}

/// Makes the directory and the file their owner's alone, before anything is in them.
fn private(dir: &Path, path: &Path) -> io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)?;
    let file = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)?;
    if file.metadata()?.permissions().mode() & 0o077 != 0 {
        file.set_permissions(fs::Permissions::from_mode(0o600))?;
    }
    Ok(())
}

fn of(error: rusqlite::Error) -> KeysError {
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => {
            KeysError::InUse
        }
        _ => KeysError::Sqlite(error),
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}
