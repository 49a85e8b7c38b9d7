//! The service as the cases use it, with a clock that stands still and repeatable entropy.

use std::sync::Arc;
use std::time::Duration;

use pairing_core::store::PendingRequest;
use pairing_core::{
    Account, Approver, Channel, Channels, Created, DecisionError, Entropy, Limits, ManualClock,
    Pairing, PairingBuilder, PairingStore, Requested, StoreError, Timestamp,
};

use crate::Fixture;
use crate::fixture::{at, seeded};

/// A service over one handle, and its clock.
pub(crate) struct Bot {
    pub(crate) pairing: Pairing,
    pub(crate) clock: Arc<ManualClock>,
}

impl Bot {
    pub(crate) fn new(fixture: &Fixture) -> Self {
        Self::over(fixture.open())
    }

    pub(crate) fn over(store: impl PairingStore + 'static) -> Self {
        Self::with(store, Arc::new(ManualClock::new(at(0))), seeded(1))
    }

    /// Returns another service on the same state, with the same clock.
    pub(crate) fn another(&self, fixture: &Fixture, seed: u64) -> Self {
        Self::with(fixture.open(), self.clock.clone(), seeded(seed))
    }

    pub(crate) fn with(
        store: impl PairingStore + 'static,
        clock: Arc<ManualClock>,
        entropy: impl Entropy + 'static,
    ) -> Self {
        let builder = PairingBuilder::new(store, clock.clone(), entropy)
            .channels(Channels::builtin())
            .limits(Limits::default().with_max_bearers(4))
            .bearer_clients(true);
        let pairing = builder.build();
        Self { pairing, clock }
    }

    pub(crate) fn channel(&self, name: &str) -> Channel {
        self.pairing.channel(name).unwrap()
    }

    pub(crate) fn account(&self, channel: &str, account: &str) -> Account {
        self.channel(channel).account(account).unwrap()
    }

    /// Returns the account that most cases use.
    pub(crate) fn telegram(&self) -> Account {
        self.account("telegram", "default")
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.pairing.now()
    }

    pub(crate) fn wait(&self, millis: u64) {
        self.clock.advance(Duration::from_millis(millis));
    }
}

pub(crate) const MINUTE: u64 = 60_000;
pub(crate) const HOUR: u64 = 60 * MINUTE;

pub(crate) fn owner() -> Approver {
    Approver::terminal("ann")
}

/// Sends a request, and expects a new one to be created.
#[track_caller]
pub(crate) fn create(account: &Account, sender: &str) -> Created {
    match account.request_or_reuse(sender).unwrap() {
        Requested::Created(created) => created,
        other => panic!("{other:?}"),
    }
}

/// Sends a request, and expects the pending one to be reused.
#[track_caller]
pub(crate) fn reuse(account: &Account, sender: &str) -> PendingRequest {
    match account.request_or_reuse(sender).unwrap() {
        Requested::Pending(request) => request,
        other => panic!("{other:?}"),
    }
}

/// Sends a request, and expects it to be turned away.
#[track_caller]
pub(crate) fn turned_away(account: &Account, sender: &str) {
    let requested = account.request_or_reuse(sender).unwrap();
    assert!(matches!(requested, Requested::Full), "{requested:?}");
}

/// Returns the senders of pending requests, sorted.
pub(crate) fn waiting(account: &Account) -> Vec<String> {
    let requests = account.pending().unwrap().requests;
    let mut senders: Vec<_> = requests.iter().map(|r| r.sender.to_string()).collect();
    senders.sort();
    senders
}

/// Returns the entries of the allowlist, sorted.
pub(crate) fn allowlist(account: &Account) -> Vec<String> {
    let entries = account.allowed().unwrap().entries;
    let mut entries: Vec<_> = entries.iter().map(|e| e.entry.to_string()).collect();
    entries.sort();
    entries
}

/// A code that no case ever draws: `from_entropy` of a seeded generator does not yield eight equal
/// characters.
pub(crate) const WRONG: &str = "AAAAAAAA";

#[track_caller]
pub(crate) fn assert_not_found<T: std::fmt::Debug>(result: Result<T, DecisionError>) {
    assert!(
        matches!(result, Err(DecisionError::NotFound { .. })),
        "{result:?}"
    );
}

#[track_caller]
pub(crate) fn assert_locked_out<T: std::fmt::Debug>(
    result: Result<T, DecisionError>,
    expected: Timestamp,
) {
    match result {
        Err(DecisionError::LockedOut { until }) => assert_eq!(until, expected),
        other => panic!("{other:?}"),
    }
}

pub(crate) fn is_write_error(error: &StoreError) -> bool {
    matches!(error, StoreError::Unwritable { .. })
}
