//! An account at a stand-in, which can be run again and again.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use channel_kit::{
    Adapter, InMemory, Inbound, Inbox, Incoming, Received, SavedText, Stop, StopSender,
};
use channel_signal::{Daemon, DaemonUrl, Number, Pace, Signal as Account, Surroundings};
use pairing_core::{AccountId, Clock, Entropy, EntropyError, ManualClock, Timestamp};
use test_support::signal::{ACCOUNT, Signal};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Nothing takes this long; a test that waits for it has failed.
pub(crate) const NEVER: Duration = Duration::from_secs(20);

/// Different each time, and the same in each run.
#[derive(Default)]
struct Counting(Mutex<u64>);

impl Entropy for Counting {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        let mut state = self.0.lock().unwrap();
        for byte in bytes {
            *state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            *byte = state.to_be_bytes()[0];
        }
        Ok(())
    }
}

struct Hands(Arc<ManualClock>);

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        self.0.now()
    }
}

pub(crate) struct Rig {
    pub(crate) signal: Signal,
    pub(crate) seen: Arc<InMemory>,
    pub(crate) people: Arc<InMemory>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) pace: Pace,
}

/// An account that runs.
pub(crate) struct Running {
    pub(crate) account: Arc<Account>,
    inbox: Received,
    stop: StopSender,
    task: JoinHandle<()>,
}

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
            Arc::new(Hands(self.clock.clone())),
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

impl Running {
    pub(crate) fn run(account: Account, places: usize) -> Self {
        let account = Arc::new(account);
        let (sender, inbox) = Inbox::new(places);
        let (stop, stopped) = Stop::new();
        let task = tokio::spawn(Arc::clone(&account).run(sender, stopped));
        Self {
            account,
            inbox,
            stop,
            task,
        }
    }

    pub(crate) async fn message(&mut self) -> Inbound {
        let next = timeout(NEVER, self.inbox.recv()).await;
        match next.expect("nothing comes in").expect("it has ended") {
            Incoming::Message(inbound) => inbound,
            Incoming::Pressed(pressed) => panic!("{pressed:?}"),
        }
    }

    pub(crate) async fn text(&mut self) -> String {
        self.message().await.text
    }

    pub(crate) async fn stop(self) {
        self.stop.stop();
        let ended = timeout(NEVER, self.task).await;
        ended.expect("it does not end").unwrap();
    }
}
