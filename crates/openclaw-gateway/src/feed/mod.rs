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
    AccountId, Approver, ChannelId, DeviceId, Key, Pairing, SenderId, StoreError, Timestamp,
};
use tokio::sync::oneshot;
use unsaid::Unsaid;

use crate::clients::Clients;
use crate::following::Beat;
use crate::frames::event as frame;
use crate::metrics::Metrics;
use crate::requests::{News, Requests};
use crate::sessions::Session;
use crate::store_health::{DEVICES, StoreHealth};
use gateway_channels::Channels;
use pairing_core::Chain;

/// Maximum time of one wait for changes. After each wait, expired requests are reported from memory.
const WAIT: Duration = Duration::from_secs(1);

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
    devices: bool,
    nodes: bool,
    channels: BTreeSet<ChannelId>,
    /// Devices whose sessions may have ended.
    sessions: BTreeSet<DeviceId>,
}

/// The store does not answer. Each further question would wait as long.
struct Unreachable;

impl Stale {
    fn add(&mut self, other: Self) {
        self.devices |= other.devices;
        self.nodes |= other.nodes;
        self.channels.extend(other.channels);
        self.sessions.extend(other.sessions);
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
        self.read_anew(true);
        self.tell_expired();
        // Clients that are told of a change read it, so they are not told while the store does not answer.
        if is_well {
            self.tell_changed();
        }
        position
    }

    fn note(&mut self, key: &Key) {
        self.unsaid.note(key);
        if let Key::Device { device } = key {
            self.stale.sessions.insert(*device);
        }
        match key.group() {
            Group::Channel(channel) => {
                self.stale.channels.insert(channel.clone());
            }
            Group::Devices => self.stale.devices = true,
            Group::Nodes => self.stale.nodes = true,
            _ => {}
        }
    }

    fn everything_has_changed(&mut self) {
        self.everything_is_stale();
        self.unsaid.everything(self.stale.channels.iter());
    }

    fn everything_is_stale(&mut self) {
        let channels = self.parts.pairing.channels().iter();
        self.stale = Stale {
            devices: true,
            nodes: true,
            channels: channels.map(|rules| rules.id().clone()).collect(),
            sessions: self.connected(),
        };
    }

    /// Reads what is stale. What cannot be read stays stale and is tried again. If the store does not answer
    /// at all, nothing more is read in this step.
    fn read_anew(&mut self, tell: bool) {
        let mut stale = std::mem::take(&mut self.stale);
        let has_requests = stale.devices || !stale.channels.is_empty();
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
        }
        if std::mem::take(&mut stale.devices) {
            match pairing.devices().list(&self.viewer) {
                Ok(list) => {
                    list.paired.iter().for_each(|d| self.end_rotated(d));
                    let pending = list.pending.into_iter();
                    self.devices(pending.map(|r| (r.id.clone(), r)).collect(), tell);
                    self.check(DEVICES, Group::Devices, |stale| stale.devices = true)?;
                }
                Err(error) => {
                    self.later(Some(DEVICES), &error.0, |stale| stale.devices = true)?;
                }
            }
        }
        if std::mem::take(&mut stale.nodes) {
            match pairing.nodes().list(&self.viewer) {
                Ok(list) => {
                    let pending = list.pending.into_iter();
                    self.nodes(pending.map(|r| (r.id.clone(), r)).collect(), tell);
                    self.check("nodes", Group::Nodes, |stale| stale.nodes = true)?;
                }
                Err(error) => self.later(Some("nodes"), &error.0, |stale| stale.nodes = true)?,
            }
        }
        while let Some(id) = stale.channels.pop_first() {
            let Ok(channel) = pairing.channel_of(&id) else {
                continue;
            };
            match channel.pending() {
                Ok(pending) => {
                    self.senders(&id, pending.requests, tell);
                    self.parts.channels.note_decisions();
                    self.check(id.as_str(), Group::Channel(&id), |stale| {
                        stale.channels.insert(id.clone());
                    })?;
                }
                Err(error) => self.later(Some(id.as_str()), &error.0, |stale| {
                    stale.channels.insert(id.clone());
                })?,
            }
        }
        Ok(())
    }

    /// Reads the first record of each kind in a group, so that records that somebody will need only later, such as an
    /// allowlist, are known not to be readable before that.
    fn check(
        &mut self,
        name: &str,
        group: Group<'_>,
        stale: impl FnOnce(&mut Stale),
    ) -> Result<(), Unreachable> {
        match self.parts.pairing.check(group) {
            Ok(()) => {
                self.note_group(name, None);
                Ok(())
            }
            Err(error) => self.later(Some(name), &error, stale),
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
            self.note_group(group, Some(error));
        }
        Ok(())
    }

    fn note_group(&self, group: &str, failure: Option<&StoreError>) {
        let now = self.parts.pairing.now();
        self.parts.store.note_group(group, failure, now);
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
                self.stale.devices = true;
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
                self.stale.channels.insert(request.channel.clone());
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
