#![doc = include_str!("../README.md")]

mod account;
mod bearers;
mod store;

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use pairing_core::{BearersOff, ChannelError, NameError, Pairing};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

pub use account::AsyncAccount;
pub use bearers::AsyncBearers;
pub use store::{AsyncStore, Bridge};

/// A [`Pairing`] for async code. Cheap to clone; clones share their limit.
#[derive(Clone)]
pub struct AsyncPairing {
    pairing: Pairing,
    limit: usize,
    turns: Arc<Semaphore>,
}

/// A decision that was not made, or a failure of the runtime.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AsyncError<E: Error + 'static> {
    /// The decision failed.
    #[error(transparent)]
    Decision(E),
    /// The runtime is shutting down, and did not begin the decision.
    #[error("the runtime is shutting down")]
    ShuttingDown,
}

/// The runtime is shutting down, and did not begin the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the runtime is shutting down")]
pub struct ShuttingDown;

/// There is no account of this name.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AccountError {
    /// The channel.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// The account's name.
    #[error(transparent)]
    Name(#[from] NameError),
}

impl AsyncPairing {
    /// Maximum number of decisions that run at a time, unless [`with_limit`](Self::with_limit) sets another.
    pub const LIMIT: usize = 64;

    /// Wraps a service.
    pub fn new(pairing: Pairing) -> Self {
        Self::with_limit(pairing, Self::LIMIT)
    }

    /// Wraps a service, of which at most `limit` decisions run at a time; at least one.
    pub fn with_limit(pairing: Pairing, limit: usize) -> Self {
        let limit = limit.clamp(1, Semaphore::MAX_PERMITS);
        let turns = Arc::new(Semaphore::new(limit));
        Self {
            pairing,
            limit,
            turns,
        }
    }

    /// The same service, whose decisions never wait for a lock: [`Pairing::never_waiting`]. Where somebody else holds
    /// one, a decision fails at once with `StoreError::Busy`.
    ///
    /// It has turns of its own, so none of its decisions waits behind one that waits for a lock. What remains to be
    /// waited for is the disk or the network.
    #[must_use]
    pub fn never_waiting(&self) -> Self {
        Self::with_limit(self.pairing.never_waiting(), self.limit)
    }

    /// The service itself, for calls that do not reach the store.
    pub fn pairing(&self) -> &Pairing {
        &self.pairing
    }

    /// A handle to an account. Reads nothing.
    pub fn account(&self, channel: &str, account: &str) -> Result<AsyncAccount, AccountError> {
        let account = self.pairing.channel(channel)?.account(account)?;
        Ok(AsyncAccount::new(self.clone(), account))
    }

    /// A handle to the clients that hold a token and no key: [`Pairing::bearers`]. Reads nothing.
    pub fn bearers(&self) -> Result<AsyncBearers, BearersOff> {
        let bearers = self.pairing.bearers()?;
        Ok(AsyncBearers::new(self.clone(), bearers))
    }

    /// Runs a closure over the service on the blocking pool.
    ///
    /// Waits for a turn first; dropping the future during that time starts nothing. Once begun, the closure runs to its
    /// end, whether or not the future is still awaited. Must be called within a tokio runtime.
    ///
    /// # Panics
    ///
    /// If the closure panics.
    pub async fn run<T: Send + 'static>(
        &self,
        decide: impl FnOnce(&Pairing) -> T + Send + 'static,
    ) -> Result<T, ShuttingDown> {
        // The semaphore is never closed.
        let Ok(turn) = self.turns.clone().acquire_owned().await else {
            return Err(ShuttingDown);
        };
        let pairing = self.pairing.clone();
        let running = spawn_blocking(move || {
            // The turn ends with the decision, not with the future that waits for it.
            let _turn = turn;
            decide(&pairing)
        });
        running.await.map_err(|error| match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => ShuttingDown,
        })
    }

    /// Runs a decision that may fail.
    async fn decide<T: Send + 'static, E: Error + Send + 'static>(
        &self,
        decide: impl FnOnce() -> Result<T, E> + Send + 'static,
    ) -> Result<T, AsyncError<E>> {
        match self.run(|_| decide()).await {
            Ok(decided) => decided.map_err(AsyncError::Decision),
            Err(ShuttingDown) => Err(AsyncError::ShuttingDown),
        }
    }
}

impl fmt::Debug for AsyncPairing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncPairing")
            .field("free_turns", &self.turns.available_permits())
            .finish_non_exhaustive()
    }
}
