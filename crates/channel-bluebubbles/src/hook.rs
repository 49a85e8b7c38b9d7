//! The webhook: what the server delivers, until it is handed on.

use std::sync::atomic::{AtomicBool, Ordering};

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
    /// Whether the server has to be asked for what is missed. Until then nothing is taken, so that messages keep
    /// their order.
    is_behind: AtomicBool,
    missed: Notify,
}

impl Default for Deliveries {
    fn default() -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        Self {
            sender,
            receiver: Mutex::new(receiver),
            is_behind: AtomicBool::new(true),
            missed: Notify::new(),
        }
    }
}

impl Deliveries {
    /// The next message that was delivered.
    pub(crate) async fn next(&self) -> Option<Message> {
        self.receiver.lock().await.recv().await
    }

    /// The next message that was delivered already.
    pub(crate) async fn waiting(&self) -> Option<Message> {
        self.receiver.lock().await.try_recv().ok()
    }

    /// Waits until something was missed.
    pub(crate) async fn missed(&self) {
        self.missed.notified().await;
    }

    /// Notes whether the server has to be asked first.
    pub(crate) fn set_behind(&self, is_behind: bool) {
        self.is_behind.store(is_behind, Ordering::SeqCst);
    }

    fn take(&self, message: Message) -> Delivery {
        if self.is_behind.load(Ordering::SeqCst) || self.sender.try_send(message).is_err() {
            self.set_behind(true);
            self.missed.notify_one();
            return Delivery::Busy;
        }
        Delivery::Taken
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
