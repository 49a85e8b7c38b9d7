//! A personal WhatsApp account, linked as one of its devices, from the configuration.

use std::path::PathBuf;
use std::sync::Arc;

use channel_kit::{PhoneNumber, PhoneNumberError};
use channel_whatsapp_web::{Surroundings, WhatsAppWeb, WhatsAppWebError};
use gateway_channels::{BuildError, Built};
use pairing_core::Chain;
use pairing_fs::{SystemClock, SystemEntropy};

use super::{Recipe, files};
use crate::StateFile;

/// The account cannot be built.
#[derive(Debug, thiserror::Error)]
enum ConfiguredError {
    #[error("linkNumber: {0}")]
    Number(#[from] PhoneNumberError),
    #[error(transparent)]
    Account(#[from] WhatsAppWebError),
}

impl ConfiguredError {
    /// A line that says what to do next, for a person.
    fn advice(&self) -> Option<&'static str> {
        match self {
            Self::Number(_) => Some(
                "set the account's number with its country, such as +15550001111; or remove it, and link by a QR code",
            ),
            Self::Account(WhatsAppWebError::Certificates(_)) => Some("install ca-certificates"),
            Self::Account(_) => None,
        }
    }
}

/// The account; `None` if none is meant.
pub(super) fn build(recipe: &Recipe<'_>) -> Result<Option<Built>, BuildError> {
    let keys = keys(recipe);
    if !is_meant(recipe) && !keys.join("keys.sqlite").exists() {
        return Ok(None);
    }
    let account = configured(recipe, keys).map_err(|error| BuildError {
        error: Chain(&error).to_string(),
        advice: error.advice(),
    })?;
    Ok(Some(Built {
        fingerprint: account.fingerprint(),
        identity: account.identity(),
        adapter: Arc::new(account),
    }))
}

fn configured(recipe: &Recipe<'_>, keys: PathBuf) -> Result<WhatsAppWeb, ConfiguredError> {
    let settings = &recipe.settings.web;
    let number = settings.link_number.as_deref().map(PhoneNumber::parse);
    let seen = files::of_account("web-seen-", &recipe.account);
    let seen = recipe.state.root().join("whatsapp").join(seen);
    let surroundings = Surroundings::new(
        keys,
        Arc::new(StateFile::at(seen)),
        Arc::new(SystemClock),
        Arc::new(SystemEntropy),
    )
    .proxies(recipe.proxies.clone());
    let account = WhatsAppWeb::new(recipe.account.clone(), surroundings)?;
    Ok(account
        .self_chat(settings.self_chat_mode == Some(true))
        .by_code(number.transpose()?))
}

/// Whether a personal account is meant: it is named, or WhatsApp is and has no accounts by name.
fn is_meant(recipe: &Recipe<'_>) -> bool {
    let channel = recipe.rules.id();
    let mut named = recipe.config.accounts(channel).peekable();
    let has_names = named.peek().is_some();
    let settings = &recipe.settings.web;
    let has_own = settings.auth_dir.is_some() || settings.link_number.is_some();
    named.any(|account| *account == recipe.account)
        || (recipe.account.is_default()
            && (has_own || (!has_names && recipe.config.channels().any(|id| id == channel))))
}

/// The directory of the keys, where the other program has it, too.
fn keys(recipe: &Recipe<'_>) -> PathBuf {
    if let Some(dir) = &recipe.settings.web.auth_dir {
        return files::in_home(dir, (recipe.var)("HOME"));
    }
    let name = files::directory(&recipe.account);
    recipe.state.root().join("credentials/whatsapp").join(name)
}

#[cfg(test)]
mod tests {
    use openclaw_config::Config;
    use pairing_core::{AccountId, ChannelId, Channels};
    use pairing_fs::StateDir;

    use super::*;

    fn build(account: &str, channels: &str) -> Result<Option<String>, BuildError> {
        let dir = tempfile::tempdir().unwrap();
        let config = Config::parse(&format!("{{ channels: {{ {channels} }} }}")).unwrap();
        let channels = Channels::builtin();
        let rules = channels
            .get(&ChannelId::parse("whatsapp").unwrap())
            .unwrap();
        let account = AccountId::parse(account).unwrap();
        let built = super::build(&Recipe {
            settings: config.account(rules.id(), &account),
            account,
            config: &config,
            rules,
            state: &StateDir::at(dir.path()),
            proxies: channel_kit::proxy::Proxies::default(),
            var: &|name| (name == "HOME").then(|| "/home/ann".into()),
        })?;
        Ok(built.map(|built| {
            let shown = format!("{:?}", built.adapter);
            shown.replace(&dir.path().display().to_string(), "<state>")
        }))
    }

    #[test]
    fn an_account_that_is_named_has_keys_of_its_own() {
        let built = |account, channels| build(account, channels).unwrap().unwrap_or_default();
        assert_eq!(built("default", "telegram: {}"), "");
        let alone = built("default", "whatsapp: {}");
        assert!(
            alone.contains("<state>/credentials/whatsapp/default\""),
            "{alone}"
        );
        assert!(alone.contains("self_chat: false"), "{alone}");
        let two = "whatsapp: { selfChatMode: true, authDir: '~/auth', accounts: { work: {} } }";
        let work = built("work", two);
        assert!(
            work.contains("<state>/credentials/whatsapp/work\""),
            "{work}"
        );
        assert!(work.contains("self_chat: true"), "{work}");
        assert!(built("default", two).contains("/home/ann/auth\""));
        // Others by name, and nothing for this one.
        assert_eq!(built("default", "whatsapp: { accounts: { work: {} } }"), "");
    }

    #[test]
    fn a_number_without_its_country_is_named_and_an_odd_name_stays_in_the_directory() {
        let error = build("default", "whatsapp: { linkNumber: '0171 1' }").unwrap_err();
        assert!(error.error.starts_with("linkNumber: "), "{}", error.error);
        assert!(error.advice.is_some());
        let odd = build("default", "whatsapp: { linkNumber: '+1 555 000 1111' }");
        assert!(odd.unwrap().unwrap().contains("WhatsAppWeb"));
        let dot = build(".", "whatsapp: { accounts: { '.': {} } }");
        let dot = dot.unwrap().unwrap();
        assert!(dot.contains("<state>/credentials/whatsapp/_.\""), "{dot}");
    }
}
