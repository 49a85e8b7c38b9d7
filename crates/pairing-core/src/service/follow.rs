//! Reading the feed, each change once.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::Pairing;
use crate::store::{Changed, Position};
use crate::{Key, Record, StoreError};

/// Maximum number of records whose last report is remembered.
const REMEMBERED: usize = 4096;

/// Reads the changes of a store: [`Pairing::follow`].
///
/// A store reports every change at least once, and may report one again, or a record that has not changed. This
/// reports a record when it is another than it was at its last report, with what it is now. Of several changes in a
/// row, only the last may be seen.
///
/// It remembers the latest 4096 records that it reported. A record that it does not remember is reported even if the
/// store told of it for nothing.
///
/// ```
/// # use std::time::Duration;
/// # use pairing_core::{Approver, EntropyError, Followed, ManualClock, MemoryStore, Pairing, ScopeSet, Timestamp};
/// # struct Zeros; impl pairing_core::Entropy for Zeros {
/// #     fn fill(&self, b: &mut [u8]) -> Result<(), EntropyError> { b.fill(0); Ok(()) } }
/// # let pairing = Pairing::new(MemoryStore::new(), ManualClock::new(Timestamp::from_millis(0)), Zeros);
/// let mut follower = pairing.follow()?;
/// let account = pairing.channel("telegram")?.account("default")?;
/// account.allow("12345", &Approver::operator("page", ScopeSet::admin()))?;
/// let Followed::Changed(changes) = follower.next(Duration::from_secs(1))? else {
///     return Ok(()); // Read everything again.
/// };
/// assert!(changes[0].record.as_deref().is_some_and(|record| record.as_allow().is_some()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Follower {
    pairing: Pairing,
    position: Position,
    /// What was reported last.
    known: HashMap<Key, Option<Arc<Record>>>,
    /// The keys of `known`, the oldest first.
    order: VecDeque<Key>,
}

/// What has changed since the last time.
#[derive(Debug, Clone)]
pub enum Followed {
    /// These records were put, changed or deleted. Empty if the time passed without a change, and perhaps earlier,
    /// when the store told of nothing new.
    Changed(Vec<RecordChange>),
    /// The store no longer knows what has changed: read everything again.
    Everything,
}

/// A record that has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordChange {
    /// The key of the record.
    pub key: Key,
    /// What it is now; `None` if it was deleted.
    pub record: Option<Arc<Record>>,
}

impl Follower {
    pub(super) fn new(pairing: Pairing) -> Result<Self, StoreError> {
        let position = pairing.changes(None, Duration::ZERO)?.position;
        Ok(Self {
            pairing,
            position,
            known: HashMap::new(),
            order: VecDeque::new(),
        })
    }

    /// Returns what has changed since the last call, waiting up to `timeout` for something. After an error, the same
    /// changes are reported again.
    pub fn next(&mut self, timeout: Duration) -> Result<Followed, StoreError> {
        let changes = self.pairing.changes(Some(self.position), timeout)?;
        let keys = match changes.changed {
            Changed::Keys(keys) => keys,
            Changed::Everything => {
                self.position = changes.position;
                self.known.clear();
                self.order.clear();
                return Ok(Followed::Everything);
            }
        };
        let mut changed: Vec<RecordChange> = Vec::new();
        for key in keys {
            if changed.iter().any(|change| change.key == key) {
                continue;
            }
            let record = self.pairing.store().read(&key)?.record;
            if self.known.get(&key) != Some(&record) {
                changed.push(RecordChange { key, record });
            }
        }
        self.position = changes.position;
        for change in &changed {
            self.remember(change.clone());
        }
        Ok(Followed::Changed(changed))
    }

    fn remember(&mut self, RecordChange { key, record }: RecordChange) {
        if self.known.insert(key.clone(), record).is_some() {
            return;
        }
        self.order.push_back(key);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}
