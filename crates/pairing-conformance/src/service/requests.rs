//! Pairing requests by strangers.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pairing_core::{
    Access, DmPolicy, Entropy, EntropyError, ManualClock, Metadata, MetadataValue, PairingCode,
    RequestError, Requested, Sender,
};

use crate::Fixture;
use crate::bot::{Bot, HOUR, MINUTE, allowlist, create, owner, reuse, turned_away, waiting};
use crate::fixture::at;

pub(crate) fn a_stranger_gets_a_code(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let account = bot.telegram();
    assert!(!account.is_allowed("12345").unwrap());
    let created = create(&account, "12345");
    let code = created.request.code;
    assert!(created.reply.contains(code.as_str()));
    assert!(created.reply.contains("Your Telegram user id: 12345"));
    assert_eq!(created.expires_at, at(3_600_000));
    assert_eq!(created.request.created_at, Some(at(0)));
    let pending = account.pending().unwrap();
    assert_eq!(pending.requests, [created.request]);
    assert!(pending.problems.is_empty(), "{:?}", pending.problems);
    assert!(!account.is_allowed("12345").unwrap());
}

pub(crate) fn asking_again_meets_the_same_request(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let account = bot.telegram();
    let created = create(&account, "12345");
    bot.wait(HOUR - 1);
    let again = reuse(&account, "12345");
    assert_eq!(again.code, created.request.code);
    assert_eq!(again.created_at, created.request.created_at);
    assert_eq!(waiting(&account), ["12345"]);
}

pub(crate) fn asking_again_is_noted_once_a_minute(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let account = bot.telegram();
    create(&account, "12345");
    let last_seen = || account.pending().unwrap().requests[0].last_seen_at;
    for (wait, expected) in [(MINUTE - 1, at(0)), (1, at(60_000)), (1, at(60_000))] {
        bot.wait(wait);
        reuse(&account, "12345");
        assert_eq!(last_seen(), Some(expected));
    }
}

pub(crate) fn newer_data_of_a_sender_is_shown_once_a_minute(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let account = bot.telegram();
    let asks = |name: &str| {
        let sender = Sender::new("12345").with("username", name);
        account.request_or_reuse(sender).unwrap();
        account.pending().unwrap().requests[0].clone()
    };
    let first = asks("ann");
    bot.wait(MINUTE - 1);
    assert_eq!(asks("anna"), first);
    bot.wait(1);
    let newer = asks("anna");
    assert_eq!(
        newer.meta.iter().collect::<Vec<_>>(),
        [("username", &"anna".into())]
    );
    assert_eq!(
        (newer.code, newer.created_at),
        (first.code, first.created_at)
    );
    // Saying nothing takes nothing away.
    bot.wait(MINUTE);
    reuse(&account, "12345");
    assert_eq!(account.pending().unwrap().requests[0].meta, newer.meta);
}

pub(crate) fn a_gate_admits_or_asks_in_one_step(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let account = bot.telegram();
    let sender = account.channel().rules().sender("12345").unwrap();
    let meta = Metadata::default();
    // A sender who is rate limited is only looked at.
    let paused = account.admit_or_request(&sender, None).unwrap();
    assert!(matches!(paused, Requested::NotOffered(_)), "{paused:?}");
    assert!(waiting(&account).is_empty());
    let asked = account.admit_or_request(&sender, Some(&meta)).unwrap();
    let Requested::Created(created) = asked else {
        panic!("{asked:?}")
    };
    assert!(created.reply.contains(created.request.code.as_str()));
    let again = account.admit_or_request(&sender, Some(&meta)).unwrap();
    assert!(matches!(again, Requested::Pending(request) if request == created.request));
    account
        .approve_code(created.request.code, &owner())
        .unwrap();
    for request in [None, Some(&meta)] {
        let admitted = account.admit_or_request(&sender, request).unwrap();
        let Requested::Allowed(by) = admitted else {
            panic!("{admitted:?}")
        };
        assert_eq!(by.sender(), &sender);
    }
    let closed = Access::new(
        account.channel().rules(),
        DmPolicy::Disabled,
        &[] as &[&str],
    );
    let closed = account.clone().with_access(closed);
    let closed = closed.admit_or_request(&sender, Some(&meta)).unwrap();
    assert!(matches!(closed, Requested::NotOffered(_)), "{closed:?}");
    assert!(waiting(&account).is_empty());
}

pub(crate) fn every_spelling_is_the_same_sender(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    for (channel, first, again) in [
        ("telegram", "tg:12345", " Telegram: 12345 "),
        ("discord", "42", "user:42"),
        (
            "whatsapp",
            "15552223333@s.whatsapp.net",
            "+1 (555) 222-3333",
        ),
        ("imessage", "Me@Example.org", "imessage:me@example.ORG"),
        ("slack", "slack:U012AB3CD", "U012AB3CD"),
        ("feishu", "ou_7d8a", "open_id:ou_7d8a"),
        (
            "signal",
            "7B0AB3C4-6F3C-4E0E-9A51-0F1B2C3D4E5F",
            "signal:uuid:7b0ab3c46f3c4e0e9a510f1b2c3d4e5f",
        ),
    ] {
        let account = bot.account(channel, "default");
        let code = create(&account, first).request.code;
        assert_eq!(reuse(&account, again).code, code);
        account.approve(code.as_str(), &owner()).unwrap();
        assert!(account.is_allowed(again).unwrap(), "{channel}");
        assert!(account.is_allowed(first).unwrap(), "{channel}");
    }
}

pub(crate) fn who_cannot_be_a_sender_leaves_nothing(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let account = bot.telegram();
    for nobody in ["", "  ", "*", "tg:*", "tg:", "@ann", "1\n2", "-100123"] {
        let refused = account.request_or_reuse(nobody);
        assert!(
            matches!(refused, Err(RequestError::Sender(_))),
            "{nobody:?}"
        );
        assert!(account.is_allowed(nobody).is_err(), "{nobody:?}");
    }
    assert!(waiting(&account).is_empty());
    assert!(allowlist(&account).is_empty());
}

pub(crate) fn metadata_is_bounded_and_kept(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let account = bot.account("telegram", "work");
    let long = "ä".repeat(10_000);
    let mut sender = Sender::new("12345")
        .with(" username ", " Zoë\u{1b}[2J ")
        .with("empty", "  ")
        .with("accountId", "default")
        .with("long", &long)
        .with("tags", vec!["friend"; 1000])
        .with("level", 3)
        .with("nothing", f64::NAN);
    for n in 0..50 {
        sender = sender.with(&format!("key {n}"), "x");
    }
    account.request_or_reuse(sender).unwrap();
    let request = account.pending().unwrap().requests.remove(0);
    let pairs: Vec<_> = request.meta.iter().collect();
    assert_eq!(pairs.len(), Metadata::MAX_PAIRS);
    assert_eq!(pairs[0], ("username", &"Zoë\u{1b}[2J".into()));
    let long = request.meta.text("long").unwrap();
    assert_eq!(long.chars().count(), Metadata::MAX_VALUE);
    let tags = request.meta.get("tags").unwrap().to_string();
    assert_eq!(tags.matches("friend").count(), MetadataValue::MAX_NESTED);
    assert_eq!(pairs[3], ("level", &3.into()));
    assert_eq!(request.meta.get("nothing"), None);
    assert_eq!(request.account.as_str(), "work");
}

pub(crate) fn the_fourth_is_turned_away_and_counted(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let account = bot.telegram();
    for sender in ["1", "2", "3"] {
        create(&account, sender);
    }
    turned_away(&account, "4");
    turned_away(&account, "5");
    reuse(&account, "3");
    assert_eq!(waiting(&account), ["1", "2", "3"]);
    let [turned] = &account.channel().turned_away().unwrap()[..] else {
        panic!("one account turned somebody away");
    };
    assert_eq!((turned.count, turned.since), (2, at(0)));
    assert_eq!(turned.account, *account.id());
    let recent: Vec<_> = turned.recent.iter().map(|s| s.sender.as_str()).collect();
    assert_eq!(recent, ["4", "5"]);
}

pub(crate) fn one_who_insists_is_counted_once_a_minute(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let account = bot.telegram();
    for sender in ["1", "2", "3"] {
        create(&account, sender);
    }
    for (wait, expected) in [(0, 1), (MINUTE - 1, 1), (1, 2)] {
        bot.wait(wait);
        turned_away(&account, "4");
        let turned = account.channel().turned_away().unwrap();
        assert_eq!(turned[0].count, expected);
    }
}

pub(crate) fn the_cap_is_per_account_and_channel(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    for (channel, account) in [
        ("telegram", "default"),
        ("telegram", "work"),
        ("discord", "default"),
    ] {
        let account = bot.account(channel, account);
        for sender in ["1", "2", "3"] {
            create(&account, sender);
        }
        turned_away(&account, "4");
    }
    let all = bot.channel("telegram").pending().unwrap().requests;
    assert_eq!(all.len(), 6);
}

pub(crate) fn a_request_that_ends_makes_room(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let account = bot.telegram();
    let codes = ["1", "2", "3"].map(|sender| create(&account, sender).request.code);
    account.approve(codes[0].as_str(), &owner()).unwrap();
    create(&account, "4");
    account.reject(codes[1].as_str(), &owner()).unwrap();
    create(&account, "5");
    account.allow("3", &owner()).unwrap();
    create(&account, "6");
    turned_away(&account, "7");
    bot.wait(HOUR);
    create(&account, "7");
    assert_eq!(waiting(&account), ["7"]);
}

pub(crate) fn who_is_allowed_needs_no_code(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let account = bot.telegram();
    account.allow("12345", &owner()).unwrap();
    let requested = account.request_or_reuse("tg:12345").unwrap();
    assert!(matches!(requested, Requested::Allowed(_)), "{requested:?}");
    assert!(waiting(&account).is_empty());
}

pub(crate) fn only_the_policy_pairing_offers_codes(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let account = bot.telegram();
    account.allow("1", &owner()).unwrap();
    for policy in [DmPolicy::Allowlist, DmPolicy::Open, DmPolicy::Disabled] {
        let access = Access::new(account.channel().rules(), policy, ["2"]);
        let closed = account.clone().with_access(access);
        for sender in ["1", "3"] {
            let requested = closed.request_or_reuse(sender).unwrap();
            assert!(
                matches!(requested, Requested::NotOffered(_)),
                "{requested:?}"
            );
            assert!(!closed.is_allowed(sender).unwrap(), "{policy:?}");
        }
        let configured = policy != DmPolicy::Disabled;
        assert_eq!(closed.is_allowed("2").unwrap(), configured, "{policy:?}");
    }
    assert!(waiting(&account).is_empty());
}

/// Entropy that fills each buffer with the next of the bytes, cyclically; fails if there are none.
struct Cycle(&'static [u8], AtomicUsize);

impl Entropy for Cycle {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        if self.0.is_empty() {
            return Err(EntropyError::new("a broken generator"));
        }
        let turn = self.1.fetch_add(1, Ordering::SeqCst);
        bytes.fill(self.0[turn % self.0.len()]);
        Ok(())
    }
}

fn drawing(fixture: &Fixture, bytes: &'static [u8]) -> Bot {
    let clock = Arc::new(ManualClock::new(at(0)));
    Bot::with(fixture.open(), clock, Cycle(bytes, AtomicUsize::new(0)))
}

pub(crate) fn a_code_that_is_taken_is_drawn_again(fixture: &Fixture) {
    let bot = drawing(fixture, &[7, 7, 8, 9, 8]);
    let (default, work) = (bot.telegram(), bot.account("telegram", "work"));
    let codes = [(&default, "1"), (&default, "2"), (&work, "3")]
        .map(|(account, sender)| create(account, sender).request.code);
    assert_eq!(HashSet::from(codes).len(), 3, "all there are");
    let refused = work.request_or_reuse("4");
    assert!(
        matches!(refused, Err(RequestError::Entropy(_))),
        "{refused:?}"
    );
    assert_eq!(waiting(&work), ["3"]);
    // A code is free again once its request has ended.
    default.reject("2", &owner()).unwrap();
    assert_eq!(create(&work, "4").request.code, codes[1]);
}

pub(crate) fn channels_have_codes_of_their_own(fixture: &Fixture) {
    let bot = drawing(fixture, &[7]);
    let codes = ["telegram", "discord", "slack"].map(|channel| {
        let account = bot.account(channel, "default");
        create(&account, "12345").request.code
    });
    assert_eq!(codes, [PairingCode::from_entropy([7; 8]); 3]);
    bot.channel("discord")
        .approve(codes[1].as_str(), &owner())
        .unwrap();
    assert!(waiting(&bot.account("discord", "default")).is_empty());
    assert_eq!(waiting(&bot.telegram()), ["12345"]);
}

pub(crate) fn without_entropy_nothing_happens(fixture: &Fixture) {
    let bot = drawing(fixture, &[]);
    let account = bot.telegram();
    let failed = account.request_or_reuse("12345");
    assert!(
        matches!(failed, Err(RequestError::Entropy(_))),
        "{failed:?}"
    );
    assert!(waiting(&account).is_empty());
}
