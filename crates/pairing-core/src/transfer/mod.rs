//! Moving records from one store to another, whatever keeps them.
//!
//! [`read`] takes everything out of a store, [`write()`] puts records into one and looks whether they are
//! there. Between the two there may be a file.

mod plan;
mod read;
mod write;

pub use read::{Held, read};
pub use write::{Outcome, Terms, write};

use crate::Record;
use crate::store::{AllowEntry, Group, Key, PendingRequest, Range};

/// All that records of a group are listed in. A code is part of its request.
fn ranges(group: Group<'_>) -> Vec<Range> {
    match group {
        // Requests first: who is approved meanwhile is then found waiting, allowed or both, never neither.
        Group::Channel(channel) => vec![
            Range::Requests {
                channel: channel.clone(),
                account: None,
            },
            Range::Allowed {
                channel: channel.clone(),
                account: None,
            },
            Range::Attempts {
                channel: channel.clone(),
            },
            Range::TurnedAway {
                channel: channel.clone(),
            },
        ],
        Group::Devices => vec![Range::DeviceRequests, Range::Devices, Range::PairingTokens],
        Group::Nodes => vec![Range::NodeRequests, Range::Nodes],
    }
}

/// Whether the stored record equals the given one, in everything that every store keeps.
///
/// How an entry was once spelled is not carried into files, and who granted it may be known there alone.
fn is_same(there: &Record, given: &Record) -> bool {
    match (there, given) {
        (Record::Allow(there), Record::Allow(given)) => {
            let expected = AllowEntry {
                written: there.written.clone(),
                grant: given.grant.clone().or_else(|| there.grant.clone()),
                ..given.clone()
            };
            *there == expected
        }
        _ => there == given,
    }
}

/// The entry that lets the sender of a request in, if there is one.
fn admission(request: &PendingRequest) -> Key {
    Key::Allow {
        channel: request.channel.clone(),
        account: request.account.clone(),
        entry: request.sender.clone(),
    }
}
