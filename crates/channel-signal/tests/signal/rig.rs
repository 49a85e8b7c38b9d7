//! An account at a stand-in, which can be run again and again.

use std::sync::Arc;
use std::time::Duration;

use channel_kit::{InMemory, SavedText};
use channel_signal::{Daemon, DaemonUrl, Number, Pace, Signal as Account, Surroundings};
use pairing_core::{AccountId, ManualClock, Timestamp};
use test_support::signal::{ACCOUNT, Signal};
use test_support::{Counting, RunningAdapter};

/// Nothing takes this long; a test that waits for it has failed.
pub(crate) const NEVER: Duration = Duration::from_secs(20);

pub(crate) struct Rig {
    pub(crate) signal: Signal,
    pub(crate) seen: Arc<InMemory>,
    pub(crate) people: Arc<InMemory>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) pace: Pace,
}

/// An account that runs.
pub(crate) type Running = RunningAdapter<Account>;

impl Rig {
    pub(crate) async fn new() -> Self {
        let mut pace = Pace::default();
        pace.backoff = [Duration::from_millis(2), Duration::from_millis(8)];
        pace.steady = Duration::ZERO;
        Self {
            signal: Signal::start().await,
            seen: Arc::default(),
            people: Arc::default(),
            clock: Arc::new(ManualClock::new(Timestamp::from_millis(1_795_353_726_325))),
            pace,
        }
    }

    pub(crate) fn account(&self) -> Account {
        self.account_at(self.signal.root(), Some(ACCOUNT))
    }

    pub(crate) fn account_at(&self, root: &str, number: Option<&str>) -> Account {
        let seen: Arc<dyn SavedText> = self.seen.clone();
        let people: Arc<dyn SavedText> = self.people.clone();
        let surroundings = Surroundings::new(
            seen,
            people,
            self.clock.clone(),
            Arc::new(Counting::default()),
        );
        let number = number.map(|number| Number::parse(number).unwrap());
        let url = DaemonUrl::parse(root).unwrap();
        Account::new(AccountId::default(), number, url, surroundings)
            .unwrap()
            .pace(self.pace.clone())
    }

    /// Runs the account, and waits until it listens.
    pub(crate) async fn listening(&self, opened: usize) -> Running {
        let running = Running::run(self.account(), 16);
        self.signal.opened(opened).await;
        running
    }

    pub(crate) fn with_daemon(&self, daemon: Daemon) -> Running {
        Running::run(self.account().start(daemon), 16)
    }
}
