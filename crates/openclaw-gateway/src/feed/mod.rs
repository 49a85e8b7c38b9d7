//! Follows changes of the store, whichever process made them: sends events to clients, and ends sessions.

mod devices;
mod nodes;
pub(crate) mod outcome;
mod senders;
mod sessions;
mod unsaid;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gateway_protocol::event::Decision;
use pairing_core::device::{DeviceRequest, NodeRequest, RequestId};
use pairing_core::store::{Changed, Group, PendingRequest, Position};
use pairing_core::{
    AccountId, Approver, ChannelId, DeviceId, Key, Pairing, Problem, SenderId, StoreError,
    Timestamp,
};
use tokio::sync::oneshot;
use unsaid::Unsaid;

use crate::clients::Clients;
use crate::following::Beat;
use crate::frames::event as frame;
use crate::metrics::Metrics;
use crate::requests::{News, Requests};
use crate::sessions::Session;
use crate::store_health::{DEVICES, StoreHealth, unread};
use gateway_channels::Channels;
use pairing_core::Chain;

/// Maximum time of one wait for changes. After each wait, expired requests are reported from memory.
const WAIT: Duration = Duration::from_secs(1);

/// The group of legacy nodes, as health names it.
const NODES: &str = "nodes";

/// Time between attempts to write to a store that could not be written.
const WRITE_AGAIN: Duration = Duration::from_secs(5);

/// Time between two examinations of a group of which some record cannot be understood: what strangers ask for does not
/// cause one.
const EXAMINE_AGAIN: Duration = Duration::from_secs(30);

/// The parts of the gateway that the feed needs.
pub(crate) struct FeedParts {
    pub(crate) pairing: Pairing,
    pub(crate) clients: Arc<Clients>,
    pub(crate) requests: Arc<Requests>,
    pub(crate) channels: Arc<Channels>,
    pub(crate) store: Arc<StoreHealth>,
    pub(crate) metrics: Metrics,
}

/// The requests that were pending when the store was last read.
#[derive(Default)]
struct Seen {
    devices: BTreeMap<RequestId, DeviceRequest>,
    nodes: BTreeMap<RequestId, NodeRequest>,
    senders: BTreeMap<SenderKey, PendingRequest>,
}

type SenderKey = (ChannelId, AccountId, SenderId);

/// What has to be read again.
#[derive(Default)]
struct Stale {
    /// `Some` for devices, and whether more of them is in doubt than their requests, which strangers can change.
    devices: Option<bool>,
    nodes: bool,
    /// Channels, and whether more has changed in them than requests and counters, which strangers can change.
    channels: BTreeMap<ChannelId, bool>,
    /// Devices whose sessions may have ended.
    sessions: BTreeSet<DeviceId>,
}

/// The store does not answer. Each further question would wait as long.
struct Unreachable;

impl Stale {
    fn add(&mut self, other: Self) {
        if let Some(all) = other.devices {
            self.devices(all);
        }
        self.nodes |= other.nodes;
        for (channel, all) in other.channels {
            self.channel(channel, all);
        }
        self.sessions.extend(other.sessions);
    }

    fn devices(&mut self, all: bool) {
        *self.devices.get_or_insert_default() |= all;
    }

    fn channel(&mut self, channel: ChannelId, all: bool) {
        *self.channels.entry(channel).or_default() |= all;
    }
}

/// Follows the store until it is stopped. Signals `ready` as soon as every later change will be seen. Blocks,
/// and has a thread of its own.
pub(crate) fn follow(
    parts: &FeedParts,
    (stop, beat): (&AtomicBool, &Beat),
    ready: oneshot::Sender<()>,
) {
    let mut feed = Feed {
        parts,
        viewer: Approver::operator("gateway", pairing_core::ScopeSet::admin()),
        seen: Seen::default(),
        stale: Stale::default(),
        unsaid: Unsaid::default(),
        tried_to_write: None,
        examined: BTreeMap::new(),
    };
    // Whatever is read after this call includes all changes before it.
    let present = feed.parts.pairing.changes(None, WAIT);
    feed.note_store(present.as_ref().err());
    let mut position = present.ok().map(|changes| changes.position);
    feed.everything_is_stale();
    // Requests that are already pending are not news.
    feed.read_anew(false);
    // The receiver is gone if the gateway has already ended.
    let _ = ready.send(());
    while !stop.load(Ordering::Relaxed) {
        beat.beat();
        position = feed.step(position);
    }
}

/// The requests in `these` that are not in `others`.
fn without<'m, T>(
    these: &'m BTreeMap<RequestId, T>,
    others: &'m BTreeMap<RequestId, T>,
) -> impl Iterator<Item = &'m T> {
    let these = these.iter().filter(|(id, _)| !others.contains_key(*id));
    these.map(|(_, request)| request)
}

struct Feed<'s> {
    parts: &'s FeedParts,
    viewer: Approver,
    seen: Seen,
    stale: Stale,
    unsaid: Unsaid,
    /// When a write was last tried, or was found to have failed.
    tried_to_write: Option<Timestamp>,
    /// When the groups of which some record cannot be understood were last examined, by their names.
    examined: BTreeMap<String, Timestamp>,
}

impl Feed<'_> {
    fn step(&mut self, after: Option<Position>) -> Option<Position> {
        let pairing = &self.parts.pairing;
        let wait = self.unsaid.due().map_or(WAIT, |due| due.min(WAIT));
        let changes = pairing.changes(after, wait);
        let is_well = changes.is_ok();
        let position = match changes {
            Ok(changes) => {
                match changes.changed {
                    Changed::Keys(keys) => keys.iter().for_each(|key| self.note(key)),
                    Changed::Everything => self.everything_has_changed(),
                }
                if after.is_none() {
                    self.everything_has_changed();
                }
                self.note_store(pairing.probe().err().as_ref());
                self.try_to_write();
                Some(changes.position)
            }
            Err(error) => {
                self.note_store(Some(&error));
                // Most stores wait by themselves; this keeps the loop from spinning with one that does not.
                std::thread::park_timeout(WAIT);
                self.everything_has_changed();
                after
            }
        };
        self.doubt_unread();
        self.read_anew(true);
        self.tell_expired();
        // Clients that are told of a change read it, so they are not told while the store does not answer.
        if is_well {
            self.tell_changed();
        }
        position
    }

    /// After a write that failed, tries another one now and then: somebody who mends the store may have nothing to write,
    /// and somebody who does not is not to be told that it works.
    fn try_to_write(&mut self) {
        let failing = self.parts.store.failed_writes();
        if failing.is_empty() {
            self.tried_to_write = None;
            return;
        }
        let now = self.parts.pairing.now();
        let tried = *self.tried_to_write.get_or_insert(now);
        if now.since(tried).is_some_and(|since| since < WRITE_AGAIN) {
            return;
        }
        self.tried_to_write = Some(now);
        for place in failing {
            // The result is noted where all writes are.
            if let Err(error) = self.parts.pairing.probe_write(place.group()) {
                tracing::debug!(error = %Chain(&error), "store cannot be written yet");
                if let StoreError::Unreachable { .. } = error {
                    return;
                }
            }
        }
    }

    fn note(&mut self, key: &Key) {
        self.unsaid.note(key);
        if let Key::Device { device } = key {
            self.stale.sessions.insert(*device);
        }
        match key.group() {
            Group::Channel(channel) => {
                let all = matches!(key, Key::Allow { .. } | Key::Claim { .. });
                self.stale.channel(channel.clone(), all);
            }
            Group::Devices => {
                let is_device = matches!(key, Key::Device { .. });
                // Another one that cannot be understood is found when it is looked at.
                let all = is_device && self.parts.store.is_unread(DEVICES);
                self.stale.devices(all);
            }
            Group::Nodes => self.stale.nodes = true,
            _ => {}
        }
    }

    fn everything_has_changed(&mut self) {
        self.everything_is_stale();
        self.unsaid.everything(self.stale.channels.keys());
    }

    fn everything_is_stale(&mut self) {
        let channels = self.parts.pairing.channels().iter();
        self.stale = Stale {
            devices: Some(true),
            nodes: true,
            channels: channels.map(|rules| (rules.id().clone(), true)).collect(),
            sessions: self.connected(),
        };
    }

    /// Reads what is stale. What cannot be read stays stale and is tried again. If the store does not answer
    /// at all, nothing more is read in this step.
    fn read_anew(&mut self, tell: bool) {
        let mut stale = std::mem::take(&mut self.stale);
        let has_requests = stale.devices.is_some() || !stale.channels.is_empty();
        let read = self.read_stale(&mut stale, tell);
        if has_requests {
            self.parts.requests.note_read();
        }
        if read.is_err() {
            self.stale.add(stale);
        }
    }

    /// Removes from `stale` what was read.
    fn read_stale(&mut self, stale: &mut Stale, tell: bool) -> Result<(), Unreachable> {
        let pairing = self.parts.pairing.clone();
        while let Some(device) = stale.sessions.pop_first() {
            self.recheck(device)?;
            if !self.parts.store.is_unread(DEVICES) && self.is_bad(device) {
                stale.devices(true);
            }
        }
        if let Some(all) = stale.devices.take() {
            self.read_devices(all, tell)?;
        }
        if std::mem::take(&mut stale.nodes) {
            match pairing.nodes().list(&self.viewer) {
                Ok(list) => {
                    let pending = list.pending.into_iter();
                    self.nodes(pending.map(|r| (r.id.clone(), r)).collect(), tell);
                    // There are few of them.
                    self.check((NODES, Group::Nodes), list.problems, true, |stale| {
                        stale.nodes = true;
                    })?;
                }
                Err(error) => self.later(Some(NODES), &error.0, |stale| stale.nodes = true)?,
            }
        }
        while let Some((id, all)) = stale.channels.pop_first() {
            let Ok(channel) = pairing.channel_of(&id) else {
                continue;
            };
            match channel.pending() {
                Ok(pending) => {
                    self.senders(&id, pending.requests, tell);
                    self.parts.channels.note_decisions();
                    let group = (id.as_str(), Group::Channel(&id));
                    self.check(group, pending.problems, all, |stale| {
                        stale.channel(id.clone(), all);
                    })?;
                }
                Err(error) => self.later(Some(id.as_str()), &error.0, |stale| {
                    stale.channel(id.clone(), all);
                })?,
            }
        }
        Ok(())
    }

    fn read_devices(&mut self, all: bool, tell: bool) -> Result<(), Unreachable> {
        let pairing = self.parts.pairing.clone();
        let read = self.end_rotated().and_then(|problems| {
            let list = pairing.devices().pending(&self.viewer);
            Ok((problems, list.map_err(|error| error.0)?))
        });
        match read {
            Ok((mut problems, list)) => {
                let pending = list.pending.into_iter();
                self.devices(pending.map(|r| (r.id.clone(), r)).collect(), tell);
                problems.extend(list.problems);
                self.check((DEVICES, Group::Devices), problems, all, |stale| {
                    stale.devices(all);
                })
            }
            Err(error) => self.later(Some(DEVICES), &error, |stale| stale.devices(all)),
        }
    }

    /// Reads the other records of a group, so that records that somebody will need only later, such as an allowlist, are
    /// known not to be readable before that: all of them if `all` are in doubt or none could be read, else only the first
    /// of many. `known` are the problems that were found already.
    fn check(
        &mut self,
        (name, group): (&str, Group<'_>),
        known: Vec<Problem>,
        all: bool,
        stale: impl FnOnce(&mut Stale),
    ) -> Result<(), Unreachable> {
        let pairing = &self.parts.pairing;
        let is_partly_unread = self.parts.store.is_partly_unread(name);
        let is_down = self.parts.store.is_unread(name) && !is_partly_unread;
        let is_whole = all || is_down;
        let checked = if is_whole {
            pairing.examine(group)
        } else {
            pairing.check(group)
        };
        let mut found = match checked {
            Ok(found) => found,
            Err(error) => return self.later(Some(name), &error, stale),
        };
        if is_partly_unread && !is_whole {
            // What is known stays so until all are examined.
            return Ok(());
        }
        for problem in known {
            if !found.iter().any(|other| other.resource == problem.resource) {
                found.push(problem);
            }
        }
        if found.is_empty() {
            self.examined.remove(name);
        } else {
            self.examined.insert(name.to_owned(), pairing.now());
        }
        self.note_group(name, unread::passed_over(found));
        Ok(())
    }

    /// Has groups of which some record cannot be understood examined now and then: it may have been mended.
    fn doubt_unread(&mut self) {
        let now = self.parts.pairing.now();
        let is_due = |at: &Timestamp| now.since(*at).is_none_or(|since| since >= EXAMINE_AGAIN);
        let due = self.examined.iter().filter(|(_, at)| is_due(at));
        let due: Vec<_> = due.map(|(name, _)| name.clone()).collect();
        for name in due {
            self.examined.remove(&name);
            match name.as_str() {
                DEVICES => self.stale.devices(true),
                NODES => self.stale.nodes = true,
                channel => {
                    if let Ok(channel) = ChannelId::parse(channel) {
                        self.stale.channel(channel, true);
                    }
                }
            }
        }
    }

    /// Marks something as stale again, a whole group of records where one is named. The error means that the store does not answer at all.
    fn later(
        &mut self,
        group: Option<&str>,
        error: &StoreError,
        stale: impl FnOnce(&mut Stale),
    ) -> Result<(), Unreachable> {
        tracing::debug!(error = %Chain(error), "pending requests cannot be read");
        stale(&mut self.stale);
        if let StoreError::Unreachable { .. } = error {
            self.note_store(Some(error));
            return Err(Unreachable);
        }
        if let Some(group) = group {
            self.note_group(group, Some(unread::unreadable(error)));
        }
        Ok(())
    }

    fn note_group(&self, group: &str, unread: Option<unread::Found>) {
        let now = self.parts.pairing.now();
        self.parts.store.groups.note(group, unread, now);
    }

    /// Reports requests that have expired. Expiry changes no record, so no event says so.
    fn tell_expired(&mut self) {
        let (limits, now) = (
            self.parts.pairing.limits().clone(),
            self.parts.pairing.now(),
        );
        // A request may have been repeated in time; the store knows.
        for request in self.seen.devices.values() {
            if request.is_expired(&limits.devices, now) {
                self.stale.devices(false);
                self.unsaid.device(request.device);
            }
        }
        for request in self.seen.nodes.values() {
            if request.is_expired(&limits.devices, now) {
                self.stale.nodes = true;
                self.unsaid.nodes();
            }
        }
        for request in self.seen.senders.values() {
            if request.is_expired(&limits, now) {
                self.stale.channel(request.channel.clone(), false);
                self.unsaid.channel(&request.channel);
            }
        }
        self.read_anew(true);
    }

    fn tell(&self, name: &str, payload: &impl serde::Serialize, to: impl Fn(&Session) -> bool) {
        self.parts
            .clients
            .sessions
            .broadcast(&frame(name, payload), to);
    }

    /// Tells the gateway's own listeners.
    fn news(&self, news: News) {
        self.parts.requests.tell(news);
    }

    fn note_store(&self, failure: Option<&StoreError>) {
        self.parts.store.note(failure, self.parts.pairing.now());
    }

    fn now(&self) -> i64 {
        Timestamp::as_millis(self.parts.pairing.now())
    }
}

fn label(decision: Decision) -> &'static str {
    match decision {
        Decision::Approved => "approved",
        Decision::Rejected => "rejected",
        Decision::Expired => "expired",
        Decision::Superseded => "superseded",
        _ => "other",
    }
}
