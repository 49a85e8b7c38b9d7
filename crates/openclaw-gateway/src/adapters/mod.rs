//! The table of built-in chat systems: builds the adapters that a configuration names.

mod bluebubbles;
mod discord;
mod feishu;
mod files;
mod imessage;
mod signal;
mod slack;
mod telegram;
mod whatsapp;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;

use gateway_channels::{BuildError, Built, Configured};
use openclaw_config::{Account, Config};
use pairing_core::{AccountId, ChannelId, ChannelRules, Channels, quoted};
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
const BUILTIN: [(&str, Build); 8] = [
    ("discord", discord::build),
    ("feishu", feishu::build),
    ("imessage", imessage::build),
    ("signal", signal::build),
    ("slack", slack::build),
    ("telegram", telegram::build),
    ("whatsapp", whatsapp::build),
    ("bluebubbles", bluebubbles::build),
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
        let mut taken: BTreeMap<[u8; 32], AccountId> = BTreeMap::new();
        let named: BTreeSet<_> = config.accounts(rules.id()).cloned().collect();
        let others = named.into_iter().filter(|account| !account.is_default());
        // The default account comes first: an account that only repeats its token is the one that is off.
        for account in std::iter::once(AccountId::default()).chain(others) {
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
            let built = built.map(|built| built.and_then(|built| alone(built, &key.1, &mut taken)));
            all.extend(built.map(|built| Configured { key, built }));
        }
    }
    all
}

/// Passes on what was built, unless an earlier account of the channel is the same to the chat system.
fn alone(
    built: Built,
    account: &AccountId,
    taken: &mut BTreeMap<[u8; 32], AccountId>,
) -> Result<Built, BuildError> {
    match taken.entry(built.identity) {
        Entry::Vacant(free) => {
            free.insert(account.clone());
            Ok(built)
        }
        Entry::Occupied(other) => Err(BuildError {
            error: format!(
                "it has the same token as the account {}, and both would take messages from each other",
                quoted(other.get().as_str())
            ),
            advice: Some(
                "give each account a token of its own, or turn one of them off by enabled: false",
            ),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t135_of_two_accounts_with_one_token_the_second_is_off_and_named() {
        let config = Config::parse(
            "{ channels: {
                telegram: { botToken: '1:same', accounts: { a: { botToken: '1:same' }, b: { botToken: '2:own' } } },
                discord: { token: 'a.b.same', accounts: { work: { token: 'a.b.same', enabled: false } } },
            } }",
        );
        let state = StateDir::at("/nonexistent");
        let all = configured(&config.unwrap(), &state, &|_| None);
        let all: Vec<_> = all
            .into_iter()
            .map(|one| {
                let name = format!("{}:{}", one.key.0, one.key.1.as_str());
                (name, one.built.map(drop).map_err(|error| error.error))
            })
            .collect();
        let twice = "it has the same token as the account default, and both would take messages from each other";
        let named =
            |name: &str, built: Result<(), &str>| (name.to_owned(), built.map_err(str::to_owned));
        assert_eq!(
            all,
            [
                named("discord:default", Ok(())),
                named("telegram:default", Ok(())),
                named("telegram:a", Err(twice)),
                named("telegram:b", Ok(())),
            ]
        );
    }
}
