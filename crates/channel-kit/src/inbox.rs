//! The bounded queue between an adapter and its reader.

use tokio::sync::mpsc;

use crate::Incoming;

/// The writing end: an adapter puts here what it receives. When the queue is full, the adapter waits.
#[derive(Debug, Clone)]
pub struct Inbox(mpsc::Sender<Incoming>);

/// The reading end of an [`Inbox`].
#[derive(Debug)]
pub struct Received(mpsc::Receiver<Incoming>);

/// A reserved slot of an inbox. Filling it does not wait.
#[derive(Debug)]
pub struct Slot(mpsc::OwnedPermit<Incoming>);

impl Inbox {
    /// A queue that holds at most `slots` entries (at least one).
    pub fn new(slots: usize) -> (Self, Received) {
        let (sender, receiver) = mpsc::channel(slots.max(1));
        (Self(sender), Received(receiver))
    }

    /// Adds an entry, once there is room. Returns `false` when the reader is gone.
    pub async fn put(&self, incoming: Incoming) -> bool {
        self.0.send(incoming).await.is_ok()
    }

    /// Waits for room and reserves it; fill the slot later without waiting. `None` when the reader is gone.
    pub async fn reserve(&self) -> Option<Slot> {
        self.0.clone().reserve_owned().await.ok().map(Slot)
    }
}

impl Received {
    /// The next entry; `None` when all writers are gone and the queue is empty.
    pub async fn recv(&mut self) -> Option<Incoming> {
        self.0.recv().await
    }

    /// The next entry, if one is queued.
    pub fn try_recv(&mut self) -> Option<Incoming> {
        self.0.try_recv().ok()
    }
}

impl Slot {
    /// Fills the slot.
    pub fn put(self, incoming: Incoming) {
        self.0.send(incoming);
    }
}
