//! Two locks over every change: ours, and the one that the other program understands.

mod other;
mod ours;

use std::path::Path;
use std::time::{Duration, Instant};

pub(crate) use other::{OtherLock, Verdict, judge};
pub(crate) use ours::OurLock;

use pairing_core::StoreError;

/// How long is waited, and since when.
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

    /// Waits a little, longer each time; an error that names the holder once patience is over.
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
