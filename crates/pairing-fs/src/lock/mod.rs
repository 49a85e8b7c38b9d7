//! The two locks that guard every change: our own, and the one that OpenClaw understands.

mod other;
mod ours;

use std::path::Path;
use std::time::{Duration, Instant};

pub(crate) use other::{OtherLock, Verdict, judge};
pub(crate) use ours::OurLock;

use pairing_core::StoreError;

/// How long a lock attempt waits: its start, its time limit and its next pause.
pub(crate) struct Patience {
    began: Instant,
    limit: Duration,
    pause: Duration,
}

impl Patience {
    pub(crate) fn new(limit: Duration) -> Self {
        Self {
            began: Instant::now(),
            limit,
            pause: Duration::from_micros(250),
        }
    }

    /// Sleeps, longer each time; once the time limit is reached, returns an error that names the holder.
    fn wait(&mut self, resource: &Path, holder: impl FnOnce() -> String) -> Result<(), StoreError> {
        let waited = self.began.elapsed();
        let left = self.limit.saturating_sub(waited);
        if left.is_zero() {
            return Err(StoreError::Busy {
                resource: resource.display().to_string(),
                holder: holder(),
                waited,
            });
        }
        std::thread::sleep(self.pause.min(left));
        self.pause = (self.pause * 2).min(Duration::from_millis(4));
        Ok(())
    }
}
