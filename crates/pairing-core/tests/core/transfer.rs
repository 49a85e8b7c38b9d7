//! Moving records from one store to another.

use std::time::Duration;

use pairing_conformance::{Fault, Faulty};
use pairing_core::store::{
    AllowEntry, Batch, Change, Changes, Holder, Page, PageRequest, PendingRequest, Position, Read,
    TakenCode,
};
use pairing_core::transfer::{Outcome, Terms, read, write};
use pairing_core::{
    AccountId, ChannelId, Channels, Key, Limits, MemoryStore, Metadata, PairingCode, PairingStore,
    Range, Record, SenderId, StoreError, Timestamp,
};

const NOW: i64 = 1_795_354_077_013;

fn telegram() -> ChannelId {
    ChannelId::parse("telegram").unwrap()
}

fn sender(number: u32) -> SenderId {
    let channels = Channels::builtin();
    let rules = channels.get(&telegram()).unwrap();
    rules.sender(&number.to_string()).unwrap()
}

fn allow(entry: u32) -> Record {
    Record::Allow(AllowEntry {
        channel: telegram(),
        account: AccountId::default(),
        entry: sender(entry),
        written: None,
        grant: None,
    })
}

fn pending(sender: u32, code: &str) -> PendingRequest {
    PendingRequest {
        channel: telegram(),
        account: AccountId::default(),
        sender: self::sender(sender),
        code: PairingCode::parse(code).unwrap(),
        created_at: Some(Timestamp::from_millis(NOW)),
        last_seen_at: None,
        meta: Metadata::default(),
    }
}

fn request(sender: u32, code: &str) -> Record {
    Record::Request(pending(sender, code))
}

fn put(store: &dyn PairingStore, records: impl IntoIterator<Item = Record>) {
    let outcome = moved(store, &records.into_iter().collect::<Vec<_>>(), false);
    assert_eq!(outcome.lost, []);
}

fn try_move(
    to: &dyn PairingStore,
    records: &[Record],
    replace: bool,
) -> Result<Outcome, StoreError> {
    let limits = Limits::default();
    let terms = Terms {
        limits: &limits,
        now: Timestamp::from_millis(NOW + 1),
        replace,
        dry_run: false,
    };
    write(to, records, &terms)
}

fn moved(to: &dyn PairingStore, records: &[Record], replace: bool) -> Outcome {
    try_move(to, records, replace).unwrap()
}

fn all(store: &dyn PairingStore) -> Vec<Record> {
    let held = read(store, &Channels::builtin()).unwrap();
    held.records
        .iter()
        .map(|record| (**record).clone())
        .collect()
}

fn holders(store: &dyn PairingStore, code: &str) -> Vec<String> {
    let key = Key::Code {
        channel: telegram(),
        code: PairingCode::parse(code).unwrap(),
    };
    let found = store.read(&key).unwrap().record;
    let taken = found.as_deref().and_then(Record::as_code).cloned();
    let holders = taken.map_or_else(Vec::new, |taken: TakenCode| taken.holders);
    let name = |holder: &Holder| holder.sender.as_str().to_owned();
    holders.iter().map(name).collect()
}

#[test]
fn codes_come_with_their_requests() {
    let store = MemoryStore::new();
    let records = [
        request(1, "ABCDEFGH"),
        request(2, "ABCDEFGH"),
        request(3, "JKLMNPQR"),
    ];
    let outcome = moved(&store, &records, false);
    assert_eq!((outcome.written, outcome.same), (3, 0));
    assert_eq!(holders(&store, "ABCDEFGH"), ["1", "2"]);
    assert_eq!(holders(&store, "JKLMNPQR"), ["3"]);
    assert_eq!(moved(&store, &records, true).same, 3);
}

#[test]
fn a_code_that_is_anothers_there_is_not_given_twice() {
    let store = MemoryStore::new();
    put(&store, [request(1, "ABCDEFGH")]);
    let new = request(2, "ABCDEFGH");
    for replace in [false, true] {
        let outcome = moved(&store, std::slice::from_ref(&new), replace);
        assert_eq!(outcome.differing, [new.key()]);
    }
    assert_eq!(holders(&store, "ABCDEFGH"), ["1"]);
    assert_eq!(all(&store), [request(1, "ABCDEFGH")]);
}

#[test]
fn a_request_that_is_replaced_frees_its_code() {
    let store = MemoryStore::new();
    put(&store, [request(1, "ABCDEFGH"), request(2, "JKLMNPQR")]);
    let new = [request(1, "STUVWXYZ")];
    assert_eq!(moved(&store, &new, false).differing, [new[0].key()]);
    assert_eq!(moved(&store, &new, true).replaced, 1);
    assert_eq!(holders(&store, "ABCDEFGH"), [] as [&str; 0]);
    assert_eq!(holders(&store, "STUVWXYZ"), ["1"]);
    // A code of another sender is given only once it is free.
    let swap = [request(1, "ABCDEFGH"), request(3, "STUVWXYZ")];
    assert_eq!(moved(&store, &swap, true).differing, [swap[1].key()]);
    assert_eq!(moved(&store, &swap, true).written, 1);
    assert_eq!(holders(&store, "STUVWXYZ"), ["3"]);
}

#[test]
fn a_code_that_two_give_up_is_free() {
    let store = MemoryStore::new();
    put(&store, [request(1, "ABCDEFGH"), request(2, "ABCDEFGH")]);
    let new = [request(1, "JKLMNPQR"), request(2, "STUVWXYZ")];
    assert_eq!(moved(&store, &new, true).replaced, 2);
    assert_eq!(holders(&store, "ABCDEFGH"), [] as [&str; 0]);
    assert_eq!(holders(&store, "STUVWXYZ"), ["2"]);
}

#[test]
fn who_is_let_in_there_does_not_wait() {
    let store = MemoryStore::new();
    put(&store, [allow(1)]);
    let outcome = moved(&store, &[request(1, "ABCDEFGH")], true);
    assert_eq!((outcome.ended, outcome.written), (1, 0));
    assert_eq!(all(&store), [allow(1)]);
    assert_eq!(holders(&store, "ABCDEFGH"), [] as [&str; 0]);
    // A request is also dropped if its sender is allowed by another of the written records.
    let outcome = moved(&store, &[request(2, "JKLMNPQR"), allow(2)], false);
    assert_eq!((outcome.ended, outcome.written), (1, 1));
}

#[test]
fn only_what_has_expired_is_left_out() {
    let store = MemoryStore::new();
    let old = PendingRequest {
        created_at: Some(Timestamp::from_millis(NOW - 3_600_000)),
        ..pending(1, "ABCDEFGH")
    };
    let records = [Record::Request(old), request(2, "JKLMNPQR"), allow(3)];
    let outcome = moved(&store, &records, false);
    assert_eq!((outcome.expired, outcome.written), (1, 2));
    assert_eq!(all(&store), [records[1].clone(), allow(3)]);
}

/// A store that accepts a limited number of changes per batch.
struct Narrow(MemoryStore, usize);

impl PairingStore for Narrow {
    fn read(&self, key: &Key) -> Result<Read, StoreError> {
        self.0.read(key)
    }

    fn range(&self, range: &Range, page: &PageRequest) -> Result<Page, StoreError> {
        self.0.range(range, page)
    }

    fn commit(&self, batch: &Batch) -> Result<(), StoreError> {
        if batch.changes.len() > self.1 {
            return Err(StoreError::Refused {
                reason: "too much".to_owned(),
            });
        }
        self.0.commit(batch)
    }

    fn changes(&self, after: Option<Position>, wait: Duration) -> Result<Changes, StoreError> {
        self.0.changes(after, wait)
    }
}

#[test]
fn a_store_that_takes_little_at_once_gets_it_in_pieces() {
    let records: Vec<_> = (0..2_500).map(allow).collect();
    let store = Narrow(MemoryStore::new(), 7);
    assert_eq!(moved(&store, &records, false).written, records.len());
    assert_eq!(all(&store.0).len(), records.len());
    // A store that accepts nothing returns its reason.
    let error = try_move(&Narrow(MemoryStore::new(), 0), &records, false);
    assert!(matches!(error, Err(StoreError::Refused { .. })));
}

#[test]
fn what_others_write_meanwhile_is_looked_at() {
    let records: Vec<_> = (0..50).map(allow).collect();
    let store = Faulty::new(MemoryStore::new()).spurious_conflicts(3, 2);
    assert_eq!(moved(&store, &records, false).written, records.len());
    assert_eq!(moved(&store, &records, false).same, records.len());
    store.every_commit(Fault::Conflict);
    let error = try_move(&store, &[allow(51)], false);
    assert!(matches!(error, Err(StoreError::Conflict)));
}

/// A store in which a record is deleted as soon as it was written.
struct Meddler(MemoryStore);

impl PairingStore for Meddler {
    fn read(&self, key: &Key) -> Result<Read, StoreError> {
        self.0.read(key)
    }

    fn range(&self, range: &Range, page: &PageRequest) -> Result<Page, StoreError> {
        self.0.range(range, page)
    }

    fn commit(&self, batch: &Batch) -> Result<(), StoreError> {
        self.0.commit(batch)?;
        self.0.commit(&Batch {
            changes: vec![Change::Delete(allow(1).key())],
            ..Batch::default()
        })
    }

    fn changes(&self, after: Option<Position>, wait: Duration) -> Result<Changes, StoreError> {
        self.0.changes(after, wait)
    }
}

#[test]
fn what_is_not_there_afterwards_is_told() {
    let store = Meddler(MemoryStore::new());
    let outcome = moved(&store, &[allow(1), allow(2)], false);
    assert_eq!(outcome.lost, [allow(1).key()]);
}
