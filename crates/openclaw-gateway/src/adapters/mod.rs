//! The table of built-in chat systems: builds the adapters that a configuration names.

mod discord;
mod files;
mod imessage;
mod signal;
mod slack;
mod telegram;

use std::collections::BTreeSet;
use std::ffi::OsString;

use gateway_channels::{BuildError, Built, Configured};
use openclaw_config::{Account, Config};
use pairing_core::{AccountId, ChannelId, ChannelRules, Channels};
use pairing_fs::StateDir;

/// Everything that the adapter of an account is built from.
struct Recipe<'c> {
    account: AccountId,
    /// The settings of the account.
    settings: Account,
    config: &'c Config,
    rules: &'c ChannelRules,
    /// Where the adapter saves what has to survive a restart.
    state: &'c StateDir,
    /// The environment.
    var: &'c dyn Fn(&str) -> Option<OsString>,
}

/// Builds the adapter of an account; `None` if the account is not set up.
type Build = fn(&Recipe<'_>) -> Result<Option<Built>, BuildError>;

/// The built-in chat systems.
const BUILTIN: [(&str, Build); 5] = [
    ("discord", discord::build),
    ("imessage", imessage::build),
    ("signal", signal::build),
    ("slack", slack::build),
    ("telegram", telegram::build),
];

/// The adapters that the configuration names, without accounts that are turned off. It blocks.
pub(crate) fn configured(
    config: &Config,
    state: &StateDir,
    var: &dyn Fn(&str) -> Option<OsString>,
) -> Vec<Configured> {
    let channels = Channels::builtin();
    let mut all = Vec::new();
    for (name, build) in BUILTIN {
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
            let built = build(&Recipe {
                account,
                settings,
                config,
                rules,
                state,
                var,
            });
            let built = built.transpose();
            all.extend(built.map(|built| Configured { key, built }));
        }
    }
    all
}
