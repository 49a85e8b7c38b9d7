//! A commit succeeds only if the records and ranges in its conditions are unchanged.

use pairing_core::store::{Change, Condition, PendingRequest};
use pairing_core::{PairingStore, Range, Record};

use crate::Fixture;
use crate::fixture::{
    Place, assert_conflict, at, attempts, channel, commit, delete, place, put, put_allow,
    range_version, read, record_version, write,
};

/// Commits a change that the condition is not about.
fn rests_on(
    store: &dyn PairingStore,
    condition: Condition,
) -> Result<(), pairing_core::StoreError> {
    let mark = attempts(&channel("telegram"), 1);
    commit(store, [condition], [Change::Put(Record::Attempts(mark))])
}

fn here() -> Place {
    place("telegram", "work")
}

pub(crate) fn an_unchanged_record_holds(fixture: &Fixture) {
    let store = fixture.open();
    let absent = record_version(&*store, &here().allow_key("1"));
    rests_on(&*store, absent).unwrap();
    write(&*store, [put_allow(&here().allow("1"))]);
    let present = record_version(&*store, &here().allow_key("1"));
    rests_on(&*store, present).unwrap();
}

pub(crate) fn a_record_that_appeared_conflicts(fixture: &Fixture) {
    let store = fixture.open();
    let request = here().request("1001", "M8NGT2AA");
    let absent = record_version(&*store, &request.key());
    let free = record_version(&*store, &Record::Code(request.taken_code()).key());
    write(&*store, put(&request));
    assert_conflict(rests_on(&*store, absent));
    assert_conflict(rests_on(&*store, free));
}

pub(crate) fn a_record_that_changed_conflicts(fixture: &Fixture) {
    let store = fixture.open();
    let mut request = here().request("1001", "M8NGT2AA");
    write(&*store, put(&request));
    let seen = record_version(&*store, &request.key());
    request.last_seen_at = Some(at(120_000));
    write(&*store, put(&request));
    assert_conflict(rests_on(&*store, seen));
}

pub(crate) fn a_record_that_was_deleted_conflicts(fixture: &Fixture) {
    let store = fixture.open();
    let request = here().request("1001", "M8NGT2AA");
    write(&*store, put(&request));
    write(&*store, [put_allow(&here().allow("1"))]);
    let waiting = record_version(&*store, &request.key());
    let taken = record_version(&*store, &Record::Code(request.taken_code()).key());
    let allowed = record_version(&*store, &here().allow_key("1"));
    write(&*store, delete(&request));
    write(&*store, [Change::Delete(here().allow_key("1"))]);
    for condition in [waiting, taken, allowed] {
        assert_conflict(rests_on(&*store, condition));
    }
}

pub(crate) fn an_unchanged_range_holds(fixture: &Fixture) {
    let store = fixture.open();
    let empty = range_version(&*store, &here().requests());
    rests_on(&*store, empty).unwrap();
    write(&*store, put(&here().request("1001", "M8NGT2AA")));
    let one = range_version(&*store, &here().requests());
    rests_on(&*store, one).unwrap();
}

pub(crate) fn a_range_that_grew_conflicts(fixture: &Fixture) {
    let store = fixture.open();
    let whole = Range::Requests {
        channel: here().channel,
        account: None,
    };
    for (sender, code) in [("1001", "M8NGT2AA"), ("1002", "M8NGT2AB")] {
        let account = range_version(&*store, &here().requests());
        let channel = range_version(&*store, &whole);
        write(&*store, put(&here().request(sender, code)));
        assert_conflict(rests_on(&*store, account));
        assert_conflict(rests_on(&*store, channel));
    }
    let list = range_version(&*store, &here().allowed());
    write(&*store, [put_allow(&here().allow("1"))]);
    assert_conflict(rests_on(&*store, list));
}

pub(crate) fn a_range_in_which_something_changed_conflicts(fixture: &Fixture) {
    let store = fixture.open();
    let request = here().request("1001", "M8NGT2AA");
    write(&*store, put(&request));
    write(&*store, put(&here().request("1002", "M8NGT2AB")));
    let range = range_version(&*store, &here().requests());
    let seen = PendingRequest {
        last_seen_at: Some(at(120_000)),
        ..request
    };
    write(&*store, put(&seen));
    assert_conflict(rests_on(&*store, range));
}

pub(crate) fn a_range_that_shrank_conflicts(fixture: &Fixture) {
    let store = fixture.open();
    let [first, last] = [("1001", "M8NGT2AA"), ("1002", "M8NGT2AB")]
        .map(|(sender, code)| here().request(sender, code));
    write(&*store, [put(&first), put(&last)].concat());
    for gone in [first, last] {
        let range = range_version(&*store, &here().requests());
        write(&*store, delete(&gone));
        assert_conflict(rests_on(&*store, range));
    }
}

pub(crate) fn a_range_in_which_one_took_the_place_of_another_conflicts(fixture: &Fixture) {
    let store = fixture.open();
    let (old, new) = (
        here().request("1001", "M8NGT2AA"),
        here().request("1002", "M8NGT2AB"),
    );
    write(&*store, put(&old));
    let range = range_version(&*store, &here().requests());
    write(&*store, [delete(&old), put(&new)].concat());
    assert_conflict(rests_on(&*store, range));
}

pub(crate) fn changes_elsewhere_do_not_conflict(fixture: &Fixture) {
    let store = fixture.open();
    let request = here().request("1001", "M8NGT2AA");
    write(&*store, put(&request));
    write(&*store, [put_allow(&here().allow("1"))]);
    let conditions = [
        record_version(&*store, &request.key()),
        record_version(&*store, &Record::Code(request.taken_code()).key()),
        record_version(&*store, &here().allow_key("1")),
        record_version(&*store, &here().allow_key("2")),
        range_version(&*store, &here().requests()),
        range_version(&*store, &here().allowed()),
    ];
    let other = place("telegram", "home");
    write(&*store, put(&other.request("1001", "M8NGT2AB")));
    write(&*store, [put_allow(&other.allow("1"))]);
    let elsewhere = place("discord", "work");
    write(&*store, put(&elsewhere.request("1001", "M8NGT2AA")));
    write(&*store, [put_allow(&elsewhere.allow("1"))]);
    write(
        &*store,
        [Change::Put(Record::TurnedAway(here().turned_away(1)))],
    );
    commit(&*store, conditions, [put_allow(&here().allow("3"))]).unwrap();
}

pub(crate) fn a_change_beside_a_record_does_not_conflict(fixture: &Fixture) {
    let store = fixture.open();
    let request = here().request("1001", "M8NGT2AA");
    write(&*store, put(&request));
    let conditions = [
        record_version(&*store, &request.key()),
        record_version(&*store, &here().allow_key("1")),
    ];
    write(&*store, put(&here().request("1002", "M8NGT2AB")));
    write(&*store, [put_allow(&here().allow("2"))]);
    commit(&*store, conditions, delete(&request)).unwrap();
}

pub(crate) fn one_failing_condition_refuses_all_changes(fixture: &Fixture) {
    let store = fixture.open();
    let request = here().request("1001", "M8NGT2AA");
    write(&*store, put(&request));
    let holds = record_version(&*store, &request.key());
    let fails = range_version(&*store, &here().allowed());
    write(&*store, [put_allow(&here().allow("1"))]);
    let changes = [
        delete(&request).to_vec(),
        put(&here().request("1002", "M8NGT2AB")).to_vec(),
        vec![
            put_allow(&here().allow("2")),
            Change::Delete(here().allow_key("1")),
            Change::Put(Record::TurnedAway(here().turned_away(1))),
        ],
    ]
    .concat();
    assert_conflict(commit(&*store, [holds, fails], changes));
    for store in [store, fixture.open()] {
        assert!(read(&*store, &request.key()).is_some());
        assert!(read(&*store, &Record::Code(request.taken_code()).key()).is_some());
        assert!(read(&*store, &here().allow_key("1")).is_some());
        assert!(read(&*store, &here().allow_key("2")).is_none());
        assert!(read(&*store, &here().request("1002", "M8NGT2AB").key()).is_none());
        assert!(read(&*store, &Record::TurnedAway(here().turned_away(1)).key()).is_none());
    }
}

pub(crate) fn conditions_are_checked_where_nothing_is_written(fixture: &Fixture) {
    let store = fixture.open();
    let absent = record_version(&*store, &here().allow_key("1"));
    commit(&*store, [absent.clone()], []).unwrap();
    write(&*store, [put_allow(&here().allow("1"))]);
    assert_conflict(commit(&*store, [absent], []));
}

/// Without this, a decision would be retried after a conflict on the same old state.
pub(crate) fn after_a_conflict_the_new_state_is_read(fixture: &Fixture) {
    let (slow, fast) = (fixture.open(), fixture.open());
    let key = Record::TurnedAway(here().turned_away(0)).key();
    let list = here().allowed();
    let conditions = [record_version(&*slow, &key), range_version(&*slow, &list)];
    let newer = Record::TurnedAway(here().turned_away(1));
    write(
        &*fast,
        [Change::Put(newer.clone()), put_allow(&here().allow("1"))],
    );
    for condition in conditions {
        assert_conflict(rests_on(&*slow, condition));
    }
    assert_eq!(read(&*slow, &key), Some(newer));
    let now = [record_version(&*slow, &key), range_version(&*slow, &list)];
    commit(&*slow, now, [Change::Delete(key)]).unwrap();
}
