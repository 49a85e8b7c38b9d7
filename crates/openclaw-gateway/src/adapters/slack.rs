//! Slack: the tokens and the server of an app, from the configuration and the environment.

use std::path::PathBuf;
use std::sync::Arc;

use channel_slack::{AddressError, ApiRoot, AppToken, BotToken, Slack, SlackError, Surroundings};
use gateway_channels::{BuildError, Built};
use openclaw_config::{Account, Secret};
use pairing_core::{AccountId, Chain, escape};
use pairing_fs::{StateDir, SystemClock, SystemEntropy};
use sha2::{Digest as _, Sha256};

use super::{Recipe, files};
use crate::StateFile;

/// The variables with the default account's tokens.
const BOT_VARIABLE: &str = "SLACK_BOT_TOKEN";
const APP_VARIABLE: &str = "SLACK_APP_TOKEN";

/// The app cannot be built.
#[derive(Debug, thiserror::Error)]
enum ConfiguredError {
    /// There is something that has not the shape of a bot's token.
    #[error("{place} holds no bot token")]
    Bot {
        /// The setting or variable.
        place: &'static str,
    },
    /// There is something that has not the shape of an app's token.
    #[error("{place} holds no app-level token")]
    App {
        /// The setting or variable.
        place: &'static str,
    },
    /// One of the two tokens is there alone.
    #[error("{there} is set, and {missing} is not")]
    Half {
        there: &'static str,
        missing: &'static str,
    },
    /// Slack would have to reach the gateway.
    #[error("mode {} is not supported", escape(mode).limit(32))]
    Mode { mode: String },
    #[error(transparent)]
    Address(#[from] AddressError),
    #[error(transparent)]
    Slack(#[from] SlackError),
}

impl ConfiguredError {
    /// A line that says what to do next, for a person.
    fn advice(&self) -> Option<&'static str> {
        match self {
            Self::Bot { .. } => Some(
                "copy the Bot User OAuth Token from api.slack.com/apps, under OAuth & Permissions: it begins with xoxb-",
            ),
            Self::App { .. } => Some(
                "copy the app-level token from api.slack.com/apps, under Basic Information, App-Level Tokens: it begins \
                 with xapp-",
            ),
            Self::Half { .. } => Some(
                "Socket Mode takes both: botToken (xoxb-) and appToken (xapp-), or SLACK_BOT_TOKEN and SLACK_APP_TOKEN",
            ),
            Self::Mode { .. } => Some(
                "this gateway listens to Slack in Socket Mode: turn it on at api.slack.com/apps, set appToken, and remove \
                 mode, or set it to socket; signingSecret and webhookPath are not used",
            ),
            Self::Address(error) => Some(error.advice()),
            Self::Slack(SlackError::Certificates(_)) => Some("install ca-certificates"),
            Self::Slack(_) => None,
        }
    }
}

/// The app of an account; `None` if the account has no tokens.
pub(super) fn build(recipe: &Recipe<'_>) -> Result<Option<Built>, BuildError> {
    let app = configured(recipe).map_err(|error| BuildError {
        error: Chain(&error).to_string(),
        advice: error.advice(),
    })?;
    Ok(app.map(|app| Built {
        fingerprint: fingerprint(&app, &recipe.settings),
        identity: app.fingerprint(),
        adapter: Arc::new(app),
    }))
}

fn configured(recipe: &Recipe<'_>) -> Result<Option<Slack>, ConfiguredError> {
    let settings = &recipe.settings;
    let bot = found(
        recipe,
        settings.bot_token.as_ref(),
        ("botToken", BOT_VARIABLE),
    );
    let app = found(
        recipe,
        settings.app_token.as_ref(),
        ("appToken", APP_VARIABLE),
    );
    if bot.is_none() && app.is_none() {
        return Ok(None);
    }
    if let Some(mode) = settings.mode.as_ref().filter(|mode| *mode != "socket") {
        let mode = mode.clone();
        return Err(ConfiguredError::Mode { mode });
    }
    let half = |there, missing| ConfiguredError::Half { there, missing };
    let (bot, app) = match (bot, app) {
        (Some(bot), Some(app)) => (bot, app),
        (Some((place, _)), None) => return Err(half(place, "appToken")),
        (None, app) => return Err(half(app.map_or("appToken", |(place, _)| place), "botToken")),
    };
    let place = bot.0;
    let bot = BotToken::parse(bot.1.expose()).ok_or(ConfiguredError::Bot { place })?;
    let place = app.0;
    let app = AppToken::parse(app.1.expose()).ok_or(ConfiguredError::App { place })?;
    let root = settings.api_root.as_deref().map(ApiRoot::parse);
    let root = root.transpose()?.unwrap_or_default();
    let saved = StateFile::at(events_path(recipe.state, &recipe.account));
    let surroundings = Surroundings::new(
        Arc::new(saved),
        Arc::new(SystemClock),
        Arc::new(SystemEntropy),
    )
    .proxies(recipe.proxies.clone());
    let slack = Slack::new(recipe.account.clone(), bot, app, root, surroundings)?;
    Ok(Some(slack.allow_bots(settings.allow_bots.unwrap_or(false))))
}

/// A token and where it is from: the setting, or for the default account the variable.
fn found(
    recipe: &Recipe<'_>,
    setting: Option<&Secret>,
    (key, variable): (&'static str, &'static str),
) -> Option<(&'static str, Secret)> {
    if let Some(token) = setting {
        return Some((key, token.clone()));
    }
    let value = (recipe.var)(variable).filter(|_| recipe.account.is_default())?;
    let secret = Secret::parse(&value.to_string_lossy())?;
    Some((variable, secret))
}

/// A hash of everything that takes a new adapter when it changes.
fn fingerprint(app: &Slack, settings: &Account) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(app.fingerprint());
    hash.update([u8::from(settings.allow_bots.unwrap_or(false))]);
    hash.finalize().into()
}

/// The file with the events that an account's app has received lately.
fn events_path(state: &StateDir, account: &AccountId) -> PathBuf {
    let name = files::of_account("events-", account);
    state.root().join("slack").join(name)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use openclaw_config::Config;
    use pairing_core::{ChannelId, Channels};

    use super::*;

    const BOTH: &str = "botToken: 'xoxb-1-a', appToken: 'xapp-1-b'";

    fn build(
        account: &str,
        config: &str,
        env: [Option<&str>; 2],
    ) -> Result<Option<[u8; 32]>, BuildError> {
        let dir = tempfile::tempdir().unwrap();
        let config = Config::parse(config).unwrap();
        let channels = Channels::builtin();
        let rules = channels.get(&ChannelId::parse("slack").unwrap()).unwrap();
        let account = AccountId::parse(account).unwrap();
        let built = super::build(&Recipe {
            settings: config.account(rules.id(), &account),
            account,
            config: &config,
            rules,
            state: &StateDir::at(dir.path()),
            proxies: channel_kit::proxy::Proxies::default(),
            var: &|name| match name {
                BOT_VARIABLE => env[0].map(OsString::from),
                APP_VARIABLE => env[1].map(OsString::from),
                _ => None,
            },
        })?;
        Ok(built.map(|built| built.fingerprint))
    }

    fn with(what: &str) -> String {
        format!("{{ channels: {{ slack: {{ apiRoot: 'http://127.0.0.1:1', {what} }} }} }}")
    }

    #[test]
    fn tokens_by_configuration_or_environment() {
        let built = |what: &str, env| build("default", &with(what), env).unwrap();
        let env = [Some("xoxb-1-env"), Some("xapp-1-env")];
        let by_env = built("", env).unwrap();
        let by_config = built(BOTH, env).unwrap();
        let mixed = built("botToken: 'xoxb-1-a'", env).unwrap();
        assert!(by_env != by_config && by_config != mixed && mixed != by_env);
        assert_eq!(built("", [None, None]), None);
        assert_eq!(built("", [Some(" "), Some("")]), None);
        assert_eq!(
            built("mode: 'http', signingSecret: 'x'", [None, None]),
            None
        );
        assert_eq!(
            built(&format!("{BOTH}, mode: 'socket'"), env),
            Some(by_config)
        );
        let bots = built(&format!("{BOTH}, allowBots: true"), env);
        assert_ne!(bots, Some(by_config));
        // The variables are the default account's, and so are the tokens beside the accounts.
        let work = with(&format!("{BOTH}, accounts: {{ work: {{}} }}"));
        assert_eq!(build("work", &work, env).unwrap(), None);
        let own = with(&format!("accounts: {{ work: {{ {BOTH} }} }}"));
        assert!(build("work", &own, [None, None]).unwrap().is_some());
        // An account named default takes the app that stands beside it.
        let split = with("appToken: 'xapp-1-b', accounts: { default: { botToken: 'xoxb-1-a' } }");
        assert_eq!(
            build("default", &split, [None, None]).unwrap(),
            Some(by_config)
        );
    }

    #[test]
    fn what_is_there_and_wrong_is_said_and_not_shown() {
        let app = "appToken: 'xapp-1-hunter2'";
        let bot = "botToken: 'xoxb-1-hunter2'";
        for (what, env, named) in [
            (
                format!("botToken: 'hunter2', {app}"),
                [None, None],
                "botToken holds",
            ),
            (
                format!("{bot}, appToken: 'xoxb-hunter2'"),
                [None, None],
                "appToken holds",
            ),
            (
                app.to_owned(),
                [Some("hunter2"), None],
                "SLACK_BOT_TOKEN holds",
            ),
            (app.to_owned(), [None, None], "botToken is not"),
            (bot.to_owned(), [None, None], "appToken is not"),
            (
                String::new(),
                [None, Some("hunter2")],
                "SLACK_APP_TOKEN is set",
            ),
            (
                format!("{bot}, mode: 'http', signingSecret: 'hunter2'"),
                [None, None],
                "mode http",
            ),
            (
                format!("{bot}, {app}, apiRoot: 'http://example.org'"),
                [None, None],
                "apiRoot",
            ),
        ] {
            let config = if what.contains("apiRoot") {
                format!("{{ channels: {{ slack: {{ {what} }} }} }}")
            } else {
                with(&what)
            };
            let error = build("default", &config, env).unwrap_err();
            let shown = format!("{error:?}");
            assert!(shown.contains(named), "{shown}");
            assert!(
                !shown.contains("hunter2") && error.advice.is_some(),
                "{shown}"
            );
        }
    }

    #[test]
    fn accounts_have_files_of_their_own() {
        let state = StateDir::at("/s");
        let path = events_path(&state, &AccountId::default());
        assert!(path.ends_with("slack/events-default.json"));
        let work = AccountId::parse("work").unwrap();
        assert_ne!(events_path(&state, &work), path);
    }
}
