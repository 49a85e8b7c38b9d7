//! A chat system in memory, an owner in it, and a gateway.

use gateway_protocol::{GatewayUrl, SetupCode};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gateway_client::{Client, Connect, Events, HeldToken, KeepError, TokenKeeper};
use openclaw_config::Config;
use pairing_conformance::seeded;
use pairing_core::device::{Identity, Role};
use pairing_core::{
    AccountId, ChannelId, Channels, Clock, ManualClock, MemoryStore, Pairing, PairingStore,
    SenderId, Timestamp,
};
use tokio::net::TcpListener;
use tokio::sync::{Notify, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::chat::Commands;
use crate::gateway::chat_parts;
use crate::parts::Parts;
use crate::{Gateway, Interfaces, Overrides, Settings};
use channel_kit::{
    Abilities, Adapter, BoxFuture, Inbox, MessageId, Outgoing, Pressed, SendError, Status, Stop,
    StopSender, Target, TextLimit,
};
use gateway_channels::OwnerMessage;

/// Nothing takes this long; a test that waits for it has failed.
const NEVER: Duration = Duration::from_secs(20);

/// Something that is in a chat.
#[derive(Debug, Clone)]
pub(super) struct Shown {
    pub(super) chat: String,
    pub(super) what: Outgoing,
    pub(super) text: String,
    pub(super) deleted: bool,
    pub(super) replaced: bool,
}

impl Shown {
    /// What its buttons hold.
    pub(super) fn buttons(&self) -> Vec<String> {
        self.what
            .buttons
            .iter()
            .map(|button| button.data.clone())
            .collect()
    }
}

#[derive(Debug)]
pub(super) struct Chats {
    channel: ChannelId,
    account: AccountId,
    can: Abilities,
    pub(super) shown: Mutex<Vec<Shown>>,
    /// Fails to send so many times from the message of this number on.
    pub(super) fails_from: Mutex<Option<usize>>,
    /// While set, messages that are sent are shown, but their acknowledgement is held back.
    pub(super) held: watch::Sender<bool>,
    /// While set, no message can be replaced; how often that was tried.
    pub(super) keeps_all: AtomicBool,
    pub(super) kept: AtomicUsize,
    changed: Notify,
}

impl Chats {
    pub(super) fn new(can: Abilities) -> Arc<Self> {
        Arc::new(Self {
            channel: ChannelId::parse("telegram").unwrap(),
            account: AccountId::default(),
            can,
            shown: Mutex::default(),
            fails_from: Mutex::default(),
            held: watch::Sender::new(false),
            keeps_all: AtomicBool::new(false),
            kept: AtomicUsize::new(0),
            changed: Notify::new(),
        })
    }

    pub(super) fn all(&self) -> Vec<Shown> {
        self.shown.lock().unwrap().clone()
    }

    /// Waits until the chats look so.
    pub(super) async fn until<T>(&self, mut look: impl FnMut(&[Shown]) -> Option<T>) -> T {
        let looked = async {
            loop {
                let changed = self.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                if let Some(found) = look(&self.all()) {
                    return found;
                }
                changed.await;
            }
        };
        match timeout(NEVER, looked).await {
            Ok(found) => found,
            Err(late) => panic!(
                "{late}: {:#?}",
                self.all().iter().map(|s| &s.text).collect::<Vec<_>>()
            ),
        }
    }

    fn at(message: &MessageId) -> usize {
        message.0.parse().unwrap()
    }
}

impl Adapter for Chats {
    fn channel(&self) -> &ChannelId {
        &self.channel
    }

    fn account(&self) -> &AccountId {
        &self.account
    }

    fn can(&self) -> Abilities {
        self.can
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
        Box::pin(async move { stop.wait().await })
    }

    fn send<'a>(
        &'a self,
        to: &'a Target,
        what: &'a Outgoing,
    ) -> BoxFuture<'a, Result<MessageId, SendError>> {
        let mut shown = self.shown.lock().unwrap();
        let number = shown.len();
        let fails = self
            .fails_from
            .lock()
            .unwrap()
            .is_some_and(|from| number >= from);
        let sent = if fails {
            *self.fails_from.lock().unwrap() = None;
            Err(SendError::Unavailable {
                reason: "rain".to_owned(),
            })
        } else {
            shown.push(Shown {
                chat: to.chat.clone(),
                what: what.clone(),
                text: what.text.clone(),
                deleted: false,
                replaced: false,
            });
            Ok(MessageId(number.to_string()))
        };
        self.changed.notify_waiters();
        let mut held = self.held.subscribe();
        Box::pin(async move {
            let _ = held.wait_for(|held| !held).await;
            sent
        })
    }

    fn delete<'a>(
        &'a self,
        _: &'a Target,
        message: &'a MessageId,
    ) -> BoxFuture<'a, Result<(), SendError>> {
        self.shown.lock().unwrap()[Self::at(message)].deleted = true;
        self.changed.notify_waiters();
        Box::pin(async { Ok(()) })
    }

    fn replace<'a>(
        &'a self,
        _: &'a Target,
        message: &'a MessageId,
        text: &'a str,
    ) -> BoxFuture<'a, Result<(), SendError>> {
        if self.keeps_all.load(Ordering::SeqCst) {
            self.kept.fetch_add(1, Ordering::SeqCst);
            self.changed.notify_waiters();
            let reason = "rain".to_owned();
            return Box::pin(async { Err(SendError::Unavailable { reason }) });
        }
        let shown = &mut self.shown.lock().unwrap()[Self::at(message)];
        text.clone_into(&mut shown.text);
        shown.replaced = true;
        self.changed.notify_waiters();
        Box::pin(async { Ok(()) })
    }
}

struct Hands(Arc<ManualClock>);

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        self.0.now()
    }
}

/// A gateway with a chat.
pub(super) struct World {
    pub(super) pairing: Pairing,
    pub(super) clock: Arc<ManualClock>,
    pub(super) chats: Arc<Chats>,
    pub(super) commands: Commands,
    pub(super) parts: Arc<Parts>,
    pub(super) port: u16,
    files: Option<PathBuf>,
    ends: Vec<(End, JoinHandle<()>)>,
}

enum End {
    Gateway(oneshot::Sender<()>),
    Commands(StopSender),
}

pub(super) const EVERYTHING: Abilities = Abilities::text().pictures().buttons().deletion();

/// Its public address leads to where it listens, so that a phone gets there by what it is told.
pub(super) const LOCAL: &str = "commands: { ownerAllowFrom: ['telegram:1'] }, plugins: { entries: { 'device-pair': { config: { publicUrl: 'ws://127.0.0.1:PORT' } } } },";

impl World {
    pub(super) async fn new() -> Self {
        Self::with(("", LOCAL), EVERYTHING, None).await
    }

    /// With more configuration, of the gateway and beside it, in which `PORT` is its port.
    pub(super) async fn with(more: (&str, &str), can: Abilities, files: Option<PathBuf>) -> Self {
        Self::over(MemoryStore::new(), more, can, files).await
    }

    /// The same over a store.
    pub(super) async fn over(
        store: impl PairingStore + 'static,
        more: (&str, &str),
        can: Abilities,
        files: Option<PathBuf>,
    ) -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_795_353_726_325)));
        let pairing = Pairing::new(store, Hands(clock.clone()), seeded(5));
        Self::on(pairing, clock, Chats::new(can), more, files).await
    }

    async fn on(
        pairing: Pairing,
        clock: Arc<ManualClock>,
        chats: Arc<Chats>,
        (gateway, more): (&str, &str),
        files: Option<PathBuf>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let text = format!(
            "{{ gateway: {{ auth: {{ token: 'secret' }}, localAdmin: true, {gateway} }}, {more} }}"
        );
        let text = text.replace("PORT", &port.to_string());
        let config = Config::parse(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
        let settings = Settings::from_config(&config, &Overrides::default()).unwrap();
        let (stop, stopped) = oneshot::channel();
        let gateway = Gateway::builder(pairing.clone(), settings)
            .listener(listener)
            .adapter(chats.clone())
            .shutdown(async {
                let _ = stopped.await;
            })
            .build();
        let parts = gateway.parts();
        let running = (End::Gateway(stop), tokio::spawn(gateway.run()));
        let commands = Self::commands(&parts, files.as_ref());
        let mut world = Self {
            pairing,
            clock,
            chats,
            commands,
            parts,
            port,
            files,
            ends: vec![running],
        };
        world.follow();
        world
    }

    fn commands(parts: &Arc<Parts>, files: Option<&PathBuf>) -> Commands {
        let file = |name: &str| files.map(|dir| dir.join(name));
        let interfaces = || Ok(Interfaces::default());
        Commands::with(chat_parts(parts), file, interfaces)
    }

    fn follow(&mut self) {
        let (stop, stopped) = Stop::new();
        let task = tokio::spawn(self.commands.clone().run(stopped));
        self.ends.push((End::Commands(stop), task));
    }

    /// Stops what follows requests.
    pub(super) async fn pause(&mut self) {
        let (end, task) = self.ends.pop().unwrap();
        drop(end);
        task.await.unwrap();
    }

    /// Begins anew with what is on disk.
    pub(super) fn resume(&mut self) {
        self.commands = Self::commands(&self.parts, self.files.as_ref());
        self.follow();
    }

    pub(super) async fn stop(mut self) {
        for (end, task) in self.ends.drain(..).rev() {
            match end {
                End::Gateway(stop) => drop(stop.send(())),
                End::Commands(stop) => stop.stop(),
            }
            timeout(NEVER, task).await.unwrap().unwrap();
        }
    }

    pub(super) fn spoke(&self, sender: &str, chat: &str) -> OwnerMessage {
        let rules = Channels::builtin();
        let rules = rules.get(self.chats.channel()).unwrap();
        OwnerMessage {
            channel: self.chats.channel().clone(),
            account: AccountId::default(),
            sender: rules.sender(sender).unwrap(),
            chat: Target::chat(chat),
            adapter: self.chats.clone(),
        }
    }

    /// The owner says something in their chat; what is answered.
    pub(super) async fn says(&self, text: &str) -> Vec<Shown> {
        self.says_in("1", text).await
    }

    pub(super) async fn says_in(&self, chat: &str, text: &str) -> Vec<Shown> {
        let before = self.chats.all().len();
        let owner = self.spoke("1", chat);
        assert!(self.commands.message(&owner, text).await);
        self.chats.all().split_off(before)
    }

    /// What is answered in one message.
    pub(super) async fn answer(&self, text: &str) -> String {
        let answers = self.says(text).await;
        let [answer] = answers.as_slice() else {
            panic!("{answers:?}")
        };
        answer.text.clone()
    }

    pub(super) async fn presses(&self, message: usize, data: &str) {
        let owner = self.spoke("1", "1");
        let pressed = Pressed::new(
            "1",
            MessageId(message.to_string()),
            owner.chat.clone(),
            data,
        );
        self.commands.pressed(&owner, &pressed).await;
    }

    /// The setup code that `/pair` sends.
    pub(super) async fn code(&self) -> SetupCode {
        self.code_in("1").await
    }

    pub(super) async fn code_in(&self, chat: &str) -> SetupCode {
        let answers = self.says_in(chat, "/pair").await;
        SetupCode::decode(&answers[1].text).unwrap()
    }

    /// Somebody writes to the bot for the first time; the code.
    pub(super) fn stranger(&self, sender: &str) -> String {
        let channel = self.pairing.channel("telegram").unwrap();
        let account = channel.account("default").unwrap();
        let asked = account.request_or_reuse(sender).unwrap();
        let pairing_core::Requested::Created(created) = asked else {
            panic!("{asked:?}")
        };
        created.request.code.as_str().to_owned()
    }

    pub(super) fn is_allowed(&self, sender: &str) -> bool {
        let channel = self.pairing.channel("telegram").unwrap();
        channel
            .account("default")
            .unwrap()
            .is_allowed(sender)
            .unwrap()
    }

    /// Requests of devices that wait.
    pub(super) fn waiting(&self) -> Vec<String> {
        let owner = pairing_core::Approver::terminal("ann");
        let pending = self.pairing.devices().list(&owner).unwrap().pending;
        pending
            .iter()
            .map(|request| request.id.as_str().to_owned())
            .collect()
    }
}

#[derive(Default)]
struct Tokens(Mutex<HashMap<Role, HeldToken>>);

impl TokenKeeper for Tokens {
    fn load(&self, role: Role) -> Result<Option<HeldToken>, KeepError> {
        Ok(self.0.lock().unwrap().get(&role).cloned())
    }

    fn store(&self, role: Role, token: &HeldToken) -> Result<(), KeepError> {
        self.0.lock().unwrap().insert(role, token.clone());
        Ok(())
    }
}

/// A phone, which has its own key.
pub(super) struct Phone {
    identity: Arc<Identity>,
    tokens: Arc<Tokens>,
}

impl Phone {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            identity: Arc::new(Identity::generate(&seeded(seed)).unwrap()),
            tokens: Arc::default(),
        }
    }

    fn connect(&self, url: &GatewayUrl) -> Connect {
        Connect::to(url.clone())
            .identity(self.identity.clone(), self.tokens.clone())
            .role(Role::Node)
    }

    /// Connects with what was pasted; it has to ask.
    pub(super) async fn asks(&self, code: &SetupCode) -> String {
        let connect = self
            .connect(&code.url)
            .pairing_token(code.token.expose().to_owned().into());
        let refused = connect.open().await.unwrap_err();
        refused.request_id().expect("it has to ask").to_owned()
    }

    /// Connects again, once it was let in.
    pub(super) async fn comes(&self, code: &SetupCode) -> (Client, Events) {
        let connect = self
            .connect(&code.url)
            .pairing_token(code.token.expose().to_owned().into());
        connect.open().await.unwrap()
    }
}
