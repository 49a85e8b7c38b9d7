//! The service, which combines the store, the clock and the entropy.

mod account;
mod bearers;
mod channel;
mod claims;
mod devices;
mod error;
mod follow;
mod links;
mod nodes;
mod revert;
mod setup;
mod surfaces;
mod transact;
mod upgrade;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use account::{Account, Admission, Allowed, Created, Requested, Sender};
pub use bearers::{Bearers, IssuedBearer};
pub use channel::{Approved, AttemptsLeft, Channel, Pending};
pub use claims::{Claimed, Invited};
pub use devices::{Connection, DeviceList, Devices};
pub use error::{
    AdmitError, AllowlistError, BearerError, BearersOff, ChannelError, ClaimError, ConnectError,
    DecisionError, DeviceError, InviteError, ListError, RequestError,
};
pub use follow::{Followed, Follower, RecordChange};
pub use revert::Reverted;

pub use nodes::{NodeList, Nodes, WaitingApproved};

use crate::store::{AtOnce, Changes, Group, Page, PageRequest, Position};
use crate::{
    AddChannelError, AuditEvent, AuditSink, ChannelId, ChannelRules, Channels, Clock, DeviceId,
    Entropy, Key, Limits, NameError, PairingStore, Problem, Range, Replies, StoreError, Timestamp,
};

/// The pairing service over a store: made once, cheap to clone, shared between threads.
///
/// ```
/// use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
/// use pairing_core::{ManualClock, MemoryStore, Pairing, Requested, Timestamp};
/// # struct Zeros; impl pairing_core::Entropy for Zeros {
/// #     fn fill(&self, b: &mut [u8]) -> Result<(), pairing_core::EntropyError> { b.fill(0); Ok(()) } }
/// # let (clock, entropy) = (ManualClock::new(Timestamp::from_millis(0)), Zeros);
///
/// // `pairing_fs::open` does this with files, the system's clock and its randomness.
/// let pairing = Pairing::new(MemoryStore::new(), clock, entropy);
/// let gate = pairing.channel("telegram")?.account("default")?;
///
/// assert!(!gate.is_allowed("12345")?);
/// let Requested::Created(created) = gate.request_or_reuse("12345")? else { unreachable!() };
/// assert!(created.reply.contains("openclaw pairing approve telegram AAAAAAAA"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Pairing(Arc<Inner>, Arc<dyn PairingStore>);

struct Inner {
    store: Arc<dyn PairingStore>,
    clock: Box<dyn Clock>,
    entropy: Box<dyn Entropy>,
    channels: Channels,
    limits: Limits,
    replies: Replies,
    bearers: bool,
    audit: Option<Box<dyn AuditSink>>,
    uses: Mutex<devices::Uses>,
}

/// Builds a [`Pairing`]. By default it has the built-in channels, the usual limits and no audit log.
pub struct PairingBuilder(Inner);

impl PairingBuilder {
    /// Starts a builder with a store, a clock and a source of randomness.
    pub fn new(
        store: impl PairingStore + 'static,
        clock: impl Clock + 'static,
        entropy: impl Entropy + 'static,
    ) -> Self {
        Self(Inner {
            store: Arc::new(store),
            clock: Box::new(clock),
            entropy: Box::new(entropy),
            channels: Channels::builtin(),
            limits: Limits::default(),
            replies: Replies::default(),
            audit: None,
            bearers: false,
            uses: Mutex::default(),
        })
    }

    /// Sets the channels. The store must use the same ones.
    pub fn channels(self, channels: Channels) -> Self {
        Self(Inner { channels, ..self.0 })
    }

    /// Sets the limits.
    pub fn limits(self, limits: Limits) -> Self {
        Self(Inner { limits, ..self.0 })
    }

    /// Sets what senders are told.
    pub fn replies(self, replies: Replies) -> Self {
        Self(Inner { replies, ..self.0 })
    }

    /// Sets the sink that receives every decision.
    pub fn audit(self, sink: impl AuditSink + 'static) -> Self {
        let audit: Option<Box<dyn AuditSink>> = Some(Box::new(sink));
        Self(Inner { audit, ..self.0 })
    }

    /// Whether clients without a key of their own may be given tokens. Off unless set.
    pub fn bearer_clients(self, bearers: bool) -> Self {
        Self(Inner { bearers, ..self.0 })
    }

    /// Builds the service.
    pub fn build(self) -> Pairing {
        let store = self.0.store.clone();
        Pairing(Arc::new(self.0), store)
    }
}

impl fmt::Debug for PairingBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PairingBuilder").finish_non_exhaustive()
    }
}

impl Pairing {
    /// Makes a service with the built-in channels and the usual limits.
    pub fn new(
        store: impl PairingStore + 'static,
        clock: impl Clock + 'static,
        entropy: impl Entropy + 'static,
    ) -> Self {
        PairingBuilder::new(store, clock, entropy).build()
    }

    /// Makes a service with the given channels and limits. The store must use the same channels.
    pub fn with(
        store: impl PairingStore + 'static,
        clock: impl Clock + 'static,
        entropy: impl Entropy + 'static,
        channels: Channels,
        limits: Limits,
    ) -> Self {
        let builder = PairingBuilder::new(store, clock, entropy);
        builder.channels(channels).limits(limits).build()
    }

    /// Returns the same service, whose decisions never wait for a lock: where another program or thread holds one,
    /// they fail at once with [`StoreError::Busy`], and nothing is changed.
    ///
    /// For callers that would rather ask again later than wait. Without it, a decision waits as long as its store was
    /// told to, 10 seconds on files and on `SQLite`. A store on a network is waited for either way.
    #[must_use]
    pub fn never_waiting(&self) -> Self {
        let store = AtOnce(self.0.store.clone());
        Self(self.0.clone(), Arc::new(store))
    }

    /// Returns a handle to a channel, by its name as text.
    pub fn channel(&self, name: &str) -> Result<Channel, ChannelError> {
        self.channel_of(&ChannelId::parse(name)?)
    }

    /// Returns a handle to a channel. An error if the service has no rules for it.
    pub fn channel_of(&self, id: &ChannelId) -> Result<Channel, ChannelError> {
        match self.0.channels.get(id) {
            Some(rules) => Ok(Channel::new(self.clone(), rules.clone())),
            None => Err(ChannelError::Unknown {
                channel: id.clone(),
                known: self.channels().iter().map(|r| r.id().clone()).collect(),
            }),
        }
    }

    /// Returns the channels that the service knows.
    pub fn channels(&self) -> &Channels {
        &self.0.channels
    }

    /// Adds a channel to the running service, and to the store that was made with the same channels:
    /// [`Channels::add`].
    pub fn add_channel(&self, rules: ChannelRules) -> Result<Channel, AddChannelError> {
        let id = rules.id().clone();
        self.0.channels.add(rules)?;
        let rules = self.0.channels.get(&id).cloned();
        let known = AddChannelError::Known { channel: id };
        rules
            .map(|rules| Channel::new(self.clone(), rules))
            .ok_or(known)
    }

    /// Returns the clients that hold a token and no key; an error unless the embedder
    /// [turned them on](PairingBuilder::bearer_clients).
    pub fn bearers(&self) -> Result<Bearers, BearersOff> {
        let is_on = self.0.bearers;
        is_on.then(|| Bearers(self.clone())).ok_or(BearersOff)
    }

    /// Returns what senders are told.
    pub fn replies(&self) -> &Replies {
        &self.0.replies
    }

    /// Returns the limits that the service applies.
    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// Returns the present time, by the service's clock.
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// Returns the changes in the store after a position, waiting up to `timeout` for one; see
    /// [`PairingStore::changes`].
    pub fn changes(
        &self,
        after: Option<Position>,
        timeout: Duration,
    ) -> Result<Changes, StoreError> {
        self.1.changes(after, timeout)
    }

    /// Follows the store's changes from now on, each of them once.
    pub fn follow(&self) -> Result<Follower, StoreError> {
        Follower::new(self.clone())
    }

    /// Checks that the store can be read, by reading the record of a device that cannot exist.
    ///
    /// A store of which some group of records can be read, and the devices cannot, is not at fault as a whole:
    /// [`check`](Self::check) tells about each group.
    pub fn probe(&self) -> Result<(), StoreError> {
        let device = DeviceId::NOBODY;
        let Err(error) = self.store().read(&Key::Device { device }) else {
            return Ok(());
        };
        let is_of_devices = matches!(error, StoreError::Unreadable { .. });
        let channels = self.0.channels.iter();
        let channels: Vec<_> = channels.map(|rules| rules.id().clone()).collect();
        let channels = channels.iter().map(Group::Channel);
        let mut others = channels.chain([Group::Nodes]);
        if is_of_devices && others.any(|group| self.check(group).is_ok()) {
            return Ok(());
        }
        Err(error)
    }

    /// Checks that the records of a group can be written, without changing any: [`PairingStore::probe_write`].
    pub fn probe_write(&self, group: Group<'_>) -> Result<(), StoreError> {
        self.store().probe_write(group)
    }

    /// Checks that a group of records can be read, and returns the records that a store passes over because it cannot
    /// understand them.
    ///
    /// Of the kinds of which there may be many records (allowlists, devices and nodes), only the first one is read:
    /// [`examine`](Self::examine) reads all.
    pub fn check(&self, group: Group<'_>) -> Result<Vec<Problem>, StoreError> {
        self.look_at(group, |range| {
            matches!(range, Range::Allowed { .. } | Range::Devices | Range::Nodes)
        })
    }

    /// Checks all records of a group, as [`check`](Self::check) does. Holds a page of them at a time, whatever their
    /// number.
    pub fn examine(&self, group: Group<'_>) -> Result<Vec<Problem>, StoreError> {
        self.look_at(group, |_| false)
    }

    /// Reads the ranges of a group page by page: the first record alone where `is_long` says so. A code is a record of its
    /// own in some stores, so those of the pending requests are read too.
    fn look_at(
        &self,
        group: Group<'_>,
        is_long: impl Fn(&Range) -> bool,
    ) -> Result<Vec<Problem>, StoreError> {
        let mut problems = Vec::new();
        for range in group.ranges() {
            let mut codes = Vec::new();
            let mut look = |page: Page| {
                problems.extend(page.problems);
                let requests = page.records.iter().filter_map(|record| record.as_request());
                codes.extend(requests.map(|request| Key::Code {
                    channel: request.channel.clone(),
                    code: request.code,
                }));
            };
            let read = if is_long(&range) {
                let page = self.store().range(&range, &PageRequest::first(1));
                page.map(&mut look)
            } else {
                transact::each_page(self.store(), &range, &mut look)
            };
            match read {
                Ok(()) => {}
                // A store that keeps no records of a kind has none that cannot be read.
                Err(StoreError::Refused { .. }) => continue,
                Err(error) => return Err(error),
            }
            for code in codes {
                match self.store().read(&code) {
                    Ok(_) => {}
                    Err(error @ StoreError::Unreadable { .. }) => {
                        problems.push(Problem::of(&error));
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(problems)
    }

    /// Passes a decision to the audit sink, after the commit.
    fn audit(&self, event: &AuditEvent) {
        if let Some(sink) = &self.0.audit {
            sink.record(event);
        }
    }

    fn uses(&self) -> MutexGuard<'_, devices::Uses> {
        self.0.uses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn store(&self) -> &dyn PairingStore {
        &*self.1
    }

    fn entropy(&self) -> &dyn Entropy {
        &*self.0.entropy
    }
}

impl fmt::Debug for Pairing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pairing")
            .field("channels", &self.0.channels)
            .field("limits", &self.0.limits)
            .finish_non_exhaustive()
    }
}

impl From<NameError> for ChannelError {
    fn from(error: NameError) -> Self {
        Self::Name(error)
    }
}
