//! What the gateway shares with its channels.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use channel_kit::{Adapter, BoxFuture};
use openclaw_config::Config;
use pairing_core::{AccountId, ChannelId};
use tokio::sync::{Notify, watch};

use crate::{AdapterKey, Adapters, BuildError, Message, OwnerCommands, Sends};

/// The adapters that run, the handler of messages, the commands of owners, and recent sends.
#[derive(Default)]
pub struct Channels {
    pub(crate) adapters: ArcSwap<Adapters>,
    pub(crate) unbuilt: ArcSwap<BTreeMap<AdapterKey, BuildError>>,
    pub(crate) handler: Option<Handler>,
    commands: OnceLock<Arc<dyn OwnerCommands>>,
    sends: Sends,
    /// Signalled when requests may have been decided.
    pub(crate) decided: Notify,
    /// Signalled when the configuration has changed,
    pub(crate) reloaded: watch::Sender<()>,
    /// and when the adapters are those that it names.
    pub(crate) followed: watch::Sender<()>,
}

/// The embedder's handler of messages.
pub(crate) type Handler = Box<dyn Fn(Message) -> BoxFuture<'static, ()> + Send + Sync>;

impl Channels {
    /// Sets the handler of admitted messages.
    pub fn set_handler(
        &mut self,
        handler: impl Fn(Message) -> BoxFuture<'static, ()> + Send + Sync + 'static,
    ) {
        self.handler = Some(Box::new(handler));
    }

    /// Sets the commands of owners. Only the first call counts; returns whether this was it.
    pub fn set_commands(&self, commands: Arc<dyn OwnerCommands>) -> bool {
        self.commands.set(commands).is_ok()
    }

    /// The commands of owners, if there are any.
    pub fn commands(&self) -> Option<&Arc<dyn OwnerCommands>> {
        self.commands.get()
    }

    /// The adapters of all accounts, also of those that are turned off.
    pub fn adapters(&self) -> Arc<Adapters> {
        self.adapters.load_full()
    }

    /// The configured accounts whose adapters cannot be built, and why.
    pub fn unbuilt(&self) -> Arc<BTreeMap<AdapterKey, BuildError>> {
        self.unbuilt.load_full()
    }

    /// The adapter of an account, unless the account is turned off.
    pub fn adapter(
        &self,
        config: &Config,
        channel: &ChannelId,
        account: &AccountId,
    ) -> Option<Arc<dyn Adapter>> {
        let is_enabled = config.account(channel, account).is_enabled();
        let key = (channel.clone(), account.clone());
        let adapter = self.adapters.load().get(&key).cloned();
        adapter.filter(|_| is_enabled)
    }

    /// The adapters with a webhook of this path, without accounts that are turned off.
    pub fn with_webhook(&self, config: &Config, path: &str) -> Vec<Arc<dyn Adapter>> {
        let adapters = self.adapters.load();
        let has_it = |adapter: &Arc<dyn Adapter>| {
            let webhook = adapter.webhook();
            webhook.is_some_and(|webhook| webhook.path() == path)
                && config
                    .account(adapter.channel(), adapter.account())
                    .is_enabled()
        };
        let found = adapters.iter().filter(|adapter| has_it(adapter));
        found.cloned().collect()
    }

    /// Messages that were sent lately, by their idempotency keys.
    pub fn sends(&self) -> &Sends {
        &self.sends
    }

    /// Tells the channels that requests may have been decided.
    pub fn note_decisions(&self) {
        self.decided.notify_one();
    }

    /// Tells the channels that the configuration has changed.
    pub fn note_reload(&self) {
        self.reloaded.send_replace(());
    }
}

impl fmt::Debug for Channels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channels").finish_non_exhaustive()
    }
}
