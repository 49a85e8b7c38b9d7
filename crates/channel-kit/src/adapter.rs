//! The adapter itself: what it has to do, what it may be able to do, and how sending fails.

use std::fmt;
use std::sync::Arc;

use pairing_core::{AccountId, ChannelId, SenderId};

use crate::{
    BoxFuture, Inbox, Login, MessageId, Outgoing, Status, Stop, Target, TextLimit, Webhook,
};

/// One account of one chat system. It carries messages, and decides nothing.
///
/// What must hold:
/// - [`run`](Self::run) returns soon after `stop` says so. Otherwise it returns only for a lasting reason, such as a
///   token that is not accepted; failures that pass are retried.
/// - A message is delivered at most once, also across restarts, and everything said about it is true: the sender
///   is the one for which the chat system vouches.
/// - No error, log line or `Debug` output holds a secret.
pub trait Adapter: Send + Sync + fmt::Debug + 'static {
    /// The chat system.
    fn channel(&self) -> &ChannelId;

    /// The account.
    fn account(&self) -> &AccountId;

    /// What the adapter can do besides sending text; by default, nothing.
    fn can(&self) -> Abilities {
        Abilities::default()
    }

    /// The longest text that the chat system takes as one message. [`send`](Self::send) splits longer texts; a caller
    /// that wants one message, such as a notice with buttons, stays within it.
    fn longest_text(&self) -> TextLimit;

    /// The direct chat with a sender. On some chat systems this opens the chat, and costs a call.
    fn direct<'a>(&'a self, sender: &'a SenderId) -> BoxFuture<'a, Result<Target, SendError>>;

    /// The state of the connection to the chat system.
    fn status(&self) -> Status;

    /// Asks the chat system now whether it accepts the account, and by which name. Costs a call there; nothing is
    /// received or sent by it.
    fn probe(&self) -> BoxFuture<'_, Result<Probed, ProbeError>> {
        Box::pin(async { Err(ProbeError::Unable) })
    }

    /// The HTTP endpoint by which the chat system delivers messages, if it does so.
    fn webhook(&self) -> Option<&dyn Webhook> {
        None
    }

    /// How the account is linked, on a chat system where that is done by scanning a code.
    fn login(&self) -> Option<&dyn Login> {
        None
    }

    /// Receives messages until told to stop.
    fn run(self: Arc<Self>, inbox: Inbox, stop: Stop) -> BoxFuture<'static, ()>;

    /// Sends a message; returns its id.
    fn send<'a>(
        &'a self,
        to: &'a Target,
        what: &'a Outgoing,
    ) -> BoxFuture<'a, Result<MessageId, SendError>>;

    /// Deletes a message that was sent, if the adapter [`can`](Self::can).
    fn delete<'a>(
        &'a self,
        _from: &'a Target,
        _message: &'a MessageId,
    ) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(async { Err(SendError::Unable) })
    }

    /// Replaces the text of a message that was sent, and removes its buttons, if the adapter has buttons.
    fn replace<'a>(
        &'a self,
        _at: &'a Target,
        _message: &'a MessageId,
        _text: &'a str,
    ) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(async { Err(SendError::Unable) })
    }
}

/// A chat system has accepted an account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Probed {
    /// The account's name there, if the chat system tells it. It is not escaped.
    pub name: Option<String>,
}

/// An account was not accepted, or nobody could be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProbeError {
    /// The adapter cannot ask.
    #[error("the channel cannot be asked")]
    Unable,
    /// The chat system does not accept the account. Trying again is useless.
    #[error("{reason}")]
    Refused {
        /// The chat system's reason, escaped and without secrets.
        reason: String,
    },
    /// The chat system failed or was not reached; a later attempt may succeed.
    #[error("{reason}")]
    Unavailable {
        /// The reason, escaped and without secrets.
        reason: String,
    },
}

impl ProbeError {
    /// What an error of a call means, whose text is escaped and without secrets: whether it is final.
    pub fn of(error: &impl fmt::Display, is_final: bool) -> Self {
        let reason = error.to_string();
        if is_final {
            Self::Refused { reason }
        } else {
            Self::Unavailable { reason }
        }
    }
}

impl Probed {
    /// An account with this name.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: Some(name.into()),
        }
    }
}

/// What an adapter can do besides sending text: `Abilities::text().pictures().buttons()`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Abilities {
    /// Send pictures.
    pub pictures: bool,
    /// Put buttons under a message.
    pub buttons: bool,
    /// Delete a message that it sent.
    pub deletion: bool,
}

impl Abilities {
    /// Nothing besides text.
    pub const fn text() -> Self {
        Self {
            pictures: false,
            buttons: false,
            deletion: false,
        }
    }

    /// The same, and it sends pictures.
    pub const fn pictures(self) -> Self {
        Self {
            pictures: true,
            ..self
        }
    }

    /// The same, and it puts buttons under a message.
    pub const fn buttons(self) -> Self {
        Self {
            buttons: true,
            ..self
        }
    }

    /// The same, and it deletes a message that it sent.
    pub const fn deletion(self) -> Self {
        Self {
            deletion: true,
            ..self
        }
    }
}

/// A message was not sent, or not changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The chat does not take messages: the person has blocked the bot, or never spoken to it.
    #[error("the chat cannot be written to: {reason}")]
    Chat {
        /// The chat system's reason, escaped.
        reason: String,
    },
    /// The adapter cannot do that at all.
    #[error("the channel cannot do that")]
    Unable,
    /// The chat system failed or was not reached; a later attempt may succeed.
    #[error("the chat system cannot be reached: {reason}")]
    Unavailable {
        /// The reason, without secrets.
        reason: String,
    },
}
