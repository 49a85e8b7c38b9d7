//! `/pair …`: the commands with which owners decide about pairing in a chat.
//!
//! They are for owners only. The gate calls them for nobody else, and they check again: a message of anybody
//! else is ordinary text. An owner decides with admin rights, through the same service as all others, and is
//! recorded as the approver.

mod alerts;
mod asking;
mod decide;
mod faults;
mod gathering;
mod kept;
mod notify;
mod parse;
mod sent;
mod setup;
mod status;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use pairing_core::{AccountId, Approver, ChannelId, Pairing, SenderId, StoreError};
use pairing_fs::StateDir;
use tokio::time::timeout;

pub use parse::{Notify, PairCommand};

use self::faults::ToldFaults;
use self::gathering::Gathering;
use crate::clients::Clients;
use crate::health::Health;
use crate::parts::GatewayFacts;
use crate::requests::Requests;
use crate::settings::LiveSettings;
use crate::{Interfaces, Reach, ReachError};
use asking::{PendingSubject, RequestRef};
use channel_kit::{Adapter, BoxFuture, MessageId, Outgoing, Pressed, SendError, Target};
use gateway_channels::{Channels, OwnerCommands, OwnerMessage, Owners};
use kept::SavedFile;
use notify::Notices;
use pairing_core::Chain;
use sent::Sent;

/// The commands, and the notices to owners. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Commands(Arc<Inner>);

/// The parts of the gateway that the commands need.
pub(crate) struct ChatParts {
    pub(crate) pairing: Pairing,
    pub(crate) settings: LiveSettings,
    pub(crate) clients: Arc<Clients>,
    pub(crate) channels: Arc<Channels>,
    pub(crate) requests: Arc<Requests>,
    pub(crate) health: Arc<Health>,
    pub(crate) gateway: Arc<GatewayFacts>,
}

struct Inner {
    parts: ChatParts,
    interfaces: Box<dyn Fn() -> io::Result<Interfaces> + Send + Sync>,
    sent: SavedFile<Sent>,
    /// Held while setup codes are deleted from chats.
    deleting: tokio::sync::Mutex<()>,
    notices: SavedFile<Notices>,
    settled: Mutex<VecDeque<(RequestRef, String)>>,
    /// Requests for which a notice was sent and whose end is not yet shown in it. In memory only.
    open: Mutex<HashMap<RequestRef, PendingSubject>>,
    /// Chats for which the last message to an owner failed.
    unreached: Mutex<HashSet<(ChannelId, AccountId, String)>>,
    gathering: Gathering,
    told_faults: ToldFaults,
}

/// The commands as the gate holds them. Once the task that runs them has ended, there are none.
#[derive(Debug)]
struct Handle(Weak<Inner>);

impl OwnerCommands for Handle {
    fn message<'a>(&'a self, owner: &'a OwnerMessage, text: &'a str) -> BoxFuture<'a, bool> {
        Box::pin(async move {
            match self.0.upgrade() {
                Some(inner) => Commands(inner).message(owner, text).await,
                None => false,
            }
        })
    }

    fn pressed<'a>(&'a self, owner: &'a OwnerMessage, pressed: &'a Pressed) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            if let Some(inner) = self.0.upgrade() {
                Commands(inner).pressed(owner, pressed).await;
            }
        })
    }
}

/// Time that a chat system has to take a message.
const PATIENCE: Duration = Duration::from_secs(60);

const STORE_FAILED: &str = "The gateway cannot read or write its state; its log says why.";

impl Commands {
    /// Commands for a gateway. The state directory, if there is one, keeps what has to survive a restart.
    pub(crate) fn new(parts: ChatParts, state: Option<&StateDir>) -> Self {
        let file = |name: &str| state.map(|state| state.root().join(name));
        Self::with(parts, file, Interfaces::of_this_machine)
    }

    /// Returns the commands for the gate. The handle keeps nothing alive.
    pub(crate) fn handle(&self) -> Arc<dyn OwnerCommands> {
        Arc::new(Handle(Arc::downgrade(&self.0)))
    }

    fn with(
        parts: ChatParts,
        file: impl Fn(&str) -> Option<PathBuf>,
        interfaces: impl Fn() -> io::Result<Interfaces> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(Inner {
            parts,
            interfaces: Box::new(interfaces),
            sent: SavedFile::open(file("chat-messages.json")),
            deleting: tokio::sync::Mutex::default(),
            notices: SavedFile::open(file("device-pair-notify.json")),
            settled: Mutex::default(),
            open: Mutex::default(),
            unreached: Mutex::default(),
            gathering: Gathering::default(),
            told_faults: ToldFaults::default(),
        }))
    }

    /// Runs a command. Returns `false` if the message is not a command or not from an owner; then it is
    /// ordinary text, and nothing was answered.
    pub(crate) async fn message(&self, owner: &OwnerMessage, text: &str) -> bool {
        let Some(command) = PairCommand::parse(text) else {
            return false;
        };
        if !self.is_owner(&owner.channel, &owner.sender) {
            return false;
        }
        let said = match command {
            PairCommand::Setup { profile, drawn } => self.set_up(owner, profile, drawn).await,
            PairCommand::ApproveOwn => Some(self.approve_own(owner).await),
            PairCommand::Preview => Some(self.preview().await),
            PairCommand::Approve(id) => Some(self.decide_typed(owner, &id, true).await),
            PairCommand::Reject(id) => Some(self.decide_typed(owner, &id, false).await),
            PairCommand::Pending => Some(self.pending().await),
            PairCommand::Status => Some(self.status(owner).await),
            PairCommand::CleanUp => Some(self.clean_up(owner).await),
            PairCommand::Notify(what) => Some(self.notify(owner, what).await),
            PairCommand::Help => Some(parse::HELP.to_owned()),
        };
        if let Some(said) = said {
            self.say(owner, &said).await;
        }
        true
    }

    /// Makes the decision that a button stands for, unless it was made before.
    pub(crate) async fn pressed(&self, owner: &OwnerMessage, pressed: &Pressed) {
        if self.is_owner(&owner.channel, &owner.sender) {
            self.decide_pressed(owner, pressed).await;
        }
    }

    fn is_owner(&self, channel: &ChannelId, sender: &SenderId) -> bool {
        let settings = self.0.parts.settings.load();
        let rules = self.pairing().channels().get(channel);
        rules.is_some_and(|rules| Owners::of(&settings.config, rules).is_owner(sender))
    }

    fn adapter(&self, channel: &ChannelId, account: &AccountId) -> Option<Arc<dyn Adapter>> {
        let parts = &self.0.parts;
        let config = &parts.settings.load().config;
        parts.channels.adapter(config, channel, account)
    }

    fn pairing(&self) -> &Pairing {
        &self.0.parts.pairing
    }

    /// Finds the address at which phones reach this gateway.
    fn reach(&self) -> Result<Reach, ReachError> {
        let parts = &self.0.parts;
        let interfaces = (self.0.interfaces)().unwrap_or_else(|error| {
            tracing::warn!(error = %Chain(&error), "network interfaces cannot be listed");
            Interfaces::default()
        });
        let certificate = parts.gateway.tls_fingerprint.as_deref();
        Reach::of_gateway(
            &parts.settings.load(),
            parts.gateway.port,
            certificate,
            &interfaces,
            crate::tailnet_name,
        )
    }

    /// Runs a function that uses the store, on the blocking pool. `None` if it panicked.
    async fn at_store<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> Option<T> {
        let commands = self.clone();
        let asked = tokio::task::spawn_blocking(move || ask(&commands)).await;
        asked
            .inspect_err(|error| tracing::error!(%error, "chat command panicked"))
            .ok()
    }

    async fn say(&self, owner: &OwnerMessage, text: &str) -> Option<MessageId> {
        let what = Outgoing::text(fit(&*owner.adapter, text));
        let told = tell(&*owner.adapter, &owner.chat, &what).await;
        told.inspect_err(|error| tracing::warn!(%error, "answer to an owner not delivered"))
            .ok()
    }
}

/// Sends a message, within a time limit.
async fn tell(adapter: &dyn Adapter, to: &Target, what: &Outgoing) -> Result<MessageId, SendError> {
    let late = |_| SendError::Unavailable {
        reason: "it takes too long".to_owned(),
    };
    timeout(PATIENCE, adapter.send(to, what))
        .await
        .map_err(late)?
}

/// The direct chat with a sender, within a time limit.
async fn direct(adapter: &dyn Adapter, sender: &SenderId) -> Result<Target, SendError> {
    let late = |_| SendError::Unavailable {
        reason: "it takes too long".to_owned(),
    };
    timeout(PATIENCE, adapter.direct(sender))
        .await
        .map_err(late)?
}

/// Shortens a text so that it fits into one message.
fn fit(adapter: &dyn Adapter, text: &str) -> String {
    adapter
        .longest_text()
        .shorten(text, "…\n(more than fits here)")
}

/// The key by which setup codes are bound to a chat. Names of channels and accounts contain no slash.
fn chat_key(owner: &OwnerMessage) -> String {
    format!("{}/{}/{}", owner.channel, owner.account, owner.chat.chat)
}

fn approver(owner: &OwnerMessage) -> Approver {
    Approver::chat_owner(&owner.channel, &owner.sender)
}

fn store_failed(error: &StoreError) -> String {
    tracing::error!(error = %Chain(error), "store operation failed");
    STORE_FAILED.to_owned()
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner").finish_non_exhaustive()
    }
}

impl fmt::Debug for Commands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Commands").finish_non_exhaustive()
    }
}
