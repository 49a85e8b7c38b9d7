//! A service that never waits for a lock, and one that follows the changes.

use std::time::Duration;

use pairing_core::{Followed, Follower, Key, RecordChange};

use crate::Fixture;
use crate::bot::{Bot, allowlist, assert_not_found, create, owner, waiting};

pub(crate) fn a_service_that_never_waits_decides_alike(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let at_once = bot.pairing.never_waiting();
    let account = at_once.channel("telegram").unwrap();
    let account = account.account("default").unwrap();
    let code = create(&account, "12345").request.code;
    create(&account, "777");
    account.approve(code.as_str(), &owner()).unwrap();
    assert_not_found(account.approve(code.as_str(), &owner()));
    account.reject("777", &owner()).unwrap();
    let other = bot.another(fixture, 2).telegram();
    assert_eq!(allowlist(&other), ["12345"]);
    assert_eq!(waiting(&other), [""; 0]);
}

/// Longer than any store takes to notice a change.
const LONG: Duration = Duration::from_secs(10);

/// Follows until a change is reported that is meant, and returns everything until then.
#[track_caller]
fn until(follower: &mut Follower, is_meant: impl Fn(&RecordChange) -> bool) -> Vec<RecordChange> {
    let mut all = Vec::new();
    for _ in 0..100 {
        match follower.next(LONG).unwrap() {
            Followed::Changed(changes) => all.extend(changes),
            Followed::Everything => panic!("the feed was lost"),
        }
        if all.iter().any(&is_meant) {
            return all;
        }
    }
    panic!("the change was not reported: {all:?}");
}

pub(crate) fn a_change_is_reported_once(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let other = bot.another(fixture, 2);
    let mut follower = other.pairing.follow().unwrap();
    let account = bot.telegram();
    let is_allowed =
        |change: &RecordChange| matches!(change.key, Key::Allow { .. }) && change.record.is_some();
    let is_revoked =
        |change: &RecordChange| matches!(change.key, Key::Allow { .. }) && change.record.is_none();
    let mut all = Vec::new();
    account.allow("12345", &owner()).unwrap();
    all.extend(until(&mut follower, is_allowed));
    // What comes later may bring the one before along.
    account.revoke("12345", &owner()).unwrap();
    all.extend(until(&mut follower, is_revoked));
    other.telegram().allow("12345", &owner()).unwrap();
    all.extend(until(&mut follower, is_allowed));
    let told = |is_meant: &dyn Fn(&RecordChange) -> bool| {
        all.iter().filter(|change| is_meant(change)).count()
    };
    assert_eq!((told(&is_allowed), told(&is_revoked)), (2, 1), "{all:?}");
}
