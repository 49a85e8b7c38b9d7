//! Channels: chats by which people write to the bot.
//!
//! An [`Adapter`] carries messages of one account of one chat system, and decides nothing. What it takes in
//! it gives to its [`Inbox`], and the gate stands behind that: an adapter cannot go around it.

mod adapters;
mod backoff;
pub(crate) mod commands;
mod first_owner;
mod gate;
mod held;
mod message;
pub(crate) mod news;
mod owners;
mod roster;
mod rules;
mod run;
mod sends;
mod sift;
pub mod telegram;
mod untold;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use pairing_core::{AccountId, ChannelId, Timestamp};
use tokio::sync::{mpsc, watch};

pub use first_owner::{FirstOwnerError, make_owner, may_make_owner, owners_path};
pub use message::{By, Message};
pub use owners::{OwnerCommands, OwnerSpoke, Owners};

pub(crate) use adapters::{Adapters, configured};
pub(crate) use first_owner::with_first_owner;
pub(crate) use gate::{Channels, Gate};
pub(crate) use roster::Roster;
pub(crate) use sends::{Begun, digest};
pub(crate) use sift::{MAX_ID, MAX_TEXT, is_target};

/// A future that an object-safe trait gives.
pub type Later<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// One account of one chat system.
///
/// What must hold:
/// - [`run`](Self::run) ends soon after `stop` says so, and otherwise only for good reason (a token that is
///   none): it rides out whatever passes.
/// - A message is delivered once, also across restarts, and with what is known to be true of it: who sent
///   it is who the chat system says sent it.
/// - No secret is in an error, a log line or `Debug`.
pub trait Adapter: Send + Sync + fmt::Debug + 'static {
    /// The chat system.
    fn channel(&self) -> &ChannelId;

    /// The account.
    fn account(&self) -> &AccountId;

    /// What it can do beside sending text: nothing, unless it says so.
    fn can(&self) -> Abilities {
        Abilities::default()
    }

    /// Takes messages in until told to stop.
    fn run(self: Arc<Self>, inbox: Inbox, stop: Stop) -> Later<'static, ()>;

    /// Sends something; says how to refer to it.
    fn send<'a>(
        &'a self,
        to: &'a Target,
        what: &'a Outgoing,
    ) -> Later<'a, Result<MessageId, SendError>>;

    /// Takes back what was sent, where it [`can`](Self::can).
    fn delete<'a>(
        &'a self,
        _from: &'a Target,
        _message: &'a MessageId,
    ) -> Later<'a, Result<(), SendError>> {
        Box::pin(async { Err(SendError::Unable) })
    }

    /// Puts something else in place of what was sent, where it has buttons; they go with it.
    fn replace<'a>(
        &'a self,
        _at: &'a Target,
        _message: &'a MessageId,
        _text: &'a str,
    ) -> Later<'a, Result<(), SendError>> {
        Box::pin(async { Err(SendError::Unable) })
    }
}

/// What an adapter can do beside sending text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Abilities {
    /// Pictures.
    pub pictures: bool,
    /// Buttons under a message.
    pub buttons: bool,
    /// Taking back what it sent.
    pub deletion: bool,
}

/// Where something is sent: a chat, as the channel names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Target {
    /// The chat.
    pub chat: String,
    /// The thread in it, where there are such.
    pub thread: Option<String>,
}

/// What an adapter calls a message that it sent.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MessageId(pub String);

/// Something to be sent. Text is plain: nothing in it is markup.
#[derive(Clone)]
pub struct Outgoing {
    /// What to say; under a picture, where there is one.
    pub text: String,
    /// A picture, PNG.
    pub picture: Option<Vec<u8>>,
    /// Buttons, side by side.
    pub buttons: Vec<Button>,
    /// May hold a secret: not to be previewed, forwarded or logged, where that can be said.
    pub is_secret: bool,
}

/// A button under a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Button {
    /// What is on it.
    pub label: String,
    /// What comes back when it is pressed: at most 64 bytes.
    pub data: String,
}

/// Nothing was sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The person cannot be written to: they have blocked the bot, or never spoken to it.
    #[error("the chat cannot be written to: {reason}")]
    Chat {
        /// What the chat system says, escaped.
        reason: String,
    },
    /// The adapter cannot do that at all.
    #[error("the channel cannot do that")]
    Unable,
    /// It did not work out now.
    #[error("the chat system cannot be reached: {reason}")]
    Unavailable {
        /// Why, without secrets.
        reason: String,
    },
}

/// Something that came in.
#[derive(Debug, Clone)]
pub enum Incoming {
    /// A message.
    Message(Inbound),
    /// Somebody pressed a button.
    Pressed(Pressed),
}

/// A message, before anybody has looked whether it may come in.
#[derive(Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "facts that do not depend on each other"
)]
pub struct Inbound {
    /// The message's id in its chat.
    pub id: String,
    /// The sender, by the id that the chat system vouches for.
    pub sender: String,
    /// Where an answer goes.
    pub chat: Target,
    /// Whether it was said in a direct chat, not in a group.
    pub is_direct: bool,
    /// What was said.
    pub text: String,
    /// When.
    pub at: Timestamp,
    /// Whether this account sent it itself.
    pub from_me: bool,
    /// Whether another bot sent it.
    pub from_bot: bool,
    /// Whether it dates from before the adapter started: history, or a backlog that is replayed.
    pub historical: bool,
    /// Whether the chat system vouches for the sender. An adapter checks signatures before it sets this.
    pub authenticated: bool,
    /// Names and the like, for the owner to recognise the sender by.
    pub meta: Vec<(String, String)>,
}

/// A button that was pressed.
#[derive(Debug, Clone)]
pub struct Pressed {
    /// The sender, as for a message.
    pub sender: String,
    /// Under which message.
    pub message: MessageId,
    /// Where that is.
    pub chat: Target,
    /// What the button holds.
    pub data: String,
}

/// Where an adapter puts what came in. It waits where more comes than can be handled.
#[derive(Debug, Clone)]
pub struct Inbox(mpsc::Sender<Incoming>);

/// A place in an inbox that is free: what is put there does not wait.
#[derive(Debug)]
pub struct Place(mpsc::OwnedPermit<Incoming>);

/// Tells an adapter to stop.
#[derive(Debug, Clone)]
pub struct Stop(watch::Receiver<bool>);

impl Inbox {
    /// An inbox of so many places, and what is put in.
    pub fn new(places: usize) -> (Self, mpsc::Receiver<Incoming>) {
        let (sender, receiver) = mpsc::channel(places);
        (Self(sender), receiver)
    }

    /// Puts something in. False once nobody looks any more.
    pub async fn put(&self, incoming: Incoming) -> bool {
        self.0.send(incoming).await.is_ok()
    }

    /// Waits for a free slot and reserves it; fill it later without waiting. `None` once the gateway reads no
    /// more messages.
    pub async fn place(&self) -> Option<Place> {
        self.0.clone().reserve_owned().await.ok().map(Place)
    }
}

impl Place {
    /// Puts something in.
    pub fn put(self, incoming: Incoming) {
        self.0.send(incoming);
    }
}

impl Stop {
    /// A stop, and what says so.
    pub fn new() -> (watch::Sender<bool>, Self) {
        let (sender, receiver) = watch::channel(false);
        (sender, Self(receiver))
    }

    /// Waits until it is time.
    pub async fn wait(&mut self) {
        // Whoever could still say so is gone: the same.
        let _ = self.0.wait_for(|stop| *stop).await;
    }
}

impl From<watch::Receiver<bool>> for Stop {
    fn from(told: watch::Receiver<bool>) -> Self {
        Self(told)
    }
}

impl Outgoing {
    /// Plain text.
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            picture: None,
            buttons: Vec::new(),
            is_secret: false,
        }
    }
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What is said is nobody else's business, and may hold a code.
        f.debug_struct("Outgoing").finish_non_exhaustive()
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
