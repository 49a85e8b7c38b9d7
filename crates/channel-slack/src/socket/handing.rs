//! From an envelope to the inbox: what is new, whose it is, and what is noted before it is handed on.

use std::sync::Arc;

use channel_kit::{Incoming, Slot};

use super::Keeper;
use crate::envelope::{Content, Envelope};

/// Something new that waits for room in the inbox.
pub(super) struct Next {
    /// The id by which it is recognised when it comes again.
    id: Box<str>,
    what: Incoming,
}

impl Keeper {
    /// Looks into an envelope.
    pub(super) fn take(&mut self, envelope: Envelope) {
        let now = self.bot.clock.now();
        let Some(me) = self.bot.me() else { return };
        let (id, what) = match envelope.content {
            Content::Message(event, message) => {
                let Some(inbound) = message.inbound(&me, self.bot.allows_bots, now) else {
                    return;
                };
                (event, Incoming::Message(inbound))
            }
            Content::Pressed(press) => {
                let Some(pressed) = press.pressed(&me) else {
                    return;
                };
                (envelope.id, Incoming::Pressed(pressed))
            }
            Content::Command(command) => {
                if command.is_for(&me) && self.recent.is_new(&envelope.id, now) {
                    self.bot.commands.given(&command.channel, &command.user);
                    let inbound = command.inbound(&envelope.id, now);
                    let (id, what) = (envelope.id, Incoming::Message(inbound));
                    self.next = Some(Next { id, what });
                }
                return;
            }
            Content::Other => return,
        };
        if self.recent.is_new(&id, now) {
            if let Incoming::Message(inbound) = &what {
                self.bot.commands.said(&inbound.chat.chat);
            }
            self.next = Some(Next { id, what });
        }
    }

    /// Moves what waits into the inbox. It is noted before: better a message that has to be repeated than a command that
    /// is carried out twice.
    pub(super) async fn hand_over(&mut self, slot: Slot) {
        let Some(mut next) = self.next.take() else {
            return;
        };
        if let Incoming::Message(inbound) = &mut next.what
            && inbound.meta.is_empty()
        {
            inbound.meta = self.names.of(&self.bot, &inbound.sender).await;
        }
        let now = self.bot.clock.now();
        self.seen.add(&next.id, now);
        let text = self.seen.text(&self.bot.mark());
        let bot = Arc::clone(&self.bot);
        // Saving blocks on a disk.
        if let Ok(saved) = tokio::task::spawn_blocking(move || bot.saved.save(&text)).await {
            self.bot.status.saved(&saved);
            match saved {
                Ok(()) => self.troubles.noted(),
                Err(error) => self.troubles.not_noted(&error),
            }
        }
        slot.put(next.what);
        self.bot.status.received(now);
    }
}
