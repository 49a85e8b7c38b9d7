//! Bytes of messages whose end is missing: for each client, and for all of them together.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pairing_core::DeviceId;

/// Whose bytes are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Subject {
    /// Those of an address, as limits count them, as long as nobody has approved the client.
    Address(IpAddr),
    /// Those of an approved device.
    Device(DeviceId),
    /// Those that come by the owner's socket.
    Owner,
}

/// Counts the bytes of one pool. Clones share the counts.
#[derive(Debug, Clone)]
pub(crate) struct InFlight(Arc<Mutex<Counts>>);

#[derive(Debug)]
struct Counts {
    most_each: usize,
    most: usize,
    total: usize,
    /// Only those that hold some, so that there are no more than connections.
    each: HashMap<Subject, usize>,
}

/// What one connection holds. Dropping this gives it back.
#[derive(Debug)]
pub(crate) struct Share {
    counts: InFlight,
    subject: Subject,
    held: usize,
}

/// Shares are counted in steps of this, so that long messages do not count each read.
const STEP: usize = 16 << 10;

impl InFlight {
    /// A pool of `most` bytes, of which each subject may hold so many.
    pub(crate) fn new(most_each: usize, most: usize) -> Self {
        Self(Arc::new(Mutex::new(Counts {
            most_each,
            most,
            total: 0,
            each: HashMap::new(),
        })))
    }

    /// The share of a connection. It holds nothing yet.
    pub(crate) fn share(&self, subject: Subject) -> Share {
        Share {
            counts: self.clone(),
            subject,
            held: 0,
        }
    }

    /// How many bytes are held.
    pub(crate) fn total(&self) -> usize {
        self.counts().total
    }

    /// Each change of the counts is complete, so a poisoned lock does no harm.
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Share {
    /// Holds so many bytes from now on. Returns `false`, and holds what it held, if there are too many.
    pub(crate) fn hold(&mut self, bytes: usize) -> bool {
        if bytes == self.held || (0 < bytes && bytes < self.held) {
            return true;
        }
        let mut counts = self.counts.counts();
        let wanted = if bytes == 0 {
            0
        } else {
            // The last step may have no room that is not needed.
            let own = counts.each.get(&self.subject).copied().unwrap_or_default();
            let room = (counts.most - counts.total).min(counts.most_each - own) + self.held;
            bytes.next_multiple_of(STEP).min(room).max(bytes)
        };
        if counts.change(self.subject, self.held, wanted) {
            self.held = wanted;
            return true;
        }
        false
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.hold(0);
    }
}

impl Counts {
    fn change(&mut self, subject: Subject, from: usize, to: usize) -> bool {
        let own = self.each.get(&subject).copied().unwrap_or_default() - from + to;
        let total = self.total - from + to;
        if to > from && (own > self.most_each || total > self.most) {
            return false;
        }
        self.total = total;
        if own == 0 {
            self.each.remove(&subject);
        } else {
            self.each.insert(subject, own);
        }
        true
    }
}
