//! Where commands are carried out: on the store itself, mostly files of the state directory, or through a
//! gateway.
//!
//! Both answer with the core's types, so that there is one way of showing them.

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

/// The configured store, mostly files, and who decides on it.
pub(crate) struct Files {
    pub(crate) service: Pairing,
    pub(crate) approver: Approver,
    /// The commands that no node is approved for.
    pub(crate) node_commands: NodeCommands,
}

impl Backend {
    /// What time it is.
    pub(crate) fn now(&self) -> Timestamp {
        match self {
            Self::Files(files) => files.service.now(),
            Self::Gateway(remote) => remote.now(),
        }
    }

    /// How long a request of a device or node waits.
    pub(crate) fn request_lifetime(&self) -> Duration {
        match self {
            Self::Files(files) => files.service.limits().devices.request_lifetime,
            // The protocol does not tell.
            Self::Gateway(_) => Limits::default().devices.request_lifetime,
        }
    }

    /// How many senders may wait.
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
