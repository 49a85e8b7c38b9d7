//! A number at a stand-in, which can be run again and again.

use std::sync::Arc;
use std::time::Duration;

use channel_kit::{Adapter as _, Connection, Delivery, InMemory, SavedText, WebhookHead};
use channel_whatsapp::{
    AccessToken, ApiRoot, AppSecret, Credentials, Pace, PhoneNumberId, Surroundings, VerifyToken,
    WhatsApp as Account,
};
use pairing_core::{AccountId, ManualClock, Timestamp};
use serde_json::Value;
use test_support::whatsapp::{APP_SECRET, NUMBER_ID, TOKEN, VERIFY_TOKEN, WhatsApp, signature};
use test_support::{Counting, RunningAdapter};

/// Nothing takes this long; a test that waits for it has failed.
pub(crate) const NEVER: Duration = Duration::from_secs(20);

/// The time of the stand-in and of the account, in seconds.
pub(crate) const NOW: i64 = 1_795_353_726;

pub(crate) struct Rig {
    pub(crate) whatsapp: WhatsApp,
    pub(crate) saved: Arc<InMemory>,
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
        pace.check = Duration::from_secs(3600);
        let whatsapp = WhatsApp::start().await;
        whatsapp.set_now(NOW);
        Self {
            whatsapp,
            saved: Arc::default(),
            clock: Arc::new(ManualClock::new(Timestamp::from_millis(NOW * 1000))),
            pace,
        }
    }

    pub(crate) fn account(&self) -> Account {
        self.account_of(NUMBER_ID, &self.whatsapp.root(), TOKEN)
    }

    pub(crate) fn account_of(&self, number: &str, root: &str, token: &str) -> Account {
        let saved: Arc<dyn SavedText> = self.saved.clone();
        let surroundings =
            Surroundings::new(saved, self.clock.clone(), Arc::new(Counting::default()));
        self.build((number, root, token), surroundings)
    }

    pub(crate) fn account_with(&self, surroundings: Surroundings) -> Account {
        self.build((NUMBER_ID, &self.whatsapp.root(), TOKEN), surroundings)
    }

    fn build(
        &self,
        (number, root, token): (&str, &str, &str),
        surroundings: Surroundings,
    ) -> Account {
        let credentials = Credentials::new(
            AccessToken::parse(token).unwrap(),
            AppSecret::parse(APP_SECRET).unwrap(),
            VerifyToken::parse(VERIFY_TOKEN).unwrap(),
        );
        let number = PhoneNumberId::parse(number).unwrap();
        let root = ApiRoot::parse(root).unwrap();
        Account::new(
            AccountId::default(),
            number,
            credentials,
            root,
            surroundings,
        )
        .unwrap()
        .pace(self.pace.clone())
    }

    /// Runs the account, and waits until Meta has accepted it.
    pub(crate) async fn listening(&self) -> Running {
        let running = Running::run(self.account(), 16);
        connected(&running).await;
        running
    }
}

/// Waits until the account is connected.
pub(crate) async fn connected(running: &Running) {
    let wait = async {
        while running.adapter.status().connection != Connection::Connected {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(NEVER, wait).await.unwrap();
}

/// Hands a body to an account, as the gateway does.
pub(crate) fn deliver(running: &Running, body: &Value) -> Delivery {
    deliver_to(&running.adapter, &body.to_string())
}

pub(crate) fn deliver_to(account: &Account, body: &str) -> Delivery {
    let signature = signature(body.as_bytes(), APP_SECRET);
    let header = |name: &str| (name == "x-hub-signature-256").then_some(signature.as_str());
    let head = WebhookHead::new(None, &header);
    let webhook = account.webhook().unwrap();
    assert!(webhook.admits(&head) && webhook.is_signed(&head, body.as_bytes()));
    webhook.receive(body.as_bytes())
}

/// Hands a body to an account, which takes it.
pub(crate) fn delivered(running: &Running, body: &Value) {
    assert_eq!(deliver(running, body), Delivery::Taken);
}
