//! Findings about the accounts of chat systems.

use std::ffi::OsString;

use openclaw_config::Config;
use pairing_fs::StateDir;
use pairing_fs::doctor::{Finding, Severity};

use crate::adapters::configured;

/// Finds accounts that are set up and cannot be run, such as one without a usable token, or with the token of another one.
/// Reads the files that the configuration names, and asks no service.
pub fn of_bots(
    state: &StateDir,
    config: &Config,
    var: &dyn Fn(&str) -> Option<OsString>,
) -> Vec<Finding> {
    let unusable = configured(config, state, var)
        .into_iter()
        .filter_map(|one| {
            let error = one.built.err()?;
            let (channel, account) = one.key;
            Some(Finding {
                severity: Severity::Error,
                kind: "bot-not-run",
                path: state.config().to_owned(),
                detail: format!("{channel}, account {}: {}", account.as_str(), error.error),
                advice: error.advice.unwrap_or("mend it by hand").to_owned(),
                fixable: false,
                fixed: false,
            })
        });
    unusable.collect()
}
