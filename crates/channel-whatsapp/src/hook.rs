//! The webhook: what Meta delivers, until it is handed on.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use channel_kit::{Delivery, Verification, Webhook, WebhookHead};
use pairing_core::Clock as _;
use percent_encoding::percent_decode_str;
use tokio::sync::mpsc;

use crate::WhatsApp;
use crate::event::{self, Event, Failure};
use crate::progress::Progress;
use crate::signature::{HEADER, Signature};

/// Messages that may wait to be handed on. With the longest texts, that is 16 MiB.
const WAITING: usize = 1024;

/// The longest body that Meta sends.
const LONGEST_BODY: usize = 3 << 20;

/// The longest text that is sent back when the webhook is set up.
const LONGEST_CHALLENGE: usize = 256;

/// What was delivered, and waits.
#[derive(Debug)]
pub(crate) enum Waiting {
    Event(Event),
    Failure(Failure),
    /// Somebody wrote whose number WhatsApp does not tell.
    Nameless,
}

/// What came by webhook.
pub(crate) struct Deliveries {
    sender: mpsc::Sender<Waiting>,
    receiver: tokio::sync::Mutex<mpsc::Receiver<Waiting>>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// `None` while the adapter does not run.
    progress: Option<Progress>,
    /// The ids of messages that wait.
    waiting: HashSet<String>,
}

impl Default for Deliveries {
    fn default() -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        Self {
            sender,
            receiver: tokio::sync::Mutex::new(receiver),
            known: Mutex::default(),
        }
    }
}

impl Deliveries {
    /// Takes deliveries from now on.
    pub(crate) fn open(&self, progress: Progress) {
        self.known().progress = Some(progress);
    }

    /// Takes none any more. What waits can still be handed on.
    pub(crate) fn close(&self) -> Progress {
        self.known().progress.take().unwrap_or_default()
    }

    /// What was delivered next.
    pub(crate) async fn next(&self) -> Option<Waiting> {
        self.receiver.lock().await.recv().await
    }

    /// What was delivered already.
    pub(crate) fn waiting(&self) -> Option<Waiting> {
        self.receiver.try_lock().ok()?.try_recv().ok()
    }

    /// Notes that a message is handed on now; returns what is to be saved. `number` is the mark of the number.
    pub(crate) fn note(&self, event: &Event, now: i64, number: &str) -> Option<String> {
        let mut known = self.known();
        known.waiting.remove(&event.id);
        let progress = known.progress.as_mut()?;
        progress.add(&event.id, event.at, now);
        Some(progress.text(number))
    }

    /// Forgets what waits, once nobody takes it any more.
    pub(crate) fn forget(&self) {
        while self.waiting().is_some() {}
        self.known().waiting.clear();
    }

    /// Takes the messages that are new, as far as there is room for them. Those for which there is none are delivered
    /// again, and the others are known then.
    fn take(&self, delivered: event::Delivered, now: i64) -> Delivery {
        let mut known = self.known();
        let Known { progress, waiting } = &mut *known;
        let Some(progress) = progress else {
            return Delivery::Busy;
        };
        for event in delivered.events {
            if progress.knows(&event.id, event.at, now) || waiting.contains(&event.id) {
                continue;
            }
            let id = event.id.clone();
            if self.sender.try_send(Waiting::Event(event)).is_err() {
                return Delivery::Busy;
            }
            waiting.insert(id);
        }
        // These are only told to the owner: nothing is lost where there is no room for one.
        let nameless = (delivered.nameless > 0).then_some(Waiting::Nameless);
        let failures = delivered.failures.into_iter().map(Waiting::Failure);
        for told in failures.chain(nameless) {
            let _ = self.sender.try_send(told);
        }
        Delivery::Taken
    }

    /// Each change is complete, so a poisoned lock does no harm.
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Webhook for WhatsApp {
    fn path(&self) -> &str {
        &self.webhook_path
    }

    fn admits(&self, head: &WebhookHead<'_>) -> bool {
        signature(head).is_some()
    }

    fn longest_body(&self) -> usize {
        LONGEST_BODY
    }

    fn is_signed(&self, head: &WebhookHead<'_>, body: &[u8]) -> bool {
        signature(head).is_some_and(|signature| signature.is_of(body, &self.app_secret))
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn receive(&self, body: &[u8]) -> Delivery {
        let Some(delivered) = event::read(body, self.api.number()) else {
            return Delivery::Malformed;
        };
        if delivered.is_others && !delivered.is_ours {
            return Delivery::Elsewhere;
        }
        let now = self.clock.now().as_millis() / 1000;
        self.deliveries.take(delivered, now)
    }

    fn verify(&self, head: &WebhookHead<'_>) -> Verification {
        let shown = value_of(head, "hub.verify_token").unwrap_or_default();
        // Compared in any case, so that the time says nothing.
        let is_ours = self.verify_token.is(&shown);
        let is_asked = value_of(head, "hub.mode").as_deref() == Some(b"subscribe");
        let challenge = value_of(head, "hub.challenge");
        let challenge = challenge.and_then(|bytes| String::from_utf8(bytes).ok());
        match challenge.filter(|text| is_ours && is_asked && is_challenge(text)) {
            Some(challenge) => Verification::Answer(challenge),
            None => Verification::Refused,
        }
    }
}

fn signature(head: &WebhookHead<'_>) -> Option<Signature> {
    Signature::parse(head.header(HEADER)?)
}

/// The value of a parameter, if it is there once.
fn value_of(head: &WebhookHead<'_>, name: &str) -> Option<Vec<u8>> {
    let mut found = head
        .query
        .unwrap_or_default()
        .split('&')
        .filter_map(|parameter| {
            let (known, value) = parameter.split_once('=')?;
            let known: Vec<u8> = percent_decode_str(known).collect();
            (known == name.as_bytes()).then_some(value)
        });
    let value = found.next().filter(|_| found.next().is_none())?;
    Some(percent_decode_str(&value.replace('+', " ")).collect())
}

/// What Meta asks to be sent back is a number. Nothing that could be a page is.
fn is_challenge(text: &str) -> bool {
    let is_kept = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    (1..=LONGEST_CHALLENGE).contains(&text.len()) && text.bytes().all(is_kept)
}
