//! Rates: so many at once, and one more each time an interval has passed.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use pairing_core::Timestamp;

/// How often something may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rate {
    /// How often at once.
    pub(crate) burst: u32,
    /// The time after which it may happen once more.
    pub(crate) every: Duration,
}

impl Rate {
    pub(crate) const fn new(burst: u32, every: Duration) -> Self {
        Self { burst, every }
    }

    fn every_ms(self) -> i64 {
        i64::try_from(self.every.as_millis()).unwrap_or(i64::MAX)
    }

    fn span_ms(self) -> i64 {
        self.every_ms().saturating_mul(i64::from(self.burst))
    }
}

/// What is left of a rate. The state is one time: when everything that was used will have come back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Bucket {
    full_at: i64,
}

impl Bucket {
    /// Uses one, if there is one.
    pub(crate) fn take(&mut self, rate: Rate, now: Timestamp) -> bool {
        let now = now.as_millis();
        // If the clock was set back, nobody waits longer than an empty bucket takes to fill.
        let full_at = self.full_at.clamp(now, now.saturating_add(rate.span_ms()));
        let after = full_at.saturating_add(rate.every_ms());
        let has_one = after.saturating_sub(now) <= rate.span_ms();
        self.full_at = if has_one { after } else { full_at };
        has_one
    }

    /// Gives one back that was not used after all.
    pub(crate) fn give_back(&mut self, rate: Rate) {
        self.full_at = self.full_at.saturating_sub(rate.every_ms());
    }

    fn is_full(self, now: Timestamp) -> bool {
        self.full_at <= now.as_millis()
    }
}

/// A rate for each subject and one for all of them together.
///
/// At most `most` subjects are remembered, at about 50 bytes each; a subject that has used nothing lately is
/// forgotten first, which changes nothing for it. If all that are remembered have used some, further subjects
/// have only the common rate.
#[derive(Debug)]
pub(crate) struct Rates<K> {
    each: Rate,
    all: Rate,
    most: usize,
    buckets: HashMap<K, Bucket>,
    common: Bucket,
}

impl<K: Eq + Hash + Copy> Rates<K> {
    pub(crate) fn new(each: Rate, all: Rate, most: usize) -> Self {
        Self {
            each,
            all,
            most,
            buckets: HashMap::new(),
            common: Bucket::default(),
        }
    }

    /// Uses one of this subject's rate and one of everybody's. A subject that is `kept` a share uses nothing of
    /// everybody's: what others have used does not matter to it.
    pub(crate) fn take(&mut self, subject: K, is_kept: bool, now: Timestamp) -> bool {
        let (each, all) = (self.each, self.all);
        let own = self.buckets.get(&subject).copied();
        if own.is_some_and(|mut own| !own.take(each, now)) {
            return false;
        }
        if !is_kept && !self.common.take(all, now) {
            return false;
        }
        match self.bucket(subject, now) {
            Some(own) => own.take(each, now),
            // Nothing can be kept for whom there is no room to remember.
            None => !is_kept || self.common.take(all, now),
        }
    }

    /// Gives one back that was not used after all.
    pub(crate) fn give_back(&mut self, subject: K, is_kept: bool) {
        if let Some(own) = self.buckets.get_mut(&subject) {
            own.give_back(self.each);
        }
        if !is_kept {
            self.common.give_back(self.all);
        }
    }

    fn bucket(&mut self, subject: K, now: Timestamp) -> Option<&mut Bucket> {
        if !self.buckets.contains_key(&subject) && self.buckets.len() >= self.most {
            // This costs as much as there are subjects, and happens only as often as the rates let one in.
            self.buckets.retain(|_, bucket| !bucket.is_full(now));
            if self.buckets.len() >= self.most {
                return None;
            }
        }
        Some(self.buckets.entry(subject).or_default())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(1_795_353_726_325 + ms)
    }

    #[test]
    fn so_many_at_once_and_one_more_each_interval() {
        let (rate, mut bucket) = (Rate::new(3, SECOND), Bucket::default());
        let taken = |bucket: &mut Bucket, ms| (0..10).filter(|_| bucket.take(rate, at(ms))).count();
        assert_eq!(taken(&mut bucket, 0), 3);
        assert_eq!(taken(&mut bucket, 999), 0);
        assert_eq!(taken(&mut bucket, 1000), 1);
        assert_eq!(taken(&mut bucket, 60_000), 3);
        // A clock that was set back by a day locks nobody out for a day.
        assert_eq!(taken(&mut bucket, -86_400_000), 0);
        assert_eq!(taken(&mut bucket, -86_399_000), 1);
        bucket.give_back(rate);
        assert_eq!(taken(&mut bucket, -86_399_000), 1);
    }

    #[test]
    fn subjects_are_bounded_and_nobody_who_has_used_some_is_forgotten() {
        let each = Rate::new(1, SECOND);
        let mut rates = Rates::new(each, Rate::new(100, SECOND), 2);
        assert!(rates.take("ann", false, at(0)) && rates.take("bob", false, at(0)));
        // There is no room to remember them, so they have the common rate.
        let took = (0..200).filter(|_| rates.take("eve", false, at(0))).count();
        assert_eq!((took, rates.buckets.len()), (98, 2));
        assert!(!rates.take("ann", false, at(0)));
        assert!(rates.take("eve", false, at(1000)));
        assert!(!rates.take("eve", false, at(1000)));
        assert_eq!(rates.buckets.len(), 1);
    }

    #[test]
    fn what_others_have_used_does_not_matter_to_who_is_kept_a_share() {
        let mut rates = Rates::new(Rate::new(2, SECOND), Rate::new(3, SECOND), 100);
        assert_eq!(
            (0..100)
                .filter(|one| rates.take(*one, false, at(0)))
                .count(),
            3
        );
        assert!(rates.take(7, true, at(0)) && rates.take(1000, true, at(0)));
        assert!(!rates.take(1001, false, at(0)));
        rates.give_back(1000, true);
        assert!(!rates.take(1001, false, at(0)));
    }

    proptest! {
        /// In no span of time, wherever it begins, is there more than the burst and what came back.
        #[test]
        fn never_more_than_the_rate(steps in proptest::collection::vec(0_i64..3000, 1..200)) {
            let (rate, mut bucket) = (Rate::new(5, SECOND), Bucket::default());
            let (mut now, mut times) = (0, Vec::new());
            for step in steps {
                now += step;
                if bucket.take(rate, at(now)) {
                    times.push(now);
                }
            }
            for (index, began) in times.iter().enumerate() {
                for (count, end) in times[index..].iter().enumerate() {
                    let may = 5 + (end - began) / 1000;
                    prop_assert!(i64::try_from(count)? < may, "{count} from {began} to {end}");
                }
            }
        }
    }
}
