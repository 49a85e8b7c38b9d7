//! Telegram: the token and the server of a bot, from the configuration and the environment.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use channel_telegram::{ApiRoot, ApiRootError, BotToken, Surroundings, Telegram, TelegramError};
use gateway_channels::{BuildError, Built, Owners};
use openclaw_config::{Account, Secret};
use pairing_core::{AccountId, Chain};
use pairing_fs::{StateDir, SystemClock, SystemEntropy};

use super::{Recipe, files};
use crate::{StateFile, TokenFileError};

/// The variable with the default account's token.
const VARIABLE: &str = "TELEGRAM_BOT_TOKEN";

/// There is no usable token.
#[derive(Debug, thiserror::Error)]
enum BotTokenError {
    /// It has not the shape of one.
    #[error("{place} holds no bot token")]
    Shape {
        /// Where it stands.
        place: &'static str,
    },
    /// The file cannot be used.
    #[error(transparent)]
    File(#[from] TokenFileError),
}

impl BotTokenError {
    /// A line that says what to do next, for a person.
    fn advice(&self) -> &'static str {
        match self {
            Self::Shape { .. } => {
                "copy the token as @BotFather gave it: a number, a colon and 35 letters, digits, - and _"
            }
            Self::File(error) => error.advice(),
        }
    }
}

/// The bot cannot be built.
#[derive(Debug, thiserror::Error)]
enum ConfiguredError {
    #[error(transparent)]
    Token(#[from] BotTokenError),
    #[error(transparent)]
    Root(#[from] ApiRootError),
    #[error(transparent)]
    Telegram(#[from] TelegramError),
}

impl ConfiguredError {
    /// A line that says what to do next, for a person.
    fn advice(&self) -> Option<&'static str> {
        match self {
            Self::Token(error) => Some(error.advice()),
            Self::Root(error) => Some(error.advice()),
            Self::Telegram(TelegramError::Certificates(_)) => Some("install ca-certificates"),
            Self::Telegram(_) => None,
        }
    }
}

/// The bot of an account; `None` if the account has no token.
pub(super) fn build(recipe: &Recipe<'_>) -> Result<Option<Built>, BuildError> {
    let owners = Owners::of(recipe.config, recipe.rules);
    let bot = configured(recipe).map_err(|error| BuildError {
        error: Chain(&error).to_string(),
        advice: error.advice(),
    })?;
    Ok(bot.map(|bot| {
        let command = ("pair", "pair a phone, and decide who may come in");
        let bot = bot.commands([command], owners.senders().iter().cloned());
        Built {
            fingerprint: bot.fingerprint(),
            identity: bot.fingerprint(),
            adapter: Arc::new(bot),
        }
    }))
}

fn configured(recipe: &Recipe<'_>) -> Result<Option<Telegram>, ConfiguredError> {
    let settings = &recipe.settings;
    let Some(token) = find(&recipe.account, settings, recipe.var)? else {
        return Ok(None);
    };
    let root = settings.api_root.as_deref().map(ApiRoot::parse);
    let root = root.transpose()?.unwrap_or_default();
    let saved = StateFile::at(offset_path(recipe.state, &recipe.account));
    let surroundings = Surroundings::new(
        Arc::new(saved),
        Arc::new(SystemClock),
        Arc::new(SystemEntropy),
    )
    .proxies(recipe.proxies.clone());
    Ok(Some(Telegram::new(
        recipe.account.clone(),
        token,
        root,
        surroundings,
    )?))
}

/// The token of an account, from the first of these that is set: `tokenFile`, `botToken`, and for the default account
/// the variable `TELEGRAM_BOT_TOKEN`. `None` if none is. Reads a file: it blocks.
fn find(
    account: &AccountId,
    settings: &Account,
    var: impl Fn(&str) -> Option<OsString>,
) -> Result<Option<BotToken>, BotTokenError> {
    if let Some(path) = &settings.token_file {
        let token = files::token(path, var("HOME"))?;
        return of(&token, "tokenFile").map(Some);
    }
    if let Some(token) = &settings.bot_token {
        return of(token, "botToken").map(Some);
    }
    let variable = var(VARIABLE).filter(|_| account.is_default());
    let variable = variable.filter(|value| !value.to_string_lossy().trim().is_empty());
    let Some(variable) = variable else {
        return Ok(None);
    };
    let token = variable.to_str().and_then(BotToken::parse);
    token
        .map(Some)
        .ok_or(BotTokenError::Shape { place: VARIABLE })
}

fn of(secret: &Secret, place: &'static str) -> Result<BotToken, BotTokenError> {
    BotToken::parse(secret.expose()).ok_or(BotTokenError::Shape { place })
}

/// The file with the number of the last update that an account received, named as OpenClaw names it.
fn offset_path(state: &StateDir, account: &AccountId) -> PathBuf {
    let name = files::of_account("update-offset-", account);
    state.root().join("telegram").join(name)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use openclaw_config::Config;
    use pairing_core::ChannelId;
    use test_support::Logs;

    use super::*;

    const TOKEN: &str = "123456:AAH-secret_part";

    fn find(
        account: &str,
        config: &str,
        env: Option<&str>,
    ) -> Result<Option<String>, BotTokenError> {
        let config = Config::parse(config).unwrap();
        let account = AccountId::parse(account).unwrap();
        let settings = config.account(&ChannelId::parse("telegram").unwrap(), &account);
        let var = |name: &str| (name == VARIABLE).then(|| env.map(OsString::from))?;
        let found = super::find(&account, &settings, var)?;
        Ok(found.map(|token| token.bot().to_owned()))
    }

    #[test]
    fn file_then_configuration_then_environment() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("token");
        fs::write(&file, "1:file\n").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        let of_file = format!("tokenFile: '{}'", file.display());
        let set = |what: &str| format!("{{ channels: {{ telegram: {{ {what} }} }} }}");
        let both = set(&format!("{of_file}, botToken: '2:config'"));
        let env = Some("3:env");
        assert_eq!(find("default", &both, env).unwrap().unwrap(), "1");
        let config = set("botToken: '2:config'");
        assert_eq!(find("default", &config, env).unwrap().unwrap(), "2");
        assert_eq!(find("default", "{}", env).unwrap().unwrap(), "3");
        assert_eq!(find("default", "{}", Some(" ")).unwrap(), None);
        assert_eq!(find("default", "{}", None).unwrap(), None);
    }

    #[test]
    fn the_environment_is_the_default_accounts_alone() {
        assert_eq!(find("work", "{}", Some("3:env")).unwrap(), None);
    }

    #[test]
    fn what_is_there_and_wrong_is_said_and_not_shown() {
        let config = "{ channels: { telegram: { botToken: 'hunter2' } } }";
        let missing = "{ channels: { telegram: { tokenFile: '/nonexistent/token' } } }";
        let hidden = Some("hunter2");
        for error in [
            find("default", config, None).unwrap_err(),
            find("default", "{}", hidden).unwrap_err(),
            find("default", missing, Some("3:env")).unwrap_err(),
        ] {
            let shown = format!("{error} {error:?} {}", error.advice());
            assert!(!shown.contains("hunter2") && !error.advice().is_empty());
        }
    }

    #[test]
    fn a_file_that_others_can_read_is_used_and_said() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("token");
        fs::write(&file, TOKEN).unwrap();
        let config = format!(
            "{{ channels: {{ telegram: {{ tokenFile: '{}' }} }} }}",
            file.display()
        );
        for (mode, is_said) in [(0o600, false), (0o644, true), (0o640, true)] {
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
            let logs = Logs::default();
            let found = logs.during(|| find("default", &config, None));
            assert_eq!(found.unwrap().unwrap(), "123456");
            let said = logs.text();
            assert_eq!(
                said.contains("the token file is open to others"),
                is_said,
                "{said}"
            );
            assert!(!said.contains("secret_part"));
        }
    }

    #[test]
    fn accounts_have_files_of_their_own() {
        let state = StateDir::at("/s");
        for (account, name) in [
            ("work", "update-offset-work.json"),
            ("a b::c", "update-offset-a_b_c.json"),
        ] {
            let Ok(account) = AccountId::parse(account) else {
                continue;
            };
            assert!(offset_path(&state, &account).ends_with(name));
        }
    }

    #[test]
    fn the_file_of_the_default_account() {
        let path = offset_path(&StateDir::at("/s"), &AccountId::default());
        assert!(path.ends_with("telegram/update-offset-default.json"));
    }
}
