//! The webhook: what the server delivers, until it is handed on.

use std::sync::{Mutex as StdMutex, MutexGuard, PoisonError};

use channel_kit::{Delivery, Webhook, WebhookHead};
use tokio::sync::{Mutex, Notify, mpsc};

use crate::BlueBubbles;
use crate::message::{Event, Message, event};

/// Messages that may wait to be handed on. With the longest texts, that is 4 MiB.
const WAITING: usize = 64;

/// The longest body. Servers send all that they know of a message and its attachments.
const LONGEST_BODY: usize = 1 << 20;

/// Messages that came by webhook.
pub(crate) struct Deliveries {
    sender: mpsc::Sender<Message>,
    receiver: Mutex<mpsc::Receiver<Message>>,
    /// Whether the server has to be asked for messages that were missed. While this is so, nothing that is delivered is
    /// taken, so that messages keep their order.
    is_behind: StdMutex<bool>,
    missed: Notify,
}

impl Default for Deliveries {
    fn default() -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        Self {
            sender,
            receiver: Mutex::new(receiver),
            is_behind: StdMutex::new(true),
            missed: Notify::new(),
        }
    }
}

impl Deliveries {
    /// Waits for the next message that is delivered.
    pub(crate) async fn next(&self) -> Option<Message> {
        self.receiver.lock().await.recv().await
    }

    /// The next message, if one was delivered already.
    pub(crate) async fn waiting(&self) -> Option<Message> {
        self.receiver.lock().await.try_recv().ok()
    }

    /// Waits until something was missed.
    pub(crate) async fn missed(&self) {
        self.missed.notified().await;
    }

    /// Notes whether the server has to be asked first.
    pub(crate) fn set_behind(&self, is_behind: bool) {
        *self.behind() = is_behind;
    }

    /// The server has to be asked again: what was delivered meanwhile is later than what is missed, and is asked for with it.
    pub(crate) async fn ask_again(&self) {
        let mut receiver = self.receiver.lock().await;
        let mut is_behind = self.behind();
        *is_behind = true;
        while receiver.try_recv().is_ok() {}
    }

    fn take(&self, message: Message) -> Delivery {
        let mut is_behind = self.behind();
        if *is_behind || self.sender.try_send(message).is_err() {
            *is_behind = true;
            self.missed.notify_one();
            return Delivery::Busy;
        }
        Delivery::Taken
    }

    fn behind(&self) -> MutexGuard<'_, bool> {
        self.is_behind
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Webhook for BlueBubbles {
    fn path(&self) -> &str {
        &self.webhook_path
    }

    fn admits(&self, head: &WebhookHead<'_>) -> bool {
        self.api.password().is_shown_by(head)
    }

    fn longest_body(&self) -> usize {
        LONGEST_BODY
    }

    fn receive(&self, body: &[u8]) -> Delivery {
        match event(body) {
            Event::New(message) => self.deliveries.take(message),
            Event::Other => Delivery::Taken,
            Event::Malformed => Delivery::Malformed,
        }
    }
}
