//! Discord: the token and the servers of a bot, from the configuration and the environment.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use channel_discord::{
    AddressError, ApiRoot, BotToken, Discord, DiscordError, GatewayAddress, Surroundings,
};
use gateway_channels::{BuildError, Built};
use openclaw_config::{Account, Secret};
use pairing_core::{AccountId, Chain};
use pairing_fs::{StateDir, SystemClock, SystemEntropy};
use sha2::{Digest as _, Sha256};

use super::{Recipe, files};
use crate::{StateFile, TokenFileError};

/// The variable with the default account's token.
const VARIABLE: &str = "DISCORD_BOT_TOKEN";

/// The bot cannot be built.
#[derive(Debug, thiserror::Error)]
enum ConfiguredError {
    /// There is something that has not the shape of a token.
    #[error("{place} holds no bot token")]
    Token {
        /// The setting or variable.
        place: &'static str,
    },
    #[error(transparent)]
    File(#[from] TokenFileError),
    #[error(transparent)]
    Address(#[from] AddressError),
    #[error(transparent)]
    Discord(#[from] DiscordError),
}

impl ConfiguredError {
    /// A line that says what to do next, for a person.
    fn advice(&self) -> Option<&'static str> {
        match self {
            Self::Token { .. } => Some(
                "copy the token from the Developer Portal, under Bot, Reset Token: three parts of letters, \
                 digits, - and _, with dots between. It is neither the application id nor the public key",
            ),
            Self::File(error) => Some(error.advice()),
            Self::Address(error) => Some(error.advice()),
            Self::Discord(DiscordError::Certificates(_)) => Some("install ca-certificates"),
            Self::Discord(_) => None,
        }
    }
}

/// The bot of an account; `None` if the account has no token.
pub(super) fn build(recipe: &Recipe<'_>) -> Result<Option<Built>, BuildError> {
    let bot = configured(recipe).map_err(|error| BuildError {
        error: Chain(&error).to_string(),
        advice: error.advice(),
    })?;
    Ok(bot.map(|bot| Built {
        fingerprint: fingerprint(&bot, &recipe.settings),
        identity: bot.fingerprint(),
        adapter: Arc::new(bot),
    }))
}

fn configured(recipe: &Recipe<'_>) -> Result<Option<Discord>, ConfiguredError> {
    let settings = &recipe.settings;
    let Some(token) = find(&recipe.account, settings, recipe.var)? else {
        return Ok(None);
    };
    let root = settings.api_root.as_deref().map(ApiRoot::parse);
    let root = root.transpose()?.unwrap_or_default();
    let gateway = settings.gateway_url.as_deref().map(GatewayAddress::parse);
    let gateway = gateway.transpose()?;
    let saved = StateFile::at(session_path(recipe.state, &recipe.account));
    let surroundings = Surroundings::new(
        Arc::new(saved),
        Arc::new(SystemClock),
        Arc::new(SystemEntropy),
    )
    .proxies(recipe.proxies.clone());
    let command = ("pair", "pair a phone, and decide who may come in");
    let bot = Discord::new(recipe.account.clone(), token, root, surroundings)?
        .commands([command])
        .allow_bots(settings.allow_bots.unwrap_or(false));
    Ok(Some(match gateway {
        Some(address) => bot.gateway(address)?,
        None => bot,
    }))
}

/// The token of an account, from the first of these that is set: `tokenFile`, `token`, and for the default account the
/// variable `DISCORD_BOT_TOKEN`. `None` if none is. Reads a file: it blocks.
fn find(
    account: &AccountId,
    settings: &Account,
    var: impl Fn(&str) -> Option<OsString>,
) -> Result<Option<BotToken>, ConfiguredError> {
    if let Some(path) = &settings.token_file {
        let token = files::token(path, var("HOME"))?;
        return of(&token, "tokenFile").map(Some);
    }
    if let Some(token) = &settings.token {
        return of(token, "token").map(Some);
    }
    let variable = var(VARIABLE).filter(|_| account.is_default());
    let variable = variable.filter(|value| !value.to_string_lossy().trim().is_empty());
    let Some(variable) = variable else {
        return Ok(None);
    };
    let token = variable.to_str().and_then(BotToken::parse);
    token
        .map(Some)
        .ok_or(ConfiguredError::Token { place: VARIABLE })
}

fn of(secret: &Secret, place: &'static str) -> Result<BotToken, ConfiguredError> {
    BotToken::parse(secret.expose()).ok_or(ConfiguredError::Token { place })
}

/// A hash of everything that takes a new adapter when it changes.
fn fingerprint(bot: &Discord, settings: &Account) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(bot.fingerprint());
    hash.update([u8::from(settings.allow_bots.unwrap_or(false))]);
    hash.update(settings.gateway_url.as_deref().unwrap_or_default());
    hash.finalize().into()
}

/// The file with the session of an account's bot.
fn session_path(state: &StateDir, account: &AccountId) -> PathBuf {
    let name = files::of_account("gateway-session-", account);
    state.root().join("discord").join(name)
}

#[cfg(test)]
mod tests {
    use openclaw_config::Config;
    use pairing_core::{ChannelId, Channels};

    use super::*;

    const TOKEN: &str = "MTIz.GhX.secret_part";

    fn build(
        account: &str,
        config: &str,
        env: Option<&str>,
    ) -> Result<Option<[u8; 32]>, BuildError> {
        let dir = tempfile::tempdir().unwrap();
        let config = Config::parse(config).unwrap();
        let channels = Channels::builtin();
        let rules = channels.get(&ChannelId::parse("discord").unwrap()).unwrap();
        let account = AccountId::parse(account).unwrap();
        let built = super::build(&Recipe {
            settings: config.account(rules.id(), &account),
            account,
            config: &config,
            rules,
            state: &StateDir::at(dir.path()),
            proxies: channel_kit::proxy::Proxies::default(),
            var: &|name| (name == VARIABLE).then(|| env.map(OsString::from))?,
        })?;
        Ok(built.map(|built| built.fingerprint))
    }

    fn with(what: &str) -> String {
        format!("{{ channels: {{ discord: {{ apiRoot: 'http://127.0.0.1:1', {what} }} }} }}")
    }

    #[test]
    fn a_token_by_file_configuration_or_environment() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("token");
        std::fs::write(&file, "a.b.file\n").unwrap();
        let of_file = format!("tokenFile: '{}'", file.display());
        let built = |what: &str, env| build("default", &with(what), env).unwrap();
        let by_env = built("", Some("a.b.env")).unwrap();
        let by_config = built("token: 'a.b.config'", Some("a.b.env")).unwrap();
        let by_file = built(&format!("{of_file}, token: 'a.b.config'"), None).unwrap();
        assert!(by_env != by_config && by_config != by_file);
        assert_eq!(built("", None), None);
        assert_eq!(built("", Some(" ")), None);
        // Telegram's key is not Discord's.
        assert_eq!(built("botToken: 'a.b.config'", None), None);
        // The variable is the default account's.
        assert_eq!(build("work", &with(""), Some("a.b.env")).unwrap(), None);
    }

    #[test]
    fn every_setting_counts() {
        let token = format!("token: '{TOKEN}'");
        let usual = build("default", &with(&token), None).unwrap().unwrap();
        for more in ["allowBots: true", "gatewayUrl: 'ws://127.0.0.1:2'"] {
            let other = build("default", &with(&format!("{token}, {more}")), None);
            assert_ne!(other.unwrap().unwrap(), usual, "{more}");
        }
        let same = build(
            "default",
            &with(&format!("{token}, allowBots: false")),
            None,
        );
        assert_eq!(same.unwrap().unwrap(), usual);
    }

    #[test]
    fn what_is_there_and_wrong_is_said_and_not_shown() {
        for (what, env) in [
            ("token: 'hunter2'", None),
            ("", Some("hunter2")),
            ("tokenFile: '/nonexistent/hunter2x', token: 'a.b.c'", None),
            ("token: 'a.b.hunter2', gatewayUrl: 'ws://example.org'", None),
            ("token: 'a.b.hunter2', gatewayUrl: 'https://x'", None),
        ] {
            let error = build("default", &with(what), env).unwrap_err();
            let shown = format!("{error:?}").replace("hunter2x", "");
            assert!(
                !shown.contains("hunter2") && error.advice.is_some(),
                "{shown}"
            );
        }
    }

    #[test]
    fn accounts_have_files_of_their_own() {
        let state = StateDir::at("/s");
        let path = session_path(&state, &AccountId::default());
        assert!(path.ends_with("discord/gateway-session-default.json"));
        let work = AccountId::parse("work").unwrap();
        assert_ne!(session_path(&state, &work), path);
    }
}
