//! `docs/configuration.md` names the keys that are read, and what goes where they are not set.

use std::collections::BTreeSet;

use openclaw_config::Config;
use pairing_core::{AccountId, ChannelId};

use crate::parse;

const DOCS: &str = include_str!("../../../../docs/configuration.md");

const NOT_OBEYED: &str = "## Keys of OpenClaw that are not obeyed yet";
const NOT_NEEDED: &str = "## Keys of OpenClaw that are not needed";

/// The keys of OpenClaw 2026.9.6 that have to do with channels, the gateway and the like: those of all channels
/// together, and of its accounts with them; a secret's reference is one key.
const SCHEMA: &str = include_str!("schema/2026.9.6.txt");

/// Keys and defaults of the table.
fn rows() -> Vec<(&'static str, Option<&'static str>)> {
    let lines = DOCS.split(NOT_OBEYED).next().unwrap().lines();
    let lines = lines.filter_map(|line| line.strip_prefix("| `"));
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
    let key = key.replace(
        "gateway.auth.identityScopes",
        "gateway.auth.identityScopes.<user>",
    );
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
        ("gateway.localAdmin", "true"),
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

/// What is in backquotes.
fn quoted(text: &str) -> BTreeSet<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// Whether a pattern stands for a key. `<…>` is any name, and `.*` at the end all that is below.
fn stands_for(pattern: &str, key: &str) -> bool {
    let (pattern, is_open) = match pattern.strip_suffix(".*") {
        Some(pattern) => (pattern, true),
        None => (pattern, false),
    };
    let key = key.replace("[]", "");
    let mut parts = key.split('.');
    let is_same = pattern.split('.').all(|wanted| {
        let part = parts.next();
        part.is_some_and(|part| {
            wanted == part || (wanted.starts_with('<') && part.starts_with('<'))
        })
    });
    is_same && (is_open || parts.next().is_none())
}

#[test]
fn t121_every_key_of_the_real_release_is_obeyed_or_named() {
    let (obeyed, rest) = DOCS.split_once(NOT_OBEYED).unwrap();
    let (not_obeyed, not_needed) = rest.split_once(NOT_NEEDED).unwrap();
    let composed = obeyed.split_once("Obeyed for that:").unwrap().1;
    let composed = composed.split_once("\n- ").unwrap().0;
    let not_obeyed = not_obeyed
        .lines()
        .filter_map(|line| line.strip_prefix("| `"));
    let not_obeyed: BTreeSet<_> = not_obeyed
        .filter_map(|line| line.split('`').next())
        .collect();
    assert_eq!(not_obeyed, Config::unheeded_patterns().collect());
    let rows = rows();
    let mut obeyed: BTreeSet<_> = rows.iter().map(|(key, _)| *key).collect();
    obeyed.extend(quoted(composed));
    let not_needed = quoted(not_needed);
    let mut used: BTreeSet<&str> = BTreeSet::new();
    for key in SCHEMA.lines() {
        // The members of a group are one key of ours.
        let written = key.replace("members.<name>", "members");
        let mut stands = |patterns: &BTreeSet<&'static str>| {
            let found = patterns
                .iter()
                .filter(|pattern| stands_for(pattern, &written));
            let found: Vec<_> = found.copied().collect();
            used.extend(found.iter().copied());
            !found.is_empty()
        };
        let (is_obeyed, is_named, is_needless) =
            (stands(&obeyed), stands(&not_obeyed), stands(&not_needed));
        let classes = [is_obeyed, is_named, is_needless && !is_obeyed];
        let count = classes.into_iter().filter(|is| *is).count();
        assert_eq!(count, 1, "{key}: obeyed, named, not needed: {classes:?}");
    }
    // No pattern is about a key that does not exist.
    let idle: Vec<_> = not_obeyed
        .union(&not_needed)
        .filter(|pattern| !used.contains(**pattern))
        .collect();
    assert_eq!(idle, ["device-pair"].iter().collect::<Vec<_>>());
}

/// A configuration in which this key is set.
fn with(pattern: &str, is_of_account: bool) -> Config {
    let key = pattern.strip_suffix(".*").unwrap_or(pattern);
    let key = if is_of_account {
        key.replace("<channel>", "<channel>.accounts.<account>")
    } else {
        key.to_owned()
    };
    only(&key.replace("<group>", "team"), "{}")
}

#[test]
fn t121_what_restricts_and_is_not_obeyed_is_named() {
    for pattern in Config::unheeded_patterns() {
        let config = with(pattern, false);
        let named: Vec<_> = config
            .unheeded()
            .iter()
            .map(|slip| slip.key.clone())
            .collect();
        assert_eq!(named.len(), 1, "{pattern}: {named:?}");
        if pattern.contains("<channel>") {
            let config = with(pattern, true);
            let named = config.unheeded();
            assert!(
                named[0].key.starts_with("channels.telegram.accounts.work."),
                "{pattern}"
            );
        }
    }
    let text = "{ channels: { defaults: { proxy: 1 }, telegram: { dmPolicy: 'open' } }, gateway: { port: 1 } }";
    assert_eq!(parse(text).unheeded(), []);
}
