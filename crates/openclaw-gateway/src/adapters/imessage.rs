//! iMessage: the program on a Mac, from the configuration.

use std::sync::Arc;

use channel_imessage::{IMessage, Imsg, RemoteHost, RemoteHostError, Service, Surroundings};
use gateway_channels::{BuildError, Built};
use openclaw_config::Messages;
use pairing_core::{Chain, NameError, escape};
use pairing_fs::{SystemClock, SystemEntropy};

use super::{Recipe, files};
use crate::StateFile;

/// The account cannot be built.
#[derive(Debug, thiserror::Error)]
enum ConfiguredError {
    /// Messages runs on Macs alone.
    #[error("iMessage needs a Mac, and this machine is none")]
    NoMac,
    #[error("remoteHost: {0}")]
    Host(#[from] RemoteHostError),
    #[error("service {} is not known", escape(service).limit(32))]
    Service { service: String },
    #[error(transparent)]
    Name(#[from] NameError),
}

impl ConfiguredError {
    /// A line that says what to do next, for a person.
    fn advice(&self) -> Option<&'static str> {
        match self {
            Self::NoMac => Some(
                "set remoteHost to a Mac where imsg is installed and that ssh reaches without a password, or cliPath to a \
                 program that runs `imsg` there",
            ),
            Self::Host(_) => Some("set it to host or user@host; options belong into ~/.ssh/config"),
            Self::Service { .. } => Some("set it to auto, imessage or sms"),
            Self::Name(_) => None,
        }
    }
}

/// The account; `None` if it is not set up.
pub(super) fn build(recipe: &Recipe<'_>) -> Result<Option<Built>, BuildError> {
    let imessage = configured(recipe, cfg!(target_os = "macos"));
    let imessage = imessage.map_err(|error| BuildError {
        error: Chain(&error).to_string(),
        advice: error.advice(),
    })?;
    Ok(imessage.map(|imessage| Built {
        fingerprint: imessage.fingerprint(),
        identity: imessage.identity(),
        adapter: Arc::new(imessage),
    }))
}

fn configured(recipe: &Recipe<'_>, is_mac: bool) -> Result<Option<IMessage>, ConfiguredError> {
    let settings = &recipe.settings.messages;
    let program = recipe.settings.daemon.cli_path.as_deref();
    let is_set = program.is_some() || *settings != Messages::default();
    if !is_set && recipe.settings.enabled != Some(true) {
        return Ok(None);
    }
    let home = (recipe.var)("HOME");
    let host = settings
        .remote_host
        .as_deref()
        .map(RemoteHost::parse)
        .transpose()?;
    let in_home = |path: &str| files::in_home(path, home.clone());
    // A program that is named leads to that Mac itself, as the other program's wrapper does.
    let (imsg, is_here) = match (program, host) {
        (Some(program), host) => (Imsg::here(in_home(program)), host.is_none()),
        (None, Some(host)) => (Imsg::there(host), false),
        (None, None) if is_mac => (Imsg::here("imsg"), true),
        (None, None) => return Err(ConfiguredError::NoMac),
    };
    let database = settings.db_path.as_deref().map(|path| {
        if is_here {
            in_home(path).to_string_lossy().into_owned()
        } else {
            path.to_owned()
        }
    });
    let service = match settings.service.as_deref() {
        None => Service::default(),
        Some(text) => Service::parse(text).ok_or_else(|| ConfiguredError::Service {
            service: text.to_owned(),
        })?,
    };
    let name = files::of_account("seen-", &recipe.account);
    let seen = recipe.state.root().join("imessage").join(name);
    let surroundings = Surroundings::new(
        Arc::new(StateFile::at(seen)),
        Arc::new(SystemClock),
        Arc::new(SystemEntropy),
    );
    let imessage = IMessage::new(
        recipe.account.clone(),
        imsg.database(database),
        surroundings,
    )?;
    Ok(Some(
        imessage.service(service).region(settings.region.clone()),
    ))
}

#[cfg(test)]
mod tests {
    use openclaw_config::Config;
    use pairing_core::{AccountId, ChannelId, Channels};
    use pairing_fs::StateDir;

    use super::*;

    fn built(imessage: &str, is_mac: bool) -> Result<Option<String>, ConfiguredError> {
        let dir = tempfile::tempdir().unwrap();
        let config = format!("{{ channels: {{ imessage: {{ {imessage} }} }} }}");
        let config = Config::parse(&config).unwrap();
        let channels = Channels::builtin();
        let rules = channels
            .get(&ChannelId::parse("imessage").unwrap())
            .unwrap();
        let account = AccountId::default();
        let recipe = Recipe {
            settings: config.account(rules.id(), &account),
            account,
            config: &config,
            rules,
            state: &StateDir::at(dir.path()),
            proxies: channel_kit::proxy::Proxies::default(),
            var: &|name| (name == "HOME").then(|| "/home/ann".into()),
        };
        let built = configured(&recipe, is_mac)?;
        Ok(built.map(|built| format!("{built:?}")))
    }

    #[test]
    fn a_program_here_a_wrapper_and_a_mac_elsewhere() {
        assert!(built("dmPolicy: 'open'", true).unwrap().is_none());
        for (settings, is_mac, named) in [
            ("enabled: true", true, "Here(\"imsg\")"),
            (
                "cliPath: '~/imsg', dbPath: '~/chat.db'",
                false,
                "Here(\"/home/ann/imsg\"), database: Some(\"/home/ann/chat.db\")",
            ),
            (
                "remoteHost: 'ann@mac', dbPath: '~/chat.db'",
                false,
                "There(RemoteHost(\"ann@mac\")), database: Some(\"~/chat.db\")",
            ),
            (
                "cliPath: '/w', remoteHost: 'mac', dbPath: '~/chat.db'",
                false,
                "Here(\"/w\"), database: Some(\"~/chat.db\")",
            ),
            ("service: 'SMS'", true, "service: Sms"),
        ] {
            let built = built(settings, is_mac).unwrap().unwrap();
            assert!(built.contains(named), "{settings}: {built}");
        }
    }

    #[test]
    fn what_is_there_and_wrong_is_named() {
        for (settings, named) in [
            ("enabled: true", "needs a Mac"),
            ("dbPath: '/chat.db'", "needs a Mac"),
            ("remoteHost: '-oProxyCommand=x'", "remoteHost"),
            ("cliPath: '/w', service: 'pigeon'", "service pigeon"),
        ] {
            let error = built(settings, false).unwrap_err();
            assert!(error.to_string().contains(named), "{error}");
            assert!(error.advice().is_some());
        }
    }
}
