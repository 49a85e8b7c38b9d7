//! The tables of our own database.

use rusqlite::Connection;

use crate::error::Unfit;

/// Marks a database as ours, in the file's header.
const APPLICATION_ID: i64 = 0x4f43_7072;

/// The version of the tables below.
const VERSION: i64 = 1;

/// - `record`: the records, under their [`Key::path`](pairing_core::Key::path).
/// - `span`: for each range in which anything was ever changed, under its prefix, the commit that last did.
/// - `change`: what the latest commits changed.
/// - `head`: the number of the last commit.
const TABLES: &str = "
    CREATE TABLE record (
        path TEXT NOT NULL PRIMARY KEY,
        version INTEGER NOT NULL,
        value TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE span (
        prefix TEXT NOT NULL PRIMARY KEY,
        version INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE change (
        revision INTEGER NOT NULL,
        path TEXT NOT NULL,
        PRIMARY KEY (revision, path)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE head (
        id INTEGER NOT NULL PRIMARY KEY CHECK (id = 0),
        revision INTEGER NOT NULL
    ) STRICT;
    INSERT INTO head VALUES (0, 0);
";

/// A failure to make or check the tables.
#[derive(Debug, thiserror::Error)]
pub(super) enum SchemaError {
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    #[error(transparent)]
    Unfit(#[from] Unfit),
}

/// Makes the tables in an empty database; checks that those of any other are ours.
pub(super) fn prepare(connection: &mut Connection) -> Result<(), SchemaError> {
    if pragma(connection, "application_id")? == APPLICATION_ID {
        return check(connection);
    }
    let transaction = crate::database::immediate(connection)?;
    // Another process may have been first.
    if pragma(&transaction, "application_id")? == APPLICATION_ID {
        return check(&transaction);
    }
    let tables: i64 =
        transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables > 0 || pragma(&transaction, "user_version")? != 0 {
        return Err(Unfit::Foreign.into());
    }
    transaction.execute_batch(TABLES)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.commit()?;
    Ok(())
}

fn check(connection: &Connection) -> Result<(), SchemaError> {
    let found = pragma(connection, "user_version")?;
    if found > VERSION {
        let known = VERSION;
        return Err(Unfit::Newer { found, known }.into());
    }
    Ok(())
}

fn pragma(connection: &Connection, name: &str) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, name, |row| row.get(0))
}
