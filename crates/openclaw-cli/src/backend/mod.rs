//! Where commands are carried out: on the store itself, or by a gateway.
//!
//! Both return the core's types, so that results are shown in one way.

mod devices;
mod nodes;
mod senders;
mod setup;

use std::time::Duration;

use openclaw_config::NodeCommands;
use pairing_core::{Approver, Limits, Pairing, Timestamp};

pub(crate) use senders::{InChannel, Request, Waiting, written};
pub(crate) use setup::SetupIssued;

use crate::remote::Remote;

pub(crate) enum Backend {
    Files(Files),
    Gateway(Box<Remote>),
}

/// The configured store, and the rules of decisions on it.
pub(crate) struct Files {
    pub(crate) service: Pairing,
    pub(crate) approver: Approver,
    /// The node commands that are never granted.
    pub(crate) node_commands: NodeCommands,
}

impl Backend {
    /// The current time.
    pub(crate) fn now(&self) -> Timestamp {
        match self {
            Self::Files(files) => files.service.now(),
            Self::Gateway(remote) => remote.now(),
        }
    }

    /// The lifetime of a request of a device or node.
    pub(crate) fn request_lifetime(&self) -> Duration {
        match self {
            Self::Files(files) => files.service.limits().devices.request_lifetime,
            // The protocol has no field for it.
            Self::Gateway(_) => Limits::default().devices.request_lifetime,
        }
    }

    /// The maximum number of senders whose requests are pending.
    pub(crate) fn max_pending(&self) -> usize {
        match self {
            Self::Files(files) => files.service.limits().max_pending,
            Self::Gateway(_) => Limits::default().max_pending,
        }
    }

    /// Whether this machine's configuration applies to it.
    pub(crate) fn is_here(&self) -> bool {
        match self {
            Self::Files(_) => true,
            Self::Gateway(remote) => remote.target.is_here(),
        }
    }
}
