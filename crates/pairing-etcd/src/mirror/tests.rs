use pairing_core::store::AllowEntry;
use pairing_core::{AccountId, ChannelId, Channels};
use proptest::prelude::*;

use super::*;

fn telegram() -> ChannelId {
    ChannelId::parse("telegram").unwrap()
}

fn allow(id: &str) -> Record {
    let channel = telegram();
    let rules = Channels::builtin();
    let entry = rules.get(&channel).unwrap().sender(id).unwrap();
    Record::Allow(AllowEntry {
        account: AccountId::parse("default").unwrap(),
        channel,
        entry,
        written: None,
        grant: None,
    })
}

fn allowed() -> Range {
    Range::Allowed {
        channel: telegram(),
        account: None,
    }
}

fn layout() -> Layout {
    Layout::new("home")
}

/// A commit as the cluster tells of it: the record, its ranges, and the head.
fn commit(mirror: &mut Mirror, revision: u64, id: &str, value: Option<&[u8]>) {
    let key = allow(id).key();
    let mut keys = vec![(layout().record(&key), value)];
    let ranges = key.ranges();
    keys.extend(
        ranges
            .iter()
            .map(|range| (layout().range(range), Some(&b""[..]))),
    );
    keys.push((layout().head(), Some(b"")));
    mirror.apply(keys.iter().map(|(key, value)| Event {
        key: key.as_bytes(),
        value: *value,
        revision,
    }));
}

fn put(mirror: &mut Mirror, revision: u64, id: &str) {
    let value = stored::encode(&allow(id)).unwrap();
    commit(mirror, revision, id, Some(&value));
}

#[test]
fn a_record_has_the_revision_that_put_it() {
    let mut mirror = Mirror::new(layout(), 4);
    put(&mut mirror, 7, "1001");
    let read = mirror.read(&allow("1001").key()).unwrap();
    assert_eq!(read.version, Version::new(7));
    assert_eq!(read.record.as_deref(), Some(&allow("1001")));
    assert_eq!((mirror.head(), mirror.revision()), (7, 7));
    let page = mirror.range(&allowed(), &PageRequest::first(10));
    assert_eq!((page.version, page.records.len()), (Version::new(7), 1));
}

#[test]
fn a_deletion_changes_the_range() {
    let mut mirror = Mirror::new(layout(), 4);
    put(&mut mirror, 7, "1001");
    commit(&mut mirror, 9, "1001", None);
    let read = mirror.read(&allow("1001").key()).unwrap();
    assert_eq!(read.version, Version::ABSENT);
    let page = mirror.range(&allowed(), &PageRequest::first(10));
    assert_eq!((page.version, page.records.len()), (Version::new(9), 0));
}

#[test]
fn what_is_told_twice_counts_once() {
    let mut mirror = Mirror::new(layout(), 4);
    put(&mut mirror, 7, "1001");
    commit(&mut mirror, 9, "1001", None);
    put(&mut mirror, 7, "1001");
    assert!(mirror.read(&allow("1001").key()).unwrap().record.is_none());
    assert_eq!(mirror.revision(), 9);
}

#[test]
fn followers_are_told_what_changed_since() {
    let mut mirror = Mirror::new(layout(), 4);
    put(&mut mirror, 7, "1001");
    put(&mut mirror, 8, "1002");
    let later = mirror.changes_after(7);
    assert_eq!(later.position, Position::new(8));
    assert_eq!(later.changed, Changed::Keys(vec![allow("1002").key()]));
    // Of what was before it was listed nobody knows.
    assert_eq!(mirror.changes_after(3).changed, Changed::Everything);
    // Nor of a position of another cluster.
    assert_eq!(mirror.changes_after(99).changed, Changed::Everything);
}

#[test]
fn what_was_forgotten_is_not_made_up() {
    let mut mirror = Mirror::new(layout(), 0);
    for revision in 1..=REMEMBERED as u64 + 2 {
        put(&mut mirror, revision, "1001");
    }
    assert_eq!(mirror.changes_after(1).changed, Changed::Everything);
    let Changed::Keys(keys) = mirror.changes_after(2).changed else {
        panic!("forgot too much")
    };
    assert_eq!(keys.len(), REMEMBERED);
}

#[test]
fn a_value_that_makes_no_sense_is_told_of_and_spares_the_others() {
    let mut mirror = Mirror::new(layout(), 4);
    put(&mut mirror, 5, "1001");
    commit(&mut mirror, 6, "1002", Some(b"nonsense"));
    put(&mut mirror, 7, "1003");
    let error = mirror.read(&allow("1002").key()).unwrap_err();
    assert!(matches!(error, StoreError::Unreadable { .. }), "{error:?}");
    let page = mirror.range(&allowed(), &PageRequest::first(10));
    assert_eq!(page.records.len(), 2);
    let resource = "home/state/record/allow/telegram/default/1002";
    assert_eq!(page.problems[0].resource, resource);
    // Nobody can be told its name.
    assert_eq!(mirror.changes_after(5).changed, Changed::Everything);
}

proptest! {
    #[test]
    fn whatever_comes_in_is_taken_without_a_panic(
        keys in proptest::collection::vec(("[a-z/%]{0,12}", proptest::option::of("[ -~]{0,20}")), 0..20),
    ) {
        let mut mirror = Mirror::new(layout(), 1);
        for (n, (key, value)) in keys.iter().enumerate() {
            let key = format!("{}{key}", layout().records(""));
            mirror.apply([Event {
                key: key.as_bytes(),
                value: value.as_ref().map(String::as_bytes),
                revision: 2 + n as u64,
            }]);
        }
        let page = mirror.range(&allowed(), &PageRequest::first(10));
        prop_assert!(page.records.is_empty());
    }

    #[test]
    fn pages_show_everything_once(ids in proptest::collection::btree_set(1000..2000u32, 0..40), limit in 1..9usize) {
        let mut mirror = Mirror::new(layout(), 1);
        for (n, id) in ids.iter().enumerate() {
            put(&mut mirror, 2 + n as u64, &id.to_string());
        }
        let mut request = PageRequest::first(limit);
        let mut seen = Vec::new();
        loop {
            let page = mirror.range(&allowed(), &request);
            prop_assert!(page.records.len() <= limit);
            seen.extend(page.records.iter().map(|record| record.key().path()));
            match page.next {
                Some(next) => request.after = Some(next),
                None => break,
            }
        }
        let expected: Vec<_> = ids.iter().map(|id| allow(&id.to_string()).key().path()).collect();
        prop_assert_eq!(seen, expected);
    }
}
