//! The interface between the decisions and whatever keeps their records.

mod error;
mod key;
mod memory;
mod record;

use std::sync::Arc;
use std::time::Duration;

pub use error::{BoxError, Problem, StoreError};
pub use key::{Group, Key, Range};
pub use memory::MemoryStore;
pub use record::{
    AllowEntry, Attempts, Grant, Holder, PendingRequest, Record, SeenSender, TakenCode, TurnedAway,
};

/// Keeps pairing records: the four operations that can honestly be atomic.
///
/// A store decides nothing: it expires nothing, counts nothing and generates nothing. Implementations
/// run the list of cases in `pairing-conformance`, which is the contract in executable form.
///
/// What must hold:
///
/// - What a commit wrote, every later read of the same store handle sees; other handles and processes
///   see it within a bounded time, and a commit that rests on something older is refused.
/// - Nothing is seen of a batch that failed; all of it, once its commit has returned.
/// - An error about one channel says nothing about another: operations that do not need what is
///   broken go on working.
pub trait PairingStore: Send + Sync {
    /// Reads one record.
    ///
    /// - A record that does not exist has [`Version::ABSENT`].
    /// - The version differs whenever the record does.
    ///
    /// Runs per message: must not cost more as other records grow.
    fn read(&self, key: &Key) -> Result<Read, StoreError>;

    /// Reads a page of a range, in an order of the store's own that stays the same between changes.
    ///
    /// - The version covers the whole range, and differs whenever a record of it was put, changed or
    ///   deleted.
    /// - A page holds at most `page.limit` records, and `next` where there are more.
    /// - What is stored but cannot be understood is listed in `problems`.
    fn range(&self, range: &Range, page: &PageRequest) -> Result<Page, StoreError>;

    /// Writes a batch, all of it or nothing, if everything in `conditions` is as it was read.
    ///
    /// - [`StoreError::Conflict`] and no change where a record or range has another version, also
    ///   where a record has been deleted or was not there when it was read.
    /// - Durable when it returns, as far as the store is durable at all.
    /// - All of it is about one [`Group`]; anything else may be refused.
    /// - Putting a [`Record::Code`] goes with putting its request, and deleting it with deleting that:
    ///   a store may derive the one from the other.
    /// - A store may take a request for ended as soon as its sender is allowed: approving writes both,
    ///   and a store whose batches span several files can tell an approval that was cut short by that.
    fn commit(&self, batch: &Batch) -> Result<(), StoreError>;

    /// What changed after a position, waiting up to `timeout` for something to.
    ///
    /// - `None` stands for the present: answers at once with the current position and no keys.
    /// - Answers with [`Changed::Everything`] where the store does not know any more: read anew.
    /// - A change is reported at least once; unchanged keys may be reported, too.
    fn changes(&self, after: Option<Position>, timeout: Duration) -> Result<Changes, StoreError>;
}

impl<S: PairingStore + ?Sized> PairingStore for Arc<S> {
    fn read(&self, key: &Key) -> Result<Read, StoreError> {
        (**self).read(key)
    }

    fn range(&self, range: &Range, page: &PageRequest) -> Result<Page, StoreError> {
        (**self).range(range, page)
    }

    fn commit(&self, batch: &Batch) -> Result<(), StoreError> {
        (**self).commit(batch)
    }

    fn changes(&self, after: Option<Position>, timeout: Duration) -> Result<Changes, StoreError> {
        (**self).changes(after, timeout)
    }
}

/// The state of a record or range when it was read; meaningful to the store that gave it only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Version(u64);

impl Version {
    /// The version of a record that does not exist.
    pub const ABSENT: Self = Self(0);

    /// A version made of a number: a revision, or a hash of the content.
    pub fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number it was made of.
    pub fn number(self) -> u64 {
        self.0
    }
}

/// A record as it was read.
#[derive(Debug, Clone)]
pub struct Read {
    /// Its version, [`Version::ABSENT`] where there is none.
    pub version: Version,
    /// The record.
    pub record: Option<Arc<Record>>,
}

/// Which part of a range to read.
#[derive(Debug, Clone)]
pub struct PageRequest {
    /// Where the page before ended; `None` for the first.
    pub after: Option<Cursor>,
    /// At most so many records; at least one.
    pub limit: usize,
}

impl PageRequest {
    /// The first `limit` records.
    pub fn first(limit: usize) -> Self {
        Self { after: None, limit }
    }
}

/// The end of a page; meaningful to the store that gave it only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(String);

impl Cursor {
    /// A cursor made of text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text it was made of.
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
    /// Where the next page starts; `None` on the last.
    pub next: Option<Cursor>,
    /// What was passed over, in the whole range; told on the first page only.
    pub problems: Vec<Problem>,
}

/// Changes that are made together, and what they rest on.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// What has to be as it was read.
    pub conditions: Vec<Condition>,
    /// What is written; no key more than once.
    pub changes: Vec<Change>,
}

/// Something a decision rests on.
#[derive(Debug, Clone)]
pub enum Condition {
    /// A record, or its absence.
    Record(Key, Version),
    /// A range, with what it held and what it did not.
    Range(Range, Version),
}

/// One change of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(
    clippy::large_enum_variant,
    reason = "few live at a time, and not for long"
)]
pub enum Change {
    /// Writes a record, new or in place of the old one.
    Put(Record),
    /// Removes a record; nothing happens where there is none.
    Delete(Key),
}

impl Change {
    /// The record that is changed.
    pub fn key(&self) -> Key {
        match self {
            Self::Put(record) => record.key(),
            Self::Delete(key) => key.clone(),
        }
    }
}

/// A place in the sequence of changes; meaningful to the store that gave it only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position(u64);

impl Position {
    /// A position made of a number.
    pub fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number it was made of.
    pub fn number(self) -> u64 {
        self.0
    }
}

/// What changed, and the position after it.
#[derive(Debug, Clone)]
pub struct Changes {
    /// Where to go on.
    pub position: Position,
    /// What changed up to there.
    pub changed: Changed,
}

/// The extent of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed {
    /// These records were put, changed or deleted; none where the time ran out.
    Keys(Vec<Key>),
    /// Nobody knows any more what changed: read anew.
    Everything,
}
