//! Feishu and Lark: the app and its server, from the configuration and the environment.

use std::path::PathBuf;
use std::sync::Arc;

use channel_feishu::{AddressError, ApiRoot, AppId, AppSecret, Feishu, FeishuError, Surroundings};
use gateway_channels::{BuildError, Built};
use openclaw_config::Secret;
use pairing_core::{AccountId, Chain, escape};
use pairing_fs::{StateDir, SystemClock, SystemEntropy};

use super::{Recipe, files};
use crate::StateFile;

/// The variables with the default account's app.
const ID_VARIABLE: &str = "FEISHU_APP_ID";
const SECRET_VARIABLE: &str = "FEISHU_APP_SECRET";

/// The app cannot be built.
#[derive(Debug, thiserror::Error)]
enum ConfiguredError {
    /// There is something that has not the shape of an app's id.
    #[error("{place} holds no app id")]
    Id {
        /// The setting or variable.
        place: &'static str,
    },
    /// There is something that has not the shape of an app's secret.
    #[error("{place} holds no app secret")]
    Secret {
        /// The setting or variable.
        place: &'static str,
    },
    /// One of the two is there alone.
    #[error("{there} is set, and {missing} is not")]
    Half {
        there: &'static str,
        missing: &'static str,
    },
    /// Feishu would have to reach the gateway.
    #[error("connectionMode {} is not supported", escape(mode).limit(32))]
    Mode { mode: String },
    #[error("{key}: {error}")]
    Address {
        /// The setting.
        key: &'static str,
        error: AddressError,
    },
    #[error(transparent)]
    Feishu(#[from] FeishuError),
}

impl ConfiguredError {
    /// A line that says what to do next, for a person.
    fn advice(&self) -> Option<&'static str> {
        match self {
            Self::Id { .. } | Self::Secret { .. } => Some(
                "copy App ID, which begins with cli_, and App Secret from the developer console, under Credentials & \
                 Basic Info",
            ),
            Self::Half { .. } => {
                Some("an app has both: appId and appSecret, or FEISHU_APP_ID and FEISHU_APP_SECRET")
            }
            Self::Mode { .. } => Some(
                "this gateway listens to Feishu over the long connection: choose it in the developer console, under \
                 Events & Callbacks, and remove connectionMode, or set it to websocket; verificationToken and webhookPath \
                 are not used",
            ),
            Self::Address { error, .. } => Some(error.advice()),
            Self::Feishu(FeishuError::Certificates(_)) => Some("install ca-certificates"),
            Self::Feishu(_) => None,
        }
    }
}

/// The app of an account; `None` if the account has none.
pub(super) fn build(recipe: &Recipe<'_>) -> Result<Option<Built>, BuildError> {
    let app = configured(recipe).map_err(|error| BuildError {
        error: Chain(&error).to_string(),
        advice: error.advice(),
    })?;
    Ok(app.map(|app| Built {
        fingerprint: app.fingerprint(),
        identity: app.fingerprint(),
        adapter: Arc::new(app),
    }))
}

fn configured(recipe: &Recipe<'_>) -> Result<Option<Feishu>, ConfiguredError> {
    let settings = &recipe.settings;
    let id = settings.app_id.as_deref().and_then(Secret::parse);
    let id = found(recipe, id.as_ref(), ("appId", ID_VARIABLE));
    let secret = settings.app_secret.as_ref();
    let secret = found(recipe, secret, ("appSecret", SECRET_VARIABLE));
    if id.is_none() && secret.is_none() {
        return Ok(None);
    }
    let mode = settings.connection_mode.as_ref();
    if let Some(mode) = mode.filter(|mode| *mode != "websocket") {
        let mode = mode.clone();
        return Err(ConfiguredError::Mode { mode });
    }
    let half = |there, missing| ConfiguredError::Half { there, missing };
    let (id, secret) = match (id, secret) {
        (Some(id), Some(secret)) => (id, secret),
        (Some((place, _)), None) => return Err(half(place, "appSecret")),
        (None, secret) => {
            let there = secret.map_or("appSecret", |(place, _)| place);
            return Err(half(there, "appId"));
        }
    };
    let place = id.0;
    let id = AppId::parse(id.1.expose()).ok_or(ConfiguredError::Id { place })?;
    let place = secret.0;
    let secret = AppSecret::parse(secret.1.expose()).ok_or(ConfiguredError::Secret { place })?;
    let (key, root) = match (&settings.api_root, &settings.domain) {
        (Some(root), _) => ("apiRoot", ApiRoot::parse(root)),
        (None, Some(domain)) => ("domain", ApiRoot::of_domain(domain)),
        (None, None) => ("domain", Ok(ApiRoot::default())),
    };
    let root = root.map_err(|error| ConfiguredError::Address { key, error })?;
    let saved = StateFile::at(events_path(recipe.state, &recipe.account));
    let surroundings = Surroundings::new(
        Arc::new(saved),
        Arc::new(SystemClock),
        Arc::new(SystemEntropy),
    )
    .proxies(recipe.proxies.clone());
    let account = recipe.account.clone();
    Ok(Some(Feishu::new(account, id, secret, root, surroundings)?))
}

/// An id or a secret, and where it is from: the setting, or for the default account the variable.
fn found(
    recipe: &Recipe<'_>,
    setting: Option<&Secret>,
    (key, variable): (&'static str, &'static str),
) -> Option<(&'static str, Secret)> {
    if let Some(found) = setting {
        return Some((key, found.clone()));
    }
    let value = (recipe.var)(variable).filter(|_| recipe.account.is_default())?;
    let secret = Secret::parse(&value.to_string_lossy())?;
    Some((variable, secret))
}

/// The file with the events that an account's app has received lately.
fn events_path(state: &StateDir, account: &AccountId) -> PathBuf {
    let name = files::of_account("events-", account);
    state.root().join("feishu").join(name)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use openclaw_config::Config;
    use pairing_core::{ChannelId, Channels};

    use super::*;

    const BOTH: &str = "appId: 'cli_1', appSecret: 'secretsecret'";

    fn build(
        account: &str,
        config: &str,
        env: [Option<&str>; 2],
    ) -> Result<Option<[u8; 32]>, BuildError> {
        let dir = tempfile::tempdir().unwrap();
        let config = Config::parse(config).unwrap();
        let channels = Channels::builtin();
        let rules = channels.get(&ChannelId::parse("feishu").unwrap()).unwrap();
        let account = AccountId::parse(account).unwrap();
        let built = super::build(&Recipe {
            settings: config.account(rules.id(), &account),
            account,
            config: &config,
            rules,
            state: &StateDir::at(dir.path()),
            proxies: channel_kit::proxy::Proxies::default(),
            var: &|name| match name {
                ID_VARIABLE => env[0].map(OsString::from),
                SECRET_VARIABLE => env[1].map(OsString::from),
                _ => None,
            },
        })?;
        Ok(built.map(|built| built.fingerprint))
    }

    fn with(what: &str) -> String {
        format!("{{ channels: {{ feishu: {{ {what} }} }} }}")
    }

    #[test]
    fn an_app_by_configuration_or_environment() {
        let local = "apiRoot: 'http://127.0.0.1:1'";
        let built = |what: &str, env| build("default", &with(&format!("{local}, {what}")), env);
        let env = [Some("cli_2"), Some("secretsecret")];
        let by_env = built("", env).unwrap();
        let by_config = built(BOTH, env).unwrap();
        let mixed = built("appId: 'cli_3'", env).unwrap();
        assert!(by_env != by_config && by_config != mixed && mixed != by_env);
        assert_eq!(built("", [None, None]).unwrap(), None);
        assert_eq!(built("", [Some(" "), Some("")]).unwrap(), None);
        assert_eq!(
            built("connectionMode: 'webhook'", [None, None]).unwrap(),
            None
        );
        let websocket = format!("{BOTH}, connectionMode: 'websocket', domain: 'lark'");
        assert_eq!(built(&websocket, env).unwrap(), by_config);
        // The variables are the default account's, and so is the app beside the accounts.
        let work = with(&format!("{local}, {BOTH}, accounts: {{ work: {{}} }}"));
        assert_eq!(build("work", &work, env).unwrap(), None);
        let own = with(&format!("{local}, accounts: {{ work: {{ {BOTH} }} }}"));
        assert!(build("work", &own, [None, None]).unwrap().is_some());
    }

    #[test]
    fn feishu_and_lark_are_two_servers() {
        let built = |domain: &str| {
            let settings = with(&format!("{BOTH}, {domain}"));
            build("default", &settings, [None, None]).unwrap()
        };
        assert_eq!(built(""), built("domain: 'feishu'"));
        assert_ne!(built(""), built("domain: 'lark'"));
        assert_eq!(
            built("domain: 'lark'"),
            built("domain: 'https://open.larksuite.com/'")
        );
    }

    #[test]
    fn what_is_there_and_wrong_is_said_and_not_shown() {
        let id = "appId: 'cli_1'";
        for (what, env, named) in [
            (
                "appId: 'hunter2', appSecret: 'secretsecret'",
                [None, None],
                "appId holds",
            ),
            (
                "appId: 'cli_1', appSecret: 'hunter2'",
                [None, None],
                "appSecret holds",
            ),
            (id, [None, Some("hunter2")], "FEISHU_APP_SECRET holds"),
            (id, [None, None], "appSecret is not"),
            ("appSecret: 'hunter2hunter2'", [None, None], "appId is not"),
            ("", [Some("cli_hunter2"), None], "FEISHU_APP_ID is set"),
            (
                "appId: 'cli_1', appSecret: 'hunter2hunter2', connectionMode: 'webhook'",
                [None, None],
                "connectionMode webhook",
            ),
            (
                "appId: 'cli_1', appSecret: 'hunter2hunter2', domain: 'http://example.org'",
                [None, None],
                "domain",
            ),
            (
                "appId: 'cli_1', appSecret: 'hunter2hunter2', apiRoot: 'lark'",
                [None, None],
                "apiRoot",
            ),
        ] {
            let error = build("default", &with(what), env).unwrap_err();
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
        assert!(path.ends_with("feishu/events-default.json"));
        let work = AccountId::parse("work").unwrap();
        assert_ne!(events_path(&state, &work), path);
    }
}
