//! The change feed: reports our own commits at once, and those of others when the directory changes.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};
use pairing_core::device::{Device, DeviceRequest, Node, NodeRequest, PairingToken};
use pairing_core::store::{BearerClient, Changed, Changes, Position};
use pairing_core::{AccountId, Chain, ChannelId, ChannelRules, Key, SenderId, StoreError};

use super::Inner;
use super::group::Group;
use super::registry::Registry;
use crate::cache::{CachedFile, State};
use crate::docs::{
    AllowDoc, ClaimsDoc, CountersDoc, Document, Entry, GrantsDoc, Keyed, NamesDoc, RequestsDoc,
};
use crate::names;

/// Maximum number of changes kept for followers of the feed.
const REMEMBERED: usize = 4096;

/// Number of changes found at once from which on followers are told to read everything again.
const TOO_MANY: usize = REMEMBERED + 1;

/// Interval at which waiting followers check the files themselves, because notifications can get lost
/// (queues overflow, network file systems have none).
const LOOK_EVERY: Duration = Duration::from_secs(1);

#[derive(Default)]
pub(super) struct Feed {
    state: Mutex<FeedState>,
    woken: Condvar,
}

#[derive(Default)]
struct FeedState {
    position: u64,
    log: VecDeque<(u64, Key)>,
    /// Position of the last change dropped from the log.
    forgotten: u64,
    seen: Seen,
    watchers: HashMap<PathBuf, RecommendedWatcher>,
    looked_at: Option<Instant>,
    /// Whether a directory has changed since the files were last compared.
    stirred: bool,
}

/// The state of the files when they were last compared.
#[derive(Default)]
struct Seen {
    requests: HashMap<PathBuf, Arc<State<RequestsDoc>>>,
    allowlists: HashMap<PathBuf, Arc<State<AllowDoc>>>,
    /// The accounts that have or had an allowlist.
    accounts: HashMap<ChannelId, BTreeSet<AccountId>>,
    counters: HashMap<PathBuf, Arc<State<CountersDoc>>>,
    claims: HashMap<PathBuf, Arc<State<ClaimsDoc>>>,
    grants: HashMap<PathBuf, Arc<State<GrantsDoc>>>,
    names: HashMap<PathBuf, Arc<State<NamesDoc>>>,
    devices: SeenRegistry<DeviceRequest, Device>,
    nodes: SeenRegistry<NodeRequest, Node>,
}

/// The state of a registry's files when they were last compared.
struct SeenRegistry<Q: Entry, P: Entry> {
    pending: HashMap<PathBuf, Arc<State<Keyed<Q>>>>,
    paired: HashMap<PathBuf, Arc<State<Keyed<P>>>>,
    tokens: HashMap<PathBuf, Arc<State<Keyed<PairingToken>>>>,
    clients: HashMap<PathBuf, Arc<State<Keyed<BearerClient>>>>,
}

impl<Q: Entry, P: Entry> Default for SeenRegistry<Q, P> {
    fn default() -> Self {
        Self {
            pending: HashMap::new(),
            paired: HashMap::new(),
            tokens: HashMap::new(),
            clients: HashMap::new(),
        }
    }
}

impl<Q: Entry, P: Entry> SeenRegistry<Q, P> {
    /// Does the same as [`Seen::compare`], for a registry.
    fn compare(&mut self, registry: &Registry<Q, P>, keys: &mut Vec<Key>) -> bool {
        let mut known = differing(
            &mut self.pending,
            &registry.pending,
            keys,
            differing_records,
        );
        known &= differing(&mut self.paired, &registry.paired, keys, differing_records);
        if let Some(tokens) = &registry.tokens {
            known &= differing(&mut self.tokens, tokens, keys, differing_records);
        }
        if let Some(clients) = &registry.clients {
            known &= differing(&mut self.clients, clients, keys, differing_records);
        }
        known
    }
}

impl Inner {
    pub(super) fn changes(
        &self,
        after: Option<Position>,
        timeout: Duration,
    ) -> Result<Changes, StoreError> {
        let began = Instant::now();
        let mut state = self.feed.state();
        let Some(after) = after.map(Position::number) else {
            self.watch(&mut state);
            self.compare(&mut state);
            return Ok(state.changes_after(state.position));
        };
        loop {
            self.watch(&mut state);
            if state.position == after && state.is_due() {
                self.compare(&mut state);
            }
            let left = timeout.saturating_sub(began.elapsed());
            if state.position != after || left.is_zero() {
                return Ok(state.changes_after(after));
            }
            let pause = left.min(LOOK_EVERY);
            let woken = self.feed.woken.wait_timeout(state, pause);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Starts watching the directories, each as soon as it exists.
    fn watch(&self, state: &mut FeedState) {
        for dir in [
            self.credentials.clone(),
            self.credentials.join(names::META_DIR),
            self.state.devices(),
            self.state.nodes(),
        ] {
            if state.watchers.contains_key(&dir) || !dir.is_dir() {
                continue;
            }
            let feed = Arc::downgrade(&self.feed);
            let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
                // Reading the files causes access events too; reacting to them would never end.
                if event.is_ok_and(|event| event.kind.is_access()) {
                    return;
                }
                if let Some(feed) = feed.upgrade() {
                    feed.state().stirred = true;
                    feed.woken.notify_all();
                }
            });
            // If the directory cannot be watched, the check every second finds the changes.
            if let Ok(mut watcher) = watcher
                && watcher.watch(&dir, RecursiveMode::NonRecursive).is_ok()
            {
                state.watchers.insert(dir, watcher);
                state.stirred = true;
            }
        }
    }

    /// Compares the files with their last known state, and adds the differences to the feed.
    fn compare(&self, state: &mut FeedState) {
        state.stirred = false;
        state.looked_at = Some(Instant::now());
        let mut keys = Vec::new();
        let mut known = true;
        for id in self.channels.iter().map(ChannelRules::id) {
            let group = self.group(id);
            known &= state.seen.compare(&group, &mut keys);
        }
        let seen = &mut state.seen;
        // The file of names says which account each file belongs to. It has no records of its own.
        known &= differing(&mut seen.names, &self.names, &mut keys, |_, _| Vec::new());
        known &= seen.devices.compare(&self.devices, &mut keys);
        known &= seen.nodes.compare(&self.nodes, &mut keys);
        if !known {
            state.position += 1;
            state.forget_all();
        }
        state.report(keys);
    }
}

impl Feed {
    fn state(&self) -> MutexGuard<'_, FeedState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Logs changes made by this store and wakes waiting followers.
    pub(super) fn report(&self, keys: Vec<Key>) {
        self.state().report(keys);
        self.woken.notify_all();
    }
}

impl FeedState {
    fn is_due(&self) -> bool {
        self.stirred || self.looked_at.is_none_or(|at| at.elapsed() >= LOOK_EVERY)
    }

    fn report(&mut self, keys: Vec<Key>) {
        if keys.is_empty() {
            return;
        }
        self.position += 1;
        let position = self.position;
        if keys.len() > REMEMBERED {
            self.forget_all();
            return;
        }
        self.log.extend(keys.into_iter().map(|key| (position, key)));
        while self.log.len() > REMEMBERED {
            if let Some((position, _)) = self.log.pop_front() {
                self.forgotten = position;
            }
        }
    }

    /// Has every follower read everything again.
    fn forget_all(&mut self) {
        self.log.clear();
        self.forgotten = self.position;
    }

    fn changes_after(&self, after: u64) -> Changes {
        let changed = if after < self.forgotten || after > self.position {
            Changed::Everything
        } else {
            let later = self.log.iter().filter(|(position, _)| *position > after);
            Changed::Keys(later.map(|(_, key)| key.clone()).collect())
        };
        Changes {
            position: Position::new(self.position),
            changed,
        }
    }
}

impl Seen {
    /// Adds the keys that differ; returns `false` if the changes are unknown: a file cannot be read, or too much has
    /// changed.
    fn compare(&mut self, group: &Group, keys: &mut Vec<Key>) -> bool {
        let channel = group.rules.id();
        let mut known = differing(&mut self.requests, &group.requests, keys, |old, new| {
            let all = |doc: &RequestsDoc| {
                let requests = doc.iter(None);
                requests.map(|s| (s.request.key(), s.digest)).collect()
            };
            differing_digests(&all(old), &all(new))
        });
        known &= differing(&mut self.counters, &group.counters, keys, |old, new| {
            differing_digests(&old.keys(channel), &new.keys(channel))
        });
        known &= differing(&mut self.claims, &group.claims, keys, |old, new| {
            differing_digests(&old.keys(), &new.keys())
        });
        let allow_key = |account: &AccountId, entry: &SenderId| Key::Allow {
            channel: channel.clone(),
            account: account.clone(),
            entry: entry.clone(),
        };
        known &= differing(&mut self.grants, &group.grants, keys, |old, new| {
            let grants = old.differing(new).take(TOO_MANY);
            grants
                .map(|(account, entry)| allow_key(account, entry))
                .collect()
        });
        // Accounts whose file was removed are included: their entries are removed with it.
        let accounts = self.accounts.entry(channel.clone()).or_default();
        accounts.extend(group.accounts_on_disk());
        for account in accounts.iter() {
            for file in &group.allowlist(account).files {
                known &= differing(&mut self.allowlists, file, keys, |old, new| {
                    let entries = old.differing(new).take(TOO_MANY);
                    entries.map(|entry| allow_key(account, entry)).collect()
                });
            }
        }
        known
    }
}

/// Compares a file with its last known state, as [`Seen::compare`] does. `difference` has the keys of what two states
/// do not have in common, up to [`TOO_MANY`] of them.
fn differing<D: Document>(
    seen: &mut HashMap<PathBuf, Arc<State<D>>>,
    file: &CachedFile<D>,
    keys: &mut Vec<Key>,
    difference: impl Fn(&D, &D) -> Vec<Key>,
) -> bool {
    let (path, now) = (file.path(), file.look());
    let before = seen.insert(path.to_owned(), now.clone());
    if before
        .as_ref()
        .is_some_and(|before| Arc::ptr_eq(before, &now))
    {
        return true;
    }
    let none = D::default();
    let old = before.as_ref().map_or(Ok(&none), |old| old.document(path));
    let (old, new) = match (old, now.document(path)) {
        (Ok(old), Ok(new)) => (old, new),
        // A file that cannot even be opened has no identity, so each look at it makes another state.
        (Err(old), Err(new)) => return Chain(&old).to_string() == Chain(&new).to_string(),
        _ => return false,
    };
    // A record that cannot be parsed has no key to report, so followers read everything again.
    if old.problems("") != new.problems("") {
        return false;
    }
    keys.extend(difference(old, new));
    keys.len() < TOO_MANY
}

fn differing_records<E: Entry>(old: &Keyed<E>, new: &Keyed<E>) -> Vec<Key> {
    old.differing(new).take(TOO_MANY).collect()
}

/// The keys that do not have the same digest in both.
fn differing_digests(old: &HashMap<Key, u64>, new: &HashMap<Key, u64>) -> Vec<Key> {
    let gone = old.keys().filter(|key| !new.contains_key(*key));
    let other = new
        .iter()
        .filter(|(key, digest)| old.get(*key) != Some(*digest));
    gone.chain(other.map(|(key, _)| key)).cloned().collect()
}
