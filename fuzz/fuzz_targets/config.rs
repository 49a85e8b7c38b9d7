//! `openclaw.json`: whatever it holds, there is an answer, in places that exist, and nothing is let in by it.

use openclaw_config::{Config, Document, Part, Position};
use pairing_core::{AccountId, Channels};

target!(|text: &str| {
    let exists = |at: Position| {
        let mut lines = text.split(['\n', '\r', '\u{2028}', '\u{2029}']);
        assert!(
            lines.any(|line| at.column <= line.chars().count() + 1),
            "{at}"
        );
    };
    match Config::parse(text) {
        Ok(config) => {
            for fault in config.faults() {
                exists(fault.at.unwrap_or_default());
                let shown = fault.to_string();
                assert!(!shown.contains(char::is_control), "{shown:?}");
            }
            for slip in config.slips() {
                exists(slip.at);
            }
            for id in config.channels() {
                let rules = Channels::builtin().get(id).cloned();
                let default = AccountId::default();
                for account in config.accounts(id).chain([&default]) {
                    let settings = config.account(id, account);
                    if let Some(secret) = settings.bot_token {
                        assert!(!secret.expose().trim().is_empty());
                    }
                    if let Some(rules) = &rules {
                        let access = config.access(rules, account);
                        assert_eq!(access.policy(), config.dm_policy(id, account));
                    }
                }
            }
            assert_ne!(config.gateway.port, 0);
            // What is closed has a reason, and a closed account lets nobody in.
            for (part, fault) in config.closed() {
                assert!(config.closed_by(&part).is_some(), "{fault}");
                if let Part::Account(channel, account) = part {
                    assert!(!config.account(&channel, &account).is_enabled());
                }
            }
            edited(text);
        }
        Err(error) => {
            let fault = error.fault();
            exists(fault.at.expect("a place"));
            let shown = fault.to_string();
            assert!(!shown.contains(char::is_control), "{shown:?}");
        }
    }
});

/// A key that is set is there and can be taken away again; the text stays one that can be read.
fn edited(text: &str) {
    let Ok(mut document) = Document::parse(text) else {
        return;
    };
    let path = "pairing.notify".parse().expect("a path");
    if document.set(&path, "true").is_ok() {
        assert!(Config::parse(document.as_str()).is_ok_and(|config| config.notify_owners));
        assert!(document.unset(&path));
        assert!(Config::parse(document.as_str()).is_ok_and(|config| !config.notify_owners));
    }
}
