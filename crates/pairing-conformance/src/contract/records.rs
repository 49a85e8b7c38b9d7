//! Reading, writing and deleting single records.

use pairing_core::store::{Change, Claim, PageRequest, PendingRequest, Version};
use pairing_core::{Key, Metadata, MetadataValue, Record};

use crate::Fixture;
use crate::fixture::{
    account, at, attempts, channel, code, delete, place, put, put_allow, read, sender, write,
};

/// Returns one record of each kind, in one channel; the code belongs to the request.
fn one_of_each() -> Vec<Record> {
    let here = place("telegram", "work");
    let request = here.request("1001", "M8NGT2AA");
    vec![
        Record::Code(request.taken_code()),
        Record::Request(request),
        Record::Allow(here.allow("2002")),
        Record::Attempts(attempts(&here.channel, 3)),
        Record::TurnedAway(here.turned_away(7)),
        Record::from(here.claim(1)),
        Record::from(Claim {
            principal: None,
            ..here.claim(2)
        }),
    ]
}

pub(crate) fn what_was_never_put_is_absent(fixture: &Fixture) {
    let store = fixture.open();
    for record in one_of_each() {
        let read = store.read(&record.key()).unwrap();
        assert_eq!(read.version, Version::ABSENT);
        assert_eq!(read.record, None);
    }
}

pub(crate) fn what_was_put_is_read_back(fixture: &Fixture) {
    let store = fixture.open();
    let changes: Vec<_> = one_of_each().into_iter().map(Change::Put).collect();
    write(&*store, changes);
    for record in one_of_each() {
        assert_eq!(read(&*store, &record.key()), Some(record));
    }
}

pub(crate) fn a_new_handle_reads_what_was_put(fixture: &Fixture) {
    let changes: Vec<_> = one_of_each().into_iter().map(Change::Put).collect();
    write(&*fixture.open(), changes);
    let other = fixture.open();
    for record in one_of_each() {
        assert_eq!(read(&*other, &record.key()), Some(record));
    }
}

pub(crate) fn putting_again_replaces(fixture: &Fixture) {
    let store = fixture.open();
    let here = place("telegram", "default");
    for count in [1, 2] {
        let record = Record::TurnedAway(here.turned_away(count));
        write(&*store, [Change::Put(record.clone())]);
        assert_eq!(read(&*store, &record.key()), Some(record));
    }
}

pub(crate) fn a_changed_record_has_another_version(fixture: &Fixture) {
    let store = fixture.open();
    let here = place("telegram", "default");
    let mut request = here.request("1001", "M8NGT2AA");
    write(&*store, put(&request));
    let version = |key: &Key| store.read(key).unwrap().version;
    let first = version(&request.key());
    assert_eq!(version(&request.key()), first, "nothing changed");
    request.last_seen_at = Some(at(90_002));
    write(&*store, put(&request));
    assert_ne!(version(&request.key()), first);
}

pub(crate) fn what_was_deleted_is_absent(fixture: &Fixture) {
    let store = fixture.open();
    for round in 0..2 {
        let changes: Vec<_> = one_of_each().into_iter().map(Change::Put).collect();
        write(&*store, changes);
        let deletions = one_of_each().into_iter().map(|r| Change::Delete(r.key()));
        write(&*store, deletions.collect::<Vec<_>>());
        for record in one_of_each() {
            assert_eq!(read(&*store, &record.key()), None, "round {round}");
        }
    }
}

pub(crate) fn deleting_what_is_not_there_changes_nothing(fixture: &Fixture) {
    let store = fixture.open();
    let here = place("discord", "default");
    let (kept, gone) = (here.allow("1"), here.request("2", "M8NGT2AA"));
    write(&*store, [put_allow(&kept)]);
    write(&*store, delete(&gone));
    write(&*store, [Change::Delete(here.allow_key("3"))]);
    assert_eq!(
        read(&*store, &here.allow_key("1")),
        Some(Record::Allow(kept))
    );
}

pub(crate) fn channels_and_accounts_are_kept_apart(fixture: &Fixture) {
    let store = fixture.open();
    let places = [
        place("telegram", "default"),
        place("telegram", "work"),
        place("discord", "default"),
        place("discord", "work"),
    ];
    write(&*store, [put_allow(&places[1].allow("7"))]);
    for (index, place) in places.iter().enumerate() {
        let found = read(&*store, &place.allow_key("7")).is_some();
        assert_eq!(found, index == 1, "{place:?}");
    }
}

pub(crate) fn odd_but_legal_names_survive(fixture: &Fixture) {
    let store = fixture.open();
    let names = ["a/b%2F", "Ann#1234", "\"quoted\"\\", "李小龍", "x y"];
    for here in [
        place("discord", "default"),
        place("slack", "ops team: eu?*<>|\""),
        place("feishu", "żółw"),
    ] {
        let entries: Vec<_> = names.iter().map(|name| here.allow(name)).collect();
        let changes: Vec<_> = entries.iter().map(put_allow).collect();
        write(&*store, changes);
        for entry in entries {
            let record = Record::Allow(entry);
            assert_eq!(read(&*store, &record.key()), Some(record));
        }
    }
}

pub(crate) fn metadata_survives_as_it_is(fixture: &Fixture) {
    let store = fixture.open();
    let hostile = [
        "\u{1b}[2J",
        "a\nb",
        "\u{202e}evil",
        "\"\\",
        "👍",
        "\u{200b}x",
    ];
    let request = PendingRequest {
        meta: hostile
            .iter()
            .enumerate()
            .map(|(index, value)| (format!("key {}", 9 - index), MetadataValue::from(*value)))
            .chain(other_values())
            .collect(),
        ..place("telegram", "work").request("1001", "M8NGT2AA")
    };
    write(&*store, put(&request));
    assert_eq!(
        read(&*store, &request.key()),
        Some(Record::Request(request))
    );
}

/// Values that are no texts.
fn other_values() -> impl Iterator<Item = (String, MetadataValue)> {
    let values: [MetadataValue; 7] = [
        true.into(),
        (-7).into(),
        i64::MIN.into(),
        u64::MAX.into(),
        0.1.into(),
        1e300.into(),
        vec![vec!["a\nb", "\"\\"], Vec::new()].into(),
    ];
    let named = values.into_iter().enumerate();
    named.map(|(index, value)| (format!("value {index}"), value))
}

pub(crate) fn a_request_without_times_stays_without(fixture: &Fixture) {
    let store = fixture.open();
    let request = PendingRequest {
        channel: channel("signal"),
        account: account("default"),
        sender: sender(&channel("signal"), "+15559990000"),
        code: code("M8NGT2AA"),
        created_at: None,
        last_seen_at: None,
        meta: Metadata::default(),
    };
    write(&*store, put(&request));
    assert_eq!(
        read(&*store, &request.key()),
        Some(Record::Request(request))
    );
}

pub(crate) fn what_is_read_at_once_is_what_is_read(fixture: &Fixture) {
    let store = fixture.open();
    let here = place("telegram", "default");
    let key = here.allow_key("1001");
    let (entry, range) = (here.allow("1001"), here.allowed());
    let page = PageRequest::first(10);
    let check = |is_there: bool| {
        // A store that keeps what was asked for has it from then on.
        let read = store.read(&key).unwrap();
        assert_eq!(read.record.is_some(), is_there);
        if let Some(at_once) = store.read_at_once(&key) {
            assert_eq!(
                (at_once.record, at_once.version),
                (read.record, read.version)
            );
        }
        let listed = store.range(&range, &page).unwrap();
        if let Some(at_once) = store.range_at_once(&range, &page) {
            assert_eq!(
                (at_once.records, at_once.version),
                (listed.records, listed.version)
            );
        }
    };
    check(false);
    write(&*store, [put_allow(&entry)]);
    let at_once = store.read_at_once(&key);
    assert!(at_once.is_none_or(|read| read.record.is_some()));
    check(true);
    write(&*store, [Change::Delete(key.clone())]);
    let at_once = store.read_at_once(&key);
    assert!(at_once.is_none_or(|read| read.record.is_none()));
    check(false);
}
