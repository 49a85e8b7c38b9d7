//! A port: a gateway that is async throughout and has its users in a SQL database.
//!
//! Senders belong to users of the gateway. Its pairing records are a table of the same database, so that an approval
//! and the row that makes the sender one of a user's are one transaction: either both are there or neither.
//! Everything between the gateway and the library is between the two marks below: 232 lines, most of
//! them the four operations of the store.
//!
//! ```sh
//! cargo run -p examples --example port_sql
//! cargo test -p examples --example port_sql   # with every case that a store has to pass
//! ```

use std::collections::VecDeque;
use std::error::Error;
use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pairing_async::{AsyncAccount, AsyncError, AsyncPairing, AsyncStore, Bridge};
use pairing_core::store::{
    Batch, BoxError, Change, Changed, Changes, Condition, Cursor, Page, PageRequest, Position,
    Read, Version,
};
use pairing_core::{
    Approver, Key, Pairing, Principal, Range, Record, RequestError, Requested, ScopeSet, StoreError,
};
use pairing_fs::{SystemClock, SystemEntropy};
use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};
use tokio::runtime::Handle;
use tokio::sync::Notify;

/// The gateway's own tables, and one for pairing. A deleted record leaves its row, whose revision says when.
const SCHEMA: &str = "
    PRAGMA foreign_keys = ON;
    CREATE TABLE IF NOT EXISTS users (id TEXT PRIMARY KEY);
    CREATE TABLE IF NOT EXISTS identities (
        channel TEXT, sender TEXT, user TEXT NOT NULL REFERENCES users (id),
        PRIMARY KEY (channel, sender));
    CREATE TABLE IF NOT EXISTS pairing (path TEXT PRIMARY KEY, revision INTEGER, record TEXT);
    CREATE INDEX IF NOT EXISTS by_revision ON pairing (revision);";

/// Number of changes that are remembered.
const REMEMBERED: usize = 1024;

// Glue begins.
#[derive(Clone)]
struct SqlStore(Arc<Shared>);

struct Shared {
    /// The connection, and the latest changes of this program.
    db: Mutex<(Connection, VecDeque<(u64, Key)>)>,
    changed: Notify,
}

impl SqlStore {
    fn new(connection: Connection) -> rusqlite::Result<Self> {
        connection.execute_batch(SCHEMA)?;
        Ok(Self(Arc::new(Shared {
            db: Mutex::new((connection, VecDeque::new())),
            changed: Notify::new(),
        })))
    }

    /// Runs a piece of SQL on the blocking pool, as the async drivers of SQLite do.
    async fn run<T: Send + 'static>(
        &self,
        sql: impl FnOnce(&mut Connection, &mut VecDeque<(u64, Key)>) -> Result<T, BoxError>
        + Send
        + 'static,
    ) -> Result<T, BoxError> {
        let shared = self.0.clone();
        let running = tokio::task::spawn_blocking(move || {
            let mut db = shared.db.lock().unwrap_or_else(PoisonError::into_inner);
            let (connection, log) = &mut *db;
            sql(connection, log)
        });
        running.await?
    }
}

fn revision(db: &Connection) -> rusqlite::Result<u64> {
    let newest = "SELECT coalesce(max(revision), 0) FROM pairing";
    db.query_row(newest, [], |row| row.get(0))
}

fn read(db: &Connection, key: &Key) -> Result<Read, BoxError> {
    let row = "SELECT revision, record FROM pairing WHERE path = ? AND record IS NOT NULL";
    let row = db.query_row(row, [key.path()], |row| Ok((row.get(0)?, row.get(1)?)));
    let row: Option<(u64, String)> = row.optional()?;
    let (version, record) = match row {
        None => (Version::ABSENT, None),
        Some((revision, text)) => {
            let record: Record = serde_json::from_str(&text)?;
            (Version::new(revision), Some(Arc::new(record)))
        }
    };
    Ok(Read { version, record })
}

/// The paths in a range: its prefix ends with `/`, which `0` follows.
fn bounds(range: &Range) -> (String, String) {
    let prefix = range.prefix();
    let end = format!("{}0", prefix.trim_end_matches('/'));
    (prefix, end)
}

fn version(db: &Connection, range: &Range) -> rusqlite::Result<Version> {
    let newest = "SELECT coalesce(max(revision), 0) FROM pairing WHERE path >= ? AND path < ?";
    let revision = db.query_row(newest, bounds(range), |row| row.get(0))?;
    Ok(Version::new(revision))
}

fn page(db: &Connection, range: &Range, asked: &PageRequest) -> Result<Page, BoxError> {
    let (from, end) = bounds(range);
    let from = asked
        .after
        .as_ref()
        .map_or(from, |after| after.as_str().to_owned());
    let rows = "SELECT path, record FROM pairing
        WHERE path > ? AND path < ? AND record IS NOT NULL ORDER BY path LIMIT ?";
    let mut rows = db.prepare_cached(rows)?;
    let limit = asked.limit.max(1);
    let rows = rows.query_map(params![from, end, limit.saturating_add(1)], |row| {
        Ok((row.get(0)?, row.get(1)?))
    })?;
    let mut rows: Vec<(String, String)> = rows.collect::<Result<_, _>>()?;
    let is_more = rows.len() > limit;
    rows.truncate(limit);
    let last = rows.last().map(|(path, _)| Cursor::new(path.as_str()));
    let records = rows
        .iter()
        .map(|(_, text)| serde_json::from_str(text).map(Arc::new));
    Ok(Page {
        version: version(db, range)?,
        records: records.collect::<Result<_, _>>()?,
        next: last.filter(|_| is_more),
        problems: Vec::new(),
    })
}

fn holds(db: &Connection, condition: &Condition) -> Result<bool, BoxError> {
    Ok(match condition {
        Condition::Record(key, seen) => read(db, key)?.version == *seen,
        Condition::Range(range, seen) => version(db, range)? == *seen,
    })
}

/// Writes a change, and what it means for the gateway's own tables.
fn write(tx: &Transaction<'_>, change: &Change, revision: u64) -> Result<(), BoxError> {
    let record = match change {
        Change::Put(record) => Some(serde_json::to_string(record)?),
        Change::Delete(_) => None,
    };
    let put = "INSERT OR REPLACE INTO pairing VALUES (?, ?, ?)";
    tx.execute(put, params![change.key().path(), revision, record])?;
    match change {
        Change::Put(Record::Allow(entry)) => {
            if let Some(user) = entry.principal() {
                let put = "INSERT OR REPLACE INTO identities VALUES (?, ?, ?)";
                tx.execute(
                    put,
                    [entry.channel.as_str(), entry.entry.as_str(), user.as_str()],
                )?;
            }
        }
        Change::Delete(Key::Allow { channel, entry, .. }) => {
            let delete = "DELETE FROM identities WHERE channel = ? AND sender = ?";
            tx.execute(delete, [channel.as_str(), entry.as_str()])?;
        }
        _ => {}
    }
    Ok(())
}

/// Commits a batch in one transaction; `false` if a condition does not hold.
fn commit(
    db: &mut Connection,
    log: &mut VecDeque<(u64, Key)>,
    batch: &Batch,
) -> Result<bool, BoxError> {
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for condition in &batch.conditions {
        if !holds(&tx, condition)? {
            return Ok(false);
        }
    }
    let revision = revision(&tx)? + 1;
    for change in &batch.changes {
        write(&tx, change, revision)?;
    }
    tx.commit()?;
    log.extend(batch.changes.iter().map(|change| (revision, change.key())));
    let surplus = log.len().saturating_sub(REMEMBERED);
    log.drain(..surplus);
    Ok(true)
}

fn changes(
    db: &Connection,
    log: &VecDeque<(u64, Key)>,
    after: Option<Position>,
) -> Result<Changes, BoxError> {
    let now = revision(db)?;
    let after = after.map_or(now, Position::number);
    // Every revision after the position is in the log, unless it is too old or another program's.
    let known = (after..now).all(|before| log.iter().any(|(at, _)| *at == before + 1));
    let later = log.iter().filter(|(at, _)| *at > after);
    Ok(Changes {
        position: Position::new(now),
        changed: if known && after <= now {
            Changed::Keys(later.map(|(_, key)| key.clone()).collect())
        } else {
            Changed::Everything
        },
    })
}

fn unreadable(source: BoxError) -> StoreError {
    let resource = "the table `pairing`".to_owned();
    StoreError::Unreadable { resource, source }
}

fn unwritable(source: BoxError) -> StoreError {
    let resource = "the table `pairing`".to_owned();
    StoreError::Unwritable { resource, source }
}

impl AsyncStore for SqlStore {
    async fn read(&self, key: &Key) -> Result<Read, StoreError> {
        let key = key.clone();
        let reading = self.run(move |db, _| read(db, &key));
        reading.await.map_err(unreadable)
    }

    async fn range(&self, range: &Range, asked: &PageRequest) -> Result<Page, StoreError> {
        let (range, asked) = (range.clone(), asked.clone());
        let reading = self.run(move |db, _| page(db, &range, &asked));
        reading.await.map_err(unreadable)
    }

    async fn commit(&self, batch: &Batch) -> Result<(), StoreError> {
        let batch = batch.clone();
        let committing = self.run(move |db, log| commit(db, log, &batch));
        if !committing.await.map_err(unwritable)? {
            return Err(StoreError::Conflict);
        }
        self.0.changed.notify_waiters();
        Ok(())
    }

    async fn changes(
        &self,
        after: Option<Position>,
        timeout: Duration,
    ) -> Result<Changes, StoreError> {
        let changed = self.0.changed.notified();
        let look = || self.run(move |db, log| changes(db, log, after));
        let found = look().await.map_err(unreadable)?;
        let is_news = !matches!(&found.changed, Changed::Keys(keys) if keys.is_empty());
        if after.is_none() || is_news || tokio::time::timeout(timeout, changed).await.is_err() {
            return Ok(found);
        }
        look().await.map_err(unreadable)
    }
}

/// What to send for a message, if anything. The grant says which user it is: no second query.
async fn answer(
    gate: &AsyncAccount,
    sender: &str,
) -> Result<Option<String>, AsyncError<RequestError>> {
    Ok(match gate.request_or_reuse(sender).await? {
        Requested::Allowed(by) => by.principal().map(|user| format!("hello, {user}")),
        Requested::Created(created) => Some(created.reply),
        _ => None,
    })
}
// Glue ends.

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let db = Connection::open_in_memory()?;
    let store = SqlStore::new(db)?;
    let adding = store.run(|db, _| Ok(db.execute("INSERT INTO users VALUES ('ann')", [])?));
    adding.await.map_err(unwritable)?;
    let store = Bridge::new(store, Handle::current());
    let pairing = AsyncPairing::new(Pairing::new(store, SystemClock, SystemEntropy));
    let gate = pairing.account("telegram", "default")?;
    let told = answer(&gate, "12345").await?;
    writeln!(std::io::stdout(), "{}", told.unwrap_or_default())?;

    let web = Approver::operator("web", ScopeSet::admin());
    let web = web.for_principal(Principal::parse("ann")?);
    for request in gate.pending().await?.requests {
        gate.approve(request.code.as_str(), &web).await?;
    }
    let told = answer(&gate, "12345").await?;
    writeln!(std::io::stdout(), "{}", told.unwrap_or_default())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use pairing_conformance::{Fixture, conformance};
    use tokio::runtime::{Builder, Runtime};

    use super::*;

    static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(2).enable_time().build().unwrap()
    });

    fn store() -> SqlStore {
        SqlStore::new(Connection::open_in_memory().unwrap()).unwrap()
    }

    /// A store with the users whom the cases name.
    fn fixture() -> Fixture {
        let db = Connection::open_in_memory().unwrap();
        db.execute_batch(SCHEMA).unwrap();
        let users = "INSERT INTO users VALUES ('user 7'), ('user 8')";
        db.execute(users, []).unwrap();
        let store = SqlStore::new(db).unwrap();
        Fixture::shared(Bridge::new(store, RUNTIME.handle().clone()))
    }

    conformance!(fixture());

    #[tokio::test]
    async fn an_approval_and_its_user_are_one_transaction() {
        let store = store();
        let bridge = Bridge::new(store.clone(), Handle::current());
        let pairing = AsyncPairing::new(Pairing::new(bridge, SystemClock, SystemEntropy));
        let gate = pairing.account("telegram", "default").unwrap();
        answer(&gate, "12345").await.unwrap();
        let code = gate.pending().await.unwrap().requests[0].code;
        let web = Approver::operator("web", ScopeSet::admin());
        let web = web.for_principal(Principal::parse("ann").unwrap());
        // There is no such user, so nothing is approved.
        gate.approve(code.as_str(), &web).await.unwrap_err();
        assert!(!gate.is_allowed("12345").await.unwrap());
        assert_eq!(gate.pending().await.unwrap().requests.len(), 1);

        let identities = || {
            let count = "SELECT count(*) FROM identities WHERE user = 'ann'";
            store.run(|db, _| Ok(db.query_row(count, [], |row| row.get::<_, u64>(0))?))
        };
        let adding = store.run(|db, _| Ok(db.execute("INSERT INTO users VALUES ('ann')", [])?));
        adding.await.unwrap();
        gate.approve(code.as_str(), &web).await.unwrap();
        let told = answer(&gate, "12345").await.unwrap();
        assert_eq!(told.as_deref(), Some("hello, ann"));
        assert_eq!(identities().await.unwrap(), 1);
        gate.revoke("12345", &web).await.unwrap();
        assert_eq!(identities().await.unwrap(), 0);
    }

    #[test]
    fn the_glue_is_as_long_as_it_says() {
        examples::assert_glue("port_sql", include_str!("port_sql.rs"));
    }
}
