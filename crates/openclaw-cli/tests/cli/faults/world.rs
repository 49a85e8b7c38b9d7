//! A store, a directory of gateways and accounts that fail as a test says.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use channel_kit::{
    Adapter, BoxFuture, Connection, Inbox, MessageId, Outgoing, SendError, Status, Stop, Target,
    TextLimit,
};
use openclaw_gateway::peers::{Contents, Directory, DirectoryError, MemoryLease};
use pairing_core::store::{Batch, Changed, Changes, Page, PageRequest, Position, Read};
use pairing_core::{
    AccountId, ChannelId, Key, MemoryStore, PairingStore, Range, SenderId, StoreError,
};

/// Which ranges of records cannot be read.
type Torn = fn(&Range) -> bool;

/// What the test breaks.
#[derive(Default)]
pub(crate) struct World {
    /// The store does not answer, writes fail, some of its records cannot be read, following it panics.
    pub(crate) is_unreachable: AtomicBool,
    pub(crate) is_unwritable: AtomicBool,
    pub(crate) torn: Mutex<Option<Torn>>,
    /// Set by [`Self::tear`] until the next change is told, which then is one of every record.
    pub(crate) is_torn_anew: AtomicBool,
    /// How many senders were allowed. Each change of the store has the gateway look again.
    pub(crate) allowed: AtomicU64,
    pub(crate) is_deadly: AtomicBool,
    /// The directory of gateways fails.
    pub(crate) is_directory_lost: AtomicBool,
    /// Free bytes beside the state, and whether the file system can be read only.
    pub(crate) free: AtomicU64,
    pub(crate) is_read_only: AtomicBool,
    /// How the second account is, and how far the clock is ahead of its service's.
    pub(crate) refused: AtomicBool,
    pub(crate) ahead_ms: AtomicU64,
    /// What owners were sent, and by which channel.
    pub(crate) sent: Mutex<Vec<(String, String)>>,
    pub(crate) more: Condvar,
}

pub(crate) struct Store(pub(crate) MemoryStore, pub(crate) Arc<World>);

impl World {
    /// Lets records be unreadable, or readable again.
    pub(crate) fn tear(&self, torn: Option<Torn>) {
        *self.torn.lock().unwrap() = torn;
        self.is_torn_anew.store(true, Ordering::SeqCst);
    }
}

impl Store {
    pub(crate) fn unless_torn(&self, range: &Range) -> Result<(), StoreError> {
        let torn = *self.1.torn.lock().unwrap();
        if torn.is_some_and(|is_torn| is_torn(range)) {
            let resource = "some of the records".to_owned();
            let source = "torn".into();
            return Err(StoreError::Unreadable { resource, source });
        }
        Ok(())
    }

    pub(crate) fn check(&self) -> Result<(), StoreError> {
        let resource = "the records".to_owned();
        if self.1.is_unreachable.load(Ordering::SeqCst) {
            let source = "a test says so".into();
            return Err(StoreError::Unreachable { resource, source });
        }
        Ok(())
    }
}

impl PairingStore for Store {
    fn read(&self, key: &Key) -> Result<Read, StoreError> {
        self.check()?;
        if let Key::Device { .. } = key {
            self.unless_torn(&Range::Devices)?;
        }
        self.0.read(key)
    }

    fn range(&self, range: &Range, page: &PageRequest) -> Result<Page, StoreError> {
        self.check()?;
        self.unless_torn(range)?;
        self.0.range(range, page)
    }

    fn commit(&self, batch: &Batch) -> Result<(), StoreError> {
        if self.1.is_unwritable.load(Ordering::SeqCst) {
            return Err(StoreError::Unwritable {
                resource: "the records".to_owned(),
                source: "no space".into(),
            });
        }
        self.0.commit(batch)
    }

    fn changes(&self, after: Option<Position>, timeout: Duration) -> Result<Changes, StoreError> {
        assert!(!self.1.is_deadly.load(Ordering::SeqCst), "as the test asks");
        // Short waits: what the test has broken is looked at soon.
        let timeout = timeout.min(Duration::from_millis(10));
        let mut changes = self.0.changes(after, timeout)?;
        if self.1.is_torn_anew.swap(false, Ordering::SeqCst) {
            changes.changed = Changed::Everything;
        }
        Ok(changes)
    }
}

pub(crate) struct Lease(pub(crate) MemoryLease, pub(crate) Arc<World>);

impl Lease {
    pub(crate) fn check(&self) -> Result<(), DirectoryError> {
        if self.1.is_directory_lost.load(Ordering::SeqCst) {
            return Err(DirectoryError::new("a test says so"));
        }
        Ok(())
    }
}

impl Directory for Lease {
    fn publish(&self, values: &BTreeMap<String, Vec<u8>>) -> Result<(), DirectoryError> {
        self.check()?;
        self.0.publish(values)
    }

    fn read(&self, known: Option<u64>, wait: Duration) -> Result<Option<Contents>, DirectoryError> {
        self.check()?;
        self.0.read(known, wait.min(Duration::from_millis(10)))
    }
}

/// An account of a chat system that only sends.
#[derive(Debug)]
pub(crate) struct Account {
    channel: ChannelId,
    id: AccountId,
    world: Arc<World>,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").finish_non_exhaustive()
    }
}

impl Account {
    pub(crate) fn of(channel: &str, world: &Arc<World>) -> Arc<Self> {
        Arc::new(Self {
            channel: ChannelId::parse(channel).unwrap(),
            id: AccountId::default(),
            world: world.clone(),
        })
    }

    pub(crate) fn breaks(&self) -> bool {
        self.channel.as_str() == "discord"
    }
}

impl Adapter for Account {
    fn channel(&self) -> &ChannelId {
        &self.channel
    }

    fn account(&self) -> &AccountId {
        &self.id
    }

    fn longest_text(&self) -> TextLimit {
        TextLimit::chars(4000)
    }

    fn direct<'a>(&'a self, sender: &'a SenderId) -> BoxFuture<'a, Result<Target, SendError>> {
        let chat = sender.as_str().to_owned();
        Box::pin(async move { Ok(Target { chat, thread: None }) })
    }

    fn status(&self) -> Status {
        let mut status = Status::default();
        status.connection = Connection::Connected;
        if self.breaks() {
            let ahead = self.world.ahead_ms.load(Ordering::SeqCst);
            status.clock_ahead_ms = Some(ahead.cast_signed());
            if self.world.refused.load(Ordering::SeqCst) {
                status.connection = Connection::Failing;
                status.last_error = Some("Unauthorized".to_owned());
            }
        }
        status
    }

    fn run(self: Arc<Self>, _: Inbox, mut stop: Stop) -> BoxFuture<'static, ()> {
        Box::pin(async move { stop.wait().await })
    }

    fn send<'a>(
        &'a self,
        _: &'a Target,
        what: &'a Outgoing,
    ) -> BoxFuture<'a, Result<MessageId, SendError>> {
        Box::pin(async move {
            let said = (self.channel.to_string(), what.text.clone());
            self.world.sent.lock().unwrap().push(said);
            self.world.more.notify_all();
            Ok(MessageId("1".to_owned()))
        })
    }
}
