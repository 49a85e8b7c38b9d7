//! Stores that are written as async functions.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use pairing_core::store::{Batch, BoxError, Changes, Page, PageRequest, Position, Read};
use pairing_core::{Key, PairingStore, Range, StoreError};
use tokio::runtime::Handle;

/// The four operations of a [`PairingStore`] as async functions, for gateways whose records are in their own
/// database, behind an async driver.
///
/// What must hold of each operation is said at [`PairingStore`]; `pairing-conformance` checks it, through a
/// [`Bridge`]. A commit is best one transaction of the database that checks `batch.conditions`, so that a gateway
/// may write its own records in it, too. Dropping the future of a commit must leave all of it or nothing.
pub trait AsyncStore: Send + Sync + 'static {
    /// Reads one record: [`PairingStore::read`].
    fn read(&self, key: &Key) -> impl Future<Output = Result<Read, StoreError>> + Send;

    /// Reads a page of a range: [`PairingStore::range`].
    fn range(
        &self,
        range: &Range,
        page: &PageRequest,
    ) -> impl Future<Output = Result<Page, StoreError>> + Send;

    /// Writes a batch if its conditions hold: [`PairingStore::commit`].
    fn commit(&self, batch: &Batch) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Returns the changes after a position, waiting up to `timeout` for one: [`PairingStore::changes`].
    fn changes(
        &self,
        after: Option<Position>,
        timeout: Duration,
    ) -> impl Future<Output = Result<Changes, StoreError>> + Send;
}

/// A [`PairingStore`] made of an [`AsyncStore`].
///
/// Each operation runs as a task of a tokio runtime, while the thread that asked waits. Ask from threads that may
/// wait: those of the blocking pool, where [`AsyncPairing`](crate::AsyncPairing) runs its decisions. On a thread of
/// the runtime an operation holds up its other tasks, and on a runtime with a single thread it fails once it has
/// waited for [`patience`](Self::patience); it never panics and never waits for ever.
///
/// Beside the operation itself, a call costs two changes of threads.
pub struct Bridge<S> {
    store: Arc<S>,
    runtime: Handle,
    patience: Duration,
}

/// The operation did not end.
#[derive(Debug, thiserror::Error)]
enum Unanswered {
    #[error("no answer within {} ms", .0.as_millis())]
    TooLate(Duration),
    #[error("the task ended without an answer: the runtime is shutting down, or the task panicked")]
    Gone,
}

impl<S: AsyncStore> Bridge<S> {
    /// Time that an operation may take, unless [`patience`](Self::patience) sets another.
    pub const PATIENCE: Duration = Duration::from_secs(30);

    /// Makes a store whose operations run on this runtime, the one that the database's driver was made in.
    pub fn new(store: S, runtime: Handle) -> Self {
        Self {
            store: Arc::new(store),
            runtime,
            patience: Self::PATIENCE,
        }
    }

    /// Sets how long an operation may take before it fails and its task is dropped. Waiting for a change comes on
    /// top of it.
    #[must_use]
    pub fn patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    fn ask<T, F>(
        &self,
        patience: Duration,
        operation: impl FnOnce(Arc<S>) -> F,
        failed: impl FnOnce(BoxError) -> StoreError,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        let (answer, answered) = sync_channel(1);
        let operation = operation(self.store.clone());
        let task = self.runtime.spawn(async move {
            // Nobody waits any more if the answer is late.
            let _ = answer.send(operation.await);
        });
        match answered.recv_timeout(patience) {
            Ok(result) => result,
            Err(RecvTimeoutError::Disconnected) => Err(failed(Unanswered::Gone.into())),
            Err(RecvTimeoutError::Timeout) => {
                task.abort();
                Err(failed(Unanswered::TooLate(patience).into()))
            }
        }
    }
}

fn unreachable(source: BoxError) -> StoreError {
    StoreError::Unreachable {
        resource: RESOURCE.to_owned(),
        source,
    }
}

/// Whether the commit took place is not known.
fn unwritable(source: BoxError) -> StoreError {
    StoreError::Unwritable {
        resource: RESOURCE.to_owned(),
        source,
    }
}

const RESOURCE: &str = "the pairing store";

impl<S: AsyncStore> PairingStore for Bridge<S> {
    fn read(&self, key: &Key) -> Result<Read, StoreError> {
        let key = key.clone();
        let read = |store: Arc<S>| async move { store.read(&key).await };
        self.ask(self.patience, read, unreachable)
    }

    fn range(&self, range: &Range, page: &PageRequest) -> Result<Page, StoreError> {
        let (range, page) = (range.clone(), page.clone());
        let list = |store: Arc<S>| async move { store.range(&range, &page).await };
        self.ask(self.patience, list, unreachable)
    }

    fn commit(&self, batch: &Batch) -> Result<(), StoreError> {
        let batch = batch.clone();
        let commit = |store: Arc<S>| async move { store.commit(&batch).await };
        self.ask(self.patience, commit, unwritable)
    }

    fn changes(&self, after: Option<Position>, timeout: Duration) -> Result<Changes, StoreError> {
        let patience = self.patience.saturating_add(timeout);
        let follow = move |store: Arc<S>| async move { store.changes(after, timeout).await };
        self.ask(patience, follow, unreachable)
    }
}

impl<S> fmt::Debug for Bridge<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bridge")
            .field("patience", &self.patience)
            .finish_non_exhaustive()
    }
}
