//! A store that fails on demand.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use pairing_core::store::{Batch, Changes, Page, PageRequest, Position, Read};
use pairing_core::{Key, PairingStore, Range, StoreError};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// The fault of one operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A commit reports a conflict although nothing changed; a read fails.
    Conflict,
    /// The operation fails without any effect.
    Before,
    /// The commit takes effect, but reports an error; a read fails.
    After,
}

/// The operations that can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Read,
    Commit,
}

type Plan = Box<dyn FnMut(Operation) -> Option<Fault> + Send>;

/// Wraps a store and injects planned faults; without a plan, it behaves like the store.
pub struct Faulty<S> {
    inner: S,
    plan: Mutex<Option<Plan>>,
    commits: AtomicUsize,
}

impl<S> Faulty<S> {
    /// Wraps a store, without any faults yet.
    pub fn new(inner: S) -> Self {
        Self {
            inner,
            plan: Mutex::new(None),
            commits: AtomicUsize::new(0),
        }
    }

    /// Injects these faults into the next commits, one each; reads succeed.
    pub fn next_commits(&self, faults: impl IntoIterator<Item = Fault>) {
        let mut faults: VecDeque<_> = faults.into_iter().collect();
        self.arm(move |operation| match operation {
            Operation::Commit => faults.pop_front(),
            Operation::Read => None,
        });
    }

    /// Injects this fault into the commit after `good` others, and into no other.
    pub fn commit_after(&self, good: usize, fault: Fault) {
        let mut left = good;
        self.arm(move |operation| match (operation, left) {
            (Operation::Commit, usize::MAX) | (Operation::Read, _) => None,
            (Operation::Commit, before) => {
                left = before.wrapping_sub(1);
                (before == 0).then_some(fault)
            }
        });
    }

    /// Injects this fault into every commit, until [`calm`](Self::calm).
    pub fn every_commit(&self, fault: Fault) {
        self.arm(move |operation| (operation == Operation::Commit).then_some(fault));
    }

    /// Lets `good` reads succeed and makes every later one fail, until [`calm`](Self::calm).
    pub fn reads_after(&self, good: usize) {
        let mut left = good;
        self.arm(move |operation| match operation {
            Operation::Commit => None,
            Operation::Read if left > 0 => {
                left -= 1;
                None
            }
            Operation::Read => Some(Fault::Before),
        });
    }

    /// Refuses one in `one_in` commits with a spurious conflict, at random from a seed.
    pub fn spurious_conflicts(self, seed: u64, one_in: u32) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        self.arm(move |operation| {
            (operation == Operation::Commit && rng.next_u32().is_multiple_of(one_in))
                .then_some(Fault::Conflict)
        });
        self
    }

    /// Stops injecting faults.
    pub fn calm(&self) {
        *self.plan.lock().unwrap() = None;
    }

    /// Returns the number of commits attempted, including refused ones.
    pub fn commits(&self) -> usize {
        self.commits.load(Ordering::SeqCst)
    }

    pub(crate) fn arm(&self, plan: impl FnMut(Operation) -> Option<Fault> + Send + 'static) {
        *self.plan.lock().unwrap() = Some(Box::new(plan));
    }

    fn fault(&self, operation: Operation) -> Option<Fault> {
        self.plan.lock().unwrap().as_mut()?(operation)
    }

    fn before_read(&self) -> Result<(), StoreError> {
        match self.fault(Operation::Read) {
            None => Ok(()),
            Some(_) => Err(StoreError::Unreadable {
                resource: "a record".to_owned(),
                source: "an injected fault".into(),
            }),
        }
    }
}

fn unwritable() -> StoreError {
    StoreError::Unwritable {
        resource: "a batch".to_owned(),
        source: "an injected fault".into(),
    }
}

impl<S: PairingStore> PairingStore for Faulty<S> {
    fn read(&self, key: &Key) -> Result<Read, StoreError> {
        self.before_read()?;
        self.inner.read(key)
    }

    fn range(&self, range: &Range, page: &PageRequest) -> Result<Page, StoreError> {
        self.before_read()?;
        self.inner.range(range, page)
    }

    fn commit(&self, batch: &Batch) -> Result<(), StoreError> {
        self.commits.fetch_add(1, Ordering::SeqCst);
        match self.fault(Operation::Commit) {
            None => self.inner.commit(batch),
            // A commit without conditions cannot conflict.
            Some(Fault::Conflict) if batch.conditions.is_empty() => self.inner.commit(batch),
            Some(Fault::Conflict) => Err(StoreError::Conflict),
            Some(Fault::Before) => Err(unwritable()),
            Some(Fault::After) => {
                self.inner.commit(batch)?;
                Err(unwritable())
            }
        }
    }

    fn changes(&self, after: Option<Position>, timeout: Duration) -> Result<Changes, StoreError> {
        self.inner.changes(after, timeout)
    }
}

impl<S: fmt::Debug> fmt::Debug for Faulty<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faulty")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}
