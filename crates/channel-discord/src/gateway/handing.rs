//! The queue between the session and the inbox, and what is saved before an event is handed on.

use std::sync::Arc;

use channel_kit::{Incoming, Slot};

use super::Keeper;

/// An event that waits for room in the inbox.
pub(super) struct Queued {
    seq: u64,
    epoch: u64,
    what: Incoming,
}

impl Keeper {
    pub(super) fn enqueue(&mut self, seq: u64, what: Incoming) {
        let epoch = self.epoch;
        self.queue.push_back(Queued { seq, epoch, what });
    }

    /// Moves the oldest event of the queue into the inbox.
    pub(super) async fn hand_over(&mut self, slot: Slot) {
        let Some(next) = self.queue.pop_front() else {
            return;
        };
        self.note_at(Some(&next)).await;
        slot.put(next.what);
        self.bot.status.received(self.bot.clock.now());
    }

    pub(super) async fn note(&mut self) {
        self.note_at(None).await;
    }

    /// Saves the session with the number up to which everything has been handed on, or is, now, with `next`.
    async fn note_at(&mut self, next: Option<&Queued>) {
        let Some(mut session) = self.session.clone() else {
            return;
        };
        let waiting = self.queue.iter().find(|queued| queued.epoch == self.epoch);
        let next = next.filter(|queued| queued.epoch == self.epoch);
        session.seq = match (next, waiting) {
            (Some(next), Some(_)) => next.seq,
            (None, Some(waiting)) => waiting.seq.saturating_sub(1),
            (_, None) => session.seq,
        };
        let bot = Arc::clone(&self.bot);
        let save = move || session.save(&*bot.saved, &bot.mark());
        // Saving blocks on a disk.
        if let Ok(saved) = tokio::task::spawn_blocking(save).await {
            self.bot.status.saved(&saved);
            match saved {
                Ok(()) => self.troubles.noted(),
                Err(error) => self.troubles.not_noted(&error),
            }
        }
    }
}
