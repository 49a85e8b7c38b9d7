//! DM pairing: the decisions, as pure functions of what was read, the command, the time and entropy.

mod access;
mod ask;
mod decide;
mod lockout;
mod meta;

use std::time::Duration;

pub use access::{Access, ApprovedSender, Basis, DmPolicy, GroupSender, Refusal};
pub use meta::Metadata;

pub(crate) use ask::{Ask, Standing, create, is_remembered, refresh, standing, turn_away};
pub(crate) use decide::{allow, approve, reject, withdraw};
pub(crate) use lockout::{locked_until, wrong_code};

use crate::device::DeviceLimits;
use crate::store::{Change, PendingRequest};
use crate::{Record, Timestamp};

/// How much is let in, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Pending requests per channel and account: 3.
    pub max_pending: usize,
    /// How long a code can be approved: one hour.
    pub code_lifetime: Duration,
    /// How often it is written down that a waiting sender came back: once a minute.
    pub seen_interval: Duration,
    /// Wrong codes of one approver that lock them out: 10.
    pub max_attempts: usize,
    /// The time within which these count: 5 minutes.
    pub attempts_window: Duration,
    /// How long a locked-out approver is refused: 15 minutes.
    pub lockout: Duration,
    /// How far the clocks of those who share the state may be apart: not at all, unless set. What another
    /// wrote that lies so far in the future counts as written now, and not as expired.
    pub clock_skew: Duration,
    /// What goes for devices.
    pub devices: DeviceLimits,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_pending: 3,
            code_lifetime: Duration::from_secs(3600),
            seen_interval: Duration::from_secs(60),
            max_attempts: 10,
            attempts_window: Duration::from_secs(300),
            lockout: Duration::from_secs(900),
            clock_skew: Duration::ZERO,
            devices: DeviceLimits::default(),
        }
    }
}

impl Limits {
    /// The same where the clocks of those who share the state may be so far apart.
    pub fn with_clock_skew(mut self, skew: Duration) -> Self {
        self.clock_skew = skew;
        self.devices.clock_skew = skew;
        self
    }
}

impl PendingRequest {
    /// When its code stops working; `None` where that cannot be told.
    pub fn expires_at(&self, limits: &Limits) -> Option<Timestamp> {
        self.created_at.map(|at| at + limits.code_lifetime)
    }

    /// Whether it has expired. A creation time that is missing, unreadable, or in the future beyond the clock
    /// skew counts as expired.
    pub fn is_expired(&self, limits: &Limits, now: Timestamp) -> bool {
        let age = self
            .created_at
            .and_then(|at| now.since_about(at, limits.clock_skew));
        age.is_none_or(|age| age >= limits.code_lifetime)
    }
}

/// What a decision writes, and what it came to.
#[derive(Debug)]
pub(crate) struct Decision<T> {
    pub(crate) changes: Vec<Change>,
    pub(crate) outcome: T,
}

impl<T> Decision<T> {
    /// A decision that changes nothing.
    pub(crate) fn unchanged(outcome: T) -> Self {
        Self {
            changes: Vec::new(),
            outcome,
        }
    }
}

/// Puts a request and the record that makes its code unique.
fn put_request(request: PendingRequest) -> [Change; 2] {
    [
        Change::Put(Record::Code(request.taken_code())),
        Change::Put(Record::Request(request)),
    ]
}

/// Deletes a request and its code.
fn delete_request(request: &PendingRequest) -> [Change; 2] {
    [
        Change::Delete(request.key()),
        Change::Delete(Record::Code(request.taken_code()).key()),
    ]
}
