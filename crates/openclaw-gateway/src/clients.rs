//! Who is connected: to this gateway, and to the others beside it.

use std::sync::Arc;

use gateway_protocol::hello::Presence;
use pairing_core::device::Role;
use pairing_core::{DeviceId, Devices, ScopeSet, Timestamp};

use crate::VERSION;
use crate::invokes::Invokes;
use crate::peers::{Elsewhere, Peers};
use crate::presence::Shown;
use crate::sessions::{Session, Sessions};

/// The connected clients.
#[derive(Default)]
pub(crate) struct Clients {
    pub(crate) sessions: Arc<Sessions>,
    /// Calls to nodes that have not been answered yet.
    pub(crate) invokes: Invokes,
    /// Other gateways on the same state, where there may be any.
    pub(crate) peers: Option<Arc<Peers>>,
}

/// The gateway that a node is connected to.
pub(crate) enum NodeAt {
    Here(Arc<Session>),
    Elsewhere(Arc<Peers>, Elsewhere),
}

/// Maximum number of connections in the presence list; the newest are kept.
const MOST_PRESENT: usize = 100;

impl Clients {
    /// Where a node is connected; at several gateways, the one that it came to last.
    pub(crate) fn node(&self, node: DeviceId) -> Option<NodeAt> {
        let here = self.sessions.newest_node(node);
        let own = self.peers.as_ref();
        let elsewhere = own.and_then(|own| Some((own, own.node(node)?)));
        match (here, elsewhere) {
            (Some(session), Some((own, at)))
                if at.since() < (session.connected_at.as_millis(), own.id()) =>
            {
                Some(NodeAt::Here(session))
            }
            (_, Some((own, at))) => Some(NodeAt::Elsewhere(own.clone(), at)),
            (Some(session), None) => Some(NodeAt::Here(session)),
            (None, None) => None,
        }
    }

    /// The presence list as this session may see it: the gateway, and all connections or only its own.
    /// Addresses are for those who may see nodes.
    pub(crate) fn presence(&self, viewer: &Session, now: Timestamp) -> Vec<Shown> {
        let with_addresses = viewer.may_see_nodes();
        let (newest, elsewhere) = if viewer.may_see_presence() {
            (self.sessions.newest(MOST_PRESENT), self.elsewhere())
        } else {
            (Vec::new(), Vec::new())
        };
        let mut presence = self.listed(&newest, elsewhere, now, with_addresses);
        if !newest.iter().any(|session| session.number == viewer.number) {
            presence.push(viewer.shown(with_addresses));
        }
        presence
    }

    /// The presence list with everything in it, but addresses only where they are wanted.
    pub(crate) fn everybody(&self, now: Timestamp, with_addresses: bool) -> Vec<Shown> {
        let newest = self.sessions.newest(MOST_PRESENT);
        self.listed(&newest, self.elsewhere(), now, with_addresses)
    }

    fn listed(
        &self,
        sessions: &[Arc<Session>],
        elsewhere: Vec<Presence>,
        now: Timestamp,
        with_addresses: bool,
    ) -> Vec<Shown> {
        let elsewhere = elsewhere.into_iter().map(|mut presence| {
            presence.ip.take_if(|_| !with_addresses);
            Shown::new(&presence)
        });
        std::iter::once(Shown::new(&self.own_presence(now)))
            .chain(sessions.iter().map(|session| session.shown(with_addresses)))
            .chain(elsewhere)
            .collect()
    }

    /// Other gateways, and the nodes that are connected to them.
    fn elsewhere(&self) -> Vec<Presence> {
        let peers = self.peers.as_ref();
        peers.map_or_else(Vec::new, |peers| peers.presence(MOST_PRESENT))
    }

    fn own_presence(&self, now: Timestamp) -> Presence {
        Presence {
            host: Some("gateway".to_owned()),
            ip: None,
            version: Some(VERSION.to_owned()),
            platform: Some(std::env::consts::OS.to_owned()),
            device_family: None,
            model_identifier: None,
            mode: "gateway".to_owned(),
            device_id: None,
            roles: Vec::new(),
            scopes: ScopeSet::default(),
            instance_id: self.peers.as_ref().map(|peers| peers.id().to_string()),
            gateway: None,
            reason: "self".to_owned(),
            text: format!("Gateway: version {VERSION}"),
            ts: now.as_millis(),
        }
    }

    /// Ends the sessions that a decision about a device has ended, at once. With a role, all sessions in that
    /// role end; without one, those whose approval does not hold any more or cannot be checked. The caller's
    /// own session gets its answer first.
    pub(crate) fn end_sessions(
        &self,
        devices: &Devices,
        device: DeviceId,
        role: Option<Role>,
        caller: Option<&Session>,
    ) {
        self.sessions.end_of_device(device, caller, |session| {
            if let Some(role) = role {
                session.role() == role
            } else {
                let holds = session.device().map(|proof| devices.still_holds(proof));
                !matches!(holds, Some(Ok(true)))
            }
        });
    }
}
