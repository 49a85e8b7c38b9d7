//! The health of the store, and for how long it has failed.

pub(crate) mod unread;

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use pairing_core::{StoreError, Timestamp};

use pairing_core::Chain;

use crate::Metrics;
use crate::write_health::Place;

/// The group of records by which the approval of devices is checked.
pub(crate) const DEVICES: &str = "devices";

/// The health of the store.
#[derive(Debug)]
pub(crate) struct StoreHealth {
    /// The time since which it fails, in milliseconds; [`WELL`] if it does not.
    fails_since: AtomicI64,
    /// How long approved sessions go on while the store fails; `None` is without limit, for a store that
    /// nobody else writes.
    grace: Option<Duration>,
    /// Why it fails, escaped.
    why: Mutex<String>,
    /// Writing may fail while reading works.
    writes: Metrics,
    /// Groups of records that cannot be read while the others can.
    pub(crate) groups: unread::Groups,
}

const WELL: i64 = i64::MIN;

impl StoreHealth {
    /// The metrics are those that the store's writes are counted in.
    pub(crate) fn new(grace: Option<Duration>, writes: Metrics) -> Self {
        Self {
            fails_since: AtomicI64::new(WELL),
            grace,
            why: Mutex::default(),
            writes,
            groups: unread::Groups::default(),
        }
    }

    /// Whether something in a group of records cannot be read.
    pub(crate) fn is_unread(&self, group: &str) -> bool {
        self.groups.get().contains_key(group)
    }

    /// Whether some records of a group cannot be understood, while the others can.
    pub(crate) fn is_partly_unread(&self, group: &str) -> bool {
        self.is_unread(group) && self.groups.down_since(group).is_none()
    }

    /// Whether the last attempts to read and to write the store succeeded.
    pub(crate) fn is_well(&self) -> bool {
        self.is_readable() && self.writes.writes().fault().is_none()
    }

    /// The groups of which the last write failed.
    pub(crate) fn failed_writes(&self) -> Vec<Place> {
        self.writes.writes().places()
    }

    fn is_readable(&self) -> bool {
        self.fails_since.load(Ordering::Relaxed) == WELL
    }

    /// Why it fails.
    pub(crate) fn fault(&self) -> Option<String> {
        let unreadable = (!self.is_readable()).then(|| self.why().clone());
        unreadable.or_else(|| self.writes.writes().fault())
    }

    fn why(&self) -> std::sync::MutexGuard<'_, String> {
        self.why.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether approvals that were read earlier still count. They do not once the store has failed for longer
    /// than the grace period, or the records of devices alone, because others may have ended them.
    pub(crate) fn vouches(&self, now: Timestamp) -> bool {
        let Some(grace) = self.grace else {
            return true;
        };
        let since = self.fails_since.load(Ordering::Relaxed);
        let store = (since != WELL).then(|| Timestamp::from_millis(since));
        let devices = self.groups.down_since(DEVICES);
        let mut failing = store.into_iter().chain(devices);
        failing.all(|since| now.since(since).unwrap_or_default() <= grace)
    }

    /// Records the result of a read.
    pub(crate) fn note(&self, failure: Option<&StoreError>, now: Timestamp) {
        let was_well = self.is_readable();
        match failure {
            None => {
                self.fails_since.store(WELL, Ordering::Relaxed);
                if !was_well {
                    // What was written to an unreachable store failed for that.
                    self.writes.writes().forget();
                    tracing::info!("store available again");
                }
            }
            Some(error) if was_well => {
                *self.why() = Chain(error).to_string();
                self.fails_since.store(now.as_millis(), Ordering::Relaxed);
                tracing::error!(error = %Chain(error), "store unavailable");
            }
            Some(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use pairing_core::Problem;
    use pairing_core::store::Group;

    use super::*;

    #[test]
    fn what_was_approved_counts_for_a_while_without_a_store() {
        let at = |millis: i64| Timestamp::from_millis(1_000_000 + millis);
        let health = StoreHealth::new(Some(Duration::from_millis(30)), Metrics::new());
        assert!(health.is_well() && health.vouches(at(0)));
        let failed = Some(&StoreError::Conflict);
        health.note(failed, at(0));
        health.note(failed, at(20));
        assert!(!health.is_well() && health.vouches(at(30)));
        assert!(!health.vouches(at(31)));
        health.note(None, at(40));
        assert!(health.is_well() && health.vouches(at(1_000)));
    }

    #[test]
    fn approvals_of_devices_count_as_briefly_without_the_records_of_devices() {
        let at = Timestamp::from_millis;
        let health = StoreHealth::new(Some(Duration::from_millis(30)), Metrics::new());
        let failed = Some(&StoreError::Conflict);
        let failed = || failed.map(unread::unreadable);
        health.groups.note("telegram", failed(), at(0));
        health.groups.note(DEVICES, failed(), at(20));
        health.groups.note(DEVICES, failed(), at(40));
        assert!(health.is_well() && health.vouches(at(50)));
        assert!(!health.vouches(at(51)));
        // A record of one device says nothing about the others.
        let problem = Problem {
            resource: "a record".to_owned(),
            detail: "passed over".to_owned(),
        };
        let found = unread::passed_over(vec![problem]);
        health.groups.note(DEVICES, found, at(60));
        assert!(health.is_unread(DEVICES) && health.vouches(at(1_000)));
    }

    #[test]
    fn for_good_where_nobody_else_decides() {
        let health = StoreHealth::new(None, Metrics::new());
        health.note(Some(&StoreError::Conflict), Timestamp::from_millis(0));
        assert!(!health.is_well() && health.vouches(Timestamp::from_millis(1 << 50)));
    }

    #[test]
    fn a_write_that_fails_is_told_although_reading_works() {
        let metrics = Metrics::new();
        let health = StoreHealth::new(None, metrics.clone());
        let writes = metrics.writes();
        writes.note(Group::Nodes, &Err(StoreError::Conflict));
        assert!(health.is_well());
        let full = StoreError::Unwritable {
            resource: "etcd".to_owned(),
            source: "database space exceeded".into(),
        };
        writes.note(Group::Nodes, &Err(full));
        health.note(None, Timestamp::from_millis(0));
        let why = health.fault().unwrap();
        assert!(!health.is_well() && why.contains("space exceeded"), "{why}");
        // Another group may be on another disk.
        writes.note(Group::Devices, &Ok(()));
        assert!(!health.is_well());
        writes.note(Group::Nodes, &Ok(()));
        assert!(health.is_well() && health.fault().is_none());
    }
}
