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
#[cfg(feature = "whatsapp-web")]
mod whatsapp_web;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;

use channel_kit::proxy::{Proxies, ProxyError};
use gateway_channels::{BuildError, Built, Configured};
use openclaw_config::{Account, Config};
use pairing_core::{AccountId, ChannelId, ChannelRules, Channels, quoted};
use pairing_fs::StateDir;
use sha2::{Digest as _, Sha256};

/// Everything that the adapter of an account is built from.
struct Recipe<'c> {
    account: AccountId,
    /// The settings of the account.
    settings: Account,
    config: &'c Config,
    rules: &'c ChannelRules,
    /// Where the adapter saves what has to survive a restart.
    state: &'c StateDir,
    /// The environment, and the state directory's `.env`.
    var: &'c dyn Fn(&str) -> Option<OsString>,
    /// The proxies by which the service is reached.
    proxies: Proxies,
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

/// What ends the access of an account that is not linked by a code, for a person.
pub(crate) fn instead_of_logout(channel: &ChannelId) -> &'static str {
    match channel.as_str() {
        "telegram" => {
            "take its token away with `openclaw config unset channels.telegram.botToken`; @BotFather's /revoke ends the token \
             itself"
        }
        "discord" => {
            "take its token away with `openclaw config unset channels.discord.token`; \"Reset Token\" in the Developer Portal \
             ends the token itself"
        }
        "slack" => {
            "take its tokens away with `openclaw config unset`, from botToken and appToken; the app's page at api.slack.com \
             revokes them"
        }
        "feishu" => {
            "take its secret away with `openclaw config unset channels.feishu.appSecret`; the app's page in the developer \
             console resets it"
        }
        "whatsapp" => {
            "take its token away with `openclaw config unset channels.whatsapp.cloud.accessToken`; Meta's Business Settings \
             revoke it, under System users"
        }
        "bluebubbles" => {
            "turn it off with `openclaw config set channels.bluebubbles.enabled false`; another password in the BlueBubbles \
             server's settings locks this gateway out"
        }
        "imessage" => {
            "turn it off with `openclaw config set channels.imessage.enabled false`; the Mac itself signs out in Messages, \
             Settings, iMessage"
        }
        _ => "turn the account off by `enabled: false` in openclaw.json",
    }
}

/// The adapters that the configuration names, without accounts that are turned off. It blocks.
pub(crate) fn configured(
    config: &Config,
    state: &StateDir,
    var: &dyn Fn(&str) -> Option<OsString>,
) -> Vec<Configured> {
    let channels = Channels::builtin();
    let var = |name: &str| config.variable(name, var);
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
            let proxies = proxies(&settings, &var);
            let built = build(&Recipe {
                account,
                settings,
                config,
                rules,
                state,
                var: &var,
                proxies: proxies.clone().unwrap_or_default(),
            });
            let built = built.transpose();
            let built = built.map(|built| built.and_then(|built| reached(built, proxies)));
            let built = built.map(|built| built.and_then(|built| alone(built, &key.1, &mut taken)));
            all.extend(built.map(|built| Configured { key, built }));
        }
    }
    all
}

/// What to do about a channel some of whose accounts only another build of this program has; `None` for all others.
pub(crate) fn another_build(channel: &ChannelId) -> Option<&'static str> {
    (cfg!(not(feature = "whatsapp-web")) && channel.as_str() == "whatsapp").then_some(
        "install one that has them: `cargo install --locked --path crates/openclaw-cli --features whatsapp-web`, which needs \
         Rust 1.94; or set the account up with `cloud`. docs/channels/whatsapp.md describes both",
    )
}

/// The proxies of an account: its own, else those of the environment.
fn proxies(
    settings: &Account,
    var: &impl Fn(&str) -> Option<OsString>,
) -> Result<Proxies, ProxyError> {
    match &settings.proxy {
        Some(own) => Proxies::all("proxy", own.expose()),
        None => Ok(of_environment(var)),
    }
}

/// The proxies that the environment names. What is no text names none that can be used.
pub(crate) fn of_environment(var: &impl Fn(&str) -> Option<OsString>) -> Proxies {
    Proxies::from_vars(|name| Some(var(name)?.to_string_lossy().into_owned()))
}

/// Passes on what was built, unless its own proxy cannot be used. An adapter with another proxy is another one.
fn reached(built: Built, proxies: Result<Proxies, ProxyError>) -> Result<Built, BuildError> {
    let proxies = proxies.map_err(|error| BuildError {
        error: error.to_string(),
        advice: Some("write it as http://host:port, or http://user:password@host:port"),
    })?;
    let mut hash = Sha256::new();
    hash.update(built.fingerprint);
    for written in proxies.written() {
        hash.update(written);
        // No address holds a zero.
        hash.update([0]);
    }
    Ok(Built {
        fingerprint: hash.finalize().into(),
        ..built
    })
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

    /// The accounts of a configuration, and whether each was built.
    fn built(
        text: &str,
        vars: &'static [(&str, &str)],
    ) -> Vec<(String, Result<Built, BuildError>)> {
        let config = Config::parse(text).unwrap();
        let state = StateDir::at("/nonexistent");
        let var = |asked: &str| {
            let found = vars.iter().find(|(name, _)| *name == asked);
            found.map(|(_, value)| (*value).into())
        };
        let all = configured(&config, &state, &var).into_iter();
        all.map(|one| (one.key.0.to_string(), one.built)).collect()
    }

    #[test]
    fn t136_another_proxy_is_another_adapter_and_one_that_is_none_closes_its_account() {
        let hash = |proxy: &str, vars| {
            let root = "apiRoot: 'http://127.0.0.1:1'";
            let text =
                format!("{{ channels: {{ telegram: {{ botToken: '1:a', {root} {proxy} }} }} }}");
            let mut all = built(&text, vars);
            all.pop().unwrap().1.map(|built| built.fingerprint)
        };
        let none = hash("", &[]).unwrap();
        assert_eq!(hash("", &[("NO_PROXY", "x")]).unwrap(), none);
        let own = hash(", proxy: 'http://a:1'", &[]).unwrap();
        let vars = &[("HTTPS_PROXY", "http://b:1")];
        let of_vars = hash("", vars).unwrap();
        assert!(none != own && none != of_vars && own != of_vars);
        // An account's own counts alone.
        assert_eq!(hash(", proxy: 'http://a:1'", vars).unwrap(), own);
        let error = hash(", proxy: 'socks5://ann:hunter2@a:1'", &[]).unwrap_err();
        assert!(!error.error.contains("hunter2"), "{error:?}");
        assert!(
            error.error.starts_with("`proxy` names no proxy"),
            "{error:?}"
        );
        // Who has no token has no fault either.
        assert!(built("{ channels: { telegram: { proxy: 'socks5://a' } } }", &[]).is_empty());
    }

    #[test]
    fn t138_the_env_file_holds_the_tokens_of_every_channel() {
        let dir = tempfile::tempdir().unwrap();
        let env = "TELEGRAM_BOT_TOKEN=1:a\nDISCORD_BOT_TOKEN=a.b.same\nSLACK_BOT_TOKEN=xoxb-1-a\n\
                   SLACK_APP_TOKEN=xapp-1-b\nFEISHU_APP_ID=cli_1\nFEISHU_APP_SECRET=hunter2hunter2\n";
        for (name, text) in [(".env", env), ("openclaw.json", "{}")] {
            pairing_fs::owned::create_file(&dir.path().join(name), text).unwrap();
        }
        let state = StateDir::at(dir.path());
        let config = Config::load_in(state.root(), state.config(), |_| None).unwrap();
        let all = configured(&config, &state, &|_| None).into_iter();
        let names: Vec<_> = all
            .map(|one| (one.key.0.to_string(), one.built.is_ok()))
            .collect();
        let channels = ["discord", "feishu", "slack", "telegram"];
        assert_eq!(names, channels.map(|name| (name.to_owned(), true)));
    }

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

    #[test]
    fn an_account_of_signal_is_heard_once_however_its_daemon_is_reached() {
        let text = "{ channels: { signal: { account: '+15550001111', accounts: {
            again: { account: '+15550001111', autoStart: false },
            other: { account: '+15550002222', autoStart: false },
        } } } }";
        let all = built(text, &[]).into_iter();
        let all: Vec<_> = all.map(|(_, built)| built.is_ok()).collect();
        // The second one is the first one's number at the first one's daemon.
        assert_eq!(all, [true, false, true]);
    }
}
