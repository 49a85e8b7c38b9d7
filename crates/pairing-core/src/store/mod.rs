//! The interface between the decisions and the storage of their records.

mod error;
mod key;
mod memory;
mod record;
pub(crate) mod size;

use std::sync::Arc;
use std::time::Duration;

use crate::ApproverId;
use crate::device::{DeviceId, NodeId};
pub use error::{BoxError, Problem, StoreError};
pub use key::{Group, Key, Range};
pub use memory::MemoryStore;
pub use record::{
    AllowEntry, Attempts, BearerClient, Claim, Grant, Holder, PendingRequest, Record, SeenSender,
    TakenCode, TurnedAway,
};

/// Stores pairing records: the four operations that a store can make atomic.
///
/// A store decides nothing: it expires nothing, counts nothing and generates nothing. Implementations run
/// the test cases of `pairing-conformance`, which is this contract in executable form.
///
/// Guarantees of every store:
///
/// - Every later read from the same store handle sees the writes of a commit. Other handles and processes
///   see them within a bounded time, and a commit that depends on an older state is refused.
/// - No part of a failed batch is visible; all of a batch is visible once its commit has returned.
/// - An error about one channel does not affect another: operations that do not need the broken part
///   continue to work.
pub trait PairingStore: Send + Sync {
    /// Reads one record.
    ///
    /// - A record that does not exist has [`Version::ABSENT`].
    /// - The version differs whenever the record does.
    ///
    /// Runs for every message, so its cost must not grow with the number of other records.
    fn read(&self, key: &Key) -> Result<Read, StoreError>;

    /// Reads one record like [`read`](Self::read), if that waits for nothing: neither for a disk nor for a network.
    /// Returns `None` if it would wait, or fail.
    ///
    /// Async programs try this before they occupy a thread that may block. By default, a store always waits.
    fn read_at_once(&self, _key: &Key) -> Option<Read> {
        None
    }

    /// Reads a page of a range. The store chooses the order, which stays the same between changes.
    ///
    /// - The version covers the whole range, and differs whenever a record in it was put, changed or
    ///   deleted.
    /// - A page holds at most `page.limit` records, and has `next` if there are more.
    /// - Stored data that cannot be understood is listed in `problems`.
    fn range(&self, range: &Range, page: &PageRequest) -> Result<Page, StoreError>;

    /// Reads a page of a range like [`range`](Self::range), if that waits for nothing. Returns `None` if it would wait,
    /// or fail. By default, a store always waits.
    fn range_at_once(&self, _range: &Range, _page: &PageRequest) -> Option<Page> {
        None
    }

    /// Writes a batch, all of it or nothing, if everything in `conditions` is still as it was read.
    ///
    /// - Returns [`StoreError::Conflict`] and changes nothing if a record or range has another version;
    ///   this includes records deleted since, and records created since they were read as absent.
    /// - The writes are durable when it returns, as far as the store is durable at all.
    /// - A batch concerns one [`Group`]; a store may refuse any other.
    /// - A [`Record::Code`] is always put together with its request and deleted together with it, so a
    ///   store may derive one from the other.
    /// - A store may treat a request as ended as soon as its sender is allowed. An approval writes both,
    ///   so a store whose batches span several files can recognise an interrupted approval by that.
    fn commit(&self, batch: &Batch) -> Result<(), StoreError>;

    /// Writes a batch as [`commit`](Self::commit) does, and returns [`StoreError::Busy`] at once where that would wait
    /// for a lock that somebody else holds, another thread of this program included.
    ///
    /// Unless a store says otherwise, it commits: for stores without locks that others hold for long.
    fn commit_at_once(&self, batch: &Batch) -> Result<(), StoreError> {
        self.commit(batch)
    }

    /// Writes something where the records of a group are, and changes no record: whether a disk or a cluster that was full
    /// has room again shows when something is written, and not before.
    ///
    /// - Fails where a commit of this group would fail because nothing can be written.
    /// - Returns [`StoreError::Busy`] at once where somebody else holds a lock that it needs.
    ///
    /// Unless a store says otherwise, it deletes a record that is not there, or writes it as it is if it should be. Stores
    /// for which that writes nothing, or elsewhere, have their own way.
    fn probe_write(&self, group: Group<'_>) -> Result<(), StoreError> {
        let key = match group {
            Group::Channel(channel) => Key::Attempts {
                channel: channel.clone(),
                approver: ApproverId::from("nobody".to_owned()),
            },
            Group::Devices => Key::Device {
                device: DeviceId::NOBODY,
            },
            Group::Nodes => Key::Node {
                node: NodeId::nobody(),
            },
        };
        let read = self.read(&key)?;
        let change = match read.record {
            Some(record) => Change::Put((*record).clone()),
            None => Change::Delete(key.clone()),
        };
        self.commit_at_once(&Batch {
            conditions: vec![Condition::Record(key, read.version)],
            changes: vec![change],
        })
    }

    /// Returns the changes after a position, waiting up to `timeout` for one.
    ///
    /// - `None` means the present: returns at once with the current position and no keys.
    /// - Returns [`Changed::Everything`] if the store no longer knows the changes; the caller must read
    ///   again.
    /// - Reports every change at least once; may also report keys that have not changed.
    fn changes(&self, after: Option<Position>, timeout: Duration) -> Result<Changes, StoreError>;
}

impl<S: PairingStore + ?Sized> PairingStore for Arc<S> {
    fn read(&self, key: &Key) -> Result<Read, StoreError> {
        (**self).read(key)
    }

    fn read_at_once(&self, key: &Key) -> Option<Read> {
        (**self).read_at_once(key)
    }

    fn range(&self, range: &Range, page: &PageRequest) -> Result<Page, StoreError> {
        (**self).range(range, page)
    }

    fn range_at_once(&self, range: &Range, page: &PageRequest) -> Option<Page> {
        (**self).range_at_once(range, page)
    }

    fn commit(&self, batch: &Batch) -> Result<(), StoreError> {
        (**self).commit(batch)
    }

    fn commit_at_once(&self, batch: &Batch) -> Result<(), StoreError> {
        (**self).commit_at_once(batch)
    }

    fn probe_write(&self, group: Group<'_>) -> Result<(), StoreError> {
        (**self).probe_write(group)
    }

    fn changes(&self, after: Option<Position>, timeout: Duration) -> Result<Changes, StoreError> {
        (**self).changes(after, timeout)
    }
}

/// A store whose every commit is [at once](PairingStore::commit_at_once).
pub(crate) struct AtOnce(pub(crate) Arc<dyn PairingStore>);

impl PairingStore for AtOnce {
    fn read(&self, key: &Key) -> Result<Read, StoreError> {
        self.0.read(key)
    }

    fn range(&self, range: &Range, page: &PageRequest) -> Result<Page, StoreError> {
        self.0.range(range, page)
    }

    fn commit(&self, batch: &Batch) -> Result<(), StoreError> {
        self.0.commit_at_once(batch)
    }

    fn commit_at_once(&self, batch: &Batch) -> Result<(), StoreError> {
        self.0.commit_at_once(batch)
    }

    fn probe_write(&self, group: Group<'_>) -> Result<(), StoreError> {
        self.0.probe_write(group)
    }

    fn changes(&self, after: Option<Position>, timeout: Duration) -> Result<Changes, StoreError> {
        self.0.changes(after, timeout)
    }
}

/// The state of a record or range when it was read; meaningful only to the store that returned it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Version(u64);

impl Version {
    /// The version of a record that does not exist.
    pub const ABSENT: Self = Self(0);

    /// Makes a version from a number, such as a revision or a hash of the content.
    pub fn new(number: u64) -> Self {
        Self(number)
    }

    /// Returns the number that it was made from.
    pub fn number(self) -> u64 {
        self.0
    }
}

/// A record as it was read.
#[derive(Debug, Clone)]
pub struct Read {
    /// The version of the record; [`Version::ABSENT`] if it does not exist.
    pub version: Version,
    /// The record.
    pub record: Option<Arc<Record>>,
}

/// The part of a range to read.
#[derive(Debug, Clone)]
pub struct PageRequest {
    /// The end of the previous page; `None` for the first page.
    pub after: Option<Cursor>,
    /// Maximum number of records; at least one.
    pub limit: usize,
}

impl PageRequest {
    /// Requests the first `limit` records.
    pub fn first(limit: usize) -> Self {
        Self { after: None, limit }
    }
}

/// The end of a page; meaningful only to the store that returned it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(String);

impl Cursor {
    /// Makes a cursor from text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the text that it was made from.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Part of a range.
#[derive(Debug, Clone)]
pub struct Page {
    /// The version of the whole range.
    pub version: Version,
    /// The records of this page.
    pub records: Vec<Arc<Record>>,
    /// The start of the next page; `None` on the last page.
    pub next: Option<Cursor>,
    /// Stored data that was skipped, in the whole range; reported on the first page only.
    pub problems: Vec<Problem>,
}

/// Changes that are made together, and the state that they depend on.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// The records and ranges that must not have changed since they were read.
    pub conditions: Vec<Condition>,
    /// The writes; each key at most once.
    pub changes: Vec<Change>,
}

/// A state that a decision depends on.
#[derive(Debug, Clone)]
pub enum Condition {
    /// A record, or its absence.
    Record(Key, Version),
    /// A range: the records that it held, and the absence of any others.
    Range(Range, Version),
}

/// One change of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(
    clippy::large_enum_variant,
    reason = "few live at a time, and not for long"
)]
pub enum Change {
    /// Writes a record, whether it is new or replaces an old one.
    Put(Record),
    /// Deletes a record; has no effect if there is none.
    Delete(Key),
}

impl Change {
    /// Returns the key of the record that is changed.
    pub fn key(&self) -> Key {
        match self {
            Self::Put(record) => record.key(),
            Self::Delete(key) => key.clone(),
        }
    }
}

/// A place in the sequence of changes; meaningful only to the store that returned it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position(u64);

impl Position {
    /// Makes a position from a number.
    pub fn new(number: u64) -> Self {
        Self(number)
    }

    /// Returns the number that it was made from.
    pub fn number(self) -> u64 {
        self.0
    }
}

/// The changes, and the position after them.
#[derive(Debug, Clone)]
pub struct Changes {
    /// The position to continue from.
    pub position: Position,
    /// The changes up to that position.
    pub changed: Changed,
}

/// The extent of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed {
    /// These records were put, changed or deleted; empty if the timeout passed without a change.
    Keys(Vec<Key>),
    /// The store no longer knows the individual changes; the caller must read everything again.
    Everything,
}
