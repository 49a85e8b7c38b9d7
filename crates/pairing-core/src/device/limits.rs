//! How many devices may wait, and for how long.

use std::time::Duration;

use crate::Timestamp;

/// How devices are let in, and how many may wait.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeviceLimits {
    /// How long a request waits after it was last asked: 5 minutes.
    pub request_lifetime: Duration,
    /// How often it is written down that a waiting device asked again: every 10 seconds.
    pub refresh_interval: Duration,
    /// How often it is written down that a waiting device is still connected: every minute.
    pub hold_interval: Duration,
    /// Requests that wait at a time: 64.
    pub max_pending: usize,
    /// Of these, from one address: 8.
    pub max_pending_per_address: usize,
    /// How long a setup code lets a device ask: 10 minutes.
    pub pairing_token_lifetime: Duration,
    /// How long after approval its device tokens may be fetched with it: 10 minutes.
    pub claim_lifetime: Duration,
    /// After how long without use a device token ends; never unless set.
    pub token_idle: Option<Duration>,
    /// How far the clocks of those who share the state may be apart: not at all, unless set.
    pub clock_skew: Duration,
}

impl Default for DeviceLimits {
    fn default() -> Self {
        Self {
            request_lifetime: Duration::from_secs(300),
            refresh_interval: Duration::from_secs(10),
            hold_interval: Duration::from_secs(60),
            max_pending: 64,
            max_pending_per_address: 8,
            pairing_token_lifetime: Duration::from_secs(600),
            claim_lifetime: Duration::from_secs(600),
            token_idle: None,
            clock_skew: Duration::ZERO,
        }
    }
}

impl DeviceLimits {
    /// Whether a request last made at that time has expired. One dated in the future, by more than the clock
    /// skew, has.
    pub(super) fn is_over(&self, refreshed_at: Timestamp, now: Timestamp) -> bool {
        let age = now.since_about(refreshed_at, self.clock_skew);
        age.is_none_or(|age| age >= self.request_lifetime)
    }
}
