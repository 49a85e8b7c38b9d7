//! Findings about the configuration.

use gateway_channels::{Owners, with_first_owner};
use openclaw_config::{Config, Fault, LoadError};
use pairing_core::{AccountId, ChannelId, Channels, Cidrs, DmPolicy, escape};
use pairing_fs::StateDir;
use pairing_fs::doctor::{Finding, Severity};

use crate::edge::Door;

/// Finds faults, misspelt keys, and entries that let nobody in.
pub fn of_configuration(
    state: &StateDir,
    loaded: &Result<Config, LoadError>,
    channels: &Channels,
) -> Vec<Finding> {
    let finding = |severity, kind, detail, advice: &str| Finding {
        severity,
        kind,
        path: state.config().to_owned(),
        detail,
        advice: advice.to_owned(),
        fixable: false,
        fixed: false,
    };
    match loaded {
        Ok(config) => {
            let with_owner = with_first_owner(config.clone(), state);
            let faults = with_owner.faults().map(|fault| {
                let advice = cost(&with_owner, fault);
                finding(Severity::Error, "config-fault", fault.to_string(), &advice)
            });
            let slips = config.slips().iter().map(|slip| {
                let advice = "mend it by hand, or leave it if it is meant so";
                finding(Severity::Warning, "config-slip", slip.to_string(), advice)
            });
            let unheeded = config.unheeded().iter().map(|slip| {
                let advice = "restrict it by a key that is obeyed: see the documentation of the configuration";
                finding(Severity::Warning, "not-obeyed", slip.to_string(), advice)
            });
            let lists = lists(config, channels)
                .into_iter()
                .map(|(kind, detail, advice)| finding(Severity::Warning, kind, detail, advice));
            let owners = useless_owners(config, channels).map(|detail| {
                let advice = "it makes nobody an owner; mend it by hand";
                finding(Severity::Warning, "never-matches", detail, advice)
            });
            let no_owner = has_no_owner(config, state, channels).then(|| {
                let detail = "no owner is named: nobody can decide in a chat".to_owned();
                let advice = "name one in commands.ownerAllowFrom (\"telegram:12345\"), or approve one with \
                              --make-owner";
                finding(Severity::Note, "no-owner", detail, advice)
            });
            let useless = useless(config, channels).map(|detail| {
                let advice = "it lets nobody in; mend it by hand";
                finding(Severity::Warning, "never-matches", detail, advice)
            });
            let door = left_out(config).map(|fault| {
                let advice = "mend it by hand; until then it is left out";
                finding(Severity::Error, "config-fault", fault.to_string(), advice)
            });
            let all = faults.chain(slips).chain(unheeded).chain(lists);
            let all = all.chain(useless).chain(owners).chain(door);
            all.chain(no_owner).collect()
        }
        Err(LoadError::Invalid { source, .. }) => {
            let advice = "mend it by hand; until then nothing in the file counts";
            vec![finding(
                Severity::Error,
                "config-fault",
                source.to_string(),
                advice,
            )]
        }
        Err(LoadError::Read { source, .. }) => {
            let detail = format!("cannot be read: {source}");
            let advice = "check its owner and permissions";
            vec![finding(Severity::Error, "unreadable", detail, advice)]
        }
        Err(error) => vec![finding(
            Severity::Error,
            "unreadable",
            error.to_string(),
            "mend it by hand",
        )],
    }
}

/// Says what a fault closes until it is corrected.
fn cost(config: &Config, fault: &Fault) -> String {
    let closed = config.closed();
    let parts = closed.iter().map(|(part, _)| part);
    let parts = parts.filter(|part| config.closing(part).any(|closing| closing == fault));
    let mut parts: Vec<_> = parts.map(ToString::to_string).collect();
    let more = parts.len().saturating_sub(5);
    parts.truncate(5);
    let more = (more > 0).then(|| format!(" and {more} more"));
    let parts = parts.join(", ") + more.as_deref().unwrap_or_default();
    if parts.is_empty() {
        "mend it by hand; until then it counts as not set, or as its strictest value".to_owned()
    } else {
        format!("mend it by hand; until then this is closed: {parts}")
    }
}

/// Finds origins and host names that cannot be understood.
fn left_out(config: &Config) -> impl Iterator<Item = Fault> {
    let gateway = &config.gateway;
    let origins = gateway.control_ui.allowed_origins.iter().enumerate();
    let origins = origins.filter_map(|(index, origin)| {
        let error = Door::new(Cidrs::default(), &[origin], &[] as &[&str], false).err()?;
        let key = format!("gateway.controlUi.allowedOrigins[{index}]");
        Some(config.fault(&key, error.to_string()))
    });
    let hosts = gateway.allowed_hosts.iter().enumerate();
    let hosts = hosts.filter_map(|(index, host)| {
        let error = Door::new(Cidrs::default(), &[] as &[&str], &[host], false).err()?;
        let key = format!("gateway.allowedHosts[{index}]");
        Some(config.fault(&key, error.to_string()))
    });
    origins.chain(hosts)
}

/// Finds policies and lists that do not fit together: a kind, a text, and advice.
fn lists(config: &Config, channels: &Channels) -> Vec<(&'static str, String, &'static str)> {
    let mut found = Vec::new();
    let default = AccountId::default();
    for id in config.channels() {
        let Some(rules) = channels.get(id) else {
            continue;
        };
        // A channel's own settings are those of its default account; other accounts use them only if they set
        // none.
        let named = config.accounts(id).filter(|account| !account.is_default());
        for account in named.chain([&default]) {
            let settings = config.account(id, account);
            if !settings.is_enabled() {
                continue;
            }
            let entries = settings.allow_from.as_deref().unwrap_or_default();
            let is_open = entries.iter().any(|entry| entry.trim() == "*");
            let access = config.access(rules, account);
            let has_anybody = entries.len() > access.ignored().len();
            let place = format!("{id}/{}", escape(account.as_str()).limit(64));
            match access.policy() {
                DmPolicy::Allowlist if !has_anybody => found.push((
                    "nobody-allowed",
                    format!("{place}: its dmPolicy is allowlist, and nobody is on its allowFrom"),
                    "nobody may write: name somebody in allowFrom, or set dmPolicy to \"pairing\"",
                )),
                DmPolicy::Open if !is_open => found.push((
                    "open-without-all",
                    format!("{place}: its dmPolicy is open, and its allowFrom has no \"*\""),
                    "only those in allowFrom may write: add \"*\", or set dmPolicy to \"allowlist\"",
                )),
                DmPolicy::Pairing if is_open => found.push((
                    "pairing-with-all",
                    format!("{place}: its dmPolicy is pairing, and its allowFrom has \"*\""),
                    "everybody may write without approval: take \"*\" away, or set dmPolicy to \"open\"",
                )),
                _ => {}
            }
        }
    }
    found
}

/// Finds entries of `commands.ownerAllowFrom` that name nobody.
fn useless_owners(config: &Config, channels: &Channels) -> impl Iterator<Item = String> {
    let entries = config.owner_allow_from.iter();
    let names_nobody = |entry: &&String| {
        let named = entry.split_once(':');
        let named = named.and_then(|(channel, sender)| {
            let channel = ChannelId::parse(channel).ok()?;
            channels.get(&channel)?.sender(sender).ok()
        });
        named.is_none()
    };
    entries.filter(names_nobody).map(|entry| {
        let entry = escape(entry).limit(64);
        format!("`{entry}` in commands.ownerAllowFrom names nobody: an owner is written \"telegram:12345\"")
    })
}

/// Whether channels are configured and none of them has an owner.
fn has_no_owner(config: &Config, state: &StateDir, channels: &Channels) -> bool {
    let config = with_first_owner(config.clone(), state);
    let has_owner = |id: &ChannelId| {
        let rules = channels.get(id);
        rules.is_some_and(|rules| !Owners::of(&config, rules).senders().is_empty())
    };
    config.channels().next().is_some() && !config.channels().any(has_owner)
}

/// Finds entries of configured lists that can match no sender of their channel; each list once.
fn useless(config: &Config, channels: &Channels) -> impl Iterator<Item = String> {
    let mut details = Vec::new();
    for rules in channels.iter() {
        let id = rules.id();
        let default = AccountId::default();
        for account in config.accounts(id).chain([&default]) {
            for entry in config.access(rules, account).ignored() {
                let detail = format!("`{entry}` in an allowFrom of {id} can match nobody");
                if !details.contains(&detail) {
                    details.push(detail);
                }
            }
        }
    }
    details.into_iter()
}
