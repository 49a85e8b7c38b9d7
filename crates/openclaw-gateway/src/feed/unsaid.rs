//! `pairing.changed`: tells clients that show this data that it changed.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use gateway_protocol::event::{self, PairingChanged};
use pairing_core::device::AuthenticatedDevice;
use pairing_core::store::Group;
use pairing_core::{ChannelId, DeviceId, Key};

use super::Feed;
use crate::sessions::Session;

/// Minimum time between two events, so that a busy store causes a few events a second.
const GAP: Duration = Duration::from_millis(250);

/// What has changed since the last event.
#[derive(Default)]
pub(super) struct Unsaid {
    devices: bool,
    /// The devices that have changed, who are told, too.
    which: BTreeSet<DeviceId>,
    /// Whether any device may have changed.
    any: bool,
    nodes: bool,
    channels: BTreeSet<ChannelId>,
    told_at: Option<Instant>,
}

impl Unsaid {
    /// Notes a change of a record.
    pub(super) fn note(&mut self, key: &Key) {
        match key.group() {
            Group::Channel(channel) => self.channel(channel),
            Group::Devices => {
                self.devices = true;
                if let Key::Device { device } | Key::DeviceRequest { device } = key {
                    self.which.insert(*device);
                }
            }
            Group::Nodes => self.nodes = true,
            _ => {}
        }
    }

    pub(super) fn channel(&mut self, channel: &ChannelId) {
        self.channels.insert(channel.clone());
    }

    pub(super) fn device(&mut self, device: DeviceId) {
        self.devices = true;
        self.which.insert(device);
    }

    pub(super) fn nodes(&mut self) {
        self.nodes = true;
    }

    /// Notes that anything may have changed.
    pub(super) fn everything<'c>(&mut self, channels: impl Iterator<Item = &'c ChannelId>) {
        (self.devices, self.any, self.nodes) = (true, true, true);
        self.channels.extend(channels.cloned());
    }

    fn is_empty(&self) -> bool {
        !self.devices && !self.nodes && self.channels.is_empty()
    }

    /// Returns the time until the next event, if there is one to send.
    pub(super) fn due(&self) -> Option<Duration> {
        if self.is_empty() {
            return None;
        }
        let passed = self.told_at.map_or(GAP, |at| at.elapsed());
        Some(GAP.saturating_sub(passed))
    }
}

impl Feed<'_> {
    /// Sends the event, if it is time.
    pub(super) fn tell_changed(&mut self) {
        if self.unsaid.due() != Some(Duration::ZERO) {
            return;
        }
        let unsaid = std::mem::take(&mut self.unsaid);
        self.unsaid.told_at = Some(Instant::now());
        let whole = PairingChanged {
            devices: unsaid.devices,
            nodes: unsaid.nodes,
            channels: unsaid.channels.into_iter().collect(),
        };
        self.tell(event::PAIRING_CHANGED, &whole, Session::may_see_nodes);
        if whole.devices {
            let nothing = serde_json::json!({});
            self.tell(event::DEVICE_PAIR_CHANGED, &nothing, Session::may_see_nodes);
        }
        // A device without admin rights is told of senders and of itself.
        let (any, which) = (unsaid.any, unsaid.which);
        let is_meant = |session: &Session| {
            let own = session.device().map(AuthenticatedDevice::id);
            any || own.is_some_and(|own| which.contains(&own))
        };
        for own in [true, false] {
            let part = PairingChanged {
                devices: own && unsaid.devices,
                nodes: false,
                channels: whole.channels.clone(),
            };
            if part.devices || !part.channels.is_empty() {
                self.tell(event::PAIRING_CHANGED, &part, |session| {
                    session.may_see_senders()
                        && !session.may_see_nodes()
                        && is_meant(session) == own
                });
            }
        }
    }
}
