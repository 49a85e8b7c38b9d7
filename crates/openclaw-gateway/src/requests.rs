//! Pairing requests as the rest of the gateway hears of them, whoever decides about them.

use gateway_protocol::event::Decision;
use pairing_core::device::DeviceRequest;
use pairing_core::store::PendingRequest;
use tokio::sync::{Notify, broadcast};

/// Tells the gateway's own listeners about pairing requests. The feed tells, the notices to owners listen.
pub(crate) struct Requests {
    news: broadcast::Sender<News>,
    read: Notify,
}

/// One piece of news.
#[derive(Debug, Clone)]
pub(crate) enum News {
    /// A request has come, or a setup code has been used.
    Asks,
    /// A device's request has ended with this decision.
    Device(Box<DeviceRequest>, Decision),
    /// A sender's request has ended with this decision.
    Sender(Box<PendingRequest>, Decision),
}

/// Capacity of the queue. A receiver that misses some reads the store instead.
const CAPACITY: usize = 64;

impl Requests {
    pub(crate) fn new() -> Self {
        Self {
            news: broadcast::channel(CAPACITY).0,
            read: Notify::new(),
        }
    }

    /// Tells everybody who listens. There may be nobody.
    pub(crate) fn tell(&self, news: News) {
        let _ = self.news.send(news);
    }

    /// Everything that is told from now on.
    pub(crate) fn listen(&self) -> broadcast::Receiver<News> {
        self.news.subscribe()
    }

    /// The feed has read the requests again.
    pub(crate) fn note_read(&self) {
        self.read.notify_one();
    }

    /// Waits until the feed has read the requests again. One task may wait.
    pub(crate) async fn have_been_read(&self) {
        self.read.notified().await;
    }
}
