//! A store of async functions keeps the contract, and fails where its runtime does not answer.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "the lints know tests by their attribute, and helpers have none"
)]

use std::error::Error as _;
use std::future::pending;
use std::sync::LazyLock;
use std::time::Duration;

use pairing_async::{AsyncPairing, AsyncStore, Bridge};
use pairing_conformance::{Fixture, conformance, seeded};
use pairing_core::store::{Batch, Changed, Changes, Page, PageRequest, Position, Read};
use pairing_core::{
    AdmitError, Approver, AttemptsLeft, Key, ManualClock, MemoryStore, Pairing, PairingStore as _,
    Range, Requested, StoreError, Timestamp,
};
use tokio::runtime::{Handle, Runtime};
use tokio::sync::Notify;
use tokio::task::yield_now;
use tokio::time::timeout;

/// Yields before every operation, as a driver does.
#[derive(Default)]
struct Yielding {
    memory: MemoryStore,
    changed: Notify,
}

impl AsyncStore for Yielding {
    async fn read(&self, key: &Key) -> Result<Read, StoreError> {
        yield_now().await;
        self.memory.read(key)
    }

    async fn range(&self, range: &Range, page: &PageRequest) -> Result<Page, StoreError> {
        yield_now().await;
        self.memory.range(range, page)
    }

    async fn commit(&self, batch: &Batch) -> Result<(), StoreError> {
        yield_now().await;
        self.memory.commit(batch)?;
        self.changed.notify_waiters();
        Ok(())
    }

    async fn changes(
        &self,
        after: Option<Position>,
        patience: Duration,
    ) -> Result<Changes, StoreError> {
        let changed = self.changed.notified();
        let changes = self.memory.changes(after, Duration::ZERO)?;
        let is_news = !matches!(&changes.changed, Changed::Keys(keys) if keys.is_empty());
        if after.is_none() || is_news || timeout(patience, changed).await.is_err() {
            return Ok(changes);
        }
        self.memory.changes(after, Duration::ZERO)
    }
}

/// Shared by the cases, which run on threads of their own.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_time().build().unwrap()
});

fn bridged() -> Fixture {
    Fixture::shared(Bridge::new(Yielding::default(), RUNTIME.handle().clone()))
}

conformance!(bridged());

/// Never answers.
struct Silent;

impl AsyncStore for Silent {
    async fn read(&self, _: &Key) -> Result<Read, StoreError> {
        pending().await
    }

    async fn range(&self, _: &Range, _: &PageRequest) -> Result<Page, StoreError> {
        pending().await
    }

    async fn commit(&self, _: &Batch) -> Result<(), StoreError> {
        pending().await
    }

    async fn changes(&self, _: Option<Position>, _: Duration) -> Result<Changes, StoreError> {
        panic!("a driver that breaks")
    }
}

fn over(store: impl pairing_core::PairingStore + 'static) -> AsyncPairing {
    let clock = ManualClock::new(Timestamp::from_millis(1_800_000_000_000));
    AsyncPairing::new(Pairing::new(store, clock, seeded(1)))
}

#[test]
fn an_operation_that_does_not_end_is_an_error_that_says_so() {
    let silent = Bridge::new(Silent, RUNTIME.handle().clone()).patience(Duration::from_millis(1));
    let error = silent.commit(&Batch::default()).unwrap_err();
    assert!(matches!(error, StoreError::Unwritable { .. }), "{error}");
    let cause = error.source().unwrap().to_string();
    assert_eq!(cause, "no answer within 1 ms");
    let error = silent.changes(None, Duration::ZERO).unwrap_err();
    assert!(error.is_unavailable(), "{error}");
}

#[test]
fn a_runtime_that_is_gone_is_an_error() {
    let runtime = Runtime::new().unwrap();
    let bridge = Bridge::new(Yielding::default(), runtime.handle().clone());
    drop(runtime);
    let gate = over(bridge).account("telegram", "default").unwrap();
    let admitted = gate.account().admit("1");
    assert!(matches!(
        admitted,
        Err(AdmitError::Store(StoreError::Unreachable { .. }))
    ));
}

#[tokio::test]
async fn a_call_on_the_only_thread_of_a_runtime_fails_and_does_not_hang() {
    let bridge = Bridge::new(Yielding::default(), Handle::current());
    let bridge = bridge.patience(Duration::from_millis(1));
    assert!(over(bridge).pairing().probe().is_err());
}

#[tokio::test]
async fn from_async_code_to_an_async_store_on_one_thread() {
    let bridge = Bridge::new(Yielding::default(), Handle::current());
    let gate = over(bridge).account("telegram", "default").unwrap();
    let Requested::Created(created) = gate.request_or_reuse("1").await.unwrap() else {
        panic!("nobody has asked before")
    };
    let code = created.request.code.as_str();
    let wrong = if code == "AAAAAAAA" {
        "BBBBBBBB"
    } else {
        "AAAAAAAA"
    };
    gate.redeem("1", wrong).await.unwrap_err();
    let sender = &created.request.sender;
    let AttemptsLeft { left, .. } = gate.attempts_of(sender).await.unwrap();
    assert_eq!(left, Some(9));
    assert!(gate.entry("1").await.unwrap().is_none());
    let approved = gate.redeem("1", code).await.unwrap();
    assert_eq!(
        gate.entry("1").await.unwrap().as_ref(),
        Some(&approved.entry)
    );
    let owner = Approver::terminal("ann");
    assert_eq!(gate.attempts(&owner).await.unwrap().left, None);
}
