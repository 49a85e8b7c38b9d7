//! The adapters of a gateway: one for each account.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use openclaw_config::{Account, Config};
use pairing_core::{AccountId, ChannelId};
use pairing_fs::StateDir;

use super::Adapter;

/// The adapters of a gateway, by account. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Adapters(Arc<BTreeMap<(ChannelId, AccountId), Arc<dyn Adapter>>>);

impl Adapters {
    /// Adds one; it takes the place of one for the same account.
    pub(crate) fn add(&mut self, adapter: Arc<dyn Adapter>) {
        let key = (adapter.channel().clone(), adapter.account().clone());
        Arc::make_mut(&mut self.0).insert(key, adapter);
    }

    /// That of an account.
    pub fn get(&self, channel: &ChannelId, account: &AccountId) -> Option<&Arc<dyn Adapter>> {
        self.0.get(&(channel.clone(), account.clone()))
    }

    /// All of them, by channel and account.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<dyn Adapter>> {
        self.0.values()
    }

    /// Is there none?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What an adapter is made of.
#[expect(dead_code, reason = "no chat system is built in yet")]
pub(crate) struct Wanted<'c> {
    /// The account.
    pub(crate) account: AccountId,
    /// What is set for it.
    pub(crate) settings: Account,
    /// The state directory, for what has to survive a restart.
    pub(crate) state: &'c StateDir,
}

/// Makes the adapter of an account, unless it is not set up: there is no token.
type Make = fn(&Wanted<'_>) -> Option<Arc<dyn Adapter>>;

/// The chat systems that are built in.
const BUILTIN: [(&str, Make); 0] = [];

/// The adapters that the configuration names. Those of accounts that are turned off are among them: they
/// wait to be turned on.
pub(crate) fn configured(config: &Config, state: &StateDir) -> Vec<Arc<dyn Adapter>> {
    let mut adapters = Vec::new();
    for channel in config.channels() {
        let builtin = BUILTIN.iter().find(|(name, _)| *name == channel.as_str());
        let Some((_, make)) = builtin else {
            continue;
        };
        let named = config.accounts(channel).cloned();
        let accounts: BTreeSet<_> = named.chain([AccountId::default()]).collect();
        adapters.extend(accounts.into_iter().filter_map(|account| {
            let settings = config.account(channel, &account);
            make(&Wanted {
                account,
                settings,
                state,
            })
        }));
    }
    adapters
}
