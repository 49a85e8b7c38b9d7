//! Pairing of direct messages: decisions as pure functions of stored records, command, time and entropy.

mod access;
mod ask;
mod claim;
mod decide;
mod lockout;

use std::time::Duration;

pub use access::{Access, ApprovedSender, Basis, DmPolicy, GroupSender, Refusal};

pub(crate) use ask::{Ask, Standing, create, is_remembered, refresh, standing, turn_away};
pub(crate) use claim::{claim, issue};
pub(crate) use decide::{allow, approve, reject, revert, withdraw};
pub(crate) use lockout::{forgotten, locked_until, recent_failures, wrong_code};

use crate::device::DeviceLimits;
use crate::store::{Change, PendingRequest};
use crate::{Record, Timestamp};

/// Limits on pending requests, codes and wrong codes.
///
/// ```
/// use std::time::Duration;
/// use pairing_core::Limits;
///
/// let limits = Limits::default()
///     .with_max_pending(20)
///     .with_code_lifetime(Duration::from_secs(15 * 60));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Maximum number of pending requests per channel and account: 3.
    pub max_pending: usize,
    /// Time for which a code can be approved: one hour.
    pub code_lifetime: Duration,
    /// Minimum time between two records that a waiting sender wrote again: one minute.
    pub seen_interval: Duration,
    /// Number of wrong codes that locks an approver out: 10.
    pub max_attempts: usize,
    /// Time window in which wrong codes are counted: 5 minutes.
    pub attempts_window: Duration,
    /// Duration of a lock-out: 15 minutes.
    pub lockout: Duration,
    /// Time for which a claim code is valid: 10 minutes.
    pub claim_code_lifetime: Duration,
    /// Maximum number of valid claim codes per channel: 16.
    pub max_claims: usize,
    /// Maximum number of bearer clients: 256; more than 1000 are not supported.
    pub max_bearers: usize,
    /// Maximum difference between the clocks of programs that share the state; zero unless set. A time
    /// that another program wrote and that lies at most this far in the future counts as now, not as
    /// expired.
    pub clock_skew: Duration,
    /// Limits for devices.
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
            claim_code_lifetime: Duration::from_secs(600),
            max_claims: 16,
            max_bearers: 256,
            clock_skew: Duration::ZERO,
            devices: DeviceLimits::default(),
        }
    }
}

impl Limits {
    /// Sets the maximum number of pending requests per channel and account.
    #[must_use]
    pub fn with_max_pending(mut self, max_pending: usize) -> Self {
        self.max_pending = max_pending;
        self
    }

    /// Sets the time for which a code can be approved.
    #[must_use]
    pub fn with_code_lifetime(mut self, code_lifetime: Duration) -> Self {
        self.code_lifetime = code_lifetime;
        self
    }

    /// Sets the minimum time between two records that a waiting sender wrote again.
    #[must_use]
    pub fn with_seen_interval(mut self, seen_interval: Duration) -> Self {
        self.seen_interval = seen_interval;
        self
    }

    /// Sets the number of wrong codes that locks an approver out.
    #[must_use]
    pub fn with_max_attempts(mut self, max_attempts: usize) -> Self {
        self.max_attempts = max_attempts;
        self
    }

    /// Sets the time window in which wrong codes are counted.
    #[must_use]
    pub fn with_attempts_window(mut self, attempts_window: Duration) -> Self {
        self.attempts_window = attempts_window;
        self
    }

    /// Sets the duration of a lock-out.
    #[must_use]
    pub fn with_lockout(mut self, lockout: Duration) -> Self {
        self.lockout = lockout;
        self
    }

    /// Sets the time for which a claim code is valid.
    #[must_use]
    pub fn with_claim_code_lifetime(mut self, claim_code_lifetime: Duration) -> Self {
        self.claim_code_lifetime = claim_code_lifetime;
        self
    }

    /// Sets the maximum number of valid claim codes per channel.
    #[must_use]
    pub fn with_max_claims(mut self, max_claims: usize) -> Self {
        self.max_claims = max_claims;
        self
    }

    /// Sets the maximum number of bearer clients; more than 1000 are not supported.
    #[must_use]
    pub fn with_max_bearers(mut self, max_bearers: usize) -> Self {
        self.max_bearers = max_bearers.min(1000);
        self
    }

    /// Sets the limits for devices.
    #[must_use]
    pub fn with_devices(mut self, devices: DeviceLimits) -> Self {
        self.devices = devices;
        self
    }

    /// Sets the maximum clock difference between programs that share the state, also for devices: after
    /// [`with_devices`](Self::with_devices).
    #[must_use]
    pub fn with_clock_skew(mut self, skew: Duration) -> Self {
        self.clock_skew = skew;
        self.devices.clock_skew = skew;
        self
    }
}

impl PendingRequest {
    /// Returns the expiry time of its code; `None` if the creation time is not known.
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

/// The changes that a decision makes, and its outcome.
#[derive(Debug)]
pub(crate) struct Decision<T> {
    pub(crate) changes: Vec<Change>,
    pub(crate) outcome: T,
}

impl<T> Decision<T> {
    /// Makes a decision that changes nothing.
    pub(crate) fn unchanged(outcome: T) -> Self {
        Self {
            changes: Vec::new(),
            outcome,
        }
    }
}

/// Puts a request, and the record that makes its code unique.
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
