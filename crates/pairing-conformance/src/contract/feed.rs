//! The change feed.

use std::time::{Duration, Instant};

use pairing_core::store::{AllowEntry, Change, Changed, Position};
use pairing_core::{Key, PairingStore, Record};

use crate::Fixture;
use crate::fixture::{assert_conflict, commit, place, put_allow, read, record_version, write};

/// Longer than any store takes to notice a change; no wait takes this long unless the case fails.
const LONG: Duration = Duration::from_secs(10);

fn now(store: &dyn PairingStore) -> Position {
    let changes = store.changes(None, LONG).unwrap();
    assert_eq!(changes.changed, Changed::Keys(Vec::new()));
    changes.position
}

/// Follows the feed until it has reported all the keys, and returns the position reached.
#[track_caller]
fn follow(store: &dyn PairingStore, mut position: Position, mut keys: Vec<Key>) -> Position {
    while !keys.is_empty() {
        let changes = store.changes(Some(position), LONG).unwrap();
        position = changes.position;
        match changes.changed {
            Changed::Everything => return position,
            Changed::Keys(told) if told.is_empty() => panic!("the feed never told of {keys:?}"),
            Changed::Keys(told) => keys.retain(|key| !told.contains(key)),
        }
    }
    position
}

pub(crate) fn the_present_is_told_at_once(fixture: &Fixture) {
    let store = fixture.open();
    now(&*store);
    write(&*store, [put_allow(&place("telegram", "work").allow("1"))]);
    now(&*store);
}

pub(crate) fn without_a_timeout_nothing_is_waited_for(fixture: &Fixture) {
    let store = fixture.open();
    let here = place("telegram", "work");
    let position = now(&*store);
    let changes = store.changes(Some(position), Duration::ZERO).unwrap();
    write(&*store, [put_allow(&here.allow("1"))]);
    follow(&*store, changes.position, vec![here.allow_key("1")]);
}

pub(crate) fn own_commits_are_told(fixture: &Fixture) {
    let store = fixture.open();
    let here = place("telegram", "work");
    let start = now(&*store);
    write(&*store, [put_allow(&here.allow("1"))]);
    let middle = follow(&*store, start, vec![here.allow_key("1")]);
    write(&*store, [Change::Delete(here.allow_key("1"))]);
    follow(&*store, middle, vec![here.allow_key("1")]);
}

pub(crate) fn nothing_is_missed_by_who_comes_late(fixture: &Fixture) {
    let store = fixture.open();
    let here = place("telegram", "work");
    let start = now(&*store);
    let entries: Vec<_> = (0..20).map(|n| here.allow(&n.to_string())).collect();
    for entry in &entries {
        write(&*store, [put_allow(entry)]);
    }
    let keys = entries.into_iter().map(|entry| Record::Allow(entry).key());
    follow(&*store, start, keys.collect());
}

pub(crate) fn a_waiter_is_woken_by_another_handle(fixture: &Fixture) {
    let here = place("discord", "default");
    let (waiter, writer) = (fixture.open(), fixture.open());
    let start = now(&*waiter);
    std::thread::scope(|threads| {
        let woken = threads.spawn(|| follow(&*waiter, start, vec![here.allow_key("1")]));
        write(&*writer, [put_allow(&here.allow("1"))]);
        woken.join().unwrap();
    });
    let entry = Record::Allow(here.allow("1"));
    assert_eq!(read(&*waiter, &entry.key()), Some(entry), "told, not seen");
}

/// Each handle waits for a commit by the other, so that a wait is in progress during every commit.
pub(crate) fn a_wait_ends_when_something_happens(fixture: &Fixture) {
    let here = place("discord", "default");
    let rounds: Vec<_> = (0..10)
        .map(|n| {
            (
                here.allow(&format!("ping{n}")),
                here.allow(&format!("pong{n}")),
            )
        })
        .collect();
    let key = |entry: &AllowEntry| vec![Record::Allow(entry.clone()).key()];
    let (one, other) = (fixture.open(), fixture.open());
    let (mut position, mut there) = (now(&*one), now(&*other));
    let begun = Instant::now();
    std::thread::scope(|threads| {
        threads.spawn(|| {
            for (ping, pong) in &rounds {
                there = follow(&*other, there, key(ping));
                write(&*other, [put_allow(pong)]);
            }
        });
        for (ping, pong) in &rounds {
            write(&*one, [put_allow(ping)]);
            position = follow(&*one, position, key(pong));
            assert!(begun.elapsed() < LONG, "a wait took all its time");
        }
    });
}

pub(crate) fn every_follower_is_told(fixture: &Fixture) {
    let here = place("discord", "default");
    let stores = [fixture.open(), fixture.open(), fixture.open()];
    let starts = stores.each_ref().map(|store| now(&**store));
    write(&*stores[0], [put_allow(&here.allow("1"))]);
    for (store, start) in stores.iter().zip(starts) {
        follow(&**store, start, vec![here.allow_key("1")]);
    }
}

pub(crate) fn a_refused_batch_does_not_stop_the_feed(fixture: &Fixture) {
    let store = fixture.open();
    let here = place("telegram", "work");
    let absent = record_version(&*store, &here.allow_key("1"));
    write(&*store, [put_allow(&here.allow("1"))]);
    let start = now(&*store);
    assert_conflict(commit(&*store, [absent], [put_allow(&here.allow("2"))]));
    write(&*store, [put_allow(&here.allow("3"))]);
    follow(&*store, start, vec![here.allow_key("3")]);
}

pub(crate) fn a_position_of_another_time_is_answered(fixture: &Fixture) {
    let store = fixture.open();
    let here = place("telegram", "work");
    for stranger in [0, 1, u64::MAX] {
        let stranger = Some(Position::new(stranger));
        let position = store.changes(stranger, Duration::ZERO).unwrap().position;
        write(&*store, [put_allow(&here.allow("1"))]);
        follow(&*store, position, vec![here.allow_key("1")]);
        write(&*store, [Change::Delete(here.allow_key("1"))]);
    }
}
