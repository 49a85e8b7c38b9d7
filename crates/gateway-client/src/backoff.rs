//! Backoff: the waits between attempts to connect.

use std::sync::Arc;
use std::time::Duration;

use pairing_core::Entropy;

use crate::ConnectError;

/// Duration after which a connection counts as good and resets the backoff.
pub(crate) const LASTED: Duration = Duration::from_secs(60);

/// Upper bound of the first wait, and of every later one.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30);

/// Range of waits while approval is pending: a request expires 5 minutes after the last attempt.
const ASKED: [Duration; 2] = [Duration::from_secs(5), Duration::from_secs(15)];

/// Range of waits after a wrong secret: ten failures in a minute would lock this address out.
const WRONG: [Duration; 2] = [Duration::from_secs(15), LONGEST];

/// Longest wait that a gateway can ask for.
const AT_MOST: Duration = Duration::from_secs(3600);

/// An exponential backoff with jitter, so that many clients do not reconnect at once.
pub(crate) struct Backoff {
    jitter: Arc<dyn Entropy>,
    failures: u32,
}

impl Backoff {
    pub(crate) fn new(jitter: Arc<dyn Entropy>) -> Self {
        Self {
            jitter,
            failures: 0,
        }
    }

    /// Resets the backoff after a good connection.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }

    /// Returns the wait after a connection that ended.
    pub(crate) fn lost(&mut self) -> Duration {
        let longest = FIRST.saturating_mul(1 << self.failures.min(5)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        self.between([Duration::ZERO, longest])
    }

    /// Returns the wait after a failed attempt.
    pub(crate) fn failed(&mut self, error: &ConnectError) -> Duration {
        let refused = error.refused();
        let wait = if refused.is_some_and(crate::Refused::is_pairing) {
            self.between(ASKED)
        } else if refused.is_some_and(crate::Refused::is_auth) {
            self.between(WRONG)
        } else {
            self.lost()
        };
        match error.retry_after() {
            // Never earlier than asked, and not all clients at the same moment.
            Some(after) if after > wait => {
                after.min(AT_MOST) + self.between([Duration::ZERO, FIRST])
            }
            _ => wait,
        }
    }

    /// Returns a random duration between the two; the longer one if the entropy source fails.
    fn between(&self, [shortest, longest]: [Duration; 2]) -> Duration {
        let mut bytes = [u8::MAX; 4];
        if self.jitter.fill(&mut bytes).is_err() {
            return longest;
        }
        let part = f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX);
        shortest + (longest.saturating_sub(shortest)).mul_f64(part)
    }
}

#[cfg(test)]
mod tests {
    use gateway_protocol::{DetailCode, ErrorShape};
    use pairing_core::EntropyError;

    use super::*;
    use crate::Refused;

    /// Entropy that repeats one byte, or fails.
    struct Draw(Option<u8>);

    impl Entropy for Draw {
        fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
            bytes.fill(self.0.ok_or_else(|| EntropyError::new("none"))?);
            Ok(())
        }
    }

    fn waits(draw: Option<u8>, count: usize) -> Vec<u64> {
        let mut backoff = Backoff::new(Arc::new(Draw(draw)));
        (0..count).map(|_| backoff.lost().as_secs()).collect()
    }

    fn refused(error: ErrorShape) -> ConnectError {
        ConnectError::Refused(Box::new(Refused::new(error, None)))
    }

    fn pairing() -> ConnectError {
        let details = serde_json::json!({ "requestId": "r" });
        let code = gateway_protocol::ErrorCode::NotPaired;
        let detail = DetailCode::PairingRequired;
        refused(ErrorShape::new(code, detail, "pairing required").with_details(details))
    }

    fn limited() -> ErrorShape {
        ErrorShape::invalid(DetailCode::AuthRateLimited, "unauthorized")
    }

    #[test]
    fn waits_double_up_to_the_longest_and_are_spread_over_all_of_it() {
        assert_eq!(waits(Some(u8::MAX), 8), [1, 2, 4, 8, 16, 30, 30, 30]);
        assert_eq!(waits(None, 7), [1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(waits(Some(0), 3), [0, 0, 0]);
        assert_eq!(waits(Some(0x80), 8), [0, 1, 2, 4, 8, 15, 15, 15]);
    }

    #[test]
    fn a_connection_that_lasted_starts_anew() {
        let mut backoff = Backoff::new(Arc::new(Draw(None)));
        for _ in 0..40 {
            backoff.lost();
        }
        backoff.reset();
        assert_eq!(backoff.lost(), FIRST);
    }

    #[test]
    fn who_waits_for_the_owner_keeps_the_request_alive_at_a_steady_pace() {
        for (draw, expected) in [(0, ASKED[0]), (u8::MAX, ASKED[1])] {
            let mut backoff = Backoff::new(Arc::new(Draw(Some(draw))));
            for _ in 0..9 {
                assert_eq!(backoff.failed(&pairing()), expected);
            }
        }
    }

    #[test]
    fn wrong_secrets_never_come_fast_enough_to_be_locked_out() {
        let mut backoff = Backoff::new(Arc::new(Draw(Some(0))));
        assert!(backoff.failed(&refused(limited())) * 10 > Duration::from_secs(60));
    }

    #[test]
    fn what_the_gateway_asks_for_is_waited_for_within_reason() {
        let mut backoff = Backoff::new(Arc::new(Draw(Some(0))));
        let asked = |after| refused(limited().retry_after(Duration::from_secs(after)));
        assert_eq!(backoff.failed(&asked(300)), Duration::from_secs(300));
        assert_eq!(backoff.failed(&asked(1)), WRONG[0]);
        assert_eq!(backoff.failed(&asked(u64::MAX / 1000)), AT_MOST);
    }
}
