//! Several stores on one directory, and file names that two accounts could claim.

use std::time::Duration;

use pairing_conformance::seeded;
use pairing_core::store::{Changed, PageRequest};
use pairing_core::{
    AdmitError, AllowlistError, ChannelId, ChannelRules, Channels, Key, Limits, Pairing,
    PairingStore as _, Range, StoreError,
};
use pairing_fs::{FsStore, StateDir};

use crate::install::{Install, owner};

/// Long enough for any machine; no test waits for it to pass.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn t76_what_another_store_writes_is_seen_and_nothing_is_lost() {
    let install = Install::recorded();
    let there = install
        .impatient()
        .channel("telegram")
        .unwrap()
        .account("default")
        .unwrap();
    let here = install.account("telegram", "default");
    assert!(!here.is_allowed("1").unwrap() && !there.is_allowed("2").unwrap());
    here.allow("1", &owner()).unwrap();
    // That store's view of the file predates the change: it reads the file again under the lock.
    there.allow("2", &owner()).unwrap();
    for account in [&here, &there] {
        // A decision is always based on the current file.
        assert!(!account.allow("1", &owner()).unwrap());
        assert!(!account.allow("2", &owner()).unwrap());
    }
}

#[test]
fn own_changes_are_seen_at_once() {
    let install = Install::recorded();
    let account = install.account("telegram", "default");
    for round in 0..50 {
        account.allow("1", &owner()).unwrap();
        assert!(account.is_allowed("1").unwrap(), "{round}");
        account.revoke("1", &owner()).unwrap();
        assert!(!account.is_allowed("1").unwrap(), "{round}");
    }
}

#[test]
fn changes_of_another_store_wake_those_who_follow() {
    let install = Install::recorded();
    let here = &install.pairing;
    let there = install
        .impatient()
        .channel("telegram")
        .unwrap()
        .account("work")
        .unwrap();
    let mut position = here.changes(None, Duration::ZERO).unwrap().position;
    let mut wait_for = |wanted: &str| {
        loop {
            let changes = here.changes(Some(position), PATIENCE).unwrap();
            position = changes.position;
            let Changed::Keys(keys) = changes.changed else {
                panic!("{changes:?}")
            };
            assert!(!keys.is_empty(), "nothing changed for a minute");
            if keys.iter().any(|key| is_about(key, wanted)) {
                break;
            }
        }
    };
    there.request_or_reuse("31").unwrap();
    wait_for("31");
    there.allow("32", &owner()).unwrap();
    wait_for("32");
    // OpenClaw knows nothing of our stores: it only writes files.
    install.write(
        "telegram-work-allowFrom.json",
        "{\"version\":1,\"allowFrom\":[\"33\"]}",
    );
    wait_for("33");
}

fn is_about(key: &Key, wanted: &str) -> bool {
    match key {
        Key::Request { sender, .. } => sender.as_str() == wanted,
        Key::Allow { entry, .. } => entry.as_str() == wanted,
        _ => false,
    }
}

/// Returns a service with the channels `a` and `a-b`, whose accounts can have the same file name.
fn two_channels(install: &Install) -> Pairing {
    let rules = |name| ChannelRules::new(ChannelId::parse(name).unwrap());
    let channels = Channels::builtin()
        .with(rules("a"))
        .with(rules("a-b"))
        .with(rules("telegram-work"));
    let store = FsStore::new(&StateDir::at(install.dir.path()), channels.clone());
    Pairing::with(
        store,
        install.clock.clone(),
        seeded(1),
        channels,
        Limits::default(),
    )
}

fn refusal(result: Result<bool, AllowlistError>) -> String {
    match result {
        Err(AllowlistError::Store(StoreError::Refused { reason })) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn t66_the_second_owner_of_a_file_name_is_refused() {
    let install = Install::empty();
    let pairing = two_channels(&install);
    let account =
        |channel: &str, account: &str| pairing.channel(channel).unwrap().account(account).unwrap();
    assert!(account("a", "b-c").allow("x", &owner()).unwrap());
    let reason = refusal(account("a-b", "c").allow("y", &owner()));
    assert!(reason.contains("belongs to a account b-c"), "{reason}");
    let refused = account("a-b", "c").is_allowed("x");
    assert!(matches!(
        refused,
        Err(AdmitError::Store(StoreError::Refused { .. }))
    ));
    // The first account to use a name owns it, in either direction, for other processes too.
    assert!(account("a-b", "d").allow("y", &owner()).unwrap());
    let fresh = two_channels(&install)
        .channel("a")
        .unwrap()
        .account("b-d")
        .unwrap();
    refusal(fresh.allow("x", &owner()));
}

#[test]
fn t66_accounts_that_differ_only_in_what_a_name_cannot_hold_are_kept_apart() {
    let install = Install::empty();
    let pairing = two_channels(&install);
    let telegram = pairing.channel("telegram").unwrap();
    assert!(
        telegram
            .account("x:y")
            .unwrap()
            .allow("1", &owner())
            .unwrap()
    );
    assert!(install.path("telegram-x_y-allowFrom.json").exists());
    refusal(telegram.account("x_y").unwrap().allow("2", &owner()));
    assert!(telegram.account("x_y").unwrap().is_allowed("1").is_err());
    assert!(telegram.account("x:y").unwrap().is_allowed("1").unwrap());
}

#[test]
fn t66_a_file_that_was_there_before_belongs_to_the_channel_it_was_made_for() {
    let install = Install::recorded();
    let pairing = two_channels(&install);
    let newcomer = pairing
        .channel("telegram-work")
        .unwrap()
        .account("default")
        .unwrap();
    assert!(newcomer.is_allowed("778").is_err());
    refusal(newcomer.allow("1", &owner()));
    let work = pairing
        .channel("telegram")
        .unwrap()
        .account("work")
        .unwrap();
    assert!(work.is_allowed("778").unwrap());
    assert!(work.allow("1", &owner()).unwrap());
}

/// Returns the accounts of a channel that have an entry in their allowlist.
fn listed(install: &Install, channels: &Channels, channel: &str) -> Vec<String> {
    let range = Range::Allowed {
        channel: ChannelId::parse(channel).unwrap(),
        account: None,
    };
    let store = FsStore::new(&install.state(), channels.clone());
    let page = store.range(&range, &PageRequest::first(10)).unwrap();
    let accounts = page
        .records
        .iter()
        .map(|r| r.as_allow().unwrap().account.to_string());
    accounts.collect()
}

#[test]
fn an_account_whose_file_has_another_name_is_listed_by_its_own() {
    let install = Install::empty();
    for account in ["x:y", "plain", "default"] {
        let account = install.account("telegram", account);
        account.allow("1", &owner()).unwrap();
    }
    let mut accounts = listed(&install, &Channels::builtin(), "telegram");
    accounts.sort();
    assert_eq!(accounts, ["default", "plain", "x:y"]);
}

#[test]
fn a_file_of_another_channel_is_not_listed() {
    let install = Install::empty();
    let rules = |name| ChannelRules::new(ChannelId::parse(name).unwrap());
    let channels = Channels::builtin().with(rules("a")).with(rules("a-b"));
    install.write("a-b-c-allowFrom.json", r#"{"version":1,"allowFrom":["1"]}"#);
    assert_eq!(listed(&install, &channels, "a"), ["b-c"]);
    assert_eq!(listed(&install, &channels, "a-b"), [] as [&str; 0]);
}

#[test]
fn a_channel_is_added_to_a_store_that_runs() {
    let install = Install::recorded();
    let channels = Channels::builtin();
    let store = FsStore::new(&install.state(), channels.clone());
    let clock = pairing_fs::SystemClock;
    let pairing = Pairing::with(store, clock, seeded(1), channels, Limits::default());
    let id = ChannelId::parse("irc").unwrap();
    // The store meets the channel before it has rules, and compares its ids unchanged.
    let range = Range::Allowed {
        channel: id.clone(),
        account: None,
    };
    install.write(
        "irc-allowFrom.json",
        r#"{"version":1,"allowFrom":["nick:Ann"]}"#,
    );
    let known = pairing.changes(None, Duration::ZERO).unwrap();
    let store = FsStore::new(&install.state(), pairing.channels().clone());
    assert_eq!(
        store
            .range(&range, &PageRequest::first(9))
            .unwrap()
            .records
            .len(),
        1
    );

    let rules = ChannelRules::new(id)
        .prefixes(["nick"])
        .normaliser(|nick| Some(nick.to_lowercase()), "a nick");
    let irc = pairing.add_channel(rules).unwrap();
    let account = irc.account("default").unwrap();
    assert!(account.is_allowed("ann").unwrap());
    let page = store.range(&range, &PageRequest::first(9)).unwrap();
    let entries: Vec<_> = page.records.iter().filter_map(|r| r.as_allow()).collect();
    assert_eq!(entries[0].entry.as_str(), "ann");

    account.allow("ben", &owner()).unwrap();
    let news = pairing.changes(Some(known.position), PATIENCE).unwrap();
    let Changed::Keys(keys) = news.changed else {
        panic!("the feed was lost")
    };
    assert!(keys.iter().any(|key| range.contains(key)), "{keys:?}");
}
