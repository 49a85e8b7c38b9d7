//! The changes of a batch take effect together.

use pairing_core::store::{Change, Group};
use pairing_core::{Range, Record};

use crate::Fixture;
use crate::fixture::{
    attempts, channel, code, commit, delete, keys, place, put, put_allow, range_version, read,
    record_version, sorted, write,
};

pub(crate) fn several_kinds_change_in_one_batch(fixture: &Fixture) {
    let store = fixture.open();
    let here = place("telegram", "work");
    let request = here.request("1001", "M8NGT2AA");
    let failures = Record::Attempts(attempts(&here.channel, 3));
    write(&*store, put(&request));
    write(&*store, [Change::Put(failures.clone())]);
    // The changes of an approval, and more.
    let conditions = [
        record_version(&*store, &request.key()),
        record_version(&*store, &failures.key()),
        record_version(&*store, &here.allow_key("1001")),
        range_version(&*store, &here.requests()),
    ];
    let entry = here.allow("1001");
    let turned_away = Record::TurnedAway(here.turned_away(1));
    let changes = [
        delete(&request).to_vec(),
        vec![
            put_allow(&entry),
            Change::Delete(failures.key()),
            Change::Put(turned_away.clone()),
        ],
    ];
    commit(&*store, conditions, changes.concat()).unwrap();
    for store in [store, fixture.open()] {
        assert_eq!(read(&*store, &request.key()), None);
        assert_eq!(read(&*store, &failures.key()), None);
        assert_eq!(
            read(&*store, &here.allow_key("1001")),
            Some(Record::Allow(entry.clone()))
        );
        assert_eq!(read(&*store, &turned_away.key()), Some(turned_away.clone()));
    }
}

pub(crate) fn several_accounts_change_in_one_batch(fixture: &Fixture) {
    let store = fixture.open();
    let places = ["default", "work", "home"].map(|account| place("discord", account));
    let codes = ["M8NGT2AA", "M8NGT2AB", "M8NGT2AC"];
    let requests = [0, 1, 2].map(|n| places[n].request("1001", codes[n]));
    let entries = [0, 1, 2].map(|n| places[n].allow("2002"));
    let changes: Vec<_> = requests.iter().flat_map(put).collect();
    write(&*store, changes);
    write(&*store, entries.each_ref().map(put_allow));
    for n in 0..3 {
        assert!(read(&*store, &requests[n].key()).is_some());
        assert!(read(&*store, &places[n].allow_key("2002")).is_some());
    }
}

pub(crate) fn one_request_takes_the_place_of_another(fixture: &Fixture) {
    let store = fixture.open();
    let here = place("telegram", "default");
    let old = here.request("1001", "M8NGT2AA");
    let new = here.request("1002", "M8NGT2AB");
    write(&*store, put(&old));
    write(&*store, [delete(&old), put(&new)].concat());
    assert_eq!(keys(&*store, &here.requests(), 9), [new.key()]);
    assert_eq!(
        read(&*store, &Record::Code(old.taken_code()).key()),
        None,
        "the code is free again"
    );
}

pub(crate) fn a_request_may_change_its_code(fixture: &Fixture) {
    let store = fixture.open();
    let here = place("telegram", "default");
    let old = here.request("1001", "M8NGT2AA");
    let mut new = old.clone();
    new.code = code("M8NGT2AB");
    write(&*store, put(&old));
    let free = Change::Delete(Record::Code(old.taken_code()).key());
    write(&*store, [vec![free], put(&new).to_vec()].concat());
    let taken = Record::Code(new.taken_code());
    assert_eq!(read(&*store, &taken.key()), Some(taken));
    assert_eq!(read(&*store, &Record::Code(old.taken_code()).key()), None);
    assert_eq!(
        read(&*store, &new.key()),
        Some(Record::Request(new.clone()))
    );
}

pub(crate) fn the_same_code_serves_two_channels(fixture: &Fixture) {
    let store = fixture.open();
    let requests = ["telegram", "discord"]
        .map(|channel| place(channel, "default").request("1001", "M8NGT2AA"));
    for request in &requests {
        write(&*store, put(request));
    }
    write(&*store, delete(&requests[0]));
    let kept = Record::Code(requests[1].taken_code());
    assert_eq!(read(&*store, &kept.key()), Some(kept));
}

pub(crate) fn a_large_batch_is_written_whole(fixture: &Fixture) {
    let store = fixture.open();
    let here = place("discord", "default");
    let entries: Vec<_> = (0..500).map(|n| here.allow(&n.to_string())).collect();
    let changes: Vec<_> = entries.iter().map(put_allow).collect();
    write(&*store, changes);
    let expected = entries.into_iter().map(|entry| Record::Allow(entry).key());
    assert_eq!(sorted(keys(&*store, &here.allowed(), 64)), sorted(expected));
}

pub(crate) fn trying_to_write_changes_no_record(fixture: &Fixture) {
    let store = fixture.open();
    let here = place("telegram", "work");
    let entry = here.allow("1001");
    write(&*store, [put_allow(&entry)]);
    for group in [Group::Channel(&here.channel), Group::Devices, Group::Nodes] {
        store.probe_write(group).unwrap();
        let allowed = keys(&*store, &here.allowed(), 10);
        assert_eq!(allowed, [here.allow_key("1001")]);
        for range in [Range::Devices, Range::Nodes] {
            assert_eq!(keys(&*store, &range, 10), [], "{range:?}");
        }
    }
    // Where nothing was ever written, as well.
    store
        .probe_write(Group::Channel(&channel("discord")))
        .unwrap();
    assert!(read(&*fixture.open(), &here.allow_key("1001")).is_some());
}
