//! What is wrong with the configuration.

use openclaw_config::{Config, Fault, LoadError};
use pairing_core::{AccountId, Channels, Cidrs};
use pairing_fs::StateDir;
use pairing_fs::doctor::{Finding, Severity};

use crate::edge::Door;

/// Faults, slips, and entries that let nobody in.
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
            let faults = config.faults().map(|fault| {
                let advice = cost(config, fault);
                finding(Severity::Error, "config-fault", fault.to_string(), &advice)
            });
            let slips = config.slips().iter().map(|slip| {
                let advice = "mend it by hand, or leave it if it is meant so";
                finding(Severity::Warning, "config-slip", slip.to_string(), advice)
            });
            let useless = useless(config, channels).map(|detail| {
                let advice = "it lets nobody in; mend it by hand";
                finding(Severity::Warning, "never-matches", detail, advice)
            });
            let door = left_out(config).map(|fault| {
                let advice = "mend it by hand; until then it is left out";
                finding(Severity::Error, "config-fault", fault.to_string(), advice)
            });
            faults.chain(slips).chain(useless).chain(door).collect()
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

/// What a fault costs until it is mended.
fn cost(config: &Config, fault: &Fault) -> String {
    let closed = config.closed();
    let parts = closed.iter().map(|(part, _)| part);
    let parts = parts.filter(|part| config.closing(part).any(|closing| closing == fault));
    let mut parts: Vec<_> = parts.map(ToString::to_string).collect();
    let more = parts.len().saturating_sub(5);
    parts.truncate(5);
    let mut parts = parts.join(", ");
    if more > 0 {
        parts += &format!(" and {more} more");
    }
    if parts.is_empty() {
        "mend it by hand; until then it counts as not set, or as its strictest value".to_owned()
    } else {
        format!("mend it by hand; until then this is closed: {parts}")
    }
}

/// Origins and names of hosts that cannot be understood.
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

/// Entries of configured lists that can match no sender of their channel; each list once.
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
