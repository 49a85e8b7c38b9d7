//! A gateway with a chat system that is nothing but an adapter; what arrives is told on its standard input.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use channel_kit::{
    Adapter, BoxFuture, Inbound, Inbox, Incoming, MessageId, Outgoing, SendError, Status, Stop,
    Target, TextLimit,
};
use openclaw_config::Config;
use openclaw_gateway::{Gateway, Overrides, Settings};
use pairing_core::store::{AllowEntry, Batch, Change};
use pairing_core::{
    Account, AccountId, Approver, ChannelId, Channels, Clock as _, Pairing, PairingBuilder,
    PairingStore, Record, SenderId,
};
use pairing_fs::{FsStore, StateDir, SystemClock, SystemEntropy};
use pairing_sqlite::OwnStore;
use tokio::sync::{Notify, mpsc};

/// A sender that is allowed wherever any are.
pub(crate) const KNOWN: usize = 1_000_000;

/// The file of the database.
pub(crate) const DATABASE: &str = "pairing.sqlite";

/// The gateway that is measured. It understands `approved N`, which receives so many messages of one approved sender,
/// and `stranger N`, which receives one each of so many strangers, one after the other.
pub(crate) fn serve(dir: &str, store: &str) {
    let dir = Path::new(dir);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let state = StateDir::at(dir);
        let pairing = match store {
            "sqlite" => service(OwnStore::open(&dir.join(DATABASE)).unwrap()),
            _ => service(FsStore::new(&state, Channels::builtin())),
        };
        let config = Config::load(state.config(), |_| None).unwrap();
        let settings = Settings::from_config(&config, &Overrides::default()).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let adapter = Arc::new(Played::new());
        let gateway = Gateway::builder(pairing.clone(), settings)
            .listener(listener)
            .adapter(adapter.clone())
            .build();
        tokio::spawn(gateway.run());
        adapter.runs.notified().await;
        println!("{port}");
        let (given, mut commands) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            std::io::stdin()
                .lines()
                .try_for_each(|line| given.send(line.unwrap()))
        });
        while let Some(command) = commands.recv().await {
            let (name, number) = command.split_once(' ').unwrap();
            let number: usize = number.parse().unwrap();
            match name {
                "approved" => {
                    for _ in 0..number {
                        adapter.receives(&KNOWN.to_string()).await;
                    }
                    println!("done");
                }
                _ => strangers(&adapter, &pairing, state.credentials(), number).await,
            }
        }
    });
}

fn service(store: impl PairingStore + 'static) -> Pairing {
    PairingBuilder::new(store, SystemClock, SystemEntropy).build()
}

/// Prints the median time until a stranger has got a code, and that of the bare write of the file with the request.
async fn strangers(adapter: &Played, pairing: &Pairing, credentials: &Path, number: usize) {
    let account: Account = pairing
        .channel("telegram")
        .unwrap()
        .account("default")
        .unwrap();
    let owner = Approver::terminal("bench");
    let (mut whole, mut bare) = (Vec::new(), Vec::new());
    for number in 0..number {
        let sender = (1_000 + number).to_string();
        let began = Instant::now();
        adapter.receives(&sender).await;
        adapter.sent.lock().await.recv().await;
        whole.push(began.elapsed());
        let text = std::fs::read(credentials.join("telegram-pairing.json")).unwrap();
        account.reject(&sender, &owner).unwrap();
        let began = Instant::now();
        stage(&credentials.join("bare.json"), &text);
        bare.push(began.elapsed());
    }
    whole.sort_unstable();
    bare.sort_unstable();
    println!(
        "{} {}",
        whole[number / 2].as_micros(),
        bare[number / 2].as_micros()
    );
}

/// Replaces a file with the minimum needed to do so atomically and durably.
fn stage(path: &Path, bytes: &[u8]) {
    let dir = path.parent().unwrap();
    let mut file = tempfile::NamedTempFile::new_in(dir).unwrap();
    file.write_all(bytes).unwrap();
    file.as_file().sync_all().unwrap();
    file.persist(path).unwrap();
    File::open(dir).unwrap().sync_all().unwrap();
}

/// Allows so many senders, in batches.
pub(crate) fn allow(store: &dyn PairingStore, senders: usize) {
    let changes: Vec<_> = (KNOWN..KNOWN + senders)
        .map(|number| Change::Put(allowed(number)))
        .collect();
    for changes in changes.chunks(5_000) {
        store
            .commit(&Batch {
                conditions: Vec::new(),
                changes: changes.to_vec(),
            })
            .unwrap();
    }
}

pub(crate) fn allowed(number: usize) -> Record {
    Record::Allow(AllowEntry {
        channel: ChannelId::parse("telegram").unwrap(),
        account: AccountId::default(),
        entry: SenderId::try_from(number.to_string()).unwrap(),
        written: None,
        grant: None,
    })
}

struct Played {
    channel: ChannelId,
    account: AccountId,
    inbox: Mutex<Option<Inbox>>,
    /// Signalled when it runs.
    runs: Notify,
    sends: mpsc::UnboundedSender<()>,
    sent: tokio::sync::Mutex<mpsc::UnboundedReceiver<()>>,
}

impl Played {
    fn new() -> Self {
        let (sends, sent) = mpsc::unbounded_channel();
        Self {
            channel: ChannelId::parse("telegram").unwrap(),
            account: AccountId::default(),
            inbox: Mutex::default(),
            runs: Notify::new(),
            sends,
            sent: sent.into(),
        }
    }

    async fn receives(&self, sender: &str) {
        let inbox = self.inbox.lock().unwrap().clone().unwrap();
        let message = Inbound {
            id: "1".to_owned(),
            sender: sender.to_owned(),
            also: Vec::new(),
            chat: Target::chat(sender),
            is_direct: true,
            text: "Is the meeting still at ten? I could be there a little earlier.".to_owned(),
            at: SystemClock.now(),
            from_me: false,
            from_bot: false,
            via_bot: false,
            historical: false,
            authenticated: true,
            meta: vec![("username".to_owned(), "zoe".to_owned())],
        };
        assert!(inbox.put(Incoming::Message(message)).await);
    }
}

impl Adapter for Played {
    fn channel(&self) -> &ChannelId {
        &self.channel
    }

    fn account(&self) -> &AccountId {
        &self.account
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

    fn run(self: Arc<Self>, inbox: Inbox, mut stop: Stop) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            *self.inbox.lock().unwrap() = Some(inbox);
            self.runs.notify_one();
            stop.wait().await;
        })
    }

    fn send<'a>(
        &'a self,
        _: &'a Target,
        _: &'a Outgoing,
    ) -> BoxFuture<'a, Result<MessageId, SendError>> {
        Box::pin(async {
            let _ = self.sends.send(());
            Ok(MessageId("1".to_owned()))
        })
    }
}

impl std::fmt::Debug for Played {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Played").finish_non_exhaustive()
    }
}
