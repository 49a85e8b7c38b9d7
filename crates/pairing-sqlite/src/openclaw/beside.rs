//! The database beside OpenClaw's: what only this project knows.

use std::collections::HashMap;
use std::path::Path;

use pairing_core::{AccountId, ChannelId, Record};
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::error::Unfit;
use crate::{digest, stored};

const APPLICATION_ID: i64 = 0x4f43_6273;
const VERSION: i64 = 1;

/// - `record`: records that OpenClaw's database has no place for; and of those that it has a place for,
///   what a row there cannot hold, with the mark of that row.
/// - `account`: for accounts whose name had to be changed for OpenClaw's tables, whose name it is.
const TABLES: &str = "
    CREATE TABLE record (
        path TEXT NOT NULL PRIMARY KEY,
        mark INTEGER NOT NULL,
        value TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE account (
        channel TEXT NOT NULL,
        written TEXT NOT NULL,
        name TEXT NOT NULL,
        PRIMARY KEY (channel, written)
    ) STRICT, WITHOUT ROWID;
";

/// The mark of a record that is nowhere else.
const ALONE: i64 = 0;

/// Makes the tables in an empty file; checks that any others are ours. `Ok(Err(_))`: they are not.
pub(super) fn prepare(connection: &mut Connection) -> rusqlite::Result<Result<(), Unfit>> {
    crate::database::write_ahead(connection)?;
    let transaction = crate::database::immediate(connection)?;
    let pragma = |name| transaction.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let (application, found) = (pragma("application_id")?, pragma("user_version")?);
    if application == APPLICATION_ID {
        let known = VERSION;
        let is_known = found <= known;
        return Ok(is_known.then_some(()).ok_or(Unfit::Newer { found, known }));
    }
    let tables: i64 =
        transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables > 0 || found != 0 {
        return Ok(Err(Unfit::Foreign));
    }
    transaction.execute_batch(TABLES)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.commit()?;
    Ok(Ok(()))
}

/// Makes the tables in the database that is attached, whatever it is: for the fuzz target.
pub(super) fn make_in(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(&TABLES.replace("CREATE TABLE ", "CREATE TABLE beside."))
}

/// Makes the tables visible to a connection to the other database.
pub(super) fn attach(connection: &Connection, path: &Path) -> rusqlite::Result<()> {
    let path = path.to_string_lossy();
    connection.execute("ATTACH DATABASE ?1 AS beside", [path])?;
    connection.execute_batch("PRAGMA beside.synchronous = FULL")
}

/// A record that is kept here.
pub(super) struct Kept {
    /// The mark of the row that it was kept with.
    pub(super) mark: u64,
    pub(super) record: Record,
}

/// Returns the record kept under a path. `Some(Err(_))`: something is, and cannot be understood.
pub(super) fn get(
    connection: &Connection,
    path: &str,
) -> rusqlite::Result<Option<Result<Kept, stored::DecodeError>>> {
    let found = connection
        .prepare_cached("SELECT mark, value FROM beside.record WHERE path = ?1")?
        .query_row([path], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)))
        .optional()?;
    Ok(found.map(|(mark, value)| kept(path, mark, &value)))
}

fn kept(path: &str, mark: i64, value: &str) -> Result<Kept, stored::DecodeError> {
    Ok(Kept {
        mark: u64::try_from(mark).unwrap_or_default(),
        record: stored::decode(path, value)?,
    })
}

/// Everything that is kept under a prefix, by path.
pub(super) type All = HashMap<String, Result<Kept, stored::DecodeError>>;

pub(super) fn all(connection: &Connection, prefix: &str) -> rusqlite::Result<All> {
    let mut statement = connection.prepare_cached(
        "SELECT path, mark, value FROM beside.record WHERE path > ?1 AND path < ?2",
    )?;
    let rows = statement.query_map([prefix, &crate::own::end_of(prefix)], |row| {
        let (path, value): (String, String) = (row.get(0)?, row.get(2)?);
        let kept = kept(&path, row.get(1)?, &value);
        Ok((path, kept))
    })?;
    rows.collect()
}

/// Keeps a record that is nowhere else.
pub(super) fn put_alone(connection: &Connection, record: &Record) -> rusqlite::Result<()> {
    put(connection, record, ALONE)
}

/// Keeps a record with the mark of the row that holds the rest of it.
pub(super) fn put_with(
    connection: &Connection,
    record: &Record,
    mark: u64,
) -> rusqlite::Result<()> {
    put(connection, record, i64::try_from(mark).unwrap_or(ALONE))
}

fn put(connection: &Connection, record: &Record, mark: i64) -> rusqlite::Result<()> {
    let value = stored::encode(record)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    connection
        .prepare_cached(
            "INSERT INTO beside.record (path, mark, value) VALUES (?1, ?2, ?3)
            ON CONFLICT (path) DO UPDATE SET mark = ?2, value = ?3",
        )?
        .execute(params![record.key().path(), mark, value])?;
    Ok(())
}

pub(super) fn delete(connection: &Connection, path: &str) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM beside.record WHERE path = ?1")?
        .execute([path])?;
    Ok(())
}

/// Returns the account that a name in OpenClaw's tables stands for, if that was recorded.
pub(super) fn account(
    connection: &Connection,
    channel: &ChannelId,
    written: &str,
) -> rusqlite::Result<Option<AccountId>> {
    let name: Option<String> = connection
        .prepare_cached("SELECT name FROM beside.account WHERE channel = ?1 AND written = ?2")?
        .query_row([channel.as_str(), written], |row| row.get(0))
        .optional()?;
    Ok(name.and_then(|name| AccountId::parse(&name).ok()))
}

/// Records the account that a name in OpenClaw's tables stands for.
pub(super) fn put_account(
    connection: &Connection,
    channel: &ChannelId,
    written: &str,
    account: &AccountId,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT OR IGNORE INTO beside.account (channel, written, name) VALUES (?1, ?2, ?3)",
        )?
        .execute([channel.as_str(), written, account.as_str()])?;
    Ok(())
}

/// The channels of which something is kept.
pub(super) fn channels(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut channels = Vec::new();
    for kind in ["attempts", "turned-away", "claim"] {
        let prefix = format!("{kind}/");
        let mut statement = connection
            .prepare_cached("SELECT path FROM beside.record WHERE path > ?1 AND path < ?2")?;
        let paths = statement.query_map([&prefix, &crate::own::end_of(&prefix)], |row| {
            row.get::<_, String>(0)
        })?;
        for path in paths {
            channels.extend(path?.split('/').nth(1).map(str::to_owned));
        }
    }
    Ok(channels)
}

/// The digest of a record, as its version.
pub(super) fn version(record: &Record) -> u64 {
    let value = stored::encode(record).unwrap_or_default();
    digest::of([value.as_bytes()])
}
