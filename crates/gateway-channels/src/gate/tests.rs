//! Whatever comes in, nobody passes who was not let in, and nothing panics; adapters that panic come back.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::time::Duration;

use openclaw_config::Config;
use pairing_core::store::{Batch, Changes, Page, PageRequest, Position, Range, Read};
use pairing_core::{
    AccountId, Approver, ChannelId, EntropyError, Key, ManualClock, MemoryStore, Pairing,
    PairingBuilder, PairingStore, StoreError, Timestamp,
};
use proptest::prelude::*;

use super::*;
use crate::run::run;
use channel_kit::{Abilities, BoxFuture, Inbox, MessageId, Status, Stop, TextLimit};

/// Notes who is spoken to; panics or gives up when it is run, but for the third time.
#[derive(Debug)]
struct Silent {
    channel: ChannelId,
    account: AccountId,
    sent: Mutex<Vec<String>>,
    runs: AtomicUsize,
    gives_up: AtomicBool,
}

impl Silent {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            channel: ChannelId::parse("telegram").unwrap(),
            account: AccountId::default(),
            sent: Mutex::default(),
            runs: AtomicUsize::new(0),
            gives_up: AtomicBool::new(false),
        })
    }
}

impl Adapter for Silent {
    fn channel(&self) -> &ChannelId {
        &self.channel
    }

    fn account(&self) -> &AccountId {
        &self.account
    }

    fn can(&self) -> Abilities {
        Abilities::default()
    }

    fn longest_text(&self) -> TextLimit {
        TextLimit::utf16(4096)
    }

    fn direct<'a>(&'a self, sender: &'a SenderId) -> BoxFuture<'a, Result<Target, SendError>> {
        Box::pin(async { Ok(Target::chat(sender.as_str())) })
    }

    fn status(&self) -> Status {
        Status::default()
    }

    fn run(self: Arc<Self>, _: Inbox, mut stop: Stop) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let before = self.runs.fetch_add(1, Ordering::SeqCst);
            if before < 2 && self.gives_up.load(Ordering::SeqCst) {
                return;
            }
            assert!(before >= 2, "as a test wants it");
            stop.wait().await;
        })
    }

    fn send<'a>(
        &'a self,
        to: &'a Target,
        _: &'a Outgoing,
    ) -> BoxFuture<'a, Result<MessageId, SendError>> {
        self.sent.lock().unwrap().push(to.chat.clone());
        Box::pin(async { Ok(MessageId("1".to_owned())) })
    }

    fn delete<'a>(
        &'a self,
        _: &'a Target,
        _: &'a MessageId,
    ) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(async { Err(SendError::Unable) })
    }

    fn replace<'a>(
        &'a self,
        _: &'a Target,
        _: &'a MessageId,
        _: &'a str,
    ) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(async { Err(SendError::Unable) })
    }
}

/// A program of a pairing service and a configuration.
struct Bare(Pairing, Arc<Config>);

impl Host for Bare {
    fn pairing(&self) -> &Pairing {
        &self.0
    }

    fn config(&self) -> Arc<Config> {
        self.1.clone()
    }

    fn drain(&self) -> Duration {
        Duration::from_secs(5)
    }

    fn deliver(&self, _: &Message) {}

    fn count(&self, _: &'static str) {}
}

/// A gate in front of nothing, what passed it, and what carries its replies.
fn gate(telegram: &str) -> (Arc<Gate>, Arc<Mutex<Vec<Message>>>, Arc<Silent>) {
    gate_on(MemoryStore::new(), telegram)
}

fn gate_on(
    store: impl PairingStore + 'static,
    telegram: &str,
) -> (Arc<Gate>, Arc<Mutex<Vec<Message>>>, Arc<Silent>) {
    let text = format!("{{ channels: {{ telegram: {{ {telegram} }} }} }}");
    let config = Config::parse(&text).unwrap();
    let drawn = Mutex::new(0_u8);
    let entropy = move |bytes: &mut [u8]| -> Result<(), EntropyError> {
        for byte in bytes {
            let mut drawn = drawn.lock().unwrap();
            *drawn = drawn.wrapping_mul(5).wrapping_add(7);
            *byte = *drawn;
        }
        Ok(())
    };
    let clock = ManualClock::new(Timestamp::from_millis(1_795_353_726_325));
    let pairing = PairingBuilder::new(store, clock, Drawing(entropy)).build();
    let passed: Arc<Mutex<Vec<Message>>> = Arc::default();
    let (adapter, notes) = (Silent::new(), passed.clone());
    let mut channels = Channels::default();
    channels.set_handler(move |message| {
        notes.lock().unwrap().push(message);
        Box::pin(std::future::ready(()))
    });
    let host = Arc::new(Bare(pairing, Arc::new(config)));
    let gate = Gate::new(host, Arc::new(channels), adapter.clone()).unwrap();
    (Arc::new(gate), passed, adapter)
}

struct Drawing<F>(F);

impl<F> pairing_core::Entropy for Drawing<F>
where
    F: Fn(&mut [u8]) -> Result<(), EntropyError> + Send + Sync,
{
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        (self.0)(bytes)
    }
}

fn id() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[1-6]",
        1 => "(tg|telegram|user|):? ?[1-6]",
        1 => any::<String>(),
        1 => Just("9".repeat(1000)),
    ]
}

fn inbound() -> impl Strategy<Value = Inbound> {
    let flags = prop_oneof![
        3 => Just((false, false, false, true)),
        1 => any::<(bool, bool, bool, bool)>(),
    ];
    let text = prop_oneof![any::<String>(), Just("ä".repeat(70_000))];
    let meta = prop::collection::vec(any::<(String, String)>(), 0..20);
    let chat = (id(), prop::option::of(id()));
    let sender = (id(), prop::collection::vec(id(), 0..2));
    (
        id(),
        sender,
        chat,
        any::<bool>(),
        text,
        any::<i64>(),
        flags,
        meta,
    )
        .prop_map(
            |(id, (sender, also), (chat, thread), is_direct, text, at, flags, meta)| {
                let mut message = Inbound::new(
                    id,
                    sender,
                    Target::chat(chat).thread(thread),
                    Timestamp::from_millis(at),
                );
                message.also = also;
                message.is_direct = is_direct;
                message.text = text;
                message.from_me = flags.0;
                message.from_bot = flags.1;
                message.via_bot = flags.0 != flags.1;
                message.historical = flags.2;
                message.authenticated = flags.3;
                message.meta = meta;
                message
            },
        )
}

fn incoming() -> impl Strategy<Value = Incoming> {
    let pressed = (id(), id(), any::<String>()).prop_map(|(sender, chat, data)| {
        Pressed::new(sender, MessageId(data.clone()), Target::chat(chat), data)
    });
    prop_oneof![
        9 => inbound().prop_map(Incoming::Message),
        1 => pressed.prop_map(Incoming::Pressed),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn t54_t64_t65_whatever_comes_in_nobody_passes_who_was_not_let_in(
        all in prop::collection::vec(incoming(), 1..40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let settings = "allowFrom: [1, 2], blockFrom: [2, 3], handOverFirst: true";
        let (gate, passed, adapter) = gate(settings);
        let owner = Approver::terminal("ann");
        for sender in ["3", "4"] {
            gate.account.allow(sender, &owner).unwrap();
        }
        runtime.block_on(async {
            for incoming in all {
                gate.take(incoming).await;
                gate.settle().await;
            }
        });
        for message in passed.lock().unwrap().iter() {
            let sender = message.sender().as_str();
            let may = match &message.by {
                By::Direct(_) => ["1", "4"].contains(&sender),
                By::Group(_) => sender == "1",
            };
            prop_assert!(may, "{message:?}");
            prop_assert!(message.text.len() <= 65_536 && message.id.len() <= 256);
            prop_assert!(!message.id.contains(char::is_control));
            prop_assert!(!message.chat.chat.contains(char::is_control));
        }
        // One reply for each who waits, and for nobody else.
        let waiting = gate.account.pending().unwrap().requests;
        let waiting: HashSet<_> = waiting.iter().map(|r| r.sender.as_str().to_owned()).collect();
        prop_assert_eq!(adapter.sent.lock().unwrap().len(), waiting.len());
        prop_assert!(waiting.is_disjoint(&["1", "2", "3", "4"].map(str::to_owned).into()));
        prop_assert!(waiting.len() <= 3);
    }
}

#[tokio::test(start_paused = true)]
async fn an_adapter_that_panics_is_started_anew_after_a_pause() {
    let (gate, _, adapter) = gate("");
    let (tell, stop) = Stop::new();
    let began = tokio::time::Instant::now();
    let running = tokio::spawn(run(adapter.clone(), gate, stop));
    while adapter.runs.load(Ordering::SeqCst) < 3 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // After one second, and after two more.
    assert_eq!(began.elapsed().as_secs(), 3);
    tell.stop();
    running.await.unwrap();
}

/// A store that does not answer while a test says so.
struct Gone(MemoryStore, Arc<AtomicBool>);

impl Gone {
    fn check(&self) -> Result<(), StoreError> {
        if self.1.load(Ordering::SeqCst) {
            return Err(StoreError::Unreachable {
                resource: "the store".to_owned(),
                source: "as a test wants it".into(),
            });
        }
        Ok(())
    }
}

impl PairingStore for Gone {
    fn read(&self, key: &Key) -> Result<Read, StoreError> {
        self.check()?;
        self.0.read(key)
    }

    fn range(&self, range: &Range, page: &PageRequest) -> Result<Page, StoreError> {
        self.check()?;
        self.0.range(range, page)
    }

    fn commit(&self, batch: &Batch) -> Result<(), StoreError> {
        self.check()?;
        self.0.commit(batch)
    }

    fn changes(&self, after: Option<Position>, timeout: Duration) -> Result<Changes, StoreError> {
        self.0.changes(after, timeout)
    }
}

#[tokio::test]
async fn t139_what_came_while_the_store_was_away_is_made_good_in_its_order() {
    let gone = Arc::new(AtomicBool::new(false));
    let store = Gone(MemoryStore::new(), gone.clone());
    let (gate, passed, adapter) = gate_on(store, "allowFrom: [], dmPolicy: 'pairing'");
    gate.account.allow("4", &Approver::terminal("ann")).unwrap();
    let say = |sender: &str, text: &str| {
        let mut incoming = said(sender, &[], true);
        if let Incoming::Message(inbound) = &mut incoming {
            text.clone_into(&mut inbound.text);
        }
        gate.take(incoming)
    };
    let heard = || -> Vec<String> {
        let passed = passed.lock().unwrap();
        passed.iter().map(|message| message.text.clone()).collect()
    };
    gone.store(true, Ordering::SeqCst);
    say("4", "one").await;
    say("5", "a stranger's").await;
    say("4", "two").await;
    say("4", &"x".repeat(5000)).await;
    // It is still away: nothing is lost by trying.
    gate.settle().await;
    assert!(heard().is_empty());
    gone.store(false, Ordering::SeqCst);
    // What they say next comes after what they have said.
    say("4", "three").await;
    assert_eq!(heard(), ["one", "two", "three"]);
    assert!(adapter.sent.lock().unwrap().is_empty());
    // The stranger is told without asking again.
    gate.settle().await;
    assert_eq!(*adapter.sent.lock().unwrap(), ["9"]);
    gate.settle().await;
    assert_eq!((heard().len(), adapter.sent.lock().unwrap().len()), (3, 1));
}

#[tokio::test]
async fn t139_of_what_comes_while_the_store_is_away_little_is_kept() {
    let gone = Arc::new(AtomicBool::new(true));
    let store = Gone(MemoryStore::new(), gone.clone());
    let (gate, passed, _) = gate_on(store, "handOverFirst: false");
    for sender in (1..=100).flat_map(|sender| [sender; 10]) {
        gate.take(said(&sender.to_string(), &[], true)).await;
    }
    gone.store(false, Ordering::SeqCst);
    let now = gate.host.pairing().now();
    let kept = gate.away.take(None, now);
    assert_eq!(kept.len(), 64);
    let most = kept
        .iter()
        .filter(|(_, letter)| letter.sender.as_str() == "1");
    assert_eq!(most.count(), 8);
    // An hour later nobody waits for an answer any more.
    for (came, letter) in kept {
        assert!(gate.away.keep(letter, came));
    }
    let later = now + Duration::from_secs(3601);
    assert!(gate.away.take(None, later).is_empty() && gate.away.is_empty());
    assert!(passed.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn t134_a_refusal_is_not_final_the_service_is_asked_again() {
    let (gate, _, adapter) = gate("");
    adapter.gives_up.store(true, Ordering::SeqCst);
    let (tell, stop) = Stop::new();
    let began = tokio::time::Instant::now();
    let running = tokio::spawn(run(adapter.clone(), gate, stop));
    while adapter.runs.load(Ordering::SeqCst) < 3 {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(began.elapsed().as_secs() / 60, 2 * 15);
    tell.stop();
    running.await.unwrap();
}

fn said(sender: &str, also: &[&str], is_direct: bool) -> Incoming {
    let mut message = Inbound::new(
        "1",
        sender,
        Target::chat("9"),
        Timestamp::from_millis(1_795_353_726_325),
    );
    message.also = also.iter().map(|&id| id.to_owned()).collect();
    message.is_direct = is_direct;
    message.text = "hello".into();
    message.authenticated = true;
    Incoming::Message(message)
}

#[tokio::test]
async fn one_person_by_two_ids_is_allowed_and_blocked_by_either() {
    let (gate, passed, adapter) = gate("allowFrom: [1], blockFrom: [3], handOverFirst: false");
    gate.account.allow("4", &Approver::terminal("ann")).unwrap();
    let who = |passed: &Mutex<Vec<Message>>| -> Vec<String> {
        let passed = passed.lock().unwrap();
        passed
            .iter()
            .map(|message| message.sender().as_str().to_owned())
            .collect()
    };
    // By the configuration and by an approval, in a direct chat.
    gate.take(said("5", &["1"], true)).await;
    gate.take(said("5", &["4"], true)).await;
    gate.take(said("4", &["5"], true)).await;
    assert_eq!(who(&passed), ["1", "4", "4"]);
    // In a group by the configuration alone.
    gate.take(said("5", &["1"], false)).await;
    gate.take(said("5", &["4"], false)).await;
    assert_eq!(who(&passed)[3..], ["1"]);
    // Whoever is blocked by one of them is not let in by the other, and gets no code.
    gate.take(said("1", &["3"], true)).await;
    gate.take(said("3", &["4"], true)).await;
    gate.take(said("6", &["3"], true)).await;
    assert_eq!(
        (who(&passed).len(), adapter.sent.lock().unwrap().len()),
        (4, 0)
    );
    // A stranger by both asks by the first; what cannot be an id counts for nothing.
    gate.take(said("6", &["5", "@ann"], true)).await;
    let waiting = gate.account.pending().unwrap().requests;
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0].sender.as_str(), "6");
}

/// A store in which something happens once, after the next read and before its reader goes on.
#[derive(Default)]
struct Meanwhile {
    store: MemoryStore,
    then: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl Meanwhile {
    fn after<T>(&self, read: T) -> T {
        let then = self.then.lock().unwrap().take();
        if let Some(then) = then {
            then();
        }
        read
    }
}

impl PairingStore for Meanwhile {
    fn read(&self, key: &Key) -> Result<Read, StoreError> {
        self.after(self.store.read(key))
    }

    fn range(&self, range: &Range, page: &PageRequest) -> Result<Page, StoreError> {
        self.after(self.store.range(range, page))
    }

    fn commit(&self, batch: &Batch) -> Result<(), StoreError> {
        self.store.commit(batch)
    }

    fn changes(&self, after: Option<Position>, timeout: Duration) -> Result<Changes, StoreError> {
        self.store.changes(after, timeout)
    }
}

#[tokio::test]
async fn an_approval_between_two_reads_loses_no_first_message() {
    let store = Arc::new(Meanwhile::default());
    let (gate, passed, _) = gate_on(store.clone(), "handOverFirst: true");
    gate.take(said("5", &[], true)).await;
    let (account, owner) = (gate.account.clone(), Approver::terminal("ann"));
    *store.then.lock().unwrap() = Some(Box::new(move || {
        let code = account.pending().unwrap().requests[0].code;
        account.approve(code.as_str(), &owner).unwrap();
    }));
    gate.settle().await;
    gate.settle().await;
    let passed = passed.lock().unwrap();
    assert_eq!(passed.len(), 1);
    assert_eq!(passed[0].text, "hello");
}

fn says(sender: &str, text: &str, is_direct: bool) -> Incoming {
    let mut incoming = said(sender, &[], is_direct);
    if let Incoming::Message(inbound) = &mut incoming {
        inbound.text = text.into();
    }
    incoming
}

#[tokio::test]
async fn a_claim_code_in_a_direct_message_lets_its_sender_in() {
    for command in ["/bind", "/start", "/BIND@my_bot"] {
        let (gate, passed, adapter) = gate("blockFrom: [3]");
        let invited = gate.account.invite(&Approver::terminal("ann")).unwrap();
        let text = format!("{command} {}", invited.code.expose().to_lowercase());
        // Neither in a group, nor from a sender who is blocked, is it looked at.
        gate.take(says("5", &text, false)).await;
        gate.take(says("3", &text, true)).await;
        assert_eq!(adapter.sent.lock().unwrap().len(), 0);
        gate.take(says("5", &text, true)).await;
        assert_eq!(adapter.sent.lock().unwrap().len(), 1);
        // The code itself is no message to the bot.
        assert_eq!(passed.lock().unwrap().len(), 0);
        gate.take(says("5", "hello", true)).await;
        assert_eq!(passed.lock().unwrap().len(), 1);
        // It is spent.
        gate.take(says("6", &text, true)).await;
        assert!(!gate.account.is_allowed("6").unwrap());
        assert!(gate.account.pending().unwrap().requests.is_empty());
    }
}

#[tokio::test]
async fn t146_a_sender_who_guesses_claim_codes_is_no_longer_answered() {
    let (gate, _, adapter) = gate("");
    let invited = gate.account.invite(&Approver::terminal("ann")).unwrap();
    let wrong = format!("/bind {}", "A".repeat(26));
    for _ in 0..12 {
        gate.take(says("5", &wrong, true)).await;
    }
    assert_eq!(adapter.sent.lock().unwrap().len(), 10);
    let right = format!("/bind {}", invited.code.expose());
    gate.take(says("5", &right, true)).await;
    assert!(!gate.account.is_allowed("5").unwrap());
    assert_eq!(adapter.sent.lock().unwrap().len(), 10);
    // What is no claim code is a message of a stranger, who asks as ever.
    gate.take(says("6", "/start", true)).await;
    gate.take(says("7", "/bind hello", true)).await;
    assert_eq!(gate.account.pending().unwrap().requests.len(), 2);
}

#[tokio::test]
async fn t146_under_other_policies_a_claim_code_is_not_spent() {
    let store = Arc::new(MemoryStore::new());
    let (open, ..) = gate_on(store.clone(), "");
    let invited = open.account.invite(&Approver::terminal("ann")).unwrap();
    let text = format!("/bind {}", invited.code.expose());
    for policy in ["allowlist", "disabled"] {
        let (closed, passed, adapter) = gate_on(store.clone(), &format!("dmPolicy: '{policy}'"));
        closed.take(says("5", &text, true)).await;
        assert_eq!(passed.lock().unwrap().len(), 0);
        assert_eq!(adapter.sent.lock().unwrap().len(), 0);
    }
    open.take(says("5", &text, true)).await;
    assert!(open.account.is_allowed("5").unwrap());
}
