//! Findings about the accounts of chat systems.

use std::ffi::OsString;

use openclaw_config::Config;
use pairing_fs::StateDir;
use pairing_fs::doctor::{Finding, Severity};

use crate::adapters::{configured, of_environment};

/// Finds accounts that are set up and cannot be run, such as one without a usable token, or with the token of another one;
/// and a proxy of the environment that cannot be used. Reads the files that the configuration names, and asks no service.
pub fn of_bots(
    state: &StateDir,
    config: &Config,
    var: &dyn Fn(&str) -> Option<OsString>,
) -> Vec<Finding> {
    let accounts = configured(config, state, var);
    let proxies = of_environment(&|name: &str| config.variable(name, var));
    let proxy = proxies.fault().filter(|_| !accounts.is_empty());
    let proxy = proxy.map(|error| Finding {
        severity: Severity::Error,
        kind: "proxy-not-usable",
        path: state.config().to_owned(),
        detail: format!("{error}: chat systems that would need it are not reached"),
        advice:
            "set it to http://host:port, with user:password@ before that where it asks for them"
                .to_owned(),
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
    fn t136_a_proxy_that_cannot_be_used_is_named_where_chats_would_need_it() {
        let state = StateDir::at("/nonexistent");
        let found = |config: &str, name: &'static str, proxy: &'static str| -> Vec<&'static str> {
            let config = Config::parse(config).unwrap();
            let var = move |asked: &str| (asked == name).then(|| proxy.into());
            let found = of_bots(&state, &config, &var);
            assert!(!format!("{found:?}").contains("hunter2"));
            found.iter().map(|finding| finding.kind).collect()
        };
        let bot = "{ channels: { telegram: { botToken: '1:secret' } } }";
        let socks = "socks5://ann:hunter2@proxy:1080";
        assert_eq!(found(bot, "HTTPS_PROXY", socks), ["proxy-not-usable"]);
        assert_eq!(found(bot, "all_proxy", socks), ["proxy-not-usable"]);
        assert!(found(bot, "HTTPS_PROXY", "http://ann:hunter2@proxy:3128").is_empty());
        assert!(found(bot, "HOME", socks).is_empty());
        assert!(found("{}", "HTTPS_PROXY", socks).is_empty());
        let odd = "{ channels: { telegram: { botToken: 'odd' } } }";
        assert_eq!(found(odd, "HOME", socks), ["bot-not-run"]);
        let odd =
            "{ channels: { telegram: { botToken: '1:secret', proxy: 'socks5://ann:hunter2@a' } } }";
        assert_eq!(found(odd, "HOME", socks), ["bot-not-run"]);
    }
}
