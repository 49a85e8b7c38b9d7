//! What workers did, and what came of it.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// One operation, from before it began until after it ended, in microseconds by the machine's clock.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Event {
    pub(crate) what: What,
    pub(crate) subject: String,
    pub(crate) begin: u64,
    pub(crate) end: u64,
    pub(crate) came: Came,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum What {
    /// A sender asked.
    Ask,
    /// A sender's code was approved.
    Approve,
    /// A sender was thrown out.
    Revoke,
    /// A message came from a sender.
    Admit,
    /// A device was paired.
    Pair,
    /// A device came back with its token.
    Return,
    /// A device's role was revoked.
    RevokeDevice,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Came {
    /// It was done, or let in.
    Yes,
    /// It was refused, for a reason of the rules.
    No,
    /// The store failed: nobody knows.
    Unknown,
}

pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(since.as_micros()).unwrap()
}
