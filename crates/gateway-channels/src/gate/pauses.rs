//! Strangers who ask again and again.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pairing_core::{SenderId, Timestamp};

/// The senders of one account that have to wait before they are heard again.
///
/// In memory, of a bounded number of strangers: whoever comes after many others is a new one. The cap on
/// pending requests stands behind it.
#[derive(Debug, Default)]
pub(super) struct Pauses(Mutex<Generations>);

/// The newest are in `young`; once these are many, they become the `old` ones, and those before go.
#[derive(Debug, Default)]
struct Generations {
    young: HashMap<SenderId, Pause>,
    old: HashMap<SenderId, Pause>,
}

#[derive(Debug, Clone, Copy)]
struct Pause {
    since: Timestamp,
    until: Timestamp,
    /// How often they have asked.
    times: u32,
}

/// As many strangers make a generation.
const MANY: usize = 4096;

/// The longest pause.
const LONGEST: Duration = Duration::from_secs(3600);

/// A sender that was quiet for this long starts afresh.
const FORGOTTEN: Duration = Duration::from_secs(24 * 3600);

impl Pauses {
    /// Whether this sender has to wait. A clock that was set back keeps nobody waiting.
    pub(super) fn is_waiting(&self, sender: &SenderId, now: Timestamp) -> bool {
        let pause = self.inner().get(sender);
        pause.is_some_and(|pause| pause.since <= now && now < pause.until)
    }

    /// They asked anew, or could not even wait: a pause twice as long as the one before.
    pub(super) fn asked(&self, sender: &SenderId, first: Duration, now: Timestamp) {
        let mut inner = self.inner();
        let before = inner.get(sender).filter(|pause| {
            let is_past = pause.since <= now;
            is_past && now < pause.until + FORGOTTEN
        });
        let times = before.map_or(0, |pause| pause.times);
        let factor = 1_u32.checked_shl(times).unwrap_or(u32::MAX);
        let pause = Pause {
            since: now,
            until: now + first.saturating_mul(factor).min(LONGEST),
            times: times.saturating_add(1).min(31),
        };
        inner.insert(sender.clone(), pause);
    }

    /// They wrote again while their request waits. What would be noted is noted once in such a time.
    pub(super) fn waits(&self, sender: &SenderId, first: Duration, now: Timestamp) {
        let mut inner = self.inner();
        let times = inner.get(sender).map_or(1, |pause| pause.times);
        let pause = Pause {
            since: now,
            until: now + first.min(LONGEST),
            times,
        };
        inner.insert(sender.clone(), pause);
    }

    /// They are no stranger any more.
    pub(super) fn forget(&self, sender: &SenderId) {
        let mut inner = self.inner();
        inner.young.remove(sender);
        inner.old.remove(sender);
    }

    fn inner(&self) -> MutexGuard<'_, Generations> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Generations {
    fn get(&self, sender: &SenderId) -> Option<Pause> {
        let found = self.young.get(sender).or_else(|| self.old.get(sender));
        found.copied()
    }

    fn insert(&mut self, sender: SenderId, pause: Pause) {
        if self.young.len() >= MANY && !self.young.contains_key(&sender) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(sender, pause);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pairing_core::{ChannelId, Channels};

    const MINUTE: Duration = Duration::from_secs(60);

    fn sender(id: usize) -> SenderId {
        let channels = Channels::builtin();
        let telegram = channels
            .get(&ChannelId::parse("telegram").unwrap())
            .unwrap();
        telegram.sender(&(id + 1).to_string()).unwrap()
    }

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_millis(1_000_000_000_000 + minutes * 60_000)
    }

    #[test]
    fn t57_each_pause_is_twice_the_one_before_up_to_an_hour() {
        let (backoff, ann) = (Pauses::default(), sender(1));
        let mut now = at(0);
        for minutes in [1, 2, 4, 8, 16, 32, 60, 60] {
            assert!(!backoff.is_waiting(&ann, now));
            backoff.asked(&ann, MINUTE, now);
            assert!(backoff.is_waiting(&ann, now));
            assert!(!backoff.is_waiting(&sender(2), now));
            now = now + MINUTE * minutes;
            let just_before = Timestamp::from_millis(now.as_millis() - 1);
            assert!(backoff.is_waiting(&ann, just_before), "{minutes}");
        }
        // Quiet for more than a day.
        now = now + FORGOTTEN + MINUTE;
        backoff.asked(&ann, MINUTE, now);
        assert!(!backoff.is_waiting(&ann, now + MINUTE));
    }

    #[test]
    fn waiting_adds_nothing_to_the_next_pause() {
        let (backoff, ann) = (Pauses::default(), sender(1));
        backoff.asked(&ann, MINUTE, at(0));
        for minute in 1..50 {
            backoff.waits(&ann, MINUTE, at(minute));
        }
        assert!(!backoff.is_waiting(&ann, at(50)));
        backoff.asked(&ann, MINUTE, at(50));
        assert!(backoff.is_waiting(&ann, at(51)) && !backoff.is_waiting(&ann, at(52)));
    }

    #[test]
    fn clocks_that_are_set_back_and_pauses_of_nothing_keep_nobody_waiting() {
        let (backoff, ann) = (Pauses::default(), sender(1));
        backoff.asked(&ann, MINUTE, at(100));
        assert!(!backoff.is_waiting(&ann, at(99)));
        backoff.asked(&ann, Duration::ZERO, at(100));
        assert!(!backoff.is_waiting(&ann, at(100)));
        backoff.asked(&ann, Duration::MAX, at(100));
        assert!(!backoff.is_waiting(&ann, at(160)));
    }

    #[test]
    fn strangers_without_number_take_no_more_room() {
        let backoff = Pauses::default();
        for id in 0..3 * MANY {
            backoff.asked(&sender(id), MINUTE, at(0));
        }
        let inner = backoff.inner();
        assert!(inner.young.len() <= MANY && inner.old.len() <= MANY);
        drop(inner);
        let last = sender(3 * MANY - 1);
        assert!(backoff.is_waiting(&last, at(0)));
        backoff.forget(&last);
        assert!(!backoff.is_waiting(&last, at(0)));
        assert!(!backoff.is_waiting(&sender(0), at(0)));
    }
}
