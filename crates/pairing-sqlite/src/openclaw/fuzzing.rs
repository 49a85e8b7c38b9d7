//! A database in memory, for the fuzz target.

use pairing_core::store::{Change, Key, Record};
use pairing_core::{Channels, Range, Timestamp};
use rusqlite::Connection;

use super::beside;
use super::load::Loader;
use super::rows::device;
use super::tables::{ALL, Tables};
use super::write::Writer;

/// A connection to both databases.
pub(crate) struct Opened {
    pub(crate) connection: Connection,
    tables: Tables,
}

/// Makes tables whose columns take anything, as a program may have written them.
pub(crate) fn open(names: &[&str]) -> Opened {
    let run = || -> rusqlite::Result<Opened> {
        let connection = Connection::open_in_memory()?;
        for name in names {
            let table = ALL.iter().find(|table| table.name() == *name);
            let columns = table.map(|table| table.columns().0.join(", "));
            let unique = match *name {
                "channel_pairing_requests" => ", PRIMARY KEY (channel_key, account_id, request_id)",
                _ => "",
            };
            let more = if *name == "device_bootstrap_tokens" {
                ", ts"
            } else {
                ""
            };
            let columns = columns.unwrap_or_default();
            connection.execute_batch(&format!("CREATE TABLE {name} ({columns}{more}{unique})"))?;
        }
        connection.execute_batch("ATTACH ':memory:' AS beside")?;
        beside::make_in(&connection)?;
        let tables = Tables::read(&connection)?;
        Ok(Opened { connection, tables })
    };
    match run() {
        Ok(opened) => opened,
        Err(error) => unreachable!("a database in memory: {error}"),
    }
}

impl Opened {
    fn loader<'l>(&'l self, channels: &'l Channels) -> Loader<'l> {
        Loader {
            connection: &self.connection,
            tables: &self.tables,
            channels,
            name: "memory",
            spellings: &|_, _| None,
            keep: &|_, _, _| {},
        }
    }

    /// Returns the records of a range; none where it cannot be read.
    pub(crate) fn range(&self, channels: &Channels, range: &Range) -> Vec<Record> {
        let loaded = self.loader(channels).range(range);
        loaded.map_or_else(
            |_| Vec::new(),
            |loaded| loaded.records.into_values().collect(),
        )
    }

    pub(crate) fn read(&self, channels: &Channels, key: &Key) -> Option<Record> {
        let read = self.loader(channels).read(key).ok()?;
        read.record.map(|record| (*record).clone())
    }

    pub(crate) fn apply(
        &self,
        channels: &Channels,
        change: &Change,
        now: Timestamp,
    ) -> Result<(), ()> {
        let writer = Writer {
            loader: self.loader(channels),
            how: device::How {
                random: &|| Ok("random".to_owned()),
                keep_clear: false,
                has_labels: true,
            },
            now,
        };
        writer.apply(change).map_err(|_| ())
    }

    pub(crate) fn clear(&self, names: &[&str]) {
        let all = names.iter().map(|name| format!("DELETE FROM main.{name};"));
        let all: String = all
            .chain(["DELETE FROM beside.record; DELETE FROM beside.account".to_owned()])
            .collect();
        // Where that fails, what is left is read once more.
        let _ = self.connection.execute_batch(&all);
    }
}
