//! The other gateways, and the nodes that are connected to them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use gateway_protocol::hello::Presence;
use pairing_core::DeviceId;

use super::GatewayId;
use super::published::{Announced, At, Connected, Published};

/// The contents of the directory when it was last read, without this gateway's own.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct View {
    gateways: BTreeMap<GatewayId, Arc<Announced>>,
    nodes: HashMap<DeviceId, Elsewhere>,
    /// Number of values that could not be understood.
    pub(super) odd: usize,
}

/// A node that is connected to another gateway.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Elsewhere {
    pub(crate) node: Arc<Connected>,
    pub(crate) gateway: Arc<Announced>,
}

impl View {
    /// Reads published values. A node counts only if its gateway is announced. If it is connected to several
    /// gateways, its newest connection counts.
    pub(super) fn read(values: &[Vec<u8>], own: GatewayId) -> Self {
        let mut view = Self::default();
        let mut connected: Vec<At> = Vec::new();
        for value in values {
            match Published::parse(value) {
                Some(Published::Gateway(gateway)) if gateway.id != own => {
                    view.gateways.insert(gateway.id, Arc::new(gateway));
                }
                Some(Published::Node(at)) if at.gateway != own => connected.push(at),
                Some(_) => {}
                None => view.odd += 1,
            }
        }
        connected.sort_by_key(|at| (at.node.since_ms, at.gateway));
        for At { gateway, node } in connected {
            if let Some(gateway) = view.gateways.get(&gateway).cloned() {
                let node = Arc::new(node);
                view.nodes.insert(node.node_id, Elsewhere { node, gateway });
            }
        }
        view
    }

    /// Logs the gateways that have come and gone since another view.
    pub(super) fn log_changes_since(&self, before: &Self) {
        let missing = |of: &Self, from: &Self| -> Vec<GatewayId> {
            let ids = of.gateways.keys().copied();
            ids.filter(|id| !from.gateways.contains_key(id)).collect()
        };
        for gateway in missing(before, self) {
            tracing::info!(%gateway, "another gateway has gone");
        }
        for gateway in missing(self, before) {
            tracing::info!(%gateway, "another gateway is there");
        }
        if self.odd > before.odd {
            tracing::warn!(
                values = self.odd,
                "directory of gateways holds values that cannot be read"
            );
        }
    }

    pub(super) fn gateway(&self, id: GatewayId) -> Option<&Announced> {
        self.gateways.get(&id).map(AsRef::as_ref)
    }

    pub(super) fn node(&self, id: DeviceId) -> Option<&Elsewhere> {
        self.nodes.get(&id)
    }

    /// Lists the other gateways, and the newest of the nodes that are connected to them.
    pub(super) fn presence(&self, most_nodes: usize) -> Vec<Presence> {
        let mut nodes: Vec<_> = self.nodes.values().collect();
        nodes.sort_unstable_by_key(|at| std::cmp::Reverse(at.since()));
        let nodes = nodes.into_iter().take(most_nodes);
        let gateways = self.gateways.values().map(|gateway| gateway.presence());
        gateways
            .chain(nodes.map(|at| at.node.presence(at.gateway.id)))
            .collect()
    }
}

impl Elsewhere {
    /// The key that orders connections of one node; the newest is the greatest.
    pub(crate) fn since(&self) -> (i64, GatewayId) {
        (self.node.since_ms, self.gateway.id)
    }
}
