//! Reads all records of a store.

use std::collections::HashSet;
use std::sync::Arc;

use super::admission;
use crate::store::{Group, Key, PageRequest, Problem, Range, Record, Version};
use crate::{Channels, PairingStore, StoreError};

/// Number of records that are requested at a time.
const PAGE: usize = 1_000;

/// Maximum number of attempts to read a group while others write to it.
const TRIES: usize = 20;

/// The records of a store.
#[derive(Debug, Clone, Default)]
pub struct Held {
    /// The records, by group. Excludes codes, which are part of their requests, and requests of senders
    /// who are already allowed.
    pub records: Vec<Arc<Record>>,
    /// Stored data that was skipped because it could not be understood.
    pub problems: Vec<Problem>,
}

/// Reads all records of these channels, of devices and of nodes.
///
/// The records of a group are a consistent snapshot. Returns [`StoreError::Conflict`] if others write to
/// a group faster than it can be read. All records are held in memory: some hundred bytes per record.
pub fn read(store: &dyn PairingStore, channels: &Channels) -> Result<Held, StoreError> {
    let channels = channels.iter().map(|rules| Group::Channel(rules.id()));
    let mut held = Held::default();
    for group in channels.chain([Group::Devices, Group::Nodes]) {
        held.append(read_group(store, group)?);
    }
    Ok(held)
}

/// Reads a consistent snapshot of the records of a group.
pub(super) fn read_group(store: &dyn PairingStore, group: Group<'_>) -> Result<Held, StoreError> {
    let ranges = group.ranges();
    for _ in 0..TRIES {
        let mut held = Held::default();
        let mut versions = Vec::new();
        for range in &ranges {
            versions.push(read_range(store, range, &mut held)?);
        }
        let now = ranges.iter().map(|range| version(store, range).map(Some));
        if now.collect::<Result<Vec<_>, _>>()? == versions {
            held.drop_ended();
            return Ok(held);
        }
    }
    Err(StoreError::Conflict)
}

/// Adds the records of a range. Returns its version, or `None` if the version changed between two pages.
fn read_range(
    store: &dyn PairingStore,
    range: &Range,
    held: &mut Held,
) -> Result<Option<Version>, StoreError> {
    let mut request = PageRequest::first(PAGE);
    let mut version = None;
    loop {
        let page = store.range(range, &request)?;
        if version.is_some_and(|version| version != page.version) {
            return Ok(None);
        }
        version = Some(page.version);
        held.records.extend(page.records);
        held.problems.extend(page.problems);
        match page.next {
            Some(next) => request.after = Some(next),
            None => return Ok(version),
        }
    }
}

fn version(store: &dyn PairingStore, range: &Range) -> Result<Version, StoreError> {
    Ok(store.range(range, &PageRequest::first(1))?.version)
}

impl Held {
    fn append(&mut self, mut more: Self) {
        self.records.append(&mut more.records);
        self.problems.append(&mut more.problems);
    }

    /// Drops requests whose sender is already allowed: they have ended, although the store still lists
    /// them.
    fn drop_ended(&mut self) {
        let entries = self.records.iter().filter(|r| r.as_allow().is_some());
        let allowed: HashSet<Key> = entries.map(|record| record.key()).collect();
        self.records.retain(|record| {
            let request = record.as_request();
            request.is_none_or(|request| !allowed.contains(&admission(request)))
        });
    }
}
