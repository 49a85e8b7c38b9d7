//! What is wrong with the configuration.

use openclaw_config::{Config, ConfigError, Fault, LoadError};
use pairing_core::{AccountId, Channels, Cidrs};
use pairing_fs::StateDir;
use pairing_fs::doctor::{Finding, Severity};

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
    let faults = |error: &ConfigError, advice| {
        let fault =
            |fault: &Fault| finding(Severity::Error, "config-fault", fault.to_string(), advice);
        error.faults().map(fault).collect()
    };
    match loaded {
        Ok(config) => {
            let slips = config.slips().iter().map(|slip| {
                let advice = "mend it by hand, or leave it if it is meant so";
                finding(Severity::Warning, "config-slip", slip.to_string(), advice)
            });
            let useless = useless(config, channels).map(|detail| {
                let advice = "it lets nobody in; mend it by hand";
                finding(Severity::Warning, "never-matches", detail, advice)
            });
            let ranges = bad_ranges(config).map(|detail| {
                let advice = "mend it by hand: a gateway does not start with it";
                finding(Severity::Error, "config-fault", detail, advice)
            });
            slips.chain(useless).chain(ranges).collect()
        }
        Err(LoadError::Invalid { source, .. }) => faults(
            source,
            "mend it by hand; until then nothing in the file counts",
        ),
        Err(LoadError::Environment(error)) => faults(error, "set the variable anew, or unset it"),
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

/// What stands for no range of addresses where devices are let in by them.
fn bad_ranges(config: &Config) -> impl Iterator<Item = String> {
    let ranges = config.gateway.auto_approve.cidrs.iter().enumerate();
    ranges.filter_map(|(number, range)| {
        let error = Cidrs::parse([range]).err()?;
        let key = format!("gateway.nodes.pairing.autoApproveCidrs[{number}]");
        let place = config.place(&key).unwrap_or_default();
        Some(format!("{key}: {error}, {place}"))
    })
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
