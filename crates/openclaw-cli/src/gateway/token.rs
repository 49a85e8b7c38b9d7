//! `openclaw gateway token`: reports where the gateway's secret is.

use openclaw_config::{AuthMode, Config, Secret};
use openclaw_gateway::{read_token, token_path};
use pairing_core::{SecretToken, escape};
use pairing_fs::{StateDir, owned};
use serde::Serialize;

use crate::args::TokenOptions;
use crate::console::Screen;
use crate::{Environment, Exit, Failure};

/// The place of the secret.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Place {
    /// `token`, `password` or `none`.
    kind: &'static str,
    /// `environment`, `config` or `file`.
    source: &'static str,
    /// The name of the variable, or the path of the file.
    at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'static str>,
}

/// Reports where the gateway's secret is. The secret itself is shown only on request.
pub(super) fn run(
    options: TokenOptions,
    json: bool,
    state: &StateDir,
    environment: &Environment<'_>,
    screen: &mut Screen<'_, '_>,
) -> Result<Exit, Failure> {
    let var = |name: &str| (environment.var)(name);
    let config = Config::load_in(state.root(), state.config(), var)?;
    let configured = configured(&config, state, environment);
    let kept = token_path(state);
    if options.new {
        if let Some((place, _)) = configured {
            return Err(Failure::TokenIsSet { at: place.text() });
        }
        let token = SecretToken::generate(&**environment.entropy)?;
        owned::create_dir(state.root())?;
        let line = zeroize::Zeroizing::new(format!("{}\n", token.expose()));
        owned::replace_file(&kept, &line)?;
    }
    let (place, secret) = match configured {
        Some(found) => found,
        None => kept_token(&config, state)?,
    };
    if options.show {
        screen.line(escape(secret.expose()).limit(usize::MAX))?;
    } else if json {
        screen.json(&place)?;
    } else {
        screen.line(format_args!(
            "The {} is {}",
            place.kind,
            escape(&place.text()).limit(usize::MAX)
        ))?;
    }
    if options.new {
        screen.note("A gateway that runs goes by the old one until it is started again.");
    }
    Ok(Exit::Done)
}

/// The secret that clients have to present: the configured one, or else the token in the state directory.
pub(super) fn secret(
    config: &Config,
    state: &StateDir,
    environment: &Environment<'_>,
) -> Result<Secret, Failure> {
    match configured(config, state, environment) {
        Some((_, secret)) => Ok(secret),
        None => kept_token(config, state).map(|(_, secret)| secret),
    }
}

fn kept_token(config: &Config, state: &StateDir) -> Result<(Place, Secret), Failure> {
    let kept = token_path(state);
    if kept.exists() {
        let place = Place {
            kind: "token",
            source: "file",
            at: kept.display().to_string(),
            key: None,
        };
        Ok((place, read_token(&kept)?))
    } else if config.gateway.auth.mode == Some(AuthMode::None) {
        Err(Failure::NoSecretAsked)
    } else {
        Err(Failure::NoTokenYet)
    }
}

impl Place {
    /// `in /home/ann/.openclaw/openclaw.json, at gateway.auth.token`.
    fn text(&self) -> String {
        match (self.source, self.key) {
            ("environment", _) => format!("what {} says", self.at),
            (_, Some(key)) => format!("in {}, at {key}", self.at),
            (_, None) => format!("in {}", self.at),
        }
    }
}

/// The secret that the configuration or the environment sets.
fn configured(
    config: &Config,
    state: &StateDir,
    environment: &Environment<'_>,
) -> Option<(Place, Secret)> {
    let auth = &config.gateway.auth;
    let token = (
        "token",
        auth.token.as_ref(),
        "OPENCLAW_GATEWAY_TOKEN",
        "gateway.auth.token",
    );
    let password = (
        "password",
        auth.password.as_ref(),
        "OPENCLAW_GATEWAY_PASSWORD",
        "gateway.auth.password",
    );
    let candidates = match auth.mode {
        None => vec![token, password],
        Some(AuthMode::Token) => vec![token],
        Some(AuthMode::Password) => vec![password],
        Some(AuthMode::None | AuthMode::TrustedProxy) => vec![],
    };
    let found = candidates
        .into_iter()
        .find_map(|(kind, secret, name, key)| Some((kind, secret?.clone(), name, key)));
    let (kind, secret, name, key) = found?;
    let set =
        (environment.var)(name).is_some_and(|value| !value.to_string_lossy().trim().is_empty());
    let place = if set {
        Place {
            kind,
            source: "environment",
            at: name.to_owned(),
            key: None,
        }
    } else {
        Place {
            kind,
            source: "config",
            at: state.config().display().to_string(),
            key: Some(key),
        }
    };
    Some((place, secret))
}
