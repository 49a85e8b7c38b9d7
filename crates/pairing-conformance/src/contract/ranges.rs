//! Reading ranges, page by page.

use pairing_core::store::{Attempts, Change, Condition, PageRequest};
use pairing_core::{ChannelId, Key, PairingStore, Range, Record};

use crate::Fixture;
use crate::fixture::{
    assert_conflict, attempts, commit, keys, operator, place, put, put_allow, range_version,
    sorted, write,
};

/// Writes seven requests and seven entries over two accounts of telegram and the attempts of two approvers
/// who mistyped, and one of each on discord.
fn populate(store: &dyn PairingStore) {
    let codes = ["A", "B", "C", "D", "E", "F", "G"].map(|last| format!("M8NGT2A{last}"));
    for (n, code) in codes.iter().enumerate() {
        let here = place("telegram", ["default", "work"][n % 2]);
        write(store, put(&here.request(&format!("100{n}"), code)));
        write(store, [put_allow(&here.allow(&format!("200{n}")))]);
    }
    let elsewhere = place("discord", "work");
    write(store, put(&elsewhere.request("1001", &codes[0])));
    write(store, [put_allow(&elsewhere.allow("2001"))]);
    for here in [place("telegram", "work"), elsewhere] {
        let turned_away = Record::TurnedAway(here.turned_away(1));
        write(store, [Change::Put(turned_away)]);
        write(store, [mistyped(&here.channel, "phone")]);
        write(store, [1, 2, 3].map(|n| Change::Put(here.claim(n).into())));
    }
    let telegram = place("telegram", "work").channel;
    write(store, [mistyped(&telegram, "laptop")]);
}

fn mistyped(channel: &ChannelId, by: &str) -> Change {
    Change::Put(Record::Attempts(Attempts {
        approver: operator(by).id().clone(),
        ..attempts(channel, 2)
    }))
}

fn ranges() -> Vec<(Range, usize)> {
    let work = place("telegram", "work");
    let channel = || work.channel.clone();
    vec![
        (work.requests(), 3),
        (place("telegram", "default").requests(), 4),
        (place("telegram", "home").requests(), 0),
        (
            Range::Requests {
                channel: channel(),
                account: None,
            },
            7,
        ),
        (work.allowed(), 3),
        (place("telegram", "default").allowed(), 4),
        (
            Range::Allowed {
                channel: channel(),
                account: None,
            },
            7,
        ),
        (Range::Attempts { channel: channel() }, 2),
        (Range::TurnedAway { channel: channel() }, 1),
        (Range::Claims { channel: channel() }, 3),
    ]
}

pub(crate) fn a_range_holds_its_records_and_no_other(fixture: &Fixture) {
    let store = fixture.open();
    populate(&*store);
    for (range, size) in ranges() {
        let keys = keys(&*store, &range, 100);
        assert_eq!(keys.len(), size, "{range:?}");
        assert!(keys.iter().all(|key| range.contains(key)), "{range:?}");
    }
}

pub(crate) fn pages_show_each_record_exactly_once(fixture: &Fixture) {
    let store = fixture.open();
    populate(&*store);
    for (range, size) in ranges() {
        let whole = keys(&*store, &range, 100);
        for limit in 1..=size + 1 {
            let mut paged = keys(&*store, &range, limit);
            assert_eq!(paged.len(), size, "{range:?} by {limit}");
            assert_eq!(sorted(paged.clone()), sorted(whole.clone()));
            paged.dedup();
            assert_eq!(paged.len(), size, "{range:?} by {limit}");
        }
    }
}

pub(crate) fn only_the_last_page_has_no_next(fixture: &Fixture) {
    let store = fixture.open();
    populate(&*store);
    for (range, size) in ranges() {
        let next = |limit| {
            let page = store.range(&range, &PageRequest::first(limit)).unwrap();
            page.next
        };
        assert_eq!(next(size.max(1)), None, "{range:?}");
        if size > 1 {
            assert!(next(size - 1).is_some(), "{range:?}");
        }
    }
}

pub(crate) fn the_order_stays_between_changes(fixture: &Fixture) {
    let store = fixture.open();
    populate(&*store);
    for (range, _) in ranges() {
        assert_eq!(keys(&*store, &range, 100), keys(&*store, &range, 2));
    }
}

pub(crate) fn every_page_has_the_version_of_the_whole(fixture: &Fixture) {
    let store = fixture.open();
    populate(&*store);
    let range = place("telegram", "work").requests();
    let first = store.range(&range, &PageRequest::first(1)).unwrap();
    let second = PageRequest {
        after: first.next,
        limit: 1,
    };
    let second = store.range(&range, &second).unwrap();
    assert_eq!(first.version, second.version);
    let whole = store.range(&range, &PageRequest::first(100)).unwrap();
    assert_eq!(whole.version, first.version);
    let condition = Condition::Range(range, second.version);
    commit(&*store, [condition], []).unwrap();
}

pub(crate) fn an_empty_range_is_no_error(fixture: &Fixture) {
    let store = fixture.open();
    for (range, _) in ranges() {
        assert_eq!(keys(&*store, &range, 10), [] as [Key; 0]);
        let condition = range_version(&*store, &range);
        commit(&*store, [condition], []).unwrap();
    }
}

pub(crate) fn deleted_records_leave_their_range(fixture: &Fixture) {
    let store = fixture.open();
    populate(&*store);
    let work = place("telegram", "work");
    let mut left = sorted(keys(&*store, &work.allowed(), 100));
    while let Some(gone) = left.pop() {
        write(&*store, [Change::Delete(gone)]);
        assert_eq!(sorted(keys(&*store, &work.allowed(), 2)), left);
    }
}

pub(crate) fn each_range_notices_each_deletion(fixture: &Fixture) {
    let store = fixture.open();
    populate(&*store);
    for (range, _) in ranges() {
        // Requests are deleted together with their codes, which another case covers.
        let is_alone = |key: &Key| !matches!(key, Key::Request { .. });
        for key in keys(&*store, &range, 100).into_iter().filter(is_alone) {
            let condition = range_version(&*store, &range);
            write(&*store, [Change::Delete(key)]);
            assert_conflict(commit(&*store, [condition], []));
        }
    }
}
