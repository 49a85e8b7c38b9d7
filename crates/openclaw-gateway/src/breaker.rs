//! Limits the refused calls of one connection.

use std::time::Duration;

use pairing_core::Timestamp;

use crate::GatewayLimits;

/// Counts the refused calls of a connection. Costs 40 bytes.
///
/// Failures are counted in windows, each of which begins with a refusal. Once a window has too many, calls
/// are refused unread, and count too; a client that goes on is disconnected.
#[derive(Debug, Clone, Default)]
pub struct Breaker {
    began: Option<Timestamp>,
    count: usize,
    total: u64,
}

/// What to do with a call, or with the connection after a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Go on.
    Go,
    /// Answer calls with UNAVAILABLE for this time.
    Cool(Duration),
    /// Close the connection.
    Close,
}

impl Breaker {
    /// Counts a refused call.
    pub fn refused(&mut self, limits: &GatewayLimits, now: Timestamp) -> Verdict {
        if self.left(limits, now).is_none() {
            self.began = Some(now);
            self.count = 0;
        }
        self.count += 1;
        self.total += 1;
        self.verdict(limits, now)
    }

    /// Decides about a call before it is read. While there were too many refusals, the call counts as one
    /// more.
    pub fn before(&mut self, limits: &GatewayLimits, now: Timestamp) -> Verdict {
        match self.verdict(limits, now) {
            Verdict::Go => Verdict::Go,
            _ => self.refused(limits, now),
        }
    }

    /// Whether to log the last refusal: the first, second, fourth, eighth and so on, so that a million
    /// refusals cause twenty lines. Log [`total`](Self::total) with it.
    pub fn is_worth_logging(&self) -> bool {
        self.total.is_power_of_two()
    }

    /// The number of all refusals of the connection.
    pub fn total(&self) -> u64 {
        self.total
    }

    fn verdict(&self, limits: &GatewayLimits, now: Timestamp) -> Verdict {
        match self.left(limits, now) {
            Some(_) if self.count >= limits.refused_calls_close => Verdict::Close,
            Some(left) if self.count >= limits.refused_calls => Verdict::Cool(left),
            _ => Verdict::Go,
        }
    }

    /// The rest of the window.
    fn left(&self, limits: &GatewayLimits, now: Timestamp) -> Option<Duration> {
        // A clock that was set back does not prolong a window.
        let passed = now.since(self.began?).unwrap_or_default();
        let left = limits.refused_window.checked_sub(passed)?;
        Some(left).filter(|left| !left.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn t98_a_flood_is_cooled_then_closed() {
        let limits = GatewayLimits::default();
        let mut breaker = Breaker::default();
        for call in 1..100 {
            assert_eq!(breaker.before(&limits, at(call)), Verdict::Go);
            assert_eq!(breaker.refused(&limits, at(call)), Verdict::Go);
        }
        let cool = Verdict::Cool(Duration::from_millis(9_001));
        assert_eq!(breaker.refused(&limits, at(1_000)), cool);
        for _ in 101..1000 {
            assert_eq!(breaker.before(&limits, at(1_000)), cool);
        }
        assert_eq!(breaker.before(&limits, at(1_000)), Verdict::Close);
        assert_eq!(breaker.total(), 1000);
    }

    #[test]
    fn t98_who_waits_may_call_again() {
        let limits = GatewayLimits::default();
        let mut breaker = Breaker::default();
        for _ in 0..100 {
            breaker.refused(&limits, at(0));
        }
        assert_eq!(
            breaker.before(&limits, at(9_999)),
            Verdict::Cool(Duration::from_millis(1))
        );
        assert_eq!(breaker.before(&limits, at(10_000)), Verdict::Go);
        assert_eq!(breaker.refused(&limits, at(10_000)), Verdict::Go);
    }

    #[test]
    fn t98_a_refusal_now_and_then_is_none_of_its_business() {
        let limits = GatewayLimits::default();
        let mut breaker = Breaker::default();
        for call in 0..100_000 {
            assert_eq!(breaker.refused(&limits, at(call * 200)), Verdict::Go);
        }
    }

    #[test]
    fn t98_the_log_is_sampled() {
        let limits = GatewayLimits::default();
        let mut breaker = Breaker::default();
        let refusals = (0..1_000_000).map(|_| {
            breaker.refused(&limits, at(0));
            breaker.is_worth_logging()
        });
        assert_eq!(refusals.filter(|logged| *logged).count(), 20);
    }

    #[test]
    fn a_clock_set_back_locks_nobody_up() {
        let limits = GatewayLimits::default();
        let mut breaker = Breaker::default();
        for _ in 0..100 {
            breaker.refused(&limits, at(1_000_000));
        }
        let Verdict::Cool(left) = breaker.before(&limits, at(0)) else {
            panic!("the window has begun")
        };
        assert_eq!(left, limits.refused_window);
    }
}
