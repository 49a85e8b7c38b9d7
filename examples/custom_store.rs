//! A store of one's own in under 100 lines: one sorted table behind a lock.
//!
//! ```sh
//! cargo run -p examples --example custom_store
//! cargo test -p examples --example custom_store   # every case that a store has to pass
//! ```
//!
//! Put a database where `Table` is, and `Key::path` and `Range::prefix` give its text keys.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pairing_core::store::{
    Batch, Change, Changed, Changes, Condition, Cursor, Page, PageRequest, Position, Read, Version,
};
use pairing_core::{Approver, Key, Pairing, PairingStore, Range, Record, Requested, StoreError};
use pairing_fs::{SystemClock, SystemEntropy};

#[derive(Default)]
struct TableStore {
    table: Mutex<Table>,
    changed: Condvar,
}

/// The commit that wrote or deleted each record. What was deleted leaves its row behind, so that the
/// last change of a range can be told from its rows.
#[derive(Default)]
struct Table {
    rows: BTreeMap<Key, (u64, Option<Arc<Record>>)>,
    revision: u64,
}

impl Table {
    fn read(&self, key: &Key) -> Read {
        let (revision, record) = self.rows.get(key).cloned().unwrap_or_default();
        let version = record.as_ref().map(|_| Version::new(revision));
        Read {
            version: version.unwrap_or(Version::ABSENT),
            record,
        }
    }

    fn version(&self, range: &Range) -> Version {
        let rows = self.rows.iter().filter(|(key, _)| range.contains(key));
        Version::new(rows.map(|(_, row)| row.0).max().unwrap_or(0))
    }
}

impl TableStore {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PairingStore for TableStore {
    fn read(&self, key: &Key) -> Result<Read, StoreError> {
        Ok(self.table().read(key))
    }

    fn range(&self, range: &Range, page: &PageRequest) -> Result<Page, StoreError> {
        let table = self.table();
        let rows = table.rows.iter().filter(|(key, _)| range.contains(key));
        let all: Vec<_> = rows.filter_map(|(_, row)| row.1.clone()).collect();
        let after = page
            .after
            .as_ref()
            .and_then(|after| after.as_str().parse().ok());
        let start: usize = after.unwrap_or(0);
        let end = start.saturating_add(page.limit);
        Ok(Page {
            version: table.version(range),
            next: (end < all.len()).then(|| Cursor::new(end.to_string())),
            records: all.into_iter().skip(start).take(page.limit).collect(),
            problems: Vec::new(),
        })
    }

    fn commit(&self, batch: &Batch) -> Result<(), StoreError> {
        let mut table = self.table();
        let unchanged = |condition: &Condition| match condition {
            Condition::Record(key, version) => table.read(key).version == *version,
            Condition::Range(range, version) => table.version(range) == *version,
        };
        if !batch.conditions.iter().all(unchanged) {
            return Err(StoreError::Conflict);
        }
        table.revision += 1;
        let revision = table.revision;
        table
            .rows
            .extend(batch.changes.iter().map(|change| match change {
                Change::Put(record) => (record.key(), (revision, Some(Arc::new(record.clone())))),
                Change::Delete(key) => (key.clone(), (revision, None)),
            }));
        self.changed.notify_all();
        Ok(())
    }

    fn changes(&self, after: Option<Position>, timeout: Duration) -> Result<Changes, StoreError> {
        let table = self.table();
        let (after, timeout) = match after {
            Some(after) => (after.number(), timeout),
            None => (table.revision, Duration::ZERO),
        };
        let waited = self
            .changed
            .wait_timeout_while(table, timeout, |t| t.revision == after);
        let (table, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let later = table.rows.iter().filter(|(_, row)| row.0 > after);
        Ok(Changes {
            position: Position::new(table.revision),
            changed: Changed::Keys(later.map(|(key, _)| key.clone()).collect()),
        })
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let pairing = Pairing::new(TableStore::default(), SystemClock, SystemEntropy);
    let gate = pairing.channel("telegram")?.account("default")?;
    if let Requested::Created(created) = gate.request_or_reuse("12345")? {
        writeln!(std::io::stdout(), "{}", created.reply)?;
        let code = created.request.code;
        gate.approve(code.as_str(), &Approver::terminal("ann"))?;
    }
    writeln!(
        std::io::stdout(),
        "\nallowed: {}",
        gate.is_allowed("12345")?
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use pairing_conformance::{Fixture, conformance, model};

    use super::TableStore;

    conformance!(Fixture::shared(TableStore::default()));

    #[test]
    fn the_model_agrees() {
        model::check(64, |setting| {
            model::AtOnce::new(setting, Fixture::shared(TableStore::default()))
        });
    }
}
