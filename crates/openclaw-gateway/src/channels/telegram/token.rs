//! The bot's token, and where it comes from.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use openclaw_config::{Account, Secret};
use pairing_core::AccountId;
use zeroize::Zeroizing;

use crate::{TokenFileError, read_token};

/// The environment's variable with the default account's token.
const VARIABLE: &str = "TELEGRAM_BOT_TOKEN";

/// A bot's token: its number, a colon, and the secret.
///
/// - Of letters, digits, `-` and `_`: it is part of a path.
/// - No `Display`, a `Debug` without the value; wiped when dropped.
#[derive(Clone)]
pub struct BotToken(Zeroizing<String>);

/// There is no usable token.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BotTokenError {
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
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Shape { .. } => {
                "copy the token as @BotFather gave it: a number, a colon and 35 letters, digits, - and _"
            }
            Self::File(error) => error.advice(),
        }
    }
}

impl BotToken {
    /// A token; `None` for what cannot be one. Space around it does not belong to it.
    pub fn parse(text: &str) -> Option<Self> {
        const LONGEST: usize = 256;
        let text = text.trim();
        let (bot, secret) = text.split_once(':')?;
        let is_number = !bot.is_empty() && bot.bytes().all(|b| b.is_ascii_digit());
        let is_secret = !secret.is_empty()
            && secret
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        (is_number && is_secret && text.len() <= LONGEST)
            .then(|| Self(Zeroizing::new(text.to_owned())))
    }

    /// What is set for an account, the first there is: `tokenFile`, `botToken`, and for the default account
    /// `TELEGRAM_BOT_TOKEN`. `None` where nothing is. Reads a file: it blocks.
    pub fn find(
        account: &AccountId,
        settings: &Account,
        var: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Option<Self>, BotTokenError> {
        if let Some(path) = &settings.token_file {
            let path = in_home(path, var("HOME"));
            warn_if_open(&path);
            return Self::of(&read_token(&path)?, "tokenFile").map(Some);
        }
        if let Some(token) = &settings.bot_token {
            return Self::of(token, "botToken").map(Some);
        }
        let variable = var(VARIABLE).filter(|_| account.is_default());
        let variable = variable.filter(|value| !value.to_string_lossy().trim().is_empty());
        let Some(variable) = variable else {
            return Ok(None);
        };
        let token = variable.to_str().and_then(Self::parse);
        token
            .map(Some)
            .ok_or(BotTokenError::Shape { place: VARIABLE })
    }

    /// The bot's number, which is no secret.
    pub fn bot(&self) -> &str {
        self.0.split(':').next().unwrap_or_default()
    }

    pub(super) fn expose(&self) -> &str {
        &self.0
    }

    fn of(secret: &Secret, place: &'static str) -> Result<Self, BotTokenError> {
        Self::parse(secret.expose()).ok_or(BotTokenError::Shape { place })
    }
}

impl fmt::Debug for BotToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BotToken(…)")
    }
}

fn in_home(path: &str, home: Option<OsString>) -> PathBuf {
    match (path.strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => PathBuf::from(home).join(rest),
        _ => path.into(),
    }
}

#[cfg(unix)]
fn warn_if_open(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = path.metadata().map(|found| found.permissions().mode());
    if mode.is_ok_and(|mode| mode & 0o077 != 0) {
        tracing::warn!(
            path = %pairing_core::escape(&path.to_string_lossy()).limit(512),
            advice = "others on this machine may read the bot's token: chmod 600 the file",
            "the token file is open to others"
        );
    }
}

#[cfg(not(unix))]
fn warn_if_open(_: &Path) {}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use openclaw_config::Config;
    use pairing_core::ChannelId;

    use super::super::logs::Logs;
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
        let found = BotToken::find(&account, &settings, var)?;
        Ok(found.map(|token| token.expose().to_owned()))
    }

    #[test]
    fn the_shape_of_a_token() {
        let token = BotToken::parse(" 123456:AAH-secret_part\n").unwrap();
        assert_eq!((token.expose(), token.bot()), (TOKEN, "123456"));
        assert_eq!(format!("{token:?}"), "BotToken(…)");
        for wrong in [
            "", ":", "123", "123:", ":x", "a:b", "1:a/b", "1:a?b", "1:a b", "1:a%41", "1:é",
            "1:a:b", "../1:x",
        ] {
            assert!(BotToken::parse(wrong).is_none(), "{wrong}");
        }
        assert!(BotToken::parse(&format!("1:{}", "x".repeat(300))).is_none());
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
        assert_eq!(find("default", &both, env).unwrap().unwrap(), "1:file");
        let config = set("botToken: '2:config'");
        assert_eq!(find("default", &config, env).unwrap().unwrap(), "2:config");
        assert_eq!(find("default", "{}", env).unwrap().unwrap(), "3:env");
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
            assert_eq!(found.unwrap().unwrap(), TOKEN);
            let said = logs.text();
            assert_eq!(
                said.contains("the token file is open to others"),
                is_said,
                "{said}"
            );
            assert!(!said.contains("secret_part"));
        }
    }
}
