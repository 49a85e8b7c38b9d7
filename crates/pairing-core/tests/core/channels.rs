//! Channels from data, user names, and what senders are told.

use std::sync::Arc;

use pairing_conformance::seeded;
use pairing_core::store::Changed;
use pairing_core::{
    Access, AddChannelError, Admission, Approver, Basis, ChannelId, ChannelRules, Claimed,
    DmPolicy, ManualClock, MemoryStore, Pairing, PairingBuilder, Replies, Requested, Sender, Texts,
    Timestamp,
};

fn builder(store: Arc<MemoryStore>) -> PairingBuilder {
    let clock = ManualClock::new(Timestamp::from_millis(1_795_354_077_013));
    PairingBuilder::new(store, clock, seeded(1))
}

fn pairing() -> Pairing {
    builder(Arc::default()).build()
}

fn reply(requested: Requested) -> String {
    match requested {
        Requested::Created(created) => created.reply,
        other => panic!("{other:?}"),
    }
}

/// Rules as a configuration file would have them.
fn configured(name: &str, prefixes: &[String], suffix: String) -> ChannelRules {
    ChannelRules::new(ChannelId::parse(name).unwrap())
        .label(format!("{name}Id"), format!("Your {name} id: "))
        .prefixes(prefixes)
        .normaliser(
            move |id| id.ends_with(&suffix).then(|| id.to_lowercase()),
            format!("a {name} id"),
        )
}

#[test]
fn a_channel_is_added_to_a_running_service_which_keeps_its_feed() {
    let store = Arc::new(MemoryStore::new());
    let pairing = builder(store).build();
    let before = pairing.changes(None, std::time::Duration::ZERO).unwrap();
    let running = pairing.clone();
    assert!(running.channel("irc").is_err());

    let rules = configured("irc", &["nick".to_owned()], "!net".to_owned());
    pairing.add_channel(rules.clone()).unwrap();
    let again = pairing.add_channel(rules).unwrap_err();
    assert!(matches!(again, AddChannelError::Known { .. }));

    let account = running.channel("irc").unwrap().account("default").unwrap();
    let told = reply(account.request_or_reuse("nick:Ann!net").unwrap());
    assert!(told.contains("Your irc id: ann!net"), "{told}");
    let error = account.request_or_reuse("ann").unwrap_err().to_string();
    assert_eq!(error, "a sender of irc is a irc id");
    let names: Vec<_> = running.channels().iter().map(|r| r.id().as_str()).collect();
    assert!(names.contains(&"irc") && names.is_sorted(), "{names:?}");

    let after = running.changes(Some(before.position), std::time::Duration::ZERO);
    let Changed::Keys(keys) = after.unwrap().changed else {
        panic!("the feed was lost")
    };
    assert!(!keys.is_empty());
}

#[test]
fn user_names_count_only_on_channels_that_say_so_and_only_in_configured_lists() {
    let pairing = pairing();
    let by_name = ChannelRules::new(ChannelId::parse("zero").unwrap())
        .prefixes(["zero"])
        .match_usernames();
    let by_id = ChannelRules::new(ChannelId::parse("plain").unwrap());
    let ann = || Sender::new("1").with("username", "Ann_R");
    for (rules, expected) in [(by_name, true), (by_id, false)] {
        let channel = pairing.add_channel(rules).unwrap();
        let account = channel.account("default").unwrap();
        for (entry, sender, expected) in [
            ("@ann_r", ann(), expected),
            ("zero:@ANN_R", ann(), expected),
            ("@other", ann(), false),
            ("@ann_r", Sender::new("1").with("firstName", "ann_r"), false),
            ("@ann_r", Sender::new("ann_r"), false),
        ] {
            let access = Access::new(channel.rules(), DmPolicy::Allowlist, [entry]);
            let account = account.clone().with_access(access);
            let admitted = match account.admit_named(sender.clone()).unwrap() {
                Admission::Approved(by) => by.basis() == Basis::Configured,
                Admission::Refused(_) => false,
            };
            assert_eq!(admitted, expected, "{} {entry}", channel.id());
            let asked = account.request_or_reuse(sender.clone()).unwrap();
            assert_eq!(matches!(asked, Requested::Allowed(_)), expected);
            let in_group = account.admit_named_in_group(sender).unwrap();
            assert_eq!(in_group.is_some(), expected);
        }
        // Approvals are of ids: another who takes the name is not approved.
        account.allow("7", &Approver::terminal("ann")).unwrap();
        assert!(!account.is_allowed("8").unwrap());
    }
}

#[test]
fn t146_a_sender_whom_a_user_name_lets_in_spends_no_claim_code() {
    let pairing = pairing();
    let rules = ChannelRules::new(ChannelId::parse("zero").unwrap()).match_usernames();
    let channel = pairing.add_channel(rules).unwrap();
    let access = Access::new(channel.rules(), DmPolicy::Pairing, ["@ann"]);
    let account = channel.account("default").unwrap().with_access(access);
    let invited = account.invite(&Approver::terminal("owner")).unwrap();
    let code = invited.code.expose();
    for presented in [code, "A".repeat(26).as_str()] {
        let ann = Sender::new("1").with("username", "Ann");
        let claimed = account.claim(ann, presented).unwrap();
        assert!(matches!(claimed, Claimed::AlreadyAllowed(_)), "{claimed:?}");
    }
    let bob = Sender::new("2").with("username", "Bob");
    let claimed = account.claim(bob, code).unwrap();
    assert!(matches!(claimed, Claimed::Admitted(_)), "{claimed:?}");
}

#[test]
fn senders_are_told_in_the_embedders_words_and_their_language() {
    let replies = Replies::default()
        .product("Acme")
        .command("acmectl")
        .profile("work")
        .language("de", Texts::new("Code {code}", "Willkommen bei {product}."));
    let pairing = builder(Arc::default()).replies(replies).build();
    let account = pairing.channel("telegram").unwrap();
    let account = account.account("default").unwrap();
    let told = reply(account.request_or_reuse("1").unwrap());
    assert!(told.starts_with("Acme: access not configured.\n"), "{told}");
    assert!(told.contains("\nacmectl --profile work pairing approve telegram "));
    assert!(!told.to_lowercase().contains("openclaw"), "{told}");

    let sender = Sender::new("2").with(Replies::LANGUAGE_KEY, "de-CH");
    let told = reply(account.request_or_reuse(sender).unwrap());
    assert!(told.starts_with("Code "), "{told}");
    assert_eq!(
        pairing.replies().approved(Some("de")),
        "Willkommen bei Acme."
    );
}
