//! [`FsStore`]: the four operations of a pairing store, on files.

mod commit;
mod feed;
mod group;
mod owners;
mod probe;
mod range;
mod registry;
mod registry_commit;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use pairing_core::device::{Device, DeviceRequest, Node, NodeRequest};
use pairing_core::store::{
    self as keys, Batch, Change, Changes, Condition, Page, PageRequest, Position, Read, TakenCode,
    Version,
};
use pairing_core::{
    ChannelId, ChannelRules, Channels, Key, PairingStore, Range, Record, StoreError,
};

use crate::StateDir;
use crate::cache::{CachedFile, Now};
use crate::disk::{Disk, Probe};
use crate::docs::{NamesDoc, digest};
use crate::names;
use feed::Feed;
use group::Group;
use registry::Registry;

/// A [`PairingStore`] on the files of an OpenClaw install.
///
/// - Every change is atomic and durable: staged, synced, renamed, and the directory synced.
/// - Other processes, including OpenClaw itself, may use the same directory: changes are made under an
///   OS lock and under OpenClaw's own lock files. OpenClaw has no lock for devices and nodes, so none of its
///   gateways may run on the directory at the same time.
/// - No token is ever written in clear; one that another program left in a file of devices or nodes
///   is replaced by its hash at the next write to that directory.
/// - Reading takes no lock and writes nothing. Changes by another process are seen within 100 ms.
/// - A file that cannot be read is an error that names it, in every operation that needs the file; its bytes
///   are left unchanged.
///
/// Creating a store touches no file. It is shared between threads and cheap to clone.
#[derive(Clone)]
pub struct FsStore {
    inner: Arc<Inner>,
}

struct Inner {
    state: StateDir,
    credentials: PathBuf,
    channels: Channels,
    lock_wait: Duration,
    recheck_after: Duration,
    disk: Disk,
    groups: RwLock<HashMap<ChannelId, Arc<Group>>>,
    devices: Registry<DeviceRequest, Device>,
    nodes: Registry<NodeRequest, Node>,
    names: CachedFile<NamesDoc>,
    feed: Arc<Feed>,
}

/// Default time that a change waits for a lock.
const LOCK_WAIT: Duration = Duration::from_secs(10);

/// Default time after which a cached file is checked again.
const RECHECK_AFTER: Duration = Duration::from_millis(100);

impl FsStore {
    /// Returns a store on the files of `state`, which applies the rules of `channels`.
    pub fn new(state: &StateDir, channels: Channels) -> Self {
        Self::with(Inner::new(state.clone(), channels))
    }

    /// Sets how long a change waits for a lock held by another thread or process; the default is 10 seconds.
    pub fn lock_wait(self, lock_wait: Duration) -> Self {
        Self::with(Inner {
            lock_wait,
            ..self.inner.fresh()
        })
    }

    /// Sets how long a cached file is trusted without a check, and so how late a change by another process
    /// may be seen; the default is 100 milliseconds. Zero checks on every read, at one system call per file.
    pub fn recheck_after(self, recheck_after: Duration) -> Self {
        Self::with(Inner {
            recheck_after,
            ..self.inner.fresh()
        })
    }

    /// Returns a store that calls `probe` before every step that changes the disk; for tests.
    #[doc(hidden)]
    pub fn probed(self, probe: Arc<dyn Probe>) -> Self {
        Self::with(Inner {
            disk: Disk::probed(probe),
            ..self.inner.fresh()
        })
    }

    fn with(inner: Inner) -> Self {
        Self {
            inner: Arc::new(inner),
        }
    }
}

impl Inner {
    fn new(state: StateDir, channels: Channels) -> Self {
        let credentials = state.credentials().to_owned();
        let names = credentials.join(names::META_DIR).join("names.json");
        Self {
            devices: Registry::new(state.devices()).with_tokens(),
            nodes: Registry::new(state.nodes()),
            state,
            names: CachedFile::new(names, Arc::new(())),
            feed: Arc::new(Feed::default()),
            groups: RwLock::default(),
            credentials,
            channels,
            lock_wait: LOCK_WAIT,
            recheck_after: RECHECK_AFTER,
            disk: Disk::default(),
        }
    }

    /// Returns the same settings with an empty cache.
    fn fresh(&self) -> Self {
        Self {
            lock_wait: self.lock_wait,
            recheck_after: self.recheck_after,
            disk: self.disk.clone(),
            ..Self::new(self.state.clone(), self.channels.clone())
        }
    }

    fn now(&self) -> Now {
        Now::new(self.recheck_after)
    }

    /// Returns the files of a channel. If the channel has no rules, its ids are compared unchanged, until
    /// rules for it are added.
    fn group(&self, channel: &ChannelId) -> Arc<Group> {
        let rules = self.channels.get(channel);
        let is_present =
            |group: &&Arc<Group>| rules.is_none_or(|rules| Arc::ptr_eq(rules, &group.rules));
        let groups = self.groups.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(group) = groups.get(channel).filter(is_present) {
            return group.clone();
        }
        drop(groups);
        let mut groups = self.groups.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(group) = groups.get(channel).filter(is_present) {
            return group.clone();
        }
        let rules = rules.cloned();
        let rules = rules.unwrap_or_else(|| Arc::new(ChannelRules::new(channel.clone())));
        let group = Arc::new(Group::new(&self.credentials, rules));
        groups.insert(channel.clone(), group.clone());
        group
    }

    /// Whether a record can be read without looking at the disk: only for the records that are read most, which are
    /// allowlist entries and devices.
    fn is_cached(&self, key: &Key, now: Now) -> bool {
        match key {
            Key::Device { .. } => self.devices.paired.is_cached(now),
            Key::Allow {
                channel, account, ..
            } => {
                let group = self.group(channel);
                let allowlist = group.allowlist(account);
                // The owner of a name that two accounts could have depends on more files.
                self.contested(&group, account).is_empty()
                    && group.grants.is_cached(now)
                    && allowlist.files.iter().all(|file| file.is_cached(now))
            }
            _ => false,
        }
    }

    fn read(&self, key: &Key, now: Now) -> Result<Read, StoreError> {
        let group = match key.group() {
            keys::Group::Channel(channel) => self.group(channel),
            keys::Group::Devices => return self.devices.read(key, now),
            keys::Group::Nodes => return self.nodes.read(key, now),
            _ => return Err(unknown_kind()),
        };
        Ok(match key {
            Key::Allow { account, entry, .. } => {
                self.check_owner(&group, account, now)?;
                match group.allow_entry(account, entry, now)? {
                    Some((allow, digest)) => present(Record::Allow(allow), digest),
                    None => absent(),
                }
            }
            Key::Request {
                account, sender, ..
            } => {
                let view = group.requests(now)?;
                match view.get(account, sender) {
                    Some(stored) => present(Record::Request(stored.request.clone()), stored.digest),
                    None => absent(),
                }
            }
            Key::Code { channel, code } => {
                let holders = group.requests(now)?.holders(*code);
                if holders.is_empty() {
                    return Ok(absent());
                }
                let taken = TakenCode {
                    channel: channel.clone(),
                    code: *code,
                    holders,
                };
                let names = taken.holders.iter().map(|h| (&h.account, &h.sender));
                let digest = digest(names.collect::<Vec<_>>());
                present(Record::Code(taken), digest)
            }
            Key::Attempts { approver, .. } => {
                let state = group.counters.recent(now);
                match state.document(group.counters.path())?.attempts(approver) {
                    Some((attempts, digest)) => present(Record::Attempts(attempts.clone()), digest),
                    None => absent(),
                }
            }
            Key::TurnedAway { account, .. } => {
                let state = group.counters.recent(now);
                match state.document(group.counters.path())?.turned_away(account) {
                    Some((turned, digest)) => present(Record::TurnedAway(turned.clone()), digest),
                    None => absent(),
                }
            }
            Key::Claim { hash, .. } => {
                let state = group.claims.recent(now);
                match state.document(group.claims.path())?.get(*hash) {
                    Some((claim, digest)) => present(Record::from(claim.clone()), digest),
                    None => absent(),
                }
            }
            _ => return Err(unknown_kind()),
        })
    }
}

impl PairingStore for FsStore {
    fn read(&self, key: &Key) -> Result<Read, StoreError> {
        self.inner.read(key, self.inner.now())
    }

    fn read_at_once(&self, key: &Key) -> Option<Read> {
        let now = self.inner.now();
        let is_cached = self.inner.is_cached(key, now);
        is_cached.then(|| self.inner.read(key, now).ok()).flatten()
    }

    fn range(&self, range: &Range, page: &PageRequest) -> Result<Page, StoreError> {
        self.inner.range(range, page, self.inner.now())
    }

    fn range_at_once(&self, range: &Range, page: &PageRequest) -> Option<Page> {
        let (now, devices) = (self.inner.now(), &self.inner.devices);
        let is_cached = match range {
            Range::DeviceRequests => {
                devices.pending.is_cached(now) && devices.paired.is_cached(now)
            }
            Range::Devices => devices.paired.is_cached(now),
            _ => false,
        };
        let read = || self.inner.range(range, page, now).ok();
        is_cached.then(read).flatten()
    }

    fn commit(&self, batch: &Batch) -> Result<(), StoreError> {
        self.inner.commit(batch, self.inner.lock_wait)
    }

    fn commit_at_once(&self, batch: &Batch) -> Result<(), StoreError> {
        self.inner.commit(batch, Duration::ZERO)
    }

    fn probe_write(&self, group: keys::Group<'_>) -> Result<(), StoreError> {
        self.inner.probe_write(group)
    }

    fn changes(&self, after: Option<Position>, timeout: Duration) -> Result<Changes, StoreError> {
        self.inner.changes(after, timeout)
    }
}

impl std::fmt::Debug for FsStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FsStore")
            .field("credentials", &self.inner.credentials)
            .finish_non_exhaustive()
    }
}

/// Returns the given channels, and those found in the state that have no rules, because OpenClaw plugins
/// added them. Their ids are compared unchanged.
///
/// An allowlist alone identifies a channel only if its name has no `-`: the part after one may be an account.
pub fn discovered_channels(state: &StateDir, channels: &Channels) -> Channels {
    let mut all = channels.clone();
    for name in file_names(state.credentials()) {
        let allowlist = name.strip_suffix(names::ALLOW_SUFFIX);
        let channel = name
            .strip_suffix(names::PAIRING_SUFFIX)
            .or(allowlist.filter(|stem| !stem.contains('-')));
        let channel = channel.and_then(|channel| ChannelId::parse(channel).ok());
        if let Some(channel) = channel.filter(|channel| all.get(channel).is_none()) {
            all = all.with(ChannelRules::new(channel));
        }
    }
    all
}

/// Returns the names in a directory, sorted; unreadable entries and names that are not UTF-8 are left out.
pub(crate) fn file_names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).into_iter().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    names.sort_unstable();
    names
}

fn present(record: Record, digest: u64) -> Read {
    Read {
        // Zero stands for an absent record.
        version: Version::new(digest.max(1)),
        record: Some(Arc::new(record)),
    }
}

fn absent() -> Read {
    Read {
        version: Version::ABSENT,
        record: None,
    }
}

fn unknown_kind() -> StoreError {
    StoreError::Refused {
        reason: "the file store does not keep this kind of record".to_owned(),
    }
}

/// Returns the only group the batch is about: files of different groups are under different locks.
fn only_group(batch: &Batch) -> Result<Option<keys::Group<'_>>, StoreError> {
    let conditions = batch.conditions.iter().map(|condition| match condition {
        Condition::Record(key, _) => key.group(),
        Condition::Range(range, _) => range.group(),
    });
    let changes = batch.changes.iter().map(|change| match change {
        Change::Put(record) => record.group(),
        Change::Delete(key) => key.group(),
    });
    let mut groups = conditions.chain(changes);
    let first = groups.next();
    if groups.any(|group| Some(group) != first) {
        return Err(StoreError::Refused {
            reason: "a batch about records that do not change together".to_owned(),
        });
    }
    Ok(first)
}
