//! Groups of records that cannot be read, or not all of them, while the rest of the store can.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use gateway_protocol::health::FaultState;
use pairing_core::{Chain, Problem, StoreError, Timestamp, escape};

/// What is wrong with a group of records: how much, and why, escaped.
pub(crate) type Found = (FaultState, String);

/// A group of records that cannot be read at all.
pub(crate) fn unreadable(error: &StoreError) -> Found {
    (FaultState::Down, Chain(error).to_string())
}

/// Records of a group that are passed over because they cannot be understood; `None` if there are none.
pub(crate) fn passed_over(mut problems: Vec<Problem>) -> Option<Found> {
    // Several lists may name the same one.
    problems.sort_by(|a, b| (&a.resource, &a.detail).cmp(&(&b.resource, &b.detail)));
    problems.dedup_by(|a, b| a.resource == b.resource && a.detail == b.detail);
    let first = problems.first()?;
    let mut why = escape(&format!("{}: {}", first.resource, first.detail)).to_string();
    if problems.len() > 1 {
        why = format!("{why}; and {} more", problems.len() - 1);
    }
    Some((FaultState::Degraded, why))
}

/// Since when something is wrong with a group of records.
#[derive(Debug, Clone)]
pub(crate) struct Unread {
    pub(crate) state: FaultState,
    pub(crate) why: String,
    pub(crate) since: Timestamp,
}

/// The groups with which something is wrong, by name.
#[derive(Debug, Default)]
pub(crate) struct Groups(Mutex<BTreeMap<String, Unread>>);

impl Groups {
    /// Records the result of reading a group.
    pub(crate) fn note(&self, group: &str, found: Option<Found>, now: Timestamp) {
        let mut groups = self.groups();
        let Some((state, why)) = found else {
            groups.remove(group);
            return;
        };
        let before = groups.get(group).filter(|before| before.state == state);
        let since = before.map_or(now, |before| before.since);
        groups.insert(group.to_owned(), Unread { state, why, since });
    }

    /// What is wrong with each.
    pub(crate) fn get(&self) -> BTreeMap<String, Unread> {
        self.groups().clone()
    }

    /// Since when a group cannot be read at all.
    pub(super) fn down_since(&self, group: &str) -> Option<Timestamp> {
        let groups = self.groups();
        let unread = groups.get(group)?;
        (unread.state == FaultState::Down).then_some(unread.since)
    }

    fn groups(&self) -> MutexGuard<'_, BTreeMap<String, Unread>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
