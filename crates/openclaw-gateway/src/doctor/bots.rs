//! Findings about the accounts of chat systems.

use std::ffi::OsString;

use openclaw_config::Config;
use pairing_fs::StateDir;
use pairing_fs::doctor::{Finding, Severity};

use crate::adapters::configured;

/// Variables by which other programs are told of a proxy.
const PROXIES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

/// Finds accounts that are set up and cannot be run, such as one without a usable token, or with the token of another one;
/// and a proxy of the environment, which is not obeyed. Reads the files that the configuration names, and asks no service.
pub fn of_bots(
    state: &StateDir,
    config: &Config,
    var: &dyn Fn(&str) -> Option<OsString>,
) -> Vec<Finding> {
    let accounts = configured(config, state, var);
    let proxy = PROXIES.iter().find(|name| {
        let value = var(name);
        value.is_some_and(|value| !value.is_empty())
    });
    let proxy = proxy.filter(|_| !accounts.is_empty()).map(|name| Finding {
        severity: Severity::Warning,
        kind: "not-obeyed",
        path: state.config().to_owned(),
        detail: format!("{name} names a proxy, and the gateway reaches chat systems without it"),
        advice: "let the gateway's machine reach them, or run it where it can".to_owned(),
        fixable: false,
        fixed: false,
    });
    let unusable = accounts.into_iter().filter_map(|one| {
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
    unusable.chain(proxy).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t136_a_proxy_that_is_not_obeyed_is_named_where_chats_would_need_it() {
        let state = StateDir::at("/nonexistent");
        let found = |config: &str, name: &'static str| -> Vec<&'static str> {
            let config = Config::parse(config).unwrap();
            let var = move |asked: &str| (asked == name).then(|| "http://proxy:3128".into());
            let found = of_bots(&state, &config, &var);
            found.iter().map(|finding| finding.kind).collect()
        };
        let bot = "{ channels: { telegram: { botToken: '1:secret' } } }";
        assert_eq!(found(bot, "HTTPS_PROXY"), ["not-obeyed"]);
        assert_eq!(found(bot, "all_proxy"), ["not-obeyed"]);
        assert!(found(bot, "HOME").is_empty());
        assert!(found("{}", "HTTPS_PROXY").is_empty());
        let odd = "{ channels: { telegram: { botToken: 'odd' } } }";
        assert_eq!(found(odd, "HOME"), ["bot-not-run"]);
    }
}
