//! Requests expire to the millisecond.

use pairing_core::store::PendingRequest;
use pairing_core::{DecisionError, Record, Timestamp};

use crate::Fixture;
use crate::bot::{Bot, HOUR, assert_not_found, create, owner, waiting};
use crate::fixture::{at, place, put, read, write};

#[track_caller]
fn assert_expired<T: std::fmt::Debug>(result: Result<T, DecisionError>) {
    assert!(
        matches!(result, Err(DecisionError::Expired { .. })),
        "{result:?}"
    );
}

pub(crate) fn a_code_works_until_its_last_millisecond(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let account = bot.telegram();
    let code = create(&account, "12345").request.code;
    bot.wait(HOUR - 1);
    assert_eq!(waiting(&account), ["12345"]);
    account.approve(code.as_str(), &owner()).unwrap();
}

pub(crate) fn and_not_a_millisecond_longer(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let account = bot.telegram();
    let created = create(&account, "12345");
    let code = created.request.code;
    bot.wait(HOUR);
    assert_eq!(bot.now(), created.expires_at);
    assert!(waiting(&account).is_empty());
    assert_expired(account.approve(code.as_str(), &owner()));
    assert_expired(account.reject(code.as_str(), &owner()));
    assert_not_found(account.reject("12345", &owner()));
    assert!(!account.is_allowed("12345").unwrap());
    let anew = create(&account, "12345");
    assert_ne!(anew.request.code, code);
    assert_not_found(account.approve(code.as_str(), &owner()));
}

pub(crate) fn coming_back_does_not_prolong_it(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let account = bot.telegram();
    let code = create(&account, "12345").request.code;
    for _ in 0..59 {
        bot.wait(HOUR / 60);
        account.request_or_reuse("12345").unwrap();
    }
    bot.wait(HOUR / 60);
    assert_expired(account.approve(code.as_str(), &owner()));
}

pub(crate) fn what_has_expired_vanishes_with_the_next_request(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let account = bot.telegram();
    let old = create(&account, "1").request;
    bot.wait(HOUR);
    create(&account, "2");
    let store = fixture.open();
    assert_eq!(read(&*store, &old.key()), None);
    assert_eq!(read(&*store, &Record::Code(old.taken_code()).key()), None);
}

/// Checks that requests with these times, written by another program, count as expired.
fn count_as_expired(fixture: &Fixture, created_at: [Option<Timestamp>; 3]) {
    let here = place("telegram", "work");
    let codes = ["M8NGT2AA", "M8NGT2AB", "M8NGT2AC"];
    let store = fixture.open();
    for (n, created_at) in created_at.into_iter().enumerate() {
        let request = PendingRequest {
            created_at,
            ..here.request(&format!("100{n}"), codes[n])
        };
        write(&*store, put(&request));
    }
    let bot = Bot::new(fixture);
    let account = bot.account("telegram", "work");
    assert!(waiting(&account).is_empty());
    for code in codes {
        assert_expired(account.approve(code, &owner()));
    }
    // They do not take up room, and their senders get new codes.
    let anew = create(&account, "1000").request;
    assert_ne!(anew.code.as_str(), codes[0]);
    create(&account, "7");
    create(&account, "8");
    assert_eq!(waiting(&account), ["1000", "7", "8"]);
}

pub(crate) fn requests_from_the_future_count_as_expired(fixture: &Fixture) {
    let year = 365 * 24 * 3_600_000;
    count_as_expired(fixture, [1, 3_600_000, year].map(|millis| Some(at(millis))));
}

pub(crate) fn requests_without_a_time_count_as_expired(fixture: &Fixture) {
    count_as_expired(fixture, [None, None, None]);
}

pub(crate) fn requests_of_long_ago_count_as_expired(fixture: &Fixture) {
    let long_ago = [-3_600_000, -86_400_000, -at(0).as_millis()];
    count_as_expired(fixture, long_ago.map(|millis| Some(at(millis))));
}

pub(crate) fn a_clock_set_back_lets_nobody_in(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let account = bot.telegram();
    let code = create(&account, "12345").request.code;
    bot.clock.set(at(-1));
    assert!(waiting(&account).is_empty());
    assert_expired(account.approve(code.as_str(), &owner()));
    assert!(!account.is_allowed("12345").unwrap());
}
