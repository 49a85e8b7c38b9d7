//! The delays between retries.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use pairing_core::Entropy;

/// The longest delay that a server can ask for.
const AT_MOST: Duration = Duration::from_secs(3600);

/// Exponential backoff: delays that double up to a maximum, each spread over its upper half by jitter, so that many
/// bots do not retry at the same time.
pub struct Backoff {
    jitter: Arc<dyn Entropy>,
    first: Duration,
    longest: Duration,
    failures: u32,
}

impl Backoff {
    /// Delays from `first` to `longest`, before jitter.
    pub fn new(jitter: Arc<dyn Entropy>, [first, longest]: [Duration; 2]) -> Self {
        Self {
            jitter,
            first,
            longest,
            failures: 0,
        }
    }

    /// Notes a success: the next failure starts with the first delay.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// The delay after a failure. Not shorter than the server `asked` for, up to an hour.
    pub fn failed(&mut self, asked: Option<Duration>) -> Duration {
        let whole = self.first.saturating_mul(1 << self.failures.min(16));
        let whole = whole.min(self.longest);
        self.failures = self.failures.saturating_add(1);
        let asked = asked.unwrap_or_default().min(AT_MOST);
        (whole / 2).max(asked) + (whole / 2).mul_f64(self.part())
    }

    /// A random number from 0 to 1; 1 if there is no randomness.
    fn part(&self) -> f64 {
        let mut bytes = [0; 4];
        match self.jitter.fill(&mut bytes) {
            Ok(()) => f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX),
            Err(_) => 1.0,
        }
    }
}

impl fmt::Debug for Backoff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backoff")
            .field("failures", &self.failures)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use pairing_core::EntropyError;

    use super::*;

    struct Draw(Option<u8>);

    impl Entropy for Draw {
        fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
            bytes.fill(self.0.ok_or_else(|| EntropyError::new("none"))?);
            Ok(())
        }
    }

    fn backoff(draw: Option<u8>) -> Backoff {
        let bounds = [Duration::from_secs(2), Duration::from_secs(60)];
        Backoff::new(Arc::new(Draw(draw)), bounds)
    }

    fn waits(draw: Option<u8>) -> Vec<u64> {
        let mut backoff = backoff(draw);
        (0..7).map(|_| backoff.failed(None).as_secs()).collect()
    }

    #[test]
    fn waits_double_up_to_the_longest_and_are_spread() {
        assert_eq!(waits(Some(0)), [1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(waits(Some(u8::MAX)), [2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(waits(None), [2, 4, 8, 16, 32, 60, 60]);
    }

    #[test]
    fn what_the_server_asks_for_is_waited_for_within_reason() {
        let asked = |secs| backoff(Some(0)).failed(Some(Duration::from_secs(secs)));
        assert_eq!(asked(40), Duration::from_secs(40));
        assert_eq!(asked(0), Duration::from_secs(1));
        assert_eq!(asked(u64::MAX), AT_MOST);
    }

    #[test]
    fn good_news_start_anew() {
        let mut backoff = backoff(Some(0));
        for _ in 0..40 {
            backoff.failed(None);
        }
        backoff.reset();
        assert_eq!(backoff.failed(None), Duration::from_secs(1));
    }
}
