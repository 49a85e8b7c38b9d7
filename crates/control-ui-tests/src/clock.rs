//! The system clock with an adjustable offset.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use pairing_core::{Clock, Timestamp};
use pairing_fs::SystemClock;

/// The system time plus an offset in milliseconds. Clones share the same offset.
#[derive(Debug, Clone, Default)]
pub(crate) struct MovedClock(Arc<AtomicI64>);

impl MovedClock {
    /// Moves the clock forward, or back if `millis` is negative.
    pub(crate) fn advance(&self, millis: i64) {
        self.0.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for MovedClock {
    fn now(&self) -> Timestamp {
        let moved = self.0.load(Ordering::SeqCst);
        Timestamp::from_millis(SystemClock.now().as_millis().saturating_add(moved))
    }
}
