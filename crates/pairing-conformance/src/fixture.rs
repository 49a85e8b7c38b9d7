//! Provides the store of a case, and the records it writes.

use std::sync::{Arc, Mutex};

use pairing_core::store::{
    AllowEntry, Attempts, Batch, Change, Claim, Condition, PageRequest, PendingRequest, Read,
    SeenSender, TurnedAway, Version,
};
use pairing_core::{
    AccountId, Approver, ChannelId, Channels, Key, PairingCode, PairingStore, Principal, Range,
    Record, Scope, ScopeSet, SenderId, StoreError, Timestamp, TokenHash, Via,
};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

/// A fresh state for one case, and a way to open stores on it.
///
/// Values that must live as long as the state, such as a temporary directory, are kept in the closure.
pub struct Fixture(Box<dyn Fn() -> Arc<dyn PairingStore> + Send + Sync>);

impl Fixture {
    /// Returns a state on which each call of `open` opens one more handle, as another process would.
    ///
    /// The first read of a new handle must see everything committed before.
    pub fn new<S: PairingStore + 'static>(open: impl Fn() -> S + Send + Sync + 'static) -> Self {
        Self(Box::new(move || Arc::new(open())))
    }

    /// Returns a state that is the store itself; all handles share it.
    pub fn shared(store: impl PairingStore + 'static) -> Self {
        let store: Arc<dyn PairingStore> = Arc::new(store);
        Self(Box::new(move || store.clone()))
    }

    /// Opens one more handle on the state.
    pub fn open(&self) -> Arc<dyn PairingStore> {
        (self.0)()
    }
}

/// Returns entropy that is the same for the same seed.
pub fn seeded(seed: u64) -> Mutex<ChaCha20Rng> {
    Mutex::new(ChaCha20Rng::seed_from_u64(seed))
}

/// Start time of the cases, in milliseconds: the time in a file of a real install.
pub(crate) const START: i64 = 1_795_354_077_013;

pub(crate) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(START + millis)
}

pub(crate) fn channel(name: &str) -> ChannelId {
    ChannelId::parse(name).unwrap()
}

pub(crate) fn account(name: &str) -> AccountId {
    AccountId::parse(name).unwrap()
}

pub(crate) fn code(text: &str) -> PairingCode {
    PairingCode::parse(text).unwrap()
}

pub(crate) fn sender(channel: &ChannelId, text: &str) -> SenderId {
    let channels = Channels::builtin();
    channels.get(channel).unwrap().sender(text).unwrap()
}

/// A channel and one of its accounts, to which senders write.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) channel: ChannelId,
    pub(crate) account: AccountId,
}

pub(crate) fn place(channel_name: &str, account_name: &str) -> Place {
    Place {
        channel: channel(channel_name),
        account: account(account_name),
    }
}

impl Place {
    pub(crate) fn request(&self, from: &str, with: &str) -> PendingRequest {
        PendingRequest {
            channel: self.channel.clone(),
            account: self.account.clone(),
            sender: sender(&self.channel, from),
            code: code(with),
            created_at: Some(at(0)),
            last_seen_at: Some(at(90_001)),
            meta: [("username", "ann"), ("firstName", "Ann")]
                .into_iter()
                .collect(),
        }
    }

    pub(crate) fn allow(&self, entry: &str) -> AllowEntry {
        AllowEntry {
            channel: self.channel.clone(),
            account: self.account.clone(),
            entry: sender(&self.channel, entry),
            written: None,
            grant: None,
        }
    }

    pub(crate) fn allow_key(&self, entry: &str) -> Key {
        Record::Allow(self.allow(entry)).key()
    }

    pub(crate) fn turned_away(&self, count: u64) -> TurnedAway {
        TurnedAway {
            channel: self.channel.clone(),
            account: self.account.clone(),
            count,
            since: at(1),
            recent: vec![SeenSender {
                sender: sender(&self.channel, "4004"),
                at: at(2),
            }],
        }
    }

    /// Returns a claim whose hash ends in `number`.
    pub(crate) fn claim(&self, number: u8) -> Claim {
        Claim {
            channel: self.channel.clone(),
            account: self.account.clone(),
            hash: TokenHash::parse(&format!("sha256:{number:064x}")).unwrap(),
            by: operator("phone").id().clone(),
            via: Via::Gateway,
            principal: Some(Principal::parse("user-7/ü").unwrap()),
            issued_at: at(3),
            expires_at: at(600_003),
        }
    }

    pub(crate) fn requests(&self) -> Range {
        Range::Requests {
            channel: self.channel.clone(),
            account: Some(self.account.clone()),
        }
    }

    pub(crate) fn allowed(&self) -> Range {
        Range::Allowed {
            channel: self.channel.clone(),
            account: Some(self.account.clone()),
        }
    }
}

pub(crate) fn attempts(of: &ChannelId, failures: i64) -> Attempts {
    Attempts {
        channel: of.clone(),
        approver: operator("phone").id().clone(),
        failed_at: (0..failures).map(at).collect(),
        locked_until: None,
    }
}

/// Returns an approver that may decide and can be locked out.
pub(crate) fn operator(name: &str) -> Approver {
    Approver::operator(name, ScopeSet::admin())
}

/// Returns an operator with these scopes.
pub(crate) fn operator_with(name: &str, held: &[&str]) -> Approver {
    let scopes = held.iter().map(|scope| Scope::parse(scope).unwrap());
    Approver::operator(name, scopes.collect())
}

/// Returns the changes that put a request and its code, which always appear together.
pub(crate) fn put(request: &PendingRequest) -> [Change; 2] {
    [
        Change::Put(Record::Code(request.taken_code())),
        Change::Put(Record::Request(request.clone())),
    ]
}

/// Returns the changes that delete a request and its code, which always end together.
pub(crate) fn delete(request: &PendingRequest) -> [Change; 2] {
    [
        Change::Delete(request.key()),
        Change::Delete(Record::Code(request.taken_code()).key()),
    ]
}

pub(crate) fn put_allow(entry: &AllowEntry) -> Change {
    Change::Put(Record::Allow(entry.clone()))
}

/// Commits changes without conditions.
pub(crate) fn write(store: &dyn PairingStore, changes: impl Into<Vec<Change>>) {
    commit(store, [], changes).unwrap();
}

pub(crate) fn commit(
    store: &dyn PairingStore,
    conditions: impl Into<Vec<Condition>>,
    changes: impl Into<Vec<Change>>,
) -> Result<(), StoreError> {
    store.commit(&Batch {
        conditions: conditions.into(),
        changes: changes.into(),
    })
}

#[track_caller]
pub(crate) fn assert_conflict(result: Result<(), StoreError>) {
    assert!(matches!(result, Err(StoreError::Conflict)), "{result:?}");
}

/// Reads a record; checks that it has a version if and only if it exists, and that it has the requested key.
pub(crate) fn read(store: &dyn PairingStore, key: &Key) -> Option<Record> {
    let Read { version, record } = store.read(key).unwrap();
    assert_eq!(version == Version::ABSENT, record.is_none(), "{version:?}");
    let record = record.map(|record| (*record).clone())?;
    assert_eq!(record.key(), *key);
    Some(without_grant(record))
}

/// Returns a record without its grant, because a store may forget the approver of an entry.
pub(crate) fn without_grant(mut record: Record) -> Record {
    if let Record::Allow(entry) = &mut record {
        entry.grant = None;
    }
    record
}

pub(crate) fn record_version(store: &dyn PairingStore, key: &Key) -> Condition {
    Condition::Record(key.clone(), store.read(key).unwrap().version)
}

pub(crate) fn range_version(store: &dyn PairingStore, range: &Range) -> Condition {
    let page = store.range(range, &PageRequest::first(1)).unwrap();
    Condition::Range(range.clone(), page.version)
}

/// Returns the keys of a range, read page by page.
pub(crate) fn keys(store: &dyn PairingStore, range: &Range, limit: usize) -> Vec<Key> {
    let mut request = PageRequest::first(limit);
    let mut keys = Vec::new();
    loop {
        let page = store.range(range, &request).unwrap();
        assert!(page.records.len() <= limit, "a page holds too much");
        assert!(page.problems.is_empty(), "{:?}", page.problems);
        keys.extend(page.records.iter().map(|record| record.key()));
        assert!(keys.len() < 10_000, "the pages never end");
        match page.next {
            Some(next) => {
                assert!(!page.records.is_empty(), "an empty page that goes on");
                request.after = Some(next);
            }
            None => return keys,
        }
    }
}

/// Returns the keys, sorted.
pub(crate) fn sorted(keys: impl IntoIterator<Item = Key>) -> Vec<Key> {
    let mut keys: Vec<_> = keys.into_iter().collect();
    keys.sort();
    keys
}
