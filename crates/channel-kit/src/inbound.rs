//! Messages and button presses that an adapter receives.

use std::fmt;

use pairing_core::Timestamp;

use crate::{MessageId, Target};

/// Something that an adapter received. A new kind breaks its users on purpose: each has to decide what becomes of it.
#[derive(Debug, Clone)]
pub enum Incoming {
    /// A message.
    Message(Inbound),
    /// A button was pressed.
    Pressed(Pressed),
}

/// A message that was received, before anything has checked whether its sender is allowed.
///
/// [`Inbound::new`] knows nothing in the sender's favour: what the chat system vouches for is set by the adapter.
///
/// ```
/// use channel_kit::{Inbound, Target};
/// use pairing_core::Timestamp;
///
/// let at = Timestamp::from_millis(1_795_354_072_718);
/// let mut message = Inbound::new("17", "12345", Target::chat("12345"), at);
/// assert!(!message.authenticated && !message.is_direct);
/// message.authenticated = true;
/// message.is_direct = true;
/// message.text = "hello".to_owned();
/// ```
#[derive(Clone)]
#[non_exhaustive]
#[expect(
    clippy::struct_excessive_bools,
    reason = "facts that do not depend on each other"
)]
pub struct Inbound {
    /// The id of the message within its chat.
    pub id: String,
    /// The sender, by the id for which the chat system vouches.
    pub sender: String,
    /// Other ids of the same person, for which the chat system vouches as well; usually none. Whoever is allowed, blocked
    /// or an owner by any of them is so by all.
    pub also: Vec<String>,
    /// The chat that an answer goes to.
    pub chat: Target,
    /// Whether it was said in a direct chat, not in a group.
    pub is_direct: bool,
    /// The text.
    pub text: String,
    /// The time at which it was sent.
    pub at: Timestamp,
    /// Whether this account sent it itself.
    pub from_me: bool,
    /// Whether another bot sent it.
    pub from_bot: bool,
    /// Whether another bot made the text and the sender only chose it (an inline bot). It is delivered, and is never a
    /// command of an owner.
    pub via_bot: bool,
    /// Whether it is too old to act on; the gateway drops it. A message that the chat system kept while the adapter was away
    /// is not historical.
    pub historical: bool,
    /// Whether the chat system vouches for the sender. An adapter checks signatures before it sets this.
    pub authenticated: bool,
    /// Names and the like, by which the owner may recognise the sender.
    pub meta: Vec<(String, String)>,
}

/// A button that was pressed.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Pressed {
    /// The person who pressed it, by the id for which the chat system vouches.
    pub sender: String,
    /// The message above the button.
    pub message: MessageId,
    /// The chat of that message.
    pub chat: Target,
    /// The data of the button.
    pub data: String,
}

impl Inbound {
    /// A message without text. Its sender is not authenticated, and its chat is not direct, until the adapter says so.
    pub fn new(
        id: impl Into<String>,
        sender: impl Into<String>,
        chat: Target,
        at: Timestamp,
    ) -> Self {
        Self {
            id: id.into(),
            sender: sender.into(),
            also: Vec::new(),
            chat,
            is_direct: false,
            text: String::new(),
            at,
            from_me: false,
            from_bot: false,
            via_bot: false,
            historical: false,
            authenticated: false,
            meta: Vec::new(),
        }
    }
}

impl Pressed {
    /// A button with this data, which `sender` pressed under `message` in `chat`.
    pub fn new(
        sender: impl Into<String>,
        message: MessageId,
        chat: Target,
        data: impl Into<String>,
    ) -> Self {
        Self {
            sender: sender.into(),
            message,
            chat,
            data: data.into(),
        }
    }
}

impl fmt::Debug for Inbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbound")
            .field("id", &self.id)
            .field("sender", &self.sender)
            .field("is_direct", &self.is_direct)
            .finish_non_exhaustive()
    }
}
