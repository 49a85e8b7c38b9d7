//! One module for each table: rows as records, and records as rows.

pub(super) mod allow;
pub(super) mod device;
pub(super) mod device_request;
mod info;
pub(super) mod pairing_token;
pub(super) mod request;

use pairing_core::{Record, StoreError};
use rusqlite::Row;
use rusqlite::types::ValueRef;
use zeroize::Zeroizing;

use crate::digest::Digest;

/// A row of OpenClaw's as a record.
pub(super) struct Found {
    pub(super) record: Record,
    /// Differs wherever a column that the record was made of does.
    pub(super) mark: u64,
}

/// A row that is passed over.
#[derive(Debug)]
pub(super) struct Bad {
    /// The table and the row, in words for a person.
    pub(super) row: String,
    /// The problem with it, in words for a person.
    pub(super) reason: String,
}

/// What became of reading a row.
pub(super) type Outcome = Result<Found, Bad>;

/// A failed write.
#[derive(Debug, thiserror::Error)]
pub(super) enum WriteError {
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The columns of a row, by their names. May hold tokens: they are wiped when it is dropped.
pub(super) struct Columns(Vec<(&'static str, Cell)>);

enum Cell {
    Null,
    Number(i64),
    Text(Zeroizing<String>),
    /// A value of a kind that does not occur.
    Other,
}

impl Columns {
    pub(super) fn read(row: &Row<'_>, names: &[&'static str]) -> rusqlite::Result<Self> {
        let cells = names.iter().enumerate().map(|(at, name)| {
            let cell = match row.get_ref(at)? {
                ValueRef::Null => Cell::Null,
                ValueRef::Integer(number) => Cell::Number(number),
                ValueRef::Text(text) => match std::str::from_utf8(text) {
                    Ok(text) => Cell::Text(Zeroizing::new(text.to_owned())),
                    Err(_) => Cell::Other,
                },
                ValueRef::Real(_) | ValueRef::Blob(_) => Cell::Other,
            };
            Ok((*name, cell))
        });
        Ok(Self(cells.collect::<rusqlite::Result<_>>()?))
    }

    fn cell(&self, name: &str) -> &Cell {
        let found = self.0.iter().find(|(known, _)| *known == name);
        found.map_or(&Cell::Null, |(_, cell)| cell)
    }

    /// Returns the text of a column; null counts as missing.
    pub(super) fn text(&self, name: &str) -> Result<Option<&str>, String> {
        match self.cell(name) {
            Cell::Null => Ok(None),
            Cell::Text(text) => Ok(Some(text)),
            Cell::Number(_) | Cell::Other => Err(format!("`{name}` is no text")),
        }
    }

    /// Returns the text of a column that must have one.
    pub(super) fn needed(&self, name: &str) -> Result<&str, String> {
        self.text(name)?.ok_or_else(|| format!("no `{name}`"))
    }

    pub(super) fn number(&self, name: &str) -> Result<Option<i64>, String> {
        match self.cell(name) {
            Cell::Null => Ok(None),
            Cell::Number(number) => Ok(Some(*number)),
            Cell::Text(_) | Cell::Other => Err(format!("`{name}` is no number")),
        }
    }

    pub(super) fn flag(&self, name: &str) -> bool {
        matches!(self.cell(name), Cell::Number(number) if *number != 0)
    }

    pub(super) fn mark(&self) -> u64 {
        let mut digest = Digest::default();
        for (name, cell) in &self.0 {
            digest.add(name.as_bytes());
            match cell {
                Cell::Null => digest.add(b""),
                Cell::Number(number) => digest.add(&number.to_le_bytes()),
                Cell::Text(text) => {
                    digest.add(b"t");
                    digest.add(text.as_bytes());
                }
                Cell::Other => digest.add(b"other"),
            }
        }
        digest.finish()
    }
}

/// Updates of one row: the columns that differ, with their new values.
pub(super) struct Update(Vec<(&'static str, Value)>);

/// A value that is written; a text may hold a token.
#[derive(Clone)]
pub(super) enum Value {
    Null,
    Number(i64),
    Text(Zeroizing<String>),
}

impl Value {
    pub(super) fn text(text: Option<&str>) -> Self {
        text.map_or(Self::Null, |text| {
            Self::Text(Zeroizing::new(text.to_owned()))
        })
    }
}

impl rusqlite::ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        Ok(match self {
            Self::Null => rusqlite::types::Null.into(),
            Self::Number(number) => (*number).into(),
            Self::Text(text) => text.as_str().into(),
        })
    }
}

impl Update {
    pub(super) fn new() -> Self {
        Self(Vec::new())
    }

    pub(super) fn set(&mut self, column: &'static str, value: Value) {
        self.0.push((column, value));
    }

    /// Writes the columns of the row whose `key` column has this value; what is not set stays.
    pub(super) fn run(
        &self,
        connection: &rusqlite::Connection,
        table: &str,
        key: (&str, &str),
    ) -> rusqlite::Result<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        let sets: Vec<_> = self
            .0
            .iter()
            .map(|(column, _)| format!("{column} = ?"))
            .collect();
        let (column, value) = key;
        let sql = format!(
            "UPDATE main.{table} SET {} WHERE {column} = ?",
            sets.join(", ")
        );
        let key = Value::text(Some(value));
        let values = self.0.iter().map(|(_, value)| value).chain([&key]);
        connection
            .prepare_cached(&sql)?
            .execute(rusqlite::params_from_iter(values))?;
        Ok(())
    }

    /// Makes a row of the columns that are set.
    pub(super) fn insert(
        &self,
        connection: &rusqlite::Connection,
        table: &str,
    ) -> rusqlite::Result<()> {
        let columns: Vec<_> = self.0.iter().map(|(column, _)| *column).collect();
        let places = vec!["?"; columns.len()].join(", ");
        let sql = format!(
            "INSERT INTO main.{table} ({}) VALUES ({places})",
            columns.join(", ")
        );
        let values = self.0.iter().map(|(_, value)| value);
        connection
            .prepare_cached(&sql)?
            .execute(rusqlite::params_from_iter(values))?;
        Ok(())
    }
}
