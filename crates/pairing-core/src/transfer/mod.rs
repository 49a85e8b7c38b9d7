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
use crate::store::{AllowEntry, Key, PendingRequest};

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
