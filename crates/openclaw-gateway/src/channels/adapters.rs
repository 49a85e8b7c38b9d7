//! The adapters of a gateway: one for each account; and those that a configuration names.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::sync::Arc;

use openclaw_config::{Account, Config};
use pairing_core::{AccountId, ChannelId, ChannelRules, Channels};
use pairing_fs::{StateDir, SystemClock};

use super::telegram::Telegram;
use super::{Adapter, Owners};
use pairing_core::Chain;

/// Adapters, by account. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Adapters(Arc<BTreeMap<Key, Arc<dyn Adapter>>>);

/// Whose an adapter is.
pub(crate) type Key = (ChannelId, AccountId);

impl Adapters {
    /// The adapter of an account.
    pub(crate) fn get(&self, key: &Key) -> Option<&Arc<dyn Adapter>> {
        self.0.get(key)
    }

    /// All of them, by channel and account.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<dyn Adapter>> {
        self.0.values()
    }
}

impl FromIterator<(Key, Arc<dyn Adapter>)> for Adapters {
    fn from_iter<I: IntoIterator<Item = (Key, Arc<dyn Adapter>)>>(all: I) -> Self {
        Self(Arc::new(all.into_iter().collect()))
    }
}

/// An adapter that a configuration names.
pub(crate) struct Named {
    pub(crate) key: Key,
    pub(crate) made: Result<Made, Unmade>,
}

/// It has been made, and does not run yet.
pub(crate) struct Made {
    /// What tells it from one that is made of something else: a hash.
    pub(crate) of: [u8; 32],
    pub(crate) adapter: Arc<dyn Adapter>,
}

/// It cannot be made.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unmade {
    /// Why, without secrets, escaped.
    pub(crate) error: String,
    pub(crate) advice: Option<&'static str>,
}

/// What an adapter is made of.
struct Wanted<'c> {
    account: AccountId,
    /// What is set for it.
    settings: Account,
    config: &'c Config,
    rules: &'c ChannelRules,
    /// For what has to survive a restart.
    state: &'c StateDir,
    /// The environment's variables.
    var: &'c dyn Fn(&str) -> Option<OsString>,
}

/// Makes the adapter of an account; `None` where it is not set up.
type Make = fn(Wanted<'_>) -> Result<Option<Made>, Unmade>;

/// The chat systems that are built in.
const BUILTIN: [(&str, Make); 1] = [("telegram", telegram)];

/// The adapters that the configuration names, but for accounts that are turned off. It blocks.
pub(crate) fn configured(
    config: &Config,
    state: &StateDir,
    var: &dyn Fn(&str) -> Option<OsString>,
) -> Vec<Named> {
    let channels = Channels::builtin();
    let mut all = Vec::new();
    for (name, make) in BUILTIN {
        let id = ChannelId::parse(name).ok();
        let Some(rules) = id.and_then(|id| channels.get(&id)) else {
            continue;
        };
        let named = config.accounts(rules.id()).cloned();
        let accounts: BTreeSet<_> = named.chain([AccountId::default()]).collect();
        for account in accounts {
            let settings = config.account(rules.id(), &account);
            if !settings.is_enabled() {
                continue;
            }
            let key = (rules.id().clone(), account.clone());
            let made = make(Wanted {
                account,
                settings,
                config,
                rules,
                state,
                var,
            });
            let made = made.transpose();
            all.extend(made.map(|made| Named { key, made }));
        }
    }
    all
}

fn telegram(wanted: Wanted<'_>) -> Result<Option<Made>, Unmade> {
    let owners = Owners::of(wanted.config, wanted.rules, &wanted.account);
    let clock = Arc::new(SystemClock);
    let bot = Telegram::configured(
        wanted.account,
        &wanted.settings,
        wanted.var,
        wanted.state,
        clock,
    );
    let bot = bot.map_err(|error| Unmade {
        error: Chain(&error).to_string(),
        advice: error.advice(),
    })?;
    Ok(bot.map(|bot| {
        let command = ("pair", "pair a phone, and decide who may come in");
        let bot = bot.commands([command], owners.targets());
        Made {
            of: bot.print(),
            adapter: Arc::new(bot),
        }
    }))
}
