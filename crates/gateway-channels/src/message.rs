//! An admitted message.

use std::fmt;
use std::sync::Arc;

use channel_kit::{Adapter, MessageId, Outgoing, SendError, Target};
use pairing_core::{
    AccountId, ApprovedSender, ChannelId, GroupSender, Metadata, SenderId, Timestamp,
};

use crate::sift::Letter;

/// A message from a sender who may talk to the bot. Nothing is delivered without the proof in [`by`](Self::by).
#[derive(Clone)]
#[non_exhaustive]
pub struct Message {
    /// The sender, with the proof that they are allowed.
    pub by: By,
    /// The chat system.
    pub channel: ChannelId,
    /// The account that was written to.
    pub account: AccountId,
    /// The message's id in its chat.
    pub id: String,
    /// Where an answer goes.
    pub chat: Target,
    /// What was said.
    pub text: String,
    /// Whether the text exceeded the limit and has been cut.
    pub is_cut: bool,
    /// When.
    pub at: Timestamp,
    /// Names and the like, as the channel gave them.
    pub meta: Metadata,
    adapter: Arc<dyn Adapter>,
}

/// An allowed sender, in a direct chat or in a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum By {
    /// In a chat with the bot alone.
    Direct(ApprovedSender),
    /// In a group: by the configuration, never by pairing.
    Group(GroupSender),
}

impl Message {
    pub(crate) fn new(adapter: &Arc<dyn Adapter>, by: By, letter: Letter) -> Self {
        Self {
            by,
            channel: adapter.channel().clone(),
            account: adapter.account().clone(),
            id: letter.id,
            chat: letter.chat,
            text: letter.text,
            is_cut: letter.is_cut,
            at: letter.at,
            meta: letter.meta,
            adapter: adapter.clone(),
        }
    }

    /// The sender.
    pub fn sender(&self) -> &SenderId {
        match &self.by {
            By::Direct(sender) => sender.sender(),
            By::Group(sender) => sender.sender(),
        }
    }

    /// Answers in the chat that it came from, by the account that it came to.
    pub async fn reply(&self, text: impl Into<String>) -> Result<MessageId, SendError> {
        let what = Outgoing::text(text);
        self.adapter.send(&self.chat, &what).await
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What was said is nobody else's business.
        f.debug_struct("Message")
            .field("by", &self.by)
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
