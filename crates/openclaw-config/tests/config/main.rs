//! The configuration as people write it: good, wrong, hostile.

#![allow(
    clippy::unwrap_used,
    reason = "the lints know tests by their attribute, and helpers have none"
)]

mod bad;
mod closed;
mod composed;
mod depth;
mod docs;
mod good;
mod hostile;

use std::ffi::OsString;

use openclaw_config::Config;

fn parse(text: &str) -> Config {
    Config::parse(text).unwrap()
}

fn message(text: &str) -> String {
    Config::parse(text).unwrap_err().to_string()
}

/// What is wrong, in words.
fn faults(config: &Config) -> Vec<String> {
    config.faults().map(ToString::to_string).collect()
}

/// An environment with these variables.
fn vars<'v>(vars: &'v [(&str, &str)]) -> impl Fn(&str) -> Option<OsString> + 'v {
    |name| {
        let found = vars.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.into())
    }
}
