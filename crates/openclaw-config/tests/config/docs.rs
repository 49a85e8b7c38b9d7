//! `docs/configuration.md` names the keys that are read, and what goes where they are not set.

use std::collections::BTreeSet;

use openclaw_config::Config;
use pairing_core::{AccountId, ChannelId};

use crate::parse;

const DOCS: &str = include_str!("../../../../docs/configuration.md");

/// Keys and defaults of the table.
fn rows() -> Vec<(&'static str, Option<&'static str>)> {
    let lines = DOCS.lines().filter_map(|line| line.strip_prefix("| `"));
    let row = |line: &'static str| {
        let (key, rest) = line.split_once("` | ").unwrap();
        let default = rest.split('|').next().unwrap().trim().trim_matches('`');
        (key, Some(default).filter(|default| !default.is_empty()))
    };
    lines.map(row).collect()
}

fn named(key: &str) -> String {
    let key = key.replace("channels.telegram", "channels.<channel>");
    let key = key.replace("accounts.work", "accounts.<account>");
    key.replace("accessGroups.team", "accessGroups.<group>")
}

#[test]
fn every_key_is_documented_and_no_other() {
    let config = parse(
        "{ channels: { telegram: { accounts: { work: {} } } },
           accessGroups: { team: { type: 'message.senders', members: {} } } }",
    );
    let keys: BTreeSet<_> = config.keys().collect();
    let is_section = |key: &str| {
        let start = format!("{key}.");
        keys.iter().any(|other| other.starts_with(&start))
    };
    let leaves = keys.iter().filter(|key| !is_section(key));
    let leaves: BTreeSet<_> = leaves.map(|key| named(key)).collect();
    let documented: Vec<_> = rows().iter().map(|(key, _)| (*key).to_owned()).collect();
    assert_eq!(documented.len(), leaves.len(), "a key is documented twice");
    assert_eq!(documented.into_iter().collect::<BTreeSet<_>>(), leaves);
}

/// A configuration of this key alone.
fn only(key: &str, value: &str) -> Config {
    let key = key.replace("<channel>", "telegram");
    let key = key.replace("<account>", "work");
    let nested = key.rsplit('.').fold(value.to_owned(), |inner, name| {
        format!("{{ '{name}': {inner} }}")
    });
    parse(&nested)
}

/// All that a configuration means.
fn meaning(config: &Config) -> String {
    let telegram = ChannelId::parse("telegram").unwrap();
    let accounts = ["default", "work"].map(|name| {
        let account = AccountId::parse(name).unwrap();
        let policy = config.dm_policy(&telegram, &account);
        let settings = config.account(&telegram, &account);
        let allow_from = settings.allow_from.clone().unwrap_or_default();
        let block_from = settings.block_from.clone().unwrap_or_default();
        let stranger = (
            settings.pairing_reply.clone().unwrap_or_default(),
            settings.pairing_backoff(),
            settings.hand_over_first.unwrap_or(false),
        );
        let enabled = settings.is_enabled();
        format!("{enabled} {policy:?} {allow_from:?} {block_from:?} {stranger:?}")
    });
    let Config {
        gateway,
        state,
        device_pair,
        owner_allow_from,
        notify_owners,
        ..
    } = config;
    format!(
        "{gateway:?} {state:?} {device_pair:?} {owner_allow_from:?} {notify_owners} {accounts:?}"
    )
}

#[test]
fn defaults_are_as_documented() {
    let usual = meaning(&Config::default());
    let mut some = 0;
    for (key, default) in rows() {
        if let Some(default) = default {
            assert_eq!(meaning(&only(key, default)), usual, "{key}");
            some += 1;
        }
    }
    assert!(some > 10);
    // What is not the default is told from it.
    for (key, value) in [
        ("gateway.port", "1"),
        ("gateway.nodes.pairing.autoApproveLocal", "false"),
        ("state.prefix", "'home'"),
        ("state.graceSeconds", "0"),
        ("channels.<channel>.dmPolicy", "'open'"),
        ("channels.<channel>.blockFrom", "[1]"),
        ("channels.<channel>.pairingReply", "false"),
        ("channels.<channel>.pairingReply", "'Your code is {code}.'"),
        ("channels.<channel>.pairingBackoffSeconds", "0"),
        (
            "channels.<channel>.accounts.<account>.handOverFirst",
            "true",
        ),
        ("channels.<channel>.accounts.<account>.enabled", "false"),
    ] {
        assert_ne!(meaning(&only(key, value)), usual, "{key}");
    }
}
