//! Points in time, and the clock, which the caller supplies.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

/// A point in time: whole milliseconds since the Unix epoch, UTC.
///
/// - Shown and serialised as RFC 3339 with milliseconds and `Z`, as in OpenClaw's files
///   (`2026-11-22T13:27:57.013Z`).
/// - Limited to the years 0 to 9999, so that every value can be written.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Timestamp(i64);

/// The text is not an RFC 3339 time within the years 0 to 9999.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an RFC 3339 time")]
pub struct ParseTimestampError;

const MIN_MILLIS: i64 = -62_167_219_200_000; // 0000-01-01T00:00:00.000Z
const MAX_MILLIS: i64 = 253_402_300_799_999; // 9999-12-31T23:59:59.999Z

impl Timestamp {
    /// Makes the time `millis` milliseconds after the Unix epoch, clamped to the years 0 to 9999.
    pub fn from_millis(millis: i64) -> Self {
        Self(millis.clamp(MIN_MILLIS, MAX_MILLIS))
    }

    /// Returns the milliseconds since the Unix epoch.
    pub fn as_millis(self) -> i64 {
        self.0
    }

    /// Parses RFC 3339 with any offset; truncates to milliseconds.
    pub fn parse(text: &str) -> Result<Self, ParseTimestampError> {
        let at = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| ParseTimestampError)?;
        let millis = at.unix_timestamp_nanos().div_euclid(1_000_000);
        i64::try_from(millis)
            .ok()
            .filter(|millis| (MIN_MILLIS..=MAX_MILLIS).contains(millis))
            .map(Self)
            .ok_or(ParseTimestampError)
    }

    /// Returns the time since `earlier`, which comes from a clock that may differ from this one by
    /// `skew`: a time up to `skew` in the future counts as now. Returns `None` if it lies further in the
    /// future.
    pub fn since_about(self, earlier: Self, skew: Duration) -> Option<Duration> {
        let ahead = earlier.since(self).is_some_and(|ahead| ahead <= skew);
        self.since(earlier).or(ahead.then_some(Duration::ZERO))
    }

    /// Returns the time since `earlier`, or `None` if it lies in the future.
    pub fn since(self, earlier: Self) -> Option<Duration> {
        u64::try_from(self.0 - earlier.0)
            .ok()
            .map(Duration::from_millis)
    }
}

impl std::ops::Add<Duration> for Timestamp {
    type Output = Self;

    /// Saturates at the end of the year 9999.
    fn add(self, rhs: Duration) -> Self {
        let millis = i64::try_from(rhs.as_millis()).unwrap_or(i64::MAX);
        Self::from_millis(self.0.saturating_add(millis))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000)
            .map_err(|_| fmt::Error)?
            .to_offset(UtcOffset::UTC);
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
            at.year(),
            u8::from(at.month()),
            at.day(),
            at.hour(),
            at.minute(),
            at.second(),
            at.millisecond()
        )
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<Timestamp> for String {
    fn from(at: Timestamp) -> Self {
        at.to_string()
    }
}

impl TryFrom<String> for Timestamp {
    type Error = ParseTimestampError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

/// The clock of the service.
///
/// The core reads no clock of its own; most programs use `pairing_fs::SystemClock`.
pub trait Clock: Send + Sync {
    /// Returns the present time.
    fn now(&self) -> Timestamp;
}

/// A clock that stands still until it is moved, for tests and simulations.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// Makes a clock that shows `at`.
    pub fn new(at: Timestamp) -> Self {
        Self(AtomicI64::new(at.as_millis()))
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        self.set(self.now() + by);
    }

    /// Sets the clock, forward or backward.
    pub fn set(&self, at: Timestamp) {
        self.0.store(at.as_millis(), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

impl<C: Clock + ?Sized> Clock for std::sync::Arc<C> {
    fn now(&self) -> Timestamp {
        (**self).now()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_may_be_a_little_apart() {
        let now = Timestamp::from_millis(1_000);
        let about = |at| now.since_about(Timestamp::from_millis(at), Duration::from_millis(50));
        assert_eq!(about(900), Some(Duration::from_millis(100)));
        assert_eq!(about(1_050), Some(Duration::ZERO));
        assert_eq!(about(1_051), None);
    }

    #[test]
    fn text_of_a_real_install_round_trips() {
        let text = "2026-11-22T13:27:57.013Z";
        assert_eq!(Timestamp::parse(text).unwrap().to_string(), text);
    }

    #[test]
    fn offsets_and_finer_digits_are_understood() {
        let utc = Timestamp::parse("2026-11-22T13:27:57.013Z").unwrap();
        assert_eq!(
            Timestamp::parse("2026-11-22T14:27:57.0139+01:00").unwrap(),
            utc
        );
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in ["", "yesterday", "2026-11-22", "2026-13-01T00:00:00Z", "NaN"] {
            assert_eq!(Timestamp::parse(text), Err(ParseTimestampError), "{text}");
        }
    }

    #[test]
    fn the_extremes_can_be_written_and_read_again() {
        for millis in [i64::MIN, MIN_MILLIS, -1, 0, MAX_MILLIS, i64::MAX] {
            let at = Timestamp::from_millis(millis);
            assert_eq!(Timestamp::parse(&at.to_string()), Ok(at));
        }
        assert_eq!(
            Timestamp::from_millis(MAX_MILLIS) + Duration::MAX,
            Timestamp(MAX_MILLIS)
        );
    }
}
