//! Whether the store can be written.

use std::sync::{Mutex, PoisonError};

use pairing_core::{Chain, StoreError};

/// Whether the store can be written, as its last write tells: why not, escaped. On a disk or in a cluster that is full,
/// reading works on. After a failure, the feed tries a write of its own now and then.
#[derive(Debug, Default)]
pub(crate) struct WriteHealth(Mutex<Option<String>>);

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
                if self.failed().replace(Chain(error).to_string()).is_none() {
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
        self.failed().clone()
    }

    fn failed(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
