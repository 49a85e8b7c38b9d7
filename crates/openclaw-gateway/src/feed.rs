//! Changes of the store, whoever made them: told to those entitled, and sessions ended by them.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gateway_protocol::device::PendingDevice;
use gateway_protocol::dm::DmRequest;
use gateway_protocol::event::{self, Decision, DeviceResolved, DmResolved, NodeResolved};
use gateway_protocol::node::PendingNode;
use pairing_core::device::{
    AuthenticatedDevice, Device, DeviceRequest, Node, NodeRequest, RequestId,
};
use pairing_core::store::{Changed, Group, PendingRequest, Position};
use pairing_core::{
    AccountId, Approver, ChannelId, DeviceId, Key, Pairing, SenderId, StoreError, Timestamp,
};

use tokio::sync::oneshot;

use crate::channels::news::News;
use crate::sessions::Session;
use crate::shared::{Chain, Shared, event as frame};

/// How long a wait for changes lasts at most; between two, what has expired is told, from memory.
const WAIT: Duration = Duration::from_secs(1);

/// What was waiting when the store was last read.
#[derive(Default)]
struct Seen {
    devices: BTreeMap<RequestId, DeviceRequest>,
    nodes: BTreeMap<RequestId, NodeRequest>,
    senders: BTreeMap<Place, PendingRequest>,
}

type Place = (ChannelId, AccountId, SenderId);

/// Where to read anew.
#[derive(Default)]
struct Stale {
    devices: bool,
    nodes: bool,
    channels: BTreeSet<ChannelId>,
    /// Devices whose sessions may have ended.
    sessions: BTreeSet<DeviceId>,
}

/// The store does not answer: each further question would wait as long.
struct Unreachable;

impl Stale {
    fn add(&mut self, other: Self) {
        self.devices |= other.devices;
        self.nodes |= other.nodes;
        self.channels.extend(other.channels);
        self.sessions.extend(other.sessions);
    }
}

/// Follows the store until told to stop; tells when everything from then on is news. Blocks: it has a
/// thread of its own.
pub(crate) fn follow(shared: &Arc<Shared>, stop: &AtomicBool, ready: oneshot::Sender<()>) {
    let mut feed = Feed {
        shared,
        viewer: Approver::operator("gateway", pairing_core::ScopeSet::admin()),
        seen: Seen::default(),
        stale: Stale::default(),
    };
    // From here on nothing is missed: what is read now is at least as new.
    let present = feed.shared.pairing.changes(None, WAIT);
    feed.shared.note_store(present.as_ref().err());
    let mut position = present.ok().map(|changes| changes.position);
    feed.everything_is_stale();
    // What waits already is no news.
    feed.read_anew(false);
    // Nobody waits for it any more where the gateway ends already.
    let _ = ready.send(());
    while !stop.load(Ordering::Relaxed) {
        position = feed.step(position);
    }
}

struct Feed<'s> {
    shared: &'s Shared,
    viewer: Approver,
    seen: Seen,
    stale: Stale,
}

impl Feed<'_> {
    fn step(&mut self, after: Option<Position>) -> Option<Position> {
        let pairing = &self.shared.pairing;
        let position = match pairing.changes(after, WAIT) {
            Ok(changes) => {
                match changes.changed {
                    Changed::Keys(keys) => keys.iter().for_each(|key| self.note(key)),
                    Changed::Everything => self.everything_is_stale(),
                }
                if after.is_none() {
                    self.everything_is_stale();
                }
                self.shared.note_store(pairing.probe().err().as_ref());
                Some(changes.position)
            }
            Err(error) => {
                self.shared.note_store(Some(&error));
                // The store waits where it can; where it cannot, neither must this turn hot.
                std::thread::park_timeout(WAIT);
                self.everything_is_stale();
                after
            }
        };
        self.read_anew(true);
        self.tell_expired();
        position
    }

    fn note(&mut self, key: &Key) {
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

    fn everything_is_stale(&mut self) {
        let channels = self.shared.pairing.channels().iter();
        self.stale = Stale {
            devices: true,
            nodes: true,
            channels: channels.map(|rules| rules.id().clone()).collect(),
            sessions: self.connected(),
        };
    }

    fn connected(&self) -> BTreeSet<DeviceId> {
        let all = self.shared.sessions.all();
        let devices = all.iter().filter_map(|session| session.device());
        devices.map(AuthenticatedDevice::id).collect()
    }

    /// Ends the sessions of a device that do not hold any more. What cannot be read now ends nothing:
    /// it is looked at again.
    fn recheck(&mut self, device: DeviceId) -> Result<(), Unreachable> {
        let devices = self.shared.pairing.devices();
        let failure = Cell::new(None);
        let ended = self.shared.sessions.end_of_device(device, None, |session| {
            let holds = session.device().map(|proof| devices.still_holds(proof));
            match holds {
                Some(Ok(holds)) => !holds,
                Some(Err(error)) => {
                    failure.set(Some(error.0));
                    false
                }
                None => false,
            }
        });
        note_ended(device, ended);
        match failure.into_inner() {
            Some(error) => self.later(&error, |stale| {
                stale.sessions.insert(device);
            }),
            None => Ok(()),
        }
    }

    /// Ends the sessions of roles that were rotated since: one that came by the shared secret stands on
    /// no token that would tell.
    fn end_rotated(&self, device: &Device) {
        let sessions = &self.shared.sessions;
        let ended = sessions.end_of_device(device.id, None, |session| {
            let approved = device.standing(session.role());
            let token = approved.and_then(|approved| approved.token.as_ref());
            token
                .and_then(|token| token.rotated_at)
                .is_some_and(|at| at > session.connected_at)
        });
        note_ended(device.id, ended);
    }

    /// Reads what is stale. What cannot be read stays stale, and is tried again; from a store that does not
    /// answer at all, nothing more is asked now.
    fn read_anew(&mut self, tell: bool) {
        let mut stale = std::mem::take(&mut self.stale);
        let read = self.read_stale(&mut stale, tell);
        if read.is_err() {
            self.stale.add(stale);
        }
    }

    /// Takes out of `stale` what it has asked for.
    fn read_stale(&mut self, stale: &mut Stale, tell: bool) -> Result<(), Unreachable> {
        let pairing = self.shared.pairing.clone();
        while let Some(device) = stale.sessions.pop_first() {
            self.recheck(device)?;
        }
        if std::mem::take(&mut stale.devices) {
            match pairing.devices().list(&self.viewer) {
                Ok(list) => {
                    list.paired.iter().for_each(|d| self.end_rotated(d));
                    let pending = list.pending.into_iter();
                    self.devices(pending.map(|r| (r.id.clone(), r)).collect(), tell);
                }
                Err(error) => self.later(&error.0, |stale| stale.devices = true)?,
            }
        }
        if std::mem::take(&mut stale.nodes) {
            match pairing.nodes().list(&self.viewer) {
                Ok(list) => {
                    let pending = list.pending.into_iter();
                    self.nodes(pending.map(|r| (r.id.clone(), r)).collect(), tell);
                }
                Err(error) => self.later(&error.0, |stale| stale.nodes = true)?,
            }
        }
        while let Some(id) = stale.channels.pop_first() {
            let Ok(channel) = pairing.channel(id.as_str()) else {
                continue;
            };
            match channel.pending() {
                Ok(pending) => {
                    self.senders(&id, pending.requests, tell);
                    self.shared.channels.decided.notify_one();
                }
                Err(error) => self.later(&error.0, |stale| {
                    stale.channels.insert(id.clone());
                })?,
            }
        }
        Ok(())
    }

    /// Leaves something for later; an error where everything else may wait, too.
    fn later(
        &mut self,
        error: &StoreError,
        stale: impl FnOnce(&mut Stale),
    ) -> Result<(), Unreachable> {
        tracing::debug!(error = %Chain(error), "what waits cannot be read");
        stale(&mut self.stale);
        if let StoreError::Unreachable { .. } = error {
            self.shared.note_store(Some(error));
            return Err(Unreachable);
        }
        Ok(())
    }

    fn devices(&mut self, now: BTreeMap<RequestId, DeviceRequest>, tell: bool) {
        let before = std::mem::replace(&mut self.seen.devices, now);
        if !tell {
            return;
        }
        for (_, gone) in before
            .iter()
            .filter(|(id, _)| !self.seen.devices.contains_key(*id))
        {
            self.device_resolved(gone, self.device_decision(gone));
        }
        for (_, new) in self
            .seen
            .devices
            .iter()
            .filter(|(id, _)| !before.contains_key(*id))
        {
            self.shared.metrics.requested("device");
            self.news(News::Asks);
            self.tell(
                event::DEVICE_REQUESTED,
                &PendingDevice::from(new),
                |session| session.may_see_device(new.device),
            );
        }
    }

    /// What became of a request, as the store tells: whoever decided may be another process.
    fn device_decision(&self, gone: &DeviceRequest) -> Decision {
        let (pairing, now) = (&self.shared.pairing, self.shared.pairing.now());
        let mut waiting = self.seen.devices.values();
        if waiting.any(|request| request.device == gone.device) {
            return Decision::Superseded;
        }
        let paired = pairing
            .devices()
            .paired(&self.viewer)
            .unwrap_or_default()
            .paired;
        let device = paired.iter().find(|device| device.id == gone.device);
        let is_approved = |device: &Device| {
            let grants = device.roles.values().map(|role| role.grant.as_ref());
            // Where it is not written down, by another program, the time has to do.
            let is_newer = device.approved_at > gone.asked_at;
            grants.into_iter().any(|grant| match grant {
                Some(grant) => grant.requested_at == Some(gone.asked_at),
                None => is_newer,
            })
        };
        if device.is_some_and(is_approved) {
            Decision::Approved
        } else if gone.is_expired(&pairing.limits().devices, now) {
            Decision::Expired
        } else {
            Decision::Rejected
        }
    }

    fn device_resolved(&self, gone: &DeviceRequest, decision: Decision) {
        self.shared.metrics.decided("device", label(decision));
        self.news(News::Device(Box::new(gone.clone()), decision));
        let resolved = DeviceResolved {
            request_id: gone.id.clone(),
            device_id: gone.device,
            decision,
            ts: self.now(),
        };
        self.tell(event::DEVICE_RESOLVED, &resolved, |session| {
            session.may_see_device(gone.device)
        });
    }

    fn nodes(&mut self, now: BTreeMap<RequestId, NodeRequest>, tell: bool) {
        let before = std::mem::replace(&mut self.seen.nodes, now);
        if !tell {
            return;
        }
        for (_, gone) in before
            .iter()
            .filter(|(id, _)| !self.seen.nodes.contains_key(*id))
        {
            self.node_resolved(gone, self.node_decision(gone));
        }
        for (_, new) in self
            .seen
            .nodes
            .iter()
            .filter(|(id, _)| !before.contains_key(*id))
        {
            self.shared.metrics.requested("node");
            self.tell(
                event::NODE_REQUESTED,
                &PendingNode::from(new),
                Session::may_see_nodes,
            );
        }
    }

    fn node_decision(&self, gone: &NodeRequest) -> Decision {
        let (pairing, now) = (&self.shared.pairing, self.shared.pairing.now());
        if self
            .seen
            .nodes
            .values()
            .any(|request| request.node == gone.node)
        {
            return Decision::Superseded;
        }
        let paired = pairing
            .nodes()
            .list(&self.viewer)
            .unwrap_or_default()
            .paired;
        let node = paired.iter().find(|node| node.id == gone.node);
        let is_approved = |node: &Node| match &node.grant {
            Some(grant) => grant.requested_at == Some(gone.asked_at),
            None => node.approved_at > gone.asked_at,
        };
        if node.is_some_and(is_approved) {
            Decision::Approved
        } else if gone.is_expired(&pairing.limits().devices, now) {
            Decision::Expired
        } else {
            Decision::Rejected
        }
    }

    fn node_resolved(&self, gone: &NodeRequest, decision: Decision) {
        self.shared.metrics.decided("node", label(decision));
        let resolved = NodeResolved {
            request_id: gone.id.clone(),
            node_id: gone.node.clone(),
            decision,
            ts: self.now(),
        };
        self.tell(event::NODE_RESOLVED, &resolved, Session::may_see_nodes);
    }

    fn senders(&mut self, channel: &ChannelId, requests: Vec<PendingRequest>, tell: bool) {
        let now: BTreeMap<_, _> = requests
            .into_iter()
            .map(|request| (place(&request), request))
            .collect();
        let mut before = BTreeMap::new();
        self.seen.senders.retain(|place, request| {
            let is_of_this = place.0 == *channel;
            if is_of_this {
                before.insert(place.clone(), request.clone());
            }
            !is_of_this
        });
        if tell {
            // A sender who asks anew has another code.
            let goes_on =
                |of: &BTreeMap<Place, PendingRequest>, place: &Place, request: &PendingRequest| {
                    of.get(place)
                        .is_some_and(|other| other.code == request.code)
                };
            for (_, gone) in before
                .iter()
                .filter(|(place, gone)| !goes_on(&now, place, gone))
            {
                self.sender_resolved(gone, self.sender_decision(gone));
            }
            for (_, new) in now
                .iter()
                .filter(|(place, new)| !goes_on(&before, place, new))
            {
                self.shared.metrics.requested("dm");
                self.news(News::Asks);
                let request = DmRequest::new(new, self.shared.pairing.limits());
                self.tell(event::DM_REQUESTED, &request, Session::may_see_senders);
            }
        }
        self.seen.senders.extend(now);
    }

    fn sender_decision(&self, gone: &PendingRequest) -> Decision {
        let pairing = &self.shared.pairing;
        if is_allowed(pairing, gone) {
            Decision::Approved
        } else if gone.is_expired(pairing.limits(), pairing.now()) {
            Decision::Expired
        } else {
            Decision::Rejected
        }
    }

    fn sender_resolved(&self, gone: &PendingRequest, decision: Decision) {
        self.shared.metrics.decided("dm", label(decision));
        self.news(News::Sender(Box::new(gone.clone()), decision));
        let resolved = DmResolved {
            channel: gone.channel.clone(),
            account_id: gone.account.clone(),
            id: gone.sender.clone(),
            decision,
            ts: self.now(),
        };
        self.tell(event::DM_RESOLVED, &resolved, Session::may_see_senders);
    }

    /// Nobody writes down that time has passed.
    fn tell_expired(&mut self) {
        let (limits, now) = (
            self.shared.pairing.limits().clone(),
            self.shared.pairing.now(),
        );
        let mut seen = std::mem::take(&mut self.seen);
        let is_over = |request: &DeviceRequest| request.is_expired(&limits.devices, now);
        // Whoever asked again in time has only been seen to do so by the store.
        if seen.devices.values().any(is_over) {
            self.stale.devices = true;
        }
        if seen
            .nodes
            .values()
            .any(|request| request.is_expired(&limits.devices, now))
        {
            self.stale.nodes = true;
        }
        let over = seen
            .senders
            .values()
            .filter(|request| request.is_expired(&limits, now));
        self.stale
            .channels
            .extend(over.map(|request| request.channel.clone()));
        std::mem::swap(&mut self.seen, &mut seen);
        self.read_anew(true);
    }

    fn tell(&self, name: &str, payload: &impl serde::Serialize, to: impl Fn(&Session) -> bool) {
        self.shared.sessions.broadcast(&frame(name, payload), to);
    }

    /// Tells the gateway itself. Nobody has to listen.
    fn news(&self, news: News) {
        let _ = self.shared.news.send(news);
    }

    fn now(&self) -> i64 {
        Timestamp::as_millis(self.shared.pairing.now())
    }
}

fn note_ended(device: DeviceId, ended: bool) {
    if ended {
        tracing::info!(%device, "its sessions have ended: its rights have changed");
    }
}

fn place(request: &PendingRequest) -> Place {
    (
        request.channel.clone(),
        request.account.clone(),
        request.sender.clone(),
    )
}

fn is_allowed(pairing: &Pairing, request: &PendingRequest) -> bool {
    let allowed = || {
        let channel = pairing.channel(request.channel.as_str()).ok()?;
        let account = channel.account(request.account.as_str()).ok()?;
        account.is_allowed(request.sender.as_str()).ok()
    };
    allowed().unwrap_or(false)
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
