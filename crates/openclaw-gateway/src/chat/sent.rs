//! Messages that are changed or deleted later: setup codes, and notices with buttons.

use pairing_core::{AccountId, ChannelId};
use serde::{Deserialize, Serialize};

use super::asking::RequestRef;
use super::decide::GONE;
use super::{Commands, fit};
use channel_kit::{Adapter, MessageId, Pressed, SendError, Target};
use gateway_channels::OwnerMessage;

/// `chat-messages.json`: survives a restart, so that no setup code stays in a chat because of one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Sent {
    version: u32,
    messages: Vec<Message>,
}

impl Default for Sent {
    fn default() -> Self {
        Self {
            version: 1,
            messages: Vec::new(),
        }
    }
}

/// A message that was sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Message {
    pub(super) about: RequestRef,
    /// Its subject, in words; empty for a setup code.
    #[serde(default)]
    title: String,
    channel: ChannelId,
    account_id: AccountId,
    chat: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    thread: Option<String>,
    #[serde(rename = "messageId")]
    id: String,
    /// Number of failed attempts to delete or to replace it.
    #[serde(default)]
    failures: u32,
}

/// Maximum number of recorded messages; the oldest are forgotten.
const MOST: usize = 256;

/// Maximum number of attempts to delete or replace a message; there is one in each pass, and at least one every
/// [`super::alerts::EVERY`].
const ATTEMPTS: u32 = 20;

/// Number of decisions that are remembered for buttons that are pressed late.
const SETTLED: usize = 64;

fn not_run() -> SendError {
    SendError::Unavailable {
        reason: "the account does not run".to_owned(),
    }
}

impl Message {
    fn at(&self) -> (Target, MessageId) {
        let chat = Target {
            chat: self.chat.clone(),
            thread: self.thread.clone(),
        };
        (chat, MessageId(self.id.clone()))
    }
}

impl Commands {
    /// Records a message to an owner.
    pub(super) async fn remember(
        &self,
        owner: &OwnerMessage,
        about: RequestRef,
        title: String,
        message: MessageId,
    ) {
        self.remember_at(&*owner.adapter, &owner.chat, about, title, message)
            .await;
    }

    pub(super) async fn remember_at(
        &self,
        adapter: &dyn Adapter,
        chat: &Target,
        about: RequestRef,
        title: String,
        message: MessageId,
    ) {
        if matches!(about, RequestRef::Code(_)) && !adapter.can().deletion {
            return;
        }
        let message = Message {
            about: about.clone(),
            title,
            channel: adapter.channel().clone(),
            account_id: adapter.account().clone(),
            chat: chat.chat.clone(),
            thread: chat.thread.clone(),
            id: message.0,
            failures: 0,
        };
        let remember = |sent: &mut Sent| {
            sent.messages.push(message);
            let over = sent.messages.len().saturating_sub(MOST);
            sent.messages.drain(..over);
        };
        // A failed write is logged; the record then lasts until the gateway ends.
        let _ = self.0.sent.change(remember).await;
        // If the decision came while this message was being sent, it did not know of the message yet.
        if let Some(text) = self.settled_text(&about) {
            self.show(&about, &text, None).await;
        }
    }

    /// Shows a decision in all messages about a request, except the one whose button was pressed; the caller
    /// replaces that.
    pub(super) async fn settle(
        &self,
        about: &RequestRef,
        text: &str,
        but: Option<(&OwnerMessage, &Pressed)>,
    ) {
        if let Ok(mut settled) = self.0.settled.lock() {
            settled.push_back((about.clone(), text.to_owned()));
            if settled.len() > SETTLED {
                settled.pop_front();
            }
        }
        self.show(about, text, but).await;
    }

    /// Replaces the recorded messages about a request with a text, except the one whose button was pressed.
    async fn show(&self, about: &RequestRef, text: &str, but: Option<(&OwnerMessage, &Pressed)>) {
        let taken = self.take(|message| message.about == *about).await;
        for mut message in taken {
            let (chat, id) = message.at();
            let is_pressed = but.is_some_and(|(owner, pressed)| {
                owner.channel == message.channel
                    && owner.account == message.account_id
                    && pressed.chat.chat == chat.chat
                    && pressed.message == id
            });
            if is_pressed {
                continue;
            }
            let replaced = match self.adapter(&message.channel, &message.account_id) {
                Some(adapter) => adapter.replace(&chat, &id, &fit(&*adapter, text)).await,
                None => Err(not_run()),
            };
            match replaced {
                Err(SendError::Unavailable { .. }) if message.failures < ATTEMPTS => {
                    message.failures += 1;
                    let again = |sent: &mut Sent| sent.messages.push(message);
                    let _ = self.0.sent.change(again).await;
                }
                Err(error) => tracing::warn!(%error, "notice not replaced by the decision"),
                Ok(()) => {}
            }
        }
    }

    /// Replaces the notices again that could not be replaced before.
    pub(super) async fn show_again(&self) {
        let sent = self.0.sent.get().await;
        let failed = sent.messages.into_iter().filter(|message| {
            message.failures > 0 && !matches!(message.about, RequestRef::Code(_))
        });
        let mut failed: Vec<_> = failed.map(|message| message.about).collect();
        failed.dedup();
        for about in failed {
            let text = self.what_became_of(&about).await;
            self.show(&about, &text, None).await;
        }
    }

    /// The text about a request that is no longer pending.
    pub(super) async fn what_became_of(&self, about: &RequestRef) -> String {
        if let Some(known) = self.settled_text(about) {
            return known;
        }
        let sent = self.0.sent.get().await;
        let titled = sent.messages.iter().find(|message| message.about == *about);
        titled.map_or_else(
            || GONE.to_owned(),
            |message| format!("{}: {GONE}", message.title),
        )
    }

    /// The text about a request that was decided a short time ago.
    pub(super) fn settled_text(&self, about: &RequestRef) -> Option<String> {
        let settled = self.0.settled.lock().ok()?;
        let mut known = settled.iter().rev();
        let (_, text) = known.find(|(of, _)| of == about)?;
        Some(text.clone())
    }

    /// Updates notices about requests that were decided while the gateway did not run.
    pub(super) async fn settle_gone(&self, waits: impl Fn(&RequestRef) -> bool) {
        let sent = self.0.sent.get().await;
        let notices = sent
            .messages
            .iter()
            .filter(|message| !matches!(message.about, RequestRef::Code(_)));
        for message in notices.filter(|message| !waits(&message.about)) {
            let text = self.what_became_of(&message.about).await;
            self.settle(&message.about, &text, None).await;
        }
    }

    /// Deletes setup codes that were used or have expired from their chats. Only one call does so at a time, and
    /// the others wait for it, so that each has been tried once this returns.
    pub(super) async fn delete_codes(&self) {
        let _deleting = self.0.deleting.lock().await;
        // Before the codes are read: one that is issued meanwhile must not look as if it were over.
        let mut over = self.0.sent.get().await.messages.clone();
        over.retain(|message| matches!(message.about, RequestRef::Code(_)));
        if over.is_empty() {
            return;
        }
        let live = self.at_store(|commands| commands.pairing().devices().pairing_tokens().ok());
        let Some(Some(live)) = live.await else {
            return;
        };
        // A code that is bound to a device is useless to others, and the device has stored it.
        let is_usable = |about: &RequestRef| {
            let mut live = live.iter().filter(|token| token.device.is_none());
            live.any(|token| matches!(about, RequestRef::Code(hash) if *hash == token.hash))
        };
        over.retain(|message| !is_usable(&message.about));
        for message in over {
            let (chat, id) = message.at();
            let deleted = match self.adapter(&message.channel, &message.account_id) {
                Some(adapter) => adapter.delete(&chat, &id).await,
                None => Err(not_run()),
            };
            let is_tried_again = matches!(deleted, Err(SendError::Unavailable { .. }))
                && message.failures < ATTEMPTS;
            if let Err(error) = deleted
                && !is_tried_again
            {
                tracing::warn!(%error, "setup code not deleted from its chat");
            }
            // Only now, so that a gateway that was ended meanwhile deletes it when it runs again.
            let record = |sent: &mut Sent| {
                let Some(at) = sent.messages.iter().position(|other| *other == message) else {
                    return;
                };
                if is_tried_again {
                    sent.messages[at].failures += 1;
                } else {
                    sent.messages.remove(at);
                }
            };
            let _ = self.0.sent.change(record).await;
        }
    }

    async fn take(&self, which: impl Fn(&Message) -> bool) -> Vec<Message> {
        let take = |sent: &mut Sent| {
            let (taken, left) = sent.messages.drain(..).partition(|message| which(message));
            sent.messages = left;
            taken
        };
        self.0.sent.change(take).await.0
    }
}
