//! Known failures of other programs, row by row of the register: each test fails without the protection.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pairing_conformance::{Fault, Faulty, seeded};
use pairing_core::store::{
    AllowEntry, Batch, Change, Changes, Group, Holder, Page, PageRequest, PendingRequest, Position,
    Read, TakenCode,
};
use pairing_core::{
    Access, Account, AccountId, Approver, Channel, ChannelId, Channels, DecisionError, DmPolicy,
    Key, ManualClock, MemoryStore, Metadata, Pairing, PairingCode, PairingStore, Range, Record,
    RequestError, Requested, Scope, Sender, StoreError, Timestamp, escape,
};

/// A service, with its store and its clock at hand.
struct Bot<S> {
    store: Arc<S>,
    clock: Arc<ManualClock>,
    pairing: Pairing,
}

fn bot<S: PairingStore + 'static>(store: S) -> Bot<S> {
    let store = Arc::new(store);
    let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_795_354_077_013)));
    Bot {
        pairing: Pairing::new(store.clone(), clock.clone(), seeded(1)),
        store,
        clock,
    }
}

impl<S> Bot<S> {
    fn channel(&self, name: &str) -> Channel {
        self.pairing.channel(name).unwrap()
    }

    fn account(&self, name: &str) -> Account {
        self.channel("telegram").account(name).unwrap()
    }
}

fn owner() -> Approver {
    Approver::terminal("ann")
}

fn operator(scopes: &[&str]) -> Approver {
    let scopes = scopes.iter().map(|scope| Scope::parse(scope).unwrap());
    Approver::operator("phone", scopes.collect())
}

fn request(account: &Account, sender: &str) -> PendingRequest {
    match account.request_or_reuse(sender).unwrap() {
        Requested::Created(created) => created.request,
        other => panic!("{other:?}"),
    }
}

fn entries(account: &Account) -> Vec<String> {
    let entries = account.allowed().unwrap().entries;
    entries
        .iter()
        .map(|entry| entry.entry.to_string())
        .collect()
}

#[test]
fn t11_t12_nobody_decides_without_operator_pairing() {
    let bot = bot(MemoryStore::new());
    let account = bot.account("default");
    let waiting = request(&account, "12345");
    account.allow("777", &owner()).unwrap();
    for scopes in [
        &[][..],
        &["operator.read", "operator.write", "operator.approvals"],
    ] {
        let approver = operator(scopes);
        let code = waiting.code.as_str();
        let missing = "missing scope: operator.pairing";
        let refused = [
            account.approve(code, &approver).unwrap_err().to_string(),
            account.reject(code, &approver).unwrap_err().to_string(),
            account.reject("12345", &approver).unwrap_err().to_string(),
            account.allow("888", &approver).unwrap_err().to_string(),
            account.revoke("777", &approver).unwrap_err().to_string(),
        ];
        assert_eq!(refused, [missing; 5]);
    }
    assert_eq!(account.pending().unwrap().requests, [waiting]);
    assert_eq!(entries(&account), ["777"]);
    for scope in ["operator.pairing", "operator.admin"] {
        account
            .allow(&scope.len().to_string(), &operator(&[scope]))
            .unwrap();
    }
}

#[test]
fn t53_an_allowlist_is_of_one_account() {
    let bot = bot(MemoryStore::new());
    let (default, work) = (bot.account("default"), bot.account("work"));
    let code = request(&work, "12345").code;
    bot.channel("telegram")
        .approve(code.as_str(), &owner())
        .unwrap();
    assert!(work.is_allowed("12345").unwrap());
    assert!(!default.is_allowed("12345").unwrap());
    default.allow("12345", &owner()).unwrap();
    work.revoke("12345", &owner()).unwrap().unwrap();
    assert!(!work.is_allowed("12345").unwrap());
    assert!(default.is_allowed("12345").unwrap());
}

#[test]
fn t54_pairing_lets_nobody_speak_in_a_group() {
    let bot = bot(MemoryStore::new());
    let account = bot.account("default");
    account.allow("12345", &owner()).unwrap();
    for policy in [DmPolicy::Pairing, DmPolicy::Open, DmPolicy::Allowlist] {
        let access = Access::new(account.channel().rules(), policy, ["777"]);
        let account = account.clone().with_access(access);
        assert!(account.admit_in_group("12345").unwrap().is_none());
        assert!(account.admit_in_group("777").unwrap().is_some());
    }
}

#[test]
fn t55_other_policies_neither_ask_the_store_nor_hand_out_codes() {
    let bot = bot(Faulty::new(MemoryStore::new()));
    let account = bot.account("default");
    account.allow("12345", &owner()).unwrap();
    // Reads fail from here on, so a decision that reads the store fails too.
    bot.store.reads_after(0);
    for policy in [DmPolicy::Allowlist, DmPolicy::Open, DmPolicy::Disabled] {
        let access = Access::new(account.channel().rules(), policy, ["777"]);
        let closed = account.clone().with_access(access);
        assert!(!closed.is_allowed("12345").unwrap(), "{policy:?}");
        let requested = closed.request_or_reuse("12345").unwrap();
        assert!(
            matches!(requested, Requested::NotOffered(_)),
            "{requested:?}"
        );
    }
    assert!(account.is_allowed("12345").is_err());
}

#[test]
fn t56_one_account_does_not_starve_another() {
    let bot = bot(MemoryStore::new());
    for n in 0..10 {
        bot.account("default")
            .request_or_reuse(n.to_string())
            .unwrap();
    }
    request(&bot.account("work"), "12345");
}

#[test]
fn t57_the_owner_sees_who_was_turned_away() {
    let bot = bot(MemoryStore::new());
    let account = bot.account("default");
    for sender in ["1", "2", "3"] {
        request(&account, sender);
    }
    // Repeated attempts are counted and written once a minute at most.
    for _ in 0..100 {
        let requested = account.request_or_reuse("4").unwrap();
        assert!(matches!(requested, Requested::Full));
    }
    let turned_away = bot.channel("telegram").turned_away().unwrap();
    assert_eq!(turned_away[0].count, 1);
    assert_eq!(turned_away[0].recent[0].sender.as_str(), "4");
    // An hour later there is room: nobody blocks others for longer.
    bot.clock.advance(Duration::from_secs(3600));
    request(&account, "4");
}

#[test]
fn t58_guessing_codes_is_locked_out() {
    let bot = bot(MemoryStore::new());
    let code = request(&bot.account("default"), "12345").code;
    let stranger = operator(&["operator.pairing"]);
    let channel = bot.channel("telegram");
    for _ in 0..10 {
        let guessed = channel.approve("AAAAAAAA", &stranger);
        assert!(matches!(guessed, Err(DecisionError::NotFound { .. })));
    }
    for _ in 0..2 {
        let guessed = channel.approve(code.as_str(), &stranger);
        assert!(matches!(guessed, Err(DecisionError::LockedOut { .. })));
    }
    assert!(!bot.account("default").is_allowed("12345").unwrap());
}

/// A store that remembers every key that was read and every committed batch.
#[derive(Default)]
struct Spy {
    inner: MemoryStore,
    /// No code can be understood.
    has_bad_codes: AtomicBool,
    batches: Mutex<Vec<Batch>>,
    reads: Mutex<Vec<Key>>,
}

impl PairingStore for Spy {
    fn read(&self, key: &Key) -> Result<Read, StoreError> {
        self.reads.lock().unwrap().push(key.clone());
        if matches!(key, Key::Code { .. }) && self.has_bad_codes.load(Ordering::SeqCst) {
            return Err(StoreError::Unreadable {
                resource: "a code".to_owned(),
                source: "torn".into(),
            });
        }
        self.inner.read(key)
    }

    fn range(&self, range: &Range, page: &PageRequest) -> Result<Page, StoreError> {
        self.inner.range(range, page)
    }

    fn commit(&self, batch: &Batch) -> Result<(), StoreError> {
        self.batches.lock().unwrap().push(batch.clone());
        self.inner.commit(batch)
    }

    fn changes(&self, after: Option<Position>, timeout: Duration) -> Result<Changes, StoreError> {
        self.inner.changes(after, timeout)
    }
}

#[test]
fn a_code_that_cannot_be_understood_is_a_problem_and_no_failure_of_its_channel() {
    let bot = bot(Spy::default());
    let account = bot.account("default");
    account.request_or_reuse("12345").unwrap();
    let group = Group::Channel(account.channel().id());
    assert_eq!(bot.pairing.check(group).unwrap(), []);
    bot.store.has_bad_codes.store(true, Ordering::SeqCst);
    let found = bot.pairing.check(group).unwrap();
    let told = found
        .iter()
        .map(|p| (p.resource.as_str(), p.detail.as_str()));
    assert_eq!(told.collect::<Vec<_>>(), [("a code", "torn")]);
}

#[test]
fn a_gate_reads_the_allowlist_entry_once_and_nothing_else_of_who_is_allowed() {
    let bot = bot(Spy::default());
    let account = bot.account("default");
    let sender = account.channel().rules().sender("12345").unwrap();
    let meta = pairing_core::Metadata::default();
    let entries = |reads: &[Key]| {
        let allow = reads.iter().filter(|key| matches!(key, Key::Allow { .. }));
        allow.count()
    };
    account.admit_or_request(&sender, Some(&meta)).unwrap();
    assert_eq!(entries(&bot.store.reads.lock().unwrap()), 1);
    account.allow("12345", &owner()).unwrap();
    bot.store.reads.lock().unwrap().clear();
    bot.store.batches.lock().unwrap().clear();
    account.admit_or_request(&sender, Some(&meta)).unwrap();
    let reads = bot.store.reads.lock().unwrap().clone();
    assert!(matches!(&reads[..], [Key::Allow { .. }]), "{reads:?}");
    assert!(bot.store.batches.lock().unwrap().is_empty());
}

#[test]
fn t59_grant_and_request_in_one_commit() {
    let bot = bot(Spy::default());
    let account = bot.account("default");
    let waiting = request(&account, "12345");
    bot.store.batches.lock().unwrap().clear();
    let approved = account.approve(waiting.code.as_str(), &owner()).unwrap();
    let batches = bot.store.batches.lock().unwrap();
    let [batch] = &batches[..] else {
        panic!("{} commits", batches.len());
    };
    let expected = [
        Change::Delete(waiting.key()),
        Change::Delete(Record::Code(waiting.taken_code()).key()),
        Change::Put(Record::Allow(approved.entry)),
    ];
    for change in &expected {
        assert!(batch.changes.contains(change), "{change:?}");
    }
    assert_eq!(batch.changes.len(), expected.len());
    // It depends on the request, the code and the allowlist entry.
    assert_eq!(batch.conditions.len(), 3);
}

#[test]
fn t59_an_allowlist_that_cannot_be_read_or_written_keeps_the_request() {
    let bot = bot(Faulty::new(MemoryStore::new()));
    let account = bot.account("default");
    let code = request(&account, "12345").code;
    // Code and request can be read; the allowlist cannot.
    bot.store.reads_after(2);
    assert!(account.approve(code.as_str(), &owner()).is_err());
    bot.store.next_commits([Fault::Before]);
    assert!(account.approve(code.as_str(), &owner()).is_err());
    assert_eq!(account.pending().unwrap().requests.len(), 1);
    assert!(!account.is_allowed("12345").unwrap());
    account.approve(code.as_str(), &owner()).unwrap();
}

fn put(store: &MemoryStore, records: impl IntoIterator<Item = Record>) {
    let batch = Batch {
        conditions: Vec::new(),
        changes: records.into_iter().map(Change::Put).collect(),
    };
    store.commit(&batch).unwrap();
}

#[test]
fn t60_a_code_of_two_accounts_takes_the_account() {
    let bot = bot(MemoryStore::new());
    let code = PairingCode::parse("M8NGT2AA").unwrap();
    let held = ["default", "work"].map(|account| PendingRequest {
        code,
        ..request(&bot.account(account), "12345")
    });
    let holders = held.each_ref().map(|request| Holder {
        account: request.account.clone(),
        sender: request.sender.clone(),
    });
    let taken = TakenCode {
        holders: holders.into(),
        ..held[0].taken_code()
    };
    put(&bot.store, held.map(Record::Request));
    put(&bot.store, [Record::Code(taken)]);
    let channel = bot.channel("telegram");
    let refused = [
        channel.approve(code.as_str(), &owner()).unwrap_err(),
        channel.reject(code.as_str(), &owner()).unwrap_err(),
    ];
    for refused in refused {
        let message = refused.to_string();
        assert!(
            message.contains("default") && message.contains("work"),
            "{message}"
        );
    }
    assert_eq!(channel.pending().unwrap().requests.len(), 2);
    let approved = bot
        .account("work")
        .approve(code.as_str(), &owner())
        .unwrap();
    assert_eq!(approved.entry.account.as_str(), "work");
    assert!(!bot.account("default").is_allowed("12345").unwrap());
}

#[test]
fn t60_a_code_approves_no_request_that_carries_another() {
    let bot = bot(MemoryStore::new());
    let account = bot.account("default");
    let waiting = request(&account, "12345");
    let stale = PairingCode::parse("M8NGT2AA").unwrap();
    let stray = TakenCode {
        code: stale,
        ..waiting.taken_code()
    };
    put(&bot.store, [Record::Code(stray)]);
    let approved = account.approve(stale.as_str(), &owner());
    assert!(matches!(approved, Err(DecisionError::NotFound { .. })));
    assert!(!account.is_allowed("12345").unwrap());
}

#[test]
fn t61_what_normalises_to_nobody_or_everybody_is_an_error() {
    let bot = bot(Spy::default());
    let account = bot.account("default");
    for nobody in ["", "tg:", "telegram: tg:", "*", "tg:*", "@ann"] {
        let requested = account.request_or_reuse(nobody);
        assert!(
            matches!(requested, Err(RequestError::Sender(_))),
            "{nobody}"
        );
        assert!(account.allow(nobody, &owner()).is_err(), "{nobody}");
    }
    assert!(bot.store.batches.lock().unwrap().is_empty());
    assert!(!account.is_allowed("12345").unwrap());
}

#[test]
fn t62_future_and_absent_times_are_over() {
    let bot = bot(MemoryStore::new());
    let account = bot.account("default");
    let now = bot.pairing.now();
    for created_at in [None, Some(now + Duration::from_millis(1))] {
        let odd = PendingRequest {
            created_at,
            ..request(&account, "12345")
        };
        put(&bot.store, [Record::Request(odd.clone())]);
        assert!(account.pending().unwrap().requests.is_empty());
        let approved = account.approve(odd.code.as_str(), &owner());
        assert!(matches!(approved, Err(DecisionError::Expired { .. })));
        assert_ne!(request(&account, "12345").code, odd.code);
        account.reject("12345", &owner()).unwrap();
    }
}

#[test]
fn t63_looking_writes_nothing() {
    let bot = bot(Spy::default());
    let account = bot.account("default");
    for sender in ["1", "2", "3", "4"] {
        account.request_or_reuse(sender).unwrap();
    }
    account.allow("5", &owner()).unwrap();
    // Everything that expired is still there, and reading does not delete it.
    bot.clock.advance(Duration::from_secs(7200));
    bot.store.batches.lock().unwrap().clear();
    account.pending().unwrap();
    account.allowed().unwrap();
    account.admit("1").unwrap();
    account.admit("5").unwrap();
    bot.channel("telegram").pending().unwrap();
    bot.channel("telegram").turned_away().unwrap();
    assert!(bot.store.batches.lock().unwrap().is_empty());
}

#[test]
fn t64_who_is_known_gets_no_code() {
    let bot = bot(Spy::default());
    let account = bot.account("default");
    let access = Access::new(account.channel().rules(), DmPolicy::Pairing, ["tg:12345"]);
    let account = account.with_access(access);
    let requested = account.request_or_reuse("12345").unwrap();
    assert!(matches!(requested, Requested::Allowed(_)), "{requested:?}");
    assert!(bot.store.batches.lock().unwrap().is_empty());
}

#[test]
fn t66_names_that_look_alike_stay_apart() {
    let entry = |channel: &str, account: &str| {
        Record::Allow(AllowEntry {
            channel: ChannelId::parse(channel).unwrap(),
            account: AccountId::parse(account).unwrap(),
            entry: Channels::builtin()
                .get(&ChannelId::parse("discord").unwrap())
                .unwrap()
                .sender("1")
                .unwrap(),
            written: None,
            grant: None,
        })
    };
    let alike = [
        ("a-b", "c"),
        ("a", "b-c"),
        ("a", "b_c"),
        ("a", "b:c"),
        ("a", "b%3ac"),
    ];
    let store = MemoryStore::new();
    for (channel, account) in alike {
        let record = entry(channel, account);
        assert!(
            store.read(&record.key()).unwrap().record.is_none(),
            "{record:?}"
        );
        put(&store, [record]);
    }
    assert!(AccountId::parse("*/../x").is_err());
}

#[test]
fn t68_an_approval_holds_for_every_spelling_and_is_asked_for_once() {
    let bot = bot(MemoryStore::new());
    for (channel, asks, writes) in [
        ("telegram", "tg:12345", "12345"),
        ("discord", "user:42", "discord:42"),
        (
            "whatsapp",
            "15552223333:12@s.whatsapp.net",
            "+1 555 222 3333",
        ),
        ("imessage", "sms:Me@Example.org", "me@example.org"),
        ("signal", "+1 555-999-0000", "signal:+15559990000"),
    ] {
        let account = bot.channel(channel).account("work").unwrap();
        let code = request(&account, asks).code;
        account.approve(code.as_str(), &owner()).unwrap();
        for spelling in [asks, writes] {
            assert!(account.is_allowed(spelling).unwrap(), "{spelling}");
            let again = account.request_or_reuse(spelling).unwrap();
            assert!(matches!(again, Requested::Allowed(_)), "{again:?}");
        }
    }
}

#[test]
fn t69_what_can_never_match_a_sender_is_refused_when_it_is_written() {
    let bot = bot(MemoryStore::new());
    for (channel, entry) in [
        ("telegram", "@username"),
        ("telegram", "-100123"),
        ("whatsapp", "123456789012345@lid"),
        ("whatsapp", "123456789-987654@g.us"),
        ("signal", "group:abc"),
        ("imessage", "somebody"),
    ] {
        let account = bot.channel(channel).account("default").unwrap();
        let refused = account.allow(entry, &owner()).unwrap_err().to_string();
        assert!(refused.contains(channel), "{refused}");
        assert!(entries(&account).is_empty());
    }
}

#[test]
fn t70_hostile_names_are_bounded_and_shown_spelled_out() {
    let bot = bot(MemoryStore::new());
    let hostile = format!("\u{1b}[2J\u{202e}{}", "x".repeat(10_000));
    let sender = Sender::new("12345").with("name", &hostile);
    bot.account("default").request_or_reuse(sender).unwrap();
    let waiting = bot.account("default").pending().unwrap().requests.remove(0);
    let (_, name) = waiting.meta.iter().next().unwrap();
    let name = name.as_str().unwrap();
    assert!(hostile.starts_with(name), "kept as it came");
    assert_eq!(name.chars().count(), Metadata::MAX_VALUE);
    let shown = escape(name).to_string();
    assert!(shown.starts_with(r"\u{1b}[2J\u{202e}xxx"), "{shown}");
    assert!(!shown.contains(['\u{1b}', '\u{202e}']));
}
