//! The state in memory, as a watch keeps it up to date. Reads are answered from it, and followers are told of
//! its changes.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ops::Bound;
use std::sync::Arc;

use pairing_core::store::{
    Changed, Changes, Cursor, Page, PageRequest, Position, Problem, Read, Version,
};
use pairing_core::{Key, Range, Record, StoreError};

use crate::layout::{Layout, Place};
use crate::stored::{self, DecodeError};

/// Number of changes that are remembered for followers.
const REMEMBERED: usize = 16_384;

/// The whole state of an install at one revision of the cluster.
///
/// - Events go in whole revisions at a time, so nobody sees half of a batch.
/// - Reading a record costs a lookup in a sorted map.
#[derive(Debug)]
pub(crate) struct Mirror {
    layout: Layout,
    records: BTreeMap<String, Kept>,
    /// The revision of each range, by its prefix.
    ranges: HashMap<String, u64>,
    head: u64,
    /// The gateways' values by name, and the revision of their latest change.
    gateways: BTreeMap<String, Vec<u8>>,
    gateways_revision: u64,
    revision: u64,
    log: VecDeque<(u64, Key)>,
    /// The last revision whose changes were forgotten, or never known.
    forgotten: u64,
}

/// The value under a record's key, and the revision that wrote it.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    version: Version,
    value: Result<Arc<Record>, DecodeError>,
}

/// A key with its value, or its deletion.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Event<'e> {
    pub(crate) key: &'e [u8],
    /// The value; `None` if it was deleted.
    pub(crate) value: Option<&'e [u8]>,
    /// The revision of the change.
    pub(crate) revision: u64,
}

impl Mirror {
    /// An empty mirror at a revision.
    pub(crate) fn new(layout: Layout, revision: u64) -> Self {
        Self {
            layout,
            records: BTreeMap::new(),
            ranges: HashMap::new(),
            head: 0,
            gateways: BTreeMap::new(),
            gateways_revision: revision,
            revision,
            log: VecDeque::new(),
            forgotten: revision,
        }
    }

    /// Adds a key that was listed at the mirror's revision.
    pub(crate) fn load(&mut self, event: Event<'_>) {
        match self.layout.place(event.key) {
            Some(Place::Head) => self.head = event.revision,
            Some(Place::Range(prefix)) => {
                self.ranges.insert(prefix.to_owned(), event.revision);
            }
            Some(Place::Gateway(name)) => {
                match event.value {
                    Some(value) => self.gateways.insert(name.to_owned(), value.to_owned()),
                    None => self.gateways.remove(name),
                };
                self.gateways_revision = self.gateways_revision.max(event.revision);
            }
            Some(Place::Record(path)) => {
                if let Some(value) = event.value {
                    let kept = Kept::new(path, value, event.revision);
                    self.records.insert(path.to_owned(), kept);
                }
            }
            None => {}
        }
    }

    /// Applies later changes. Changes that it already knows are ignored.
    pub(crate) fn apply<'e>(&mut self, events: impl IntoIterator<Item = Event<'e>>) {
        let known = self.revision;
        for event in events {
            if event.revision > known {
                self.revision = self.revision.max(event.revision);
                self.apply_one(event);
            }
        }
        while self.log.len() > REMEMBERED {
            if let Some((revision, _)) = self.log.pop_front() {
                self.forgotten = self.forgotten.max(revision);
            }
        }
    }

    fn apply_one(&mut self, event: Event<'_>) {
        let Some(Place::Record(path)) = self.layout.place(event.key) else {
            self.load(event);
            return;
        };
        let after = event
            .value
            .map(|value| Kept::new(path, value, event.revision));
        let key = after.as_ref().and_then(Kept::key);
        let before = match after {
            Some(kept) => self.records.insert(path.to_owned(), kept),
            None => self.records.remove(path),
        };
        match key.or_else(|| before.as_ref().and_then(Kept::key)) {
            Some(key) => self.log.push_back((event.revision, key)),
            // The key has no name that followers would know.
            None => self.forgotten = event.revision,
        }
    }

    /// Returns the revision of the latest change that it knows.
    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    /// Returns the revision of the latest commit that it knows.
    pub(crate) fn head(&self) -> u64 {
        self.head
    }

    pub(crate) fn read(&self, key: &Key) -> Result<Read, StoreError> {
        let path = key.path();
        read(self.records.get(&path), &path, &self.layout)
    }

    pub(crate) fn range(&self, range: &Range, page: &PageRequest) -> Page {
        let prefix = range.prefix();
        let start = match &page.after {
            Some(cursor) => Bound::Excluded(cursor.as_str()),
            None => Bound::Included(prefix.as_str()),
        };
        let rest = self
            .records
            .range::<str, _>((start, Bound::Unbounded))
            .take_while(|(path, _)| path.starts_with(&prefix))
            .map(|(path, kept)| (path.as_str(), kept));
        let version = Version::new(self.ranges.get(&prefix).copied().unwrap_or_default());
        collect(rest, version, page.limit, &self.layout)
    }

    /// Returns the changes after a position, as far as they are remembered.
    pub(crate) fn changes_after(&self, after: u64) -> Changes {
        let changed = if after < self.forgotten || after > self.revision {
            Changed::Everything
        } else {
            let first = self.log.partition_point(|(revision, _)| *revision <= after);
            Changed::Keys(
                self.log
                    .range(first..)
                    .map(|(_, key)| key.clone())
                    .collect(),
            )
        };
        Changes {
            position: Position::new(self.revision),
            changed,
        }
    }

    /// Returns the revision of the latest change of the gateways' values; a new list gives another one.
    pub(crate) fn gateways_revision(&self) -> u64 {
        self.gateways_revision
    }

    /// Returns the gateways' values.
    pub(crate) fn gateways(&self) -> impl Iterator<Item = &Vec<u8>> {
        self.gateways.values()
    }

    /// Returns the number of records.
    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }
}

impl Kept {
    pub(crate) fn new(path: &str, value: &[u8], revision: u64) -> Self {
        Self {
            version: Version::new(revision),
            value: stored::decode(path, value).map(Arc::new),
        }
    }

    fn key(&self) -> Option<Key> {
        self.value.as_ref().ok().map(|record| record.key())
    }
}

/// Parses the record under a key. A value that cannot be understood is an error, not an absence.
pub(crate) fn read(kept: Option<&Kept>, path: &str, layout: &Layout) -> Result<Read, StoreError> {
    let Some(kept) = kept else {
        return Ok(Read {
            version: Version::ABSENT,
            record: None,
        });
    };
    match &kept.value {
        Ok(record) => Ok(Read {
            version: kept.version,
            record: Some(record.clone()),
        }),
        Err(error) => Err(StoreError::Unreadable {
            resource: layout.shown(path),
            source: error.clone().into(),
        }),
    }
}

/// Returns a page of records, in the order of their paths. Values that cannot be understood are reported and
/// left out.
pub(crate) fn collect<'k>(
    rest: impl IntoIterator<Item = (&'k str, &'k Kept)>,
    version: Version,
    limit: usize,
    layout: &Layout,
) -> Page {
    let mut page = Page {
        version,
        records: Vec::new(),
        next: None,
        problems: Vec::new(),
    };
    let mut last = None;
    for (path, kept) in rest {
        match &kept.value {
            Ok(_) if page.records.len() >= limit.max(1) => {
                page.next = last.map(|path: &str| Cursor::new(path));
                break;
            }
            Ok(record) => page.records.push(record.clone()),
            Err(error) => page.problems.push(Problem {
                resource: layout.shown(path),
                detail: error.to_string(),
            }),
        }
        last = Some(path);
    }
    page
}

#[cfg(test)]
mod tests;
