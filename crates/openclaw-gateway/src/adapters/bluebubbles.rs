//! iMessage by BlueBubbles: the server and its password, from the configuration.

use std::sync::Arc;

use channel_bluebubbles::{
    AddressError, BlueBubbles, BlueBubblesError, Password, ServerUrl, Surroundings, WEBHOOK_PATH,
    WebhookPath, WebhookPathError, WebhookUrl,
};
use gateway_channels::{BuildError, Built};
use pairing_core::{Chain, escape};
use pairing_fs::{SystemClock, SystemEntropy};

use super::{Recipe, files};
use crate::StateFile;

/// The account cannot be built.
#[derive(Debug, thiserror::Error)]
enum ConfiguredError {
    /// One of the two is there alone.
    #[error("{there} is set, and {missing} is not")]
    Half {
        there: &'static str,
        missing: &'static str,
    },
    #[error("serverUrl: {0}")]
    Server(#[source] AddressError),
    #[error("webhookPath: {0}")]
    Path(#[from] WebhookPathError),
    #[error("registerWebhookUrl: {0}")]
    Webhook(#[source] AddressError),
    /// A request to that URL would not find the webhook.
    #[error("registerWebhookUrl does not end with webhookPath")]
    Elsewhere,
    #[error("service {} is not known", escape(service).limit(32))]
    Service { service: String },
    #[error(transparent)]
    BlueBubbles(#[from] BlueBubblesError),
}

impl ConfiguredError {
    /// A line that says what to do next, for a person.
    fn advice(&self) -> Option<&'static str> {
        match self {
            Self::Half { .. } => Some(
                "set both: serverUrl and password are in the BlueBubbles app, under API & Webhooks",
            ),
            Self::Server(error) => Some(error.advice()),
            Self::Path(_) => {
                Some("remove webhookPath, or set it to a path such as /bluebubbles-webhook")
            }
            Self::Webhook(AddressError::Unencrypted) => Some(
                "set an encrypted address, or one on the local network: the password is in its query",
            ),
            Self::Webhook(_) => Some(
                "set the address by which the Mac reaches this gateway, such as \
                 http://192.168.1.5:18789/bluebubbles-webhook, without a query",
            ),
            Self::Elsewhere => Some(
                "let registerWebhookUrl end with webhookPath, /bluebubbles-webhook unless it is set",
            ),
            Self::Service { .. } => Some(
                "remove service, or set it to sms where text messages are to count, whose senders can be forged",
            ),
            Self::BlueBubbles(BlueBubblesError::Certificates(_)) => Some("install ca-certificates"),
            Self::BlueBubbles(_) => None,
        }
    }
}

/// The account; `None` if it is not set up.
pub(super) fn build(recipe: &Recipe<'_>) -> Result<Option<Built>, BuildError> {
    let account = configured(recipe).map_err(|error| BuildError {
        error: Chain(&error).to_string(),
        advice: error.advice(),
    })?;
    Ok(account.map(|account| Built {
        fingerprint: account.fingerprint(),
        identity: account.identity(),
        adapter: Arc::new(account),
    }))
}

fn configured(recipe: &Recipe<'_>) -> Result<Option<BlueBubbles>, ConfiguredError> {
    let settings = &recipe.settings.server;
    let password = settings.password.as_ref();
    let password = password.and_then(|password| Password::parse(password.expose()));
    let (url, password) = match (settings.url.as_deref(), password) {
        (Some(url), Some(password)) => (url, password),
        (None, None) => return Ok(None),
        (Some(_), None) => {
            let (there, missing) = ("serverUrl", "password");
            return Err(ConfiguredError::Half { there, missing });
        }
        (None, Some(_)) => {
            let (there, missing) = ("password", "serverUrl");
            return Err(ConfiguredError::Half { there, missing });
        }
    };
    let url = ServerUrl::parse(url).map_err(ConfiguredError::Server)?;
    let path = settings.webhook_path.as_deref().map(WebhookPath::parse);
    let path = path.transpose()?.unwrap_or(WEBHOOK_PATH);
    let webhook = settings.webhook_url.as_deref().map(WebhookUrl::parse);
    let webhook = webhook.transpose().map_err(ConfiguredError::Webhook)?;
    if webhook.as_ref().is_some_and(|url| !url.ends_with(&*path)) {
        return Err(ConfiguredError::Elsewhere);
    }
    // The same key, and the same words, as for iMessage itself. By which service is sent, the server decides.
    let service = recipe.settings.messages.service.as_deref();
    let trusts_sms = match service.map(|text| text.trim().to_ascii_lowercase()) {
        None => false,
        Some(service) => match service.as_str() {
            "sms" => true,
            "auto" | "imessage" => false,
            _ => return Err(ConfiguredError::Service { service }),
        },
    };
    let seen = files::of_account("seen-", &recipe.account);
    let seen = recipe.state.root().join("bluebubbles").join(seen);
    let surroundings = Surroundings::new(
        Arc::new(StateFile::at(seen)),
        Arc::new(SystemClock),
        Arc::new(SystemEntropy),
    )
    .proxies(recipe.proxies.clone());
    let account = BlueBubbles::new(recipe.account.clone(), url, password, surroundings)?;
    let account = account.webhook_path(path).trusts_sms(trusts_sms);
    Ok(Some(match webhook {
        Some(url) => account.register(url),
        None => account,
    }))
}

#[cfg(test)]
mod tests {
    use openclaw_config::Config;
    use pairing_core::{AccountId, ChannelId, Channels};
    use pairing_fs::StateDir;

    use super::*;

    const BOTH: &str = "serverUrl: 'http://192.168.1.100:1234', password: 'hunter2'";

    fn build(account: &str, bluebubbles: &str) -> Result<Option<Built>, BuildError> {
        let dir = tempfile::tempdir().unwrap();
        let config = format!("{{ channels: {{ bluebubbles: {{ {bluebubbles} }} }} }}");
        let config = Config::parse(&config).unwrap();
        let channels = Channels::builtin();
        let rules = channels
            .get(&ChannelId::parse("bluebubbles").unwrap())
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
    fn a_server_and_its_webhook() {
        assert!(build("default", "dmPolicy: 'open'").unwrap().is_none());
        let built = |settings: &str| build("default", settings).unwrap().unwrap();
        let usual = built(BOTH);
        assert_eq!(
            usual.adapter.webhook().unwrap().path(),
            "/bluebubbles-webhook"
        );
        assert!(!format!("{:?}", usual.adapter).contains("hunter2"));
        let own = built(&format!("{BOTH}, webhookPath: 'hooks/mac/'"));
        assert_eq!(own.adapter.webhook().unwrap().path(), "/hooks/mac");
        let registered = built(&format!(
            "{BOTH}, registerWebhookUrl: 'http://192.168.1.5:18789/bluebubbles-webhook'"
        ));
        // Text messages count where the owner says so, and a change of that is another adapter.
        let print = |service: &str| built(&format!("{BOTH}, service: '{service}'")).fingerprint;
        assert_eq!(print("auto"), usual.fingerprint);
        assert_eq!(print("iMessage"), usual.fingerprint);
        assert_ne!(print("SMS"), usual.fingerprint);
        let prints = [&usual, &own, &registered].map(|built| built.fingerprint);
        assert!(prints[0] != prints[1] && prints[1] != prints[2] && prints[0] != prints[2]);
        // The server beside the accounts is the default account's; the webhook's path is everybody's.
        let two = format!("{BOTH}, webhookPath: '/mac', accounts: {{ work: {{}} }}");
        assert!(build("work", &two).unwrap().is_none());
        let two = format!("webhookPath: '/mac', accounts: {{ work: {{ {BOTH} }} }}");
        let work = build("work", &two).unwrap().unwrap();
        assert_eq!(work.adapter.webhook().unwrap().path(), "/mac");
    }

    #[test]
    fn what_is_there_and_wrong_is_named_and_no_secret_shown() {
        let password = "password: 'hunter2'";
        for (settings, named) in [
            (password.to_owned(), "password is set, and serverUrl is not"),
            (
                "serverUrl: 'http://127.0.0.1:1234'".to_owned(),
                "serverUrl is set, and password is not",
            ),
            (
                format!("serverUrl: 'http://mac.example', {password}"),
                "not encrypted",
            ),
            (
                format!("serverUrl: 'http://127.0.0.1?password=hunter2', {password}"),
                "serverUrl: it is no address",
            ),
            (format!("{BOTH}, webhookPath: '/?a'"), "webhookPath"),
            (
                format!(
                    "{BOTH}, registerWebhookUrl: 'http://192.168.1.5/bluebubbles-webhook?password=hunter2'"
                ),
                "registerWebhookUrl: it is no address",
            ),
            (format!("{BOTH}, service: 'telex'"), "service telex"),
            (
                format!("{BOTH}, registerWebhookUrl: 'http://192.168.1.5/elsewhere'"),
                "does not end with webhookPath",
            ),
        ] {
            let error = build("default", &settings).unwrap_err();
            assert!(error.error.contains(named), "{}", error.error);
            assert!(error.advice.is_some());
            assert!(!format!("{error:?}").contains("hunter2"));
        }
    }
}
