//! Limits on the requests and tokens of devices.

use std::time::Duration;

use crate::Timestamp;

/// Limits on pending requests of devices, and on setup codes and tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeviceLimits {
    /// Time after which a request expires if it is not repeated: 5 minutes.
    pub request_lifetime: Duration,
    /// Minimum time between two records that a waiting device asked again: 10 seconds.
    pub refresh_interval: Duration,
    /// Minimum time between two records that a waiting device is still connected: one minute.
    pub hold_interval: Duration,
    /// Maximum number of pending requests: 64.
    pub max_pending: usize,
    /// Maximum number of pending requests from one address: 8.
    pub max_pending_per_address: usize,
    /// Time for which a device can ask with a setup code: 10 minutes.
    pub pairing_token_lifetime: Duration,
    /// Time after approval for which a device can fetch its tokens with the setup code: 10 minutes.
    pub claim_lifetime: Duration,
    /// Time without use after which a device token becomes invalid; never unless set.
    pub token_idle: Option<Duration>,
    /// Maximum difference between the clocks of programs that share the state; zero unless set.
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
    /// Sets the time after which a request expires if it is not repeated.
    #[must_use]
    pub fn with_request_lifetime(mut self, request_lifetime: Duration) -> Self {
        self.request_lifetime = request_lifetime;
        self
    }

    /// Sets the minimum time between two records that a waiting device asked again.
    #[must_use]
    pub fn with_refresh_interval(mut self, refresh_interval: Duration) -> Self {
        self.refresh_interval = refresh_interval;
        self
    }

    /// Sets the minimum time between two records that a waiting device is still connected.
    #[must_use]
    pub fn with_hold_interval(mut self, hold_interval: Duration) -> Self {
        self.hold_interval = hold_interval;
        self
    }

    /// Sets the maximum number of pending requests.
    #[must_use]
    pub fn with_max_pending(mut self, max_pending: usize) -> Self {
        self.max_pending = max_pending;
        self
    }

    /// Sets the maximum number of pending requests from one address.
    #[must_use]
    pub fn with_max_pending_per_address(mut self, max_pending_per_address: usize) -> Self {
        self.max_pending_per_address = max_pending_per_address;
        self
    }

    /// Sets the time for which a device can ask with a setup code.
    #[must_use]
    pub fn with_pairing_token_lifetime(mut self, pairing_token_lifetime: Duration) -> Self {
        self.pairing_token_lifetime = pairing_token_lifetime;
        self
    }

    /// Sets the time after approval for which a device can fetch its tokens with the setup code.
    #[must_use]
    pub fn with_claim_lifetime(mut self, claim_lifetime: Duration) -> Self {
        self.claim_lifetime = claim_lifetime;
        self
    }

    /// Sets the time without use after which a device token becomes invalid; `None` for never.
    #[must_use]
    pub fn with_token_idle(mut self, token_idle: Option<Duration>) -> Self {
        self.token_idle = token_idle;
        self
    }

    /// Sets the maximum difference between the clocks of programs that share the state.
    #[must_use]
    pub fn with_clock_skew(mut self, clock_skew: Duration) -> Self {
        self.clock_skew = clock_skew;
        self
    }

    /// Whether a request that was last made at that time has expired. One dated in the future by more
    /// than the clock skew counts as expired.
    pub(super) fn is_over(&self, refreshed_at: Timestamp, now: Timestamp) -> bool {
        let age = now.since_about(refreshed_at, self.clock_skew);
        age.is_none_or(|age| age >= self.request_lifetime)
    }
}
