//! Whether the store can be written.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use pairing_core::{Chain, StoreError};

/// Whether the store can be written, as far as its last write tells. On a disk or in a cluster that is full, reading works
/// on.
#[derive(Debug, Default)]
pub(crate) struct WriteHealth(Mutex<Option<FailedWrite>>);

#[derive(Debug)]
struct FailedWrite {
    at: Instant,
    /// Escaped.
    why: String,
}

/// How long a failed write counts if nothing was written since.
const COUNTS: Duration = Duration::from_secs(60);

impl WriteHealth {
    /// Records the result of a write. A refusal that says nothing about the store itself does not count: another writer
    /// was faster, or holds the lock.
    pub(crate) fn note(&self, result: &Result<(), StoreError>) {
        match result {
            Ok(()) => {
                if self.failed().take().is_some() {
                    tracing::info!("store can be written again");
                }
            }
            Err(error @ (StoreError::Unwritable { .. } | StoreError::Unreachable { .. })) => {
                let failed = FailedWrite {
                    at: Instant::now(),
                    why: Chain(error).to_string(),
                };
                if self.failed().replace(failed).is_none() {
                    tracing::error!(error = %Chain(error), "store cannot be written");
                }
            }
            Err(_) => {}
        }
    }

    /// Lets the last failure no longer count.
    pub(crate) fn forget(&self) {
        *self.failed() = None;
    }

    /// Why it cannot.
    pub(crate) fn fault(&self) -> Option<String> {
        let failed = self.failed();
        let failed = failed
            .as_ref()
            .filter(|failed| failed.at.elapsed() < COUNTS);
        failed.map(|failed| failed.why.clone())
    }

    fn failed(&self) -> std::sync::MutexGuard<'_, Option<FailedWrite>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
