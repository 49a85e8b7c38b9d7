//! How many notices owners are sent: a few at once, and the others gathered in one message.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pairing_core::Timestamp;

use crate::budget::{Bucket, Rate};

/// Requests of which owners are told in a message of their own.
const SINGLE: Rate = Rate::new(5, Duration::from_secs(30));

/// Messages that say how many more there are.
const GATHERED: Rate = Rate::new(1, Duration::from_secs(60));

/// What is left of both rates.
#[derive(Debug, Default)]
pub(super) struct Gathering(Mutex<Left>);

#[derive(Debug, Default)]
struct Left {
    single: Bucket,
    gathered: Bucket,
}

impl Gathering {
    /// Whether a request may have a message of its own now.
    pub(super) fn may_tell(&self, now: Timestamp) -> bool {
        self.left().single.take(SINGLE, now)
    }

    /// Nobody was told after all.
    pub(super) fn was_not_told(&self) {
        self.left().single.give_back(SINGLE);
    }

    /// Whether all other requests may be told in one message now.
    pub(super) fn may_gather(&self, now: Timestamp) -> bool {
        self.left().gathered.take(GATHERED, now)
    }

    fn left(&self) -> MutexGuard<'_, Left> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
