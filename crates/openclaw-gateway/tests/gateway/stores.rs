//! Stores that do what no test could wait for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use pairing_core::store::{
    Batch, Change, Changed, Changes, Group, Page, PageRequest, PairingStore, Position, Problem,
    Range, Read, StoreError,
};
use pairing_core::{Key, MemoryStore, PairingBuilder};

use crate::support::{Counting, Running, settings, start, start_on};

/// A gateway over a store.
pub(crate) async fn over(store: impl PairingStore + 'static) -> Running {
    over_with(store, settings("")).await
}

pub(crate) async fn over_with(
    store: impl PairingStore + 'static,
    settings: openclaw_gateway::Settings,
) -> Running {
    let spare = start().await;
    let clock = spare.clock.clone();
    spare.stop().await;
    let entropy = Counting::default();
    let pairing = PairingBuilder::new(store, clock.clone(), entropy.clone()).build();
    start_on(pairing, clock, entropy, settings, |builder| builder).await
}

/// A store in memory with something to it.
#[derive(Default)]
pub(crate) struct Odd {
    pub(crate) inner: MemoryStore,
    /// This channel cannot be read.
    pub(crate) torn: Option<&'static str>,
    /// Nobody is told of changes.
    pub(crate) is_blind: bool,
    /// So many reads of devices from now, one forgets the device that it has just read.
    pub(crate) forgets_in: AtomicUsize,
    /// Once something has been written, devices and approved senders cannot be read until this is set anew.
    pub(crate) fails_after_write: AtomicBool,
    pub(crate) fails: AtomicBool,
    /// How often one could not.
    pub(crate) failed: AtomicUsize,
    /// So many reads of devices from now, they wait until this is set anew; 0 for never.
    pub(crate) stuck_in: AtomicUsize,
    /// The last of the devices is followed by one that cannot be understood.
    pub(crate) has_bad_device: AtomicBool,
    /// How often more of the devices than the first was read.
    pub(crate) listed: AtomicUsize,
}

impl Odd {
    fn check(&self, group: &Group<'_>) -> Result<(), StoreError> {
        match group {
            Group::Channel(channel) if self.torn == Some(channel.as_str()) => {
                Err(StoreError::Unreadable {
                    resource: "/secret/path/pairing.json".to_owned(),
                    source: "torn".into(),
                })
            }
            _ => Ok(()),
        }
    }

    /// Reads of devices get stuck after so many.
    pub(crate) fn stuck_after(&self, good: usize) {
        self.stuck_in
            .store(good.saturating_add(1), Ordering::SeqCst);
    }

    /// Devices can be read again.
    pub(crate) fn mend(&self) {
        self.fails.store(false, Ordering::SeqCst);
    }

    fn may_be_stuck(&self) {
        let left = self.stuck_in.load(Ordering::SeqCst);
        if left > 1 {
            self.stuck_in.store(left - 1, Ordering::SeqCst);
        }
        while left == 1 && self.stuck_in.load(Ordering::SeqCst) == 1 {
            std::thread::yield_now();
        }
    }

    fn forget(&self, key: &Key) {
        let changes = vec![Change::Delete(key.clone())];
        let conditions = Vec::new();
        let batch = Batch {
            conditions,
            changes,
        };
        self.inner.commit(&batch).unwrap();
    }
}

impl PairingStore for Odd {
    fn read(&self, key: &Key) -> Result<Read, StoreError> {
        self.check(&key.group())?;
        let read = self.inner.read(key)?;
        if matches!(key, Key::Allow { .. }) && self.fails.load(Ordering::SeqCst) {
            self.failed.fetch_add(1, Ordering::SeqCst);
            return Err(StoreError::Unreadable {
                resource: "an approved sender".to_owned(),
                source: "torn".into(),
            });
        }
        if matches!(key, Key::Device { .. }) && read.record.is_some() {
            self.may_be_stuck();
            if self.fails.load(Ordering::SeqCst) {
                self.failed.fetch_add(1, Ordering::SeqCst);
                return Err(StoreError::Unreadable {
                    resource: "a device".to_owned(),
                    source: "torn".into(),
                });
            }
            let left = self.forgets_in.load(Ordering::SeqCst);
            self.forgets_in
                .store(left.saturating_sub(1), Ordering::SeqCst);
            if left == 1 {
                self.forget(key);
            }
        }
        Ok(read)
    }

    fn range(&self, range: &Range, page: &PageRequest) -> Result<Page, StoreError> {
        self.check(&range.group())?;
        let mut read = self.inner.range(range, page)?;
        if *range == Range::Devices {
            if page.limit > 1 {
                self.listed.fetch_add(1, Ordering::SeqCst);
            }
            if read.next.is_none() && self.has_bad_device.load(Ordering::SeqCst) {
                read.problems.push(Problem {
                    resource: "device/bad".to_owned(),
                    detail: "passed over".to_owned(),
                });
            }
        }
        Ok(read)
    }

    fn commit(&self, batch: &Batch) -> Result<(), StoreError> {
        if batch.changes.is_empty() {
            // What changes nothing rests on what was read.
            return Ok(());
        }
        if self.fails_after_write.swap(false, Ordering::SeqCst) {
            // Before anybody is told of it.
            self.fails.store(true, Ordering::SeqCst);
        }
        self.inner.commit(batch)
    }

    fn changes(&self, after: Option<Position>, timeout: Duration) -> Result<Changes, StoreError> {
        if self.is_blind {
            if after.is_some() {
                std::thread::park_timeout(timeout);
            }
            return Ok(Changes {
                position: Position::new(0),
                changed: Changed::Keys(Vec::new()),
            });
        }
        self.inner.changes(after, timeout)
    }
}

/// A store whose changes nobody is told of: what ends sessions then is the decision itself.
pub(crate) fn blind() -> Odd {
    Odd {
        is_blind: true,
        ..Odd::default()
    }
}

/// Counts what is read.
pub(crate) struct Probe<S> {
    pub(crate) inner: S,
    pub(crate) reads: Arc<AtomicUsize>,
    pub(crate) ranges: Arc<AtomicUsize>,
}

impl<S: PairingStore> PairingStore for Probe<S> {
    fn read(&self, key: &Key) -> Result<Read, StoreError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.inner.read(key)
    }

    fn range(&self, range: &Range, page: &PageRequest) -> Result<Page, StoreError> {
        self.ranges.fetch_add(1, Ordering::SeqCst);
        self.inner.range(range, page)
    }

    fn commit(&self, batch: &Batch) -> Result<(), StoreError> {
        self.inner.commit(batch)
    }

    fn changes(&self, after: Option<Position>, timeout: Duration) -> Result<Changes, StoreError> {
        self.inner.changes(after, timeout)
    }
}
