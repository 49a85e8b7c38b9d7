//! Signal: the account and its daemon, from the configuration.

use std::path::PathBuf;
use std::sync::Arc;

use channel_signal::{
    AddressError, Daemon, DaemonUrl, Number, NumberError, Signal, SignalError, Surroundings,
};
use gateway_channels::{BuildError, Built};
use openclaw_config::Daemon as Settings;
use pairing_core::{Chain, escape};
use pairing_fs::{SystemClock, SystemEntropy};

use super::{Recipe, files};
use crate::StateFile;

/// The port on which signal-cli listens unless it is told otherwise.
const PORT: u16 = 8080;

/// The account cannot be built.
#[derive(Debug, thiserror::Error)]
enum ConfiguredError {
    /// The daemon would be another program than signal-cli's own.
    #[error("transport kind {} is not supported", escape(kind).limit(32))]
    Kind { kind: String },
    /// The gateway starts the daemon, and another one would be asked.
    #[error("the daemon is started here, and asked elsewhere")]
    Elsewhere,
    #[error("account is not a phone number: {0}")]
    Number(#[from] NumberError),
    #[error("the address of the daemon: {0}")]
    Address(#[from] AddressError),
    #[error(transparent)]
    Signal(#[from] SignalError),
}

impl ConfiguredError {
    /// A line that says what to do next, for a person.
    fn advice(&self) -> Option<&'static str> {
        match self {
            Self::Kind { .. } => Some(
                "run signal-cli's own daemon: set kind to managed-native, or to external-native with its url",
            ),
            Self::Elsewhere => Some(
                "remove httpUrl, or set autoStart to false: a daemon that is started here listens on httpHost and httpPort",
            ),
            Self::Number(_) => {
                Some("set the account's number with its country, such as +15550001111")
            }
            Self::Address(error) => Some(error.advice()),
            Self::Signal(SignalError::Certificates(_)) => Some("install ca-certificates"),
            Self::Signal(_) => None,
        }
    }
}

/// The account; `None` if it is not set up.
pub(super) fn build(recipe: &Recipe<'_>) -> Result<Option<Built>, BuildError> {
    let signal = configured(recipe).map_err(|error| BuildError {
        error: Chain(&error).to_string(),
        advice: error.advice(),
    })?;
    Ok(signal.map(|signal| Built {
        fingerprint: signal.fingerprint(),
        identity: signal.identity(),
        adapter: Arc::new(signal),
    }))
}

fn configured(recipe: &Recipe<'_>) -> Result<Option<Signal>, ConfiguredError> {
    let settings = &recipe.settings.daemon;
    if *settings == Settings::default() {
        return Ok(None);
    }
    let starts = match settings.kind.as_deref() {
        None => settings.auto_start.unwrap_or(settings.url.is_none()),
        Some("managed-native") => true,
        Some("external-native") => false,
        Some(kind) => {
            let kind = kind.to_owned();
            return Err(ConfiguredError::Kind { kind });
        }
    };
    let number = settings.account.as_deref().map(Number::parse).transpose()?;
    let host = settings.host.as_deref().unwrap_or("127.0.0.1");
    // An IPv6 address stands in brackets where a port follows.
    let host = if host.contains(':') && !host.starts_with('[') {
        format!("[{host}]")
    } else {
        host.to_owned()
    };
    let listen = format!("{host}:{}", settings.port.unwrap_or(PORT));
    let here = DaemonUrl::parse(&format!("http://{listen}"))?;
    let url = settings.url.as_deref().map(DaemonUrl::parse).transpose()?;
    if starts && url.as_ref().is_some_and(|url| *url != here) {
        return Err(ConfiguredError::Elsewhere);
    }
    let surroundings = Surroundings::new(
        Arc::new(StateFile::at(path(recipe, "seen-"))),
        Arc::new(StateFile::at(path(recipe, "people-"))),
        Arc::new(SystemClock),
        Arc::new(SystemEntropy),
    )
    .proxies(recipe.proxies.clone());
    let signal = Signal::new(
        recipe.account.clone(),
        number,
        url.unwrap_or(here),
        surroundings,
    )?;
    if !starts {
        return Ok(Some(signal));
    }
    let home = (recipe.var)("HOME");
    let program = settings.cli_path.as_deref().unwrap_or("signal-cli");
    let config = settings.config_path.as_deref();
    let daemon = Daemon::new(files::in_home(program, home.clone()), listen);
    let daemon = daemon.config(config.map(|config| files::in_home(config, home)));
    Ok(Some(signal.start(daemon)))
}

/// A file of this account.
fn path(recipe: &Recipe<'_>, prefix: &str) -> PathBuf {
    let name = files::of_account(prefix, &recipe.account);
    recipe.state.root().join("signal").join(name)
}

#[cfg(test)]
mod tests {
    use openclaw_config::Config;
    use pairing_core::{AccountId, ChannelId, Channels};
    use pairing_fs::StateDir;

    use super::*;

    fn build(account: &str, signal: &str) -> Result<Option<String>, BuildError> {
        let dir = tempfile::tempdir().unwrap();
        let config = format!("{{ channels: {{ signal: {{ {signal} }} }} }}");
        let config = Config::parse(&config).unwrap();
        let channels = Channels::builtin();
        let rules = channels.get(&ChannelId::parse("signal").unwrap()).unwrap();
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
        Ok(built.map(|built| format!("{:?}", built.adapter)))
    }

    #[test]
    fn a_daemon_that_is_there_or_is_started_by_older_and_newer_keys() {
        assert!(build("default", "dmPolicy: 'open'").unwrap().is_none());
        for (signal, url) in [
            ("account: '+15550001111'", "http://127.0.0.1:8080"),
            ("httpUrl: 'http://10.0.0.7:9000'", "http://10.0.0.7:9000"),
            ("httpHost: '::1', httpPort: 9000", "http://[::1]:9000"),
            (
                "httpHost: '::1', httpPort: 9000, autoStart: false",
                "http://[::1]:9000",
            ),
            (
                "transport: { kind: 'external-native', url: 'http://127.0.0.1:9000' }, httpUrl: 'http://10.0.0.7:1'",
                "http://127.0.0.1:9000",
            ),
            (
                "transport: { kind: 'managed-native', httpPort: 9000, cliPath: '~/signal-cli' }",
                "http://127.0.0.1:9000",
            ),
            (
                "autoStart: true, httpPort: 9000, httpUrl: 'http://127.0.0.1:9000/'",
                "http://127.0.0.1:9000",
            ),
        ] {
            let built = build("default", signal).unwrap().unwrap();
            assert!(built.contains(&format!("\"{url}\"")), "{signal}: {built}");
        }
        // The number beside the accounts is the default account's; the daemon is everybody's.
        let both = "account: '+15550001111', httpUrl: 'http://127.0.0.1:9000', accounts: { work: { account: '+15550002222' } }";
        assert!(build("default", both).unwrap().is_some());
        assert!(build("work", both).unwrap().unwrap().contains(":9000"));
    }

    #[test]
    fn what_is_there_and_wrong_is_named() {
        for (signal, named) in [
            ("account: '15550001111'", "account is not a phone number"),
            ("account: 'ann'", "account is not a phone number"),
            ("httpUrl: 'http://signal.example'", "not encrypted"),
            ("httpUrl: 'ftp://127.0.0.1'", "no address"),
            (
                "transport: { kind: 'container', url: 'http://127.0.0.1:1' }",
                "kind container",
            ),
            (
                "autoStart: true, httpUrl: 'http://127.0.0.1:9000'",
                "asked elsewhere",
            ),
        ] {
            let error = build("default", signal).unwrap_err();
            assert!(error.error.contains(named), "{}", error.error);
            assert!(error.advice.is_some());
        }
    }
}
