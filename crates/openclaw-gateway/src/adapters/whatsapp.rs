//! WhatsApp by Meta's Cloud API: the number and its secrets, from the configuration.

use std::sync::Arc;

use channel_kit::{WebhookPath, WebhookPathError};
use channel_whatsapp::{
    AccessToken, AddressError, ApiRoot, AppSecret, Credentials, PhoneNumberId, Surroundings,
    VerifyToken, WEBHOOK_PATH, WhatsApp, WhatsAppError,
};
use gateway_channels::{BuildError, Built};
use openclaw_config::{Cloud, Secret};
use pairing_core::Chain;
use pairing_fs::{SystemClock, SystemEntropy};

use super::{Recipe, files};
use crate::StateFile;

/// The number cannot be built.
#[derive(Debug, thiserror::Error)]
enum ConfiguredError {
    /// Not all that a number needs is there.
    #[error("cloud.{missing} is not set")]
    Missing { missing: &'static str },
    /// There is something of another shape.
    #[error("cloud.{key} holds {what}")]
    Shape {
        key: &'static str,
        what: &'static str,
    },
    #[error("cloud.webhookPath: {0}")]
    Path(#[from] WebhookPathError),
    #[error("cloud.apiRoot: {0}")]
    Address(#[from] AddressError),
    #[error(transparent)]
    WhatsApp(#[from] WhatsAppError),
}

impl ConfiguredError {
    /// A line that says what to do next, for a person.
    fn advice(&self) -> Option<&'static str> {
        match self {
            Self::Missing { .. } => Some(
                "a number needs four: phoneNumberId, accessToken, appSecret and verifyToken; docs/channels/whatsapp.md says \
                 where each of them is found",
            ),
            Self::Shape { .. } => Some(
                "copy it again: phoneNumberId has digits alone and is not the number; appSecret is on the app's page under \
                 App settings, Basic; verifyToken has at least 8 characters, without spaces, and is yours to choose",
            ),
            Self::Path(_) => {
                Some("remove webhookPath, or set it to a path such as /whatsapp-webhook")
            }
            Self::Address(error) => Some(error.advice()),
            Self::WhatsApp(WhatsAppError::Certificates(_)) => Some("install ca-certificates"),
            Self::WhatsApp(_) => None,
        }
    }
}

/// The number of an account, or else the personal account that is linked; `None` if it has neither.
pub(super) fn build(recipe: &Recipe<'_>) -> Result<Option<Built>, BuildError> {
    let account = configured(recipe).map_err(|error| BuildError {
        error: Chain(&error).to_string(),
        advice: error.advice(),
    })?;
    match account {
        Some(account) => Ok(Some(Built {
            fingerprint: account.fingerprint(),
            identity: account.identity(),
            adapter: Arc::new(account),
        })),
        #[cfg(feature = "whatsapp-web")]
        None => super::whatsapp_web::build(recipe),
        #[cfg(not(feature = "whatsapp-web"))]
        None => Ok(None),
    }
}

fn configured(recipe: &Recipe<'_>) -> Result<Option<WhatsApp>, ConfiguredError> {
    let cloud = &recipe.settings.cloud;
    if !is_meant(recipe, cloud) {
        return Ok(None);
    }
    let number = cloud.phone_number_id.as_deref();
    let number = number.ok_or(ConfiguredError::Missing {
        missing: "phoneNumberId",
    })?;
    let number = PhoneNumberId::parse(number).ok_or(ConfiguredError::Shape {
        key: "phoneNumberId",
        what: "no id of a phone number",
    })?;
    let credentials = Credentials::new(
        secret(
            cloud.access_token.as_ref(),
            "accessToken",
            AccessToken::parse,
        )?,
        secret(cloud.app_secret.as_ref(), "appSecret", AppSecret::parse)?,
        secret(
            cloud.verify_token.as_ref(),
            "verifyToken",
            VerifyToken::parse,
        )?,
    );
    let root = cloud.api_root.as_deref().map(ApiRoot::parse);
    let root = root.transpose()?.unwrap_or_default();
    let path = cloud.webhook_path.as_deref().map(WebhookPath::parse);
    let path = path.transpose()?.unwrap_or(WEBHOOK_PATH);
    let seen = files::of_account("seen-", &recipe.account);
    let seen = recipe.state.root().join("whatsapp").join(seen);
    let surroundings = Surroundings::new(
        Arc::new(StateFile::at(seen)),
        Arc::new(SystemClock),
        Arc::new(SystemEntropy),
    )
    .proxies(recipe.proxies.clone());
    let account = recipe.account.clone();
    let account = WhatsApp::new(account, number, credentials, root, surroundings)?;
    Ok(Some(account.webhook_path(path)))
}

/// Whether the account is to have a number: what is set beside the accounts may be for the others.
fn is_meant(recipe: &Recipe<'_>, cloud: &Cloud) -> bool {
    let has_number = cloud.phone_number_id.is_some();
    let has_others = recipe
        .config
        .accounts(recipe.rules.id())
        .any(|account| !account.is_default());
    let has_secrets = cloud.access_token.is_some() || cloud.app_secret.is_some();
    has_number || (recipe.account.is_default() && has_secrets && !has_others)
}

fn secret<T>(
    setting: Option<&Secret>,
    key: &'static str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<T, ConfiguredError> {
    let missing = ConfiguredError::Missing { missing: key };
    let setting = setting.ok_or(missing)?;
    let what = "something else than that";
    parse(setting.expose()).ok_or(ConfiguredError::Shape { key, what })
}

#[cfg(test)]
mod tests {
    use openclaw_config::Config;
    use pairing_core::{AccountId, ChannelId, Channels};
    use pairing_fs::StateDir;

    use super::*;

    const SECRETS: &str = "accessToken: 'EAAGhunter2hunter2hunter2', appSecret: 'hunter2hunter2hunter2', \
                           verifyToken: 'hunter2-hunter2'";

    fn build(account: &str, whatsapp: &str) -> Result<Option<Built>, BuildError> {
        let dir = tempfile::tempdir().unwrap();
        let config = format!("{{ channels: {{ whatsapp: {{ {whatsapp} }} }} }}");
        let config = Config::parse(&config).unwrap();
        let channels = Channels::builtin();
        let rules = channels
            .get(&ChannelId::parse("whatsapp").unwrap())
            .unwrap();
        let account = AccountId::parse(account).unwrap();
        super::build(&Recipe {
            settings: config.account(rules.id(), &account),
            account,
            config: &config,
            rules,
            state: &StateDir::at(dir.path()),
            proxies: channel_kit::proxy::Proxies::default(),
            var: &|_| None,
        })
    }

    #[test]
    fn a_number_and_its_webhook() {
        for personal in [
            "dmPolicy: 'open'",
            "selfChatMode: true, accounts: { default: { authDir: '~/auth' } }",
        ] {
            let built = build("default", personal).unwrap();
            assert_eq!(
                built.is_some(),
                cfg!(feature = "whatsapp-web"),
                "{personal}"
            );
        }
        let built = |more: &str| {
            let cloud = format!("cloud: {{ phoneNumberId: '1', {SECRETS}{more} }}");
            build("default", &cloud).unwrap().unwrap()
        };
        let usual = built("");
        assert_eq!(usual.adapter.webhook().unwrap().path(), "/whatsapp-webhook");
        assert!(!format!("{:?}", usual.adapter).contains("hunter2"));
        let other = built(", webhookPath: 'hooks/meta/'");
        assert_eq!(other.adapter.webhook().unwrap().path(), "/hooks/meta");
        assert!(usual.fingerprint != other.fingerprint && usual.identity == other.identity);
        // An app may have several numbers; each account names its own.
        let two = format!(
            "cloud: {{ {SECRETS} }}, accounts: {{ work: {{ cloud: {{ phoneNumberId: '2' }} }} }}"
        );
        assert!(build("default", &two).unwrap().is_none());
        let work = build("work", &two).unwrap().unwrap();
        assert_ne!(work.identity, usual.identity);
        let beside =
            format!("cloud: {{ phoneNumberId: '1', {SECRETS} }}, accounts: {{ work: {{}} }}");
        let beside = build("work", &beside).unwrap();
        assert!(beside.is_none_or(|built| built.adapter.webhook().is_none()));
    }

    #[test]
    fn what_is_there_and_wrong_is_named_and_no_secret_shown() {
        for (cloud, named) in [
            (SECRETS.to_owned(), "cloud.phoneNumberId is not set"),
            (
                "phoneNumberId: '1'".to_owned(),
                "cloud.accessToken is not set",
            ),
            (
                "phoneNumberId: '1', accessToken: 'EAAGhunter2hunter2hunter2'".to_owned(),
                "cloud.appSecret is not set",
            ),
            (
                format!("phoneNumberId: '+1 555', {SECRETS}"),
                "cloud.phoneNumberId holds",
            ),
            (
                format!("phoneNumberId: '1', {}", SECRETS.replace("EAAG", "EA AG")),
                "cloud.accessToken holds",
            ),
            (
                format!(
                    "phoneNumberId: '1', {}",
                    SECRETS.replace("hunter2-hunter2", "hunter2")
                ),
                "cloud.verifyToken holds",
            ),
            (
                format!("phoneNumberId: '1', {SECRETS}, webhookPath: '/?a'"),
                "cloud.webhookPath",
            ),
            (
                format!("phoneNumberId: '1', {SECRETS}, apiRoot: 'http://graph.example'"),
                "cloud.apiRoot: the address is not encrypted",
            ),
        ] {
            let error = build("default", &format!("cloud: {{ {cloud} }}")).unwrap_err();
            assert!(error.error.contains(named), "{}", error.error);
            assert!(error.advice.is_some() && !format!("{error:?}").contains("hunter2"));
        }
    }
}
