//! Moves records from one store to another, of any kind.
//!
//! [`read`] reads all records of a store; [`write()`] writes records into one and verifies them. In
//! between, they may be kept in a file.

mod plan;
mod read;
mod write;

pub use read::{Held, read};
pub use write::{Outcome, Terms, write};

use crate::Record;
use crate::store::{AllowEntry, Group, Key, PendingRequest, Range};

/// Returns the ranges that contain all records of a group, except codes, which are part of their
/// requests.
fn ranges(group: Group<'_>) -> Vec<Range> {
    match group {
        // Requests come first: a sender who is approved meanwhile is then found pending, allowed or both,
        // never neither.
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
            Range::Claims {
                channel: channel.clone(),
            },
        ],
        Group::Devices => vec![
            Range::DeviceRequests,
            Range::Devices,
            Range::PairingTokens,
            Range::BearerClients,
        ],
        Group::Nodes => vec![Range::NodeRequests, Range::Nodes],
    }
}

/// Whether the stored record equals the given one, in everything that every store keeps.
///
/// Files do not keep the original spelling of an entry, and the grant of an entry may be known only in
/// the destination.
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

/// Returns the key of the allowlist entry of the sender of a request.
fn admission(request: &PendingRequest) -> Key {
    Key::Allow {
        channel: request.channel.clone(),
        account: request.account.clone(),
        entry: request.sender.clone(),
    }
}
