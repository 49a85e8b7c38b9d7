//! Ids of messages that were received lately, so that a repeated one is recognised.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use pairing_core::Timestamp;

/// A window of ids: each id is new once, and is remembered for some time after that.
///
/// - Bounded: when it is full, the oldest id is forgotten.
/// - A clock that is set back makes ids be remembered for longer, never forgotten early.
///
/// ```
/// use std::time::Duration;
/// use channel_kit::Recent;
/// use pairing_core::Timestamp;
///
/// let mut recent = Recent::new(Duration::from_secs(3600), 1000);
/// let now = Timestamp::from_millis(1_800_000_000_000);
/// assert!(recent.is_new("17", now));
/// assert!(!recent.is_new("17", now));
/// ```
#[derive(Debug)]
pub struct Recent {
    within: Duration,
    most: usize,
    known: HashSet<Box<str>>,
    /// Oldest first.
    order: VecDeque<(Timestamp, Box<str>)>,
}

impl Recent {
    /// A window that remembers an id for the time `within`, and at most `most` ids (at least one).
    pub fn new(within: Duration, most: usize) -> Self {
        Self {
            within,
            most: most.max(1),
            known: HashSet::new(),
            order: VecDeque::new(),
        }
    }

    /// Whether an id is not in the window; it is from now on.
    pub fn is_new(&mut self, id: &str, now: Timestamp) -> bool {
        while let Some((at, _)) = self.order.front()
            && *at + self.within <= now
        {
            self.forget_oldest();
        }
        if self.known.contains(id) {
            return false;
        }
        if self.order.len() >= self.most {
            self.forget_oldest();
        }
        self.known.insert(id.into());
        self.order.push_back((now, id.into()));
        true
    }

    /// The number of ids in the window.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether no id is in the window.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    fn forget_oldest(&mut self) {
        if let Some((_, id)) = self.order.pop_front() {
            self.known.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_millis(1_800_000_000_000 + secs * 1000)
    }

    #[test]
    fn an_id_is_new_once_in_its_time() {
        let mut recent = Recent::new(Duration::from_secs(60), 10);
        assert!(recent.is_new("a", at(0)));
        for second in [0, 30, 59] {
            assert!(!recent.is_new("a", at(second)));
        }
        // The time runs from the first sight of it.
        assert!(recent.is_new("a", at(60)));
        assert!(!recent.is_new("a", at(-1000)));
    }

    #[test]
    fn a_flood_takes_no_more_room() {
        let mut recent = Recent::new(Duration::from_secs(60), 3);
        for id in 0..1000 {
            assert!(recent.is_new(&id.to_string(), at(0)));
            assert!(recent.len() <= 3);
        }
        assert!(!recent.is_new("999", at(0)) && recent.is_new("996", at(0)));
        assert!(!recent.is_empty() && recent.known.len() == recent.order.len());
    }
}
