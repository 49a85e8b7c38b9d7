//! Several threads, each with its own handle.

use std::collections::HashSet;
use std::sync::{Arc, Barrier};

use pairing_core::store::{Change, Condition, PageRequest, TurnedAway};
use pairing_core::{Key, PairingStore, Record, StoreError};

use crate::Fixture;
use crate::fixture::{commit, keys, place, put_allow, read, write};

const THREADS: u64 = 4;
const ROUNDS: u64 = 10;

/// Runs the closure once per thread and collects the results.
fn in_threads<T: Send>(run: impl Fn(u64) -> T + Sync) -> Vec<T> {
    std::thread::scope(|threads| {
        let running: Vec<_> = (0..THREADS)
            .map(|n| {
                let run = &run;
                threads.spawn(move || run(n))
            })
            .collect();
        running.into_iter().map(|t| t.join().unwrap()).collect()
    })
}

pub(crate) fn of_those_who_read_the_same_one_wins(fixture: &Fixture) {
    let here = place("telegram", "work");
    let ready = Barrier::new(usize::try_from(THREADS).unwrap());
    let stores: Vec<_> = (0..THREADS).map(|_| fixture.open()).collect();
    let results = in_threads(|n| {
        let store = &stores[usize::try_from(n).unwrap()];
        let record = Record::TurnedAway(here.turned_away(n));
        let read = store.read(&record.key());
        // Nothing may fail before this: the others would wait for ever.
        ready.wait();
        let condition = Condition::Record(record.key(), read.unwrap().version);
        commit(&**store, [condition], [Change::Put(record)])
    });
    let won = results.iter().filter(|result| result.is_ok()).count();
    let lost = |result: &&_| matches!(result, Err(StoreError::Conflict));
    assert_eq!(won, 1, "{results:?}");
    assert_eq!(results.iter().filter(lost).count(), results.len() - 1);
}

/// Adds one to the count, retrying after conflicts, and returns the new count.
fn increment(store: &dyn PairingStore, first: &TurnedAway) -> u64 {
    let key = Record::TurnedAway(first.clone()).key();
    // Every conflict is somebody else's success, so there are at most this many.
    for _ in 0..=THREADS * ROUNDS {
        let before = store.read(&key).unwrap();
        let old = before.record.as_deref().and_then(Record::as_turned_away);
        let count = old.map_or(0, |old| old.count) + 1;
        let new = TurnedAway {
            count,
            ..first.clone()
        };
        let condition = Condition::Record(key.clone(), before.version);
        match commit(store, [condition], [Change::Put(Record::TurnedAway(new))]) {
            Ok(()) => return count,
            Err(StoreError::Conflict) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
    panic!("more conflicts than there are commits")
}

pub(crate) fn no_update_is_lost(fixture: &Fixture) {
    let record = place("telegram", "work").turned_away(0);
    let counts = in_threads(|_| {
        let store = fixture.open();
        let count = |_| increment(&*store, &record);
        (0..ROUNDS).map(count).collect::<Vec<_>>()
    });
    let counts: HashSet<_> = counts.into_iter().flatten().collect();
    let all: HashSet<_> = (1..=THREADS * ROUNDS).collect();
    assert_eq!(counts, all);
}

pub(crate) fn one_handle_serves_several_threads(fixture: &Fixture) {
    let store: Arc<dyn PairingStore> = fixture.open();
    let record = place("telegram", "work").turned_away(0);
    in_threads(|_| increment(&*store, &record));
    let key = Record::TurnedAway(record).key();
    let last = read(&*store, &key);
    let last = last.as_ref().and_then(Record::as_turned_away).unwrap();
    assert_eq!(last.count, THREADS);
}

pub(crate) fn writers_of_different_records_all_succeed(fixture: &Fixture) {
    let here = place("discord", "work");
    in_threads(|n| {
        let store = fixture.open();
        for round in 0..ROUNDS {
            let entry = here.allow(&format!("{n}.{round}"));
            write(&*store, [put_allow(&entry)]);
        }
    });
    let entries = keys(&*fixture.open(), &here.allowed(), 7);
    let entries: HashSet<Key> = entries.into_iter().collect();
    assert_eq!(entries.len() as u64, THREADS * ROUNDS);
}

pub(crate) fn a_batch_is_seen_whole_or_not_at_all(fixture: &Fixture) {
    let here = place("discord", "work");
    let (writer, reader) = (fixture.open(), fixture.open());
    // Replaces one entry by the other and back: exactly one exists at any time.
    let entries = ["1", "2"].map(|entry| here.allow(entry));
    write(&*writer, [put_allow(&entries[0])]);
    std::thread::scope(|threads| {
        let writing = threads.spawn(|| {
            for round in 0..20 {
                let (old, new) = (&entries[round % 2], &entries[(round + 1) % 2]);
                let gone = Change::Delete(Record::Allow(old.clone()).key());
                write(&*writer, [gone, put_allow(new)]);
            }
        });
        while !writing.is_finished() {
            for store in [&writer, &reader] {
                let page = store.range(&here.allowed(), &PageRequest::first(9));
                assert_eq!(page.unwrap().records.len(), 1);
            }
        }
    });
}
