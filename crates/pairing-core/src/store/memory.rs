//! The reference store, in memory.

use std::collections::{BTreeMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Bound;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{
    Batch, Change, Changed, Changes, Condition, Cursor, Key, Page, PageRequest, PairingStore,
    Position, Range, Read, Record, StoreError, Version,
};

/// Number of changes that are remembered for [`changes`](PairingStore::changes).
const REMEMBERED: usize = 4096;

/// A [`PairingStore`] in memory: for tests, for gateways without state, and as a model for other stores.
///
/// Every operation takes one lock; reading a record costs a lookup in a sorted map.
#[derive(Debug, Default)]
pub struct MemoryStore {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    records: BTreeMap<String, (Version, Arc<Record>)>,
    /// Number of commits; the version of a record is the number of the commit that put it.
    revision: u64,
    log: VecDeque<(u64, Key)>,
    /// The latest revision whose changes have been dropped from the log.
    forgotten: u64,
}

impl MemoryStore {
    /// Makes an empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // The lock protects no code that can panic half-way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PairingStore for MemoryStore {
    fn read(&self, key: &Key) -> Result<Read, StoreError> {
        Ok(self.state().read(key))
    }

    fn read_at_once(&self, key: &Key) -> Option<Read> {
        Some(self.state().read(key))
    }

    fn range(&self, range: &Range, page: &PageRequest) -> Result<Page, StoreError> {
        let state = self.state();
        let start = match &page.after {
            Some(cursor) => Bound::Excluded(cursor.as_str().to_owned()),
            None => Bound::Included(range.prefix()),
        };
        let prefix = range.prefix();
        let mut rest = state
            .records
            .range((start, Bound::Unbounded))
            .take_while(|(path, _)| path.starts_with(&prefix));
        let limit = page.limit.max(1);
        let here: Vec<_> = rest.by_ref().take(limit).collect();
        let next = match (rest.next(), here.last()) {
            (Some(_), Some((last, _))) => Some(Cursor::new(last.as_str())),
            _ => None,
        };
        Ok(Page {
            version: state.range_version(range),
            records: here.into_iter().map(|(_, (_, r))| r.clone()).collect(),
            next,
            problems: Vec::new(),
        })
    }

    fn range_at_once(&self, range: &Range, page: &PageRequest) -> Option<Page> {
        self.range(range, page).ok()
    }

    fn commit(&self, batch: &Batch) -> Result<(), StoreError> {
        let mut state = self.state();
        let holds = batch.conditions.iter().all(|condition| match condition {
            Condition::Record(key, version) => state.read(key).version == *version,
            Condition::Range(range, version) => state.range_version(range) == *version,
        });
        if !holds {
            return Err(StoreError::Conflict);
        }
        if batch.changes.is_empty() {
            return Ok(());
        }
        state.apply(&batch.changes);
        drop(state);
        self.changed.notify_all();
        Ok(())
    }

    fn changes(&self, after: Option<Position>, timeout: Duration) -> Result<Changes, StoreError> {
        let state = self.state();
        let Some(after) = after.map(Position::number) else {
            return Ok(Changes {
                position: Position::new(state.revision),
                changed: Changed::Keys(Vec::new()),
            });
        };
        let (state, _) = self
            .changed
            .wait_timeout_while(state, timeout, |state| state.revision == after)
            .unwrap_or_else(PoisonError::into_inner);
        Ok(Changes {
            position: Position::new(state.revision),
            changed: state.changed_after(after),
        })
    }
}

impl State {
    fn read(&self, key: &Key) -> Read {
        match self.records.get(&key.path()) {
            Some((version, record)) => Read {
                version: *version,
                record: Some(record.clone()),
            },
            None => Read {
                version: Version::ABSENT,
                record: None,
            },
        }
    }

    fn range_version(&self, range: &Range) -> Version {
        let prefix = range.prefix();
        let mut hasher = DefaultHasher::new();
        self.records
            .range(prefix.clone()..)
            .take_while(|(path, _)| path.starts_with(&prefix))
            .for_each(|(path, (version, _))| (path, version).hash(&mut hasher));
        Version::new(hasher.finish())
    }

    fn apply(&mut self, changes: &[Change]) {
        self.revision += 1;
        for change in changes {
            let key = change.key();
            match change {
                Change::Put(record) => {
                    let stored = (Version::new(self.revision), Arc::new(record.clone()));
                    self.records.insert(key.path(), stored);
                }
                Change::Delete(_) => {
                    self.records.remove(&key.path());
                }
            }
            self.log.push_back((self.revision, key));
        }
        while self.log.len() > REMEMBERED {
            if let Some((revision, _)) = self.log.pop_front() {
                self.forgotten = revision;
            }
        }
    }

    fn changed_after(&self, after: u64) -> Changed {
        if after < self.forgotten || after > self.revision {
            return Changed::Everything;
        }
        let later = self.log.iter().filter(|(revision, _)| *revision > after);
        Changed::Keys(later.map(|(_, key)| key.clone()).collect())
    }
}
