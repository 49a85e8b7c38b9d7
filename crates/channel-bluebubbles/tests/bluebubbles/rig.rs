//! An account at a stand-in, which can be run again and again.

use std::sync::Arc;
use std::time::Duration;

use channel_bluebubbles::{BlueBubbles as Account, Pace, Password, ServerUrl, Surroundings};
use channel_kit::{Adapter as _, Delivery, InMemory, SavedText};
use pairing_core::{AccountId, ManualClock, Timestamp};
use serde_json::Value;
use test_support::bluebubbles::{BlueBubbles, PASSWORD};
use test_support::{Counting, RunningAdapter};

/// Nothing takes this long; a test that waits for it has failed.
pub(crate) const NEVER: Duration = Duration::from_secs(20);

pub(crate) struct Rig {
    pub(crate) server: BlueBubbles,
    pub(crate) seen: Arc<InMemory>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) pace: Pace,
}

/// An account that runs.
pub(crate) type Running = RunningAdapter<Account>;

impl Rig {
    pub(crate) async fn new() -> Self {
        let mut pace = Pace::default();
        pace.backoff = [Duration::from_millis(2), Duration::from_millis(8)];
        // Longer than any test: it asks when it has a reason.
        pace.poll = Duration::from_secs(3600);
        Self {
            server: BlueBubbles::start().await,
            seen: Arc::default(),
            clock: Arc::new(ManualClock::new(Timestamp::from_millis(1_795_353_800_000))),
            pace,
        }
    }

    pub(crate) fn account(&self) -> Account {
        self.account_at(self.server.root(), PASSWORD)
    }

    pub(crate) fn account_at(&self, root: &str, password: &str) -> Account {
        let seen: Arc<dyn SavedText> = self.seen.clone();
        let surroundings =
            Surroundings::new(seen, self.clock.clone(), Arc::new(Counting::default()));
        let url = ServerUrl::parse(root).unwrap();
        let password = Password::parse(password).unwrap();
        Account::new(AccountId::default(), url, password, surroundings)
            .unwrap()
            .pace(self.pace.clone())
    }

    /// Runs the account, and waits until it has asked for what it missed.
    pub(crate) async fn listening(&self) -> Running {
        self.server.forget_requests();
        let running = Running::run(self.account(), 16);
        self.asked().await;
        running
    }

    /// Waits until the account has asked for what it missed.
    pub(crate) async fn asked(&self) {
        while self.server.requested("POST message/query").await["sort"] != "ASC" {}
    }
}

/// Hands the body of a webhook to an account.
pub(crate) fn deliver(running: &Running, event: &Value) -> Delivery {
    running
        .adapter
        .webhook()
        .unwrap()
        .receive(event.to_string().as_bytes())
}

/// Hands the body of a webhook to an account, which takes it.
pub(crate) fn delivered(running: &Running, event: &Value) {
    assert_eq!(deliver(running, event), Delivery::Taken);
}
