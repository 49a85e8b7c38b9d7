//! The change feed: reports our own commits at once, and those of others when the database has changed.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pairing_core::store::{Changed, Changes, Position, Record};
use pairing_core::{Key, Range, StoreError};

use super::load::{LoadError, Loader};
use super::{Inner, beside, data_version};
use crate::error::Operation;
use crate::paths;

/// Maximum number of changes kept for followers of the feed.
const REMEMBERED: usize = 4096;

/// Maximum number of records that are compared one by one; with more, followers are told that something
/// has changed, and not what.
const COMPARED: usize = 50_000;

/// Least time between two comparisons: the other program writes much else to its database.
const COMPARE_AFTER: Duration = Duration::from_millis(100);

/// Longest time between two, within which at most one part in so many is spent on them.
const COMPARE_WITHIN: Duration = Duration::from_millis(800);
const COMPARE_SHARE: u32 = 5;

#[derive(Default)]
pub(super) struct Feed(Mutex<FeedState>);

#[derive(Default)]
struct FeedState {
    position: u64,
    log: VecDeque<(u64, Key)>,
    /// Position of the last change dropped from the log.
    forgotten: u64,
    /// The versions of all records when they were last compared.
    seen: HashMap<String, u64>,
    /// Whether there were too many to be compared.
    is_partial: bool,
    /// The state of both databases at that time, as the writing connection saw it.
    stamp: Option<(i64, i64)>,
    compared_at: Option<Instant>,
    /// How long that took.
    took: Duration,
}

impl Feed {
    fn state(&self) -> MutexGuard<'_, FeedState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Logs changes made by this store.
    pub(super) fn report(&self, keys: Vec<Key>) {
        self.state().report(keys);
    }
}

impl Inner {
    pub(super) fn changes(
        &self,
        after: Option<Position>,
        timeout: Duration,
    ) -> Result<Changes, StoreError> {
        let began = Instant::now();
        let files = [self.database.path(), &self.beside];
        for (watch, file) in self.watches.iter().zip(files) {
            watch.start(file, &self.signal);
        }
        let Some(after) = after.map(Position::number) else {
            self.compare(true)?;
            let state = self.feed.state();
            return Ok(state.changes_after(state.position));
        };
        loop {
            let seen = self.signal.seen();
            let is_waiting = self.feed.state().position == after;
            if is_waiting {
                self.compare(false)?;
            }
            let left = timeout.saturating_sub(began.elapsed());
            let state = self.feed.state();
            if state.position != after || left.is_zero() {
                return Ok(state.changes_after(after));
            }
            drop(state);
            self.signal.wait(seen, left);
        }
    }

    /// Compares the records with their last known versions, if another connection has committed anything
    /// since, and logs the differences.
    fn compare(&self, at_once: bool) -> Result<(), StoreError> {
        let operation = Operation::read(self.database.path());
        // Commits of this store's own do not count: they are logged already.
        let stamp = {
            let writer = self.database.writer();
            data_version(&writer, "main")
                .and_then(|main| Ok((main, data_version(&writer, "beside")?)))
                .map_err(|error| operation.failed(error))?
        };
        {
            let mut state = self.feed.state();
            let rest = (state.took * COMPARE_SHARE).clamp(COMPARE_AFTER, COMPARE_WITHIN);
            let is_fresh = state.compared_at.is_some_and(|at| at.elapsed() < rest);
            if state.stamp == Some(stamp) || (is_fresh && !at_once) {
                return Ok(());
            }
            state.compared_at = Some(Instant::now());
        }
        let began = Instant::now();
        let now = self.reading(Self::versions)?;
        let mut state = self.feed.state();
        state.took = began.elapsed();
        state.compared(now, stamp);
        Ok(())
    }

    /// Returns the versions of all records, by path. What cannot be read has the path of no record, so that
    /// followers read everything again when that begins or ends.
    fn versions(loader: &Loader<'_>) -> Result<HashMap<String, u64>, LoadError> {
        let mut ranges = vec![
            Range::DeviceRequests,
            Range::Devices,
            Range::PairingTokens,
            Range::BearerClients,
            Range::NodeRequests,
            Range::Nodes,
        ];
        for channel in Self::channels_in(loader)? {
            let account = None;
            ranges.push(Range::Attempts {
                channel: channel.clone(),
            });
            ranges.push(Range::TurnedAway {
                channel: channel.clone(),
            });
            ranges.push(Range::Claims {
                channel: channel.clone(),
            });
            ranges.push(Range::Requests {
                channel: channel.clone(),
                account: account.clone(),
            });
            ranges.push(Range::Allowed { channel, account });
        }
        let mut versions = HashMap::new();
        for range in ranges {
            let loaded = match loader.range(&range) {
                Ok(loaded) => loaded,
                Err(LoadError::Store(error)) => {
                    versions.insert(unknown(&range.prefix(), &error.to_string()), 1);
                    continue;
                }
                Err(error) => return Err(error),
            };
            for problem in &loaded.problems {
                versions.insert(unknown(&problem.resource, &problem.detail), 1);
            }
            for (path, record) in loaded.records {
                let version = beside::version(&record);
                if let Record::Request(request) = &record {
                    let code = Record::Code(request.taken_code());
                    versions.insert(code.key().path(), beside::version(&code));
                }
                versions.insert(path, version);
            }
        }
        Ok(versions)
    }
}

/// Returns a path that is no record's.
fn unknown(resource: &str, detail: &str) -> String {
    format!("unknown/{resource}: {detail}")
}

impl FeedState {
    fn report(&mut self, keys: Vec<Key>) {
        if keys.is_empty() {
            return;
        }
        self.position += 1;
        let position = self.position;
        self.log.extend(keys.into_iter().map(|key| (position, key)));
        while self.log.len() > REMEMBERED {
            if let Some((position, _)) = self.log.pop_front() {
                self.forgotten = position;
            }
        }
    }

    fn compared(&mut self, now: HashMap<String, u64>, stamp: (i64, i64)) {
        let is_first = self.stamp.is_none();
        self.stamp = Some(stamp);
        let is_partial = now.len() > COMPARED;
        if is_first {
            // Nobody was told of anything before.
        } else if is_partial || self.is_partial {
            self.everything();
        } else {
            let gone = self.seen.keys().filter(|path| !now.contains_key(*path));
            let other = now
                .iter()
                .filter(|(path, version)| self.seen.get(*path) != Some(*version));
            let paths: Vec<_> = gone.chain(other.map(|(path, _)| path)).collect();
            let keys: Option<Vec<Key>> = paths.iter().map(|path| paths::key(path)).collect();
            match keys {
                Some(keys) => self.report(keys),
                None => self.everything(),
            }
        }
        self.is_partial = is_partial;
        self.seen = if is_partial { HashMap::new() } else { now };
    }

    fn everything(&mut self) {
        self.position += 1;
        self.log.clear();
        self.forgotten = self.position;
    }

    fn changes_after(&self, after: u64) -> Changes {
        let changed = if after < self.forgotten || after > self.position {
            Changed::Everything
        } else {
            let later = self.log.iter().filter(|(position, _)| *position > after);
            Changed::Keys(later.map(|(_, key)| key.clone()).collect())
        };
        Changes {
            position: Position::new(self.position),
            changed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn versions(count: usize) -> HashMap<String, u64> {
        let path = |number| format!("allow/telegram/default/{number}");
        (0..count).map(|number| (path(number), 1)).collect()
    }

    #[test]
    fn what_cannot_be_understood_has_everything_read_again() {
        let mut state = FeedState::default();
        state.compared(versions(3), (1, 1));
        let mut odd = versions(3);
        odd.insert(unknown("a table", "row 4 is passed over"), 1);
        for (now, stamp) in [(odd.clone(), 2), (versions(3), 4)] {
            let before = state.position;
            state.compared(now.clone(), (stamp, 1));
            assert_eq!(state.changes_after(before).changed, Changed::Everything);
            let before = state.position;
            state.compared(now, (stamp + 1, 1));
            assert_eq!(state.position, before);
        }
    }

    #[test]
    fn what_changed_is_told_key_by_key_as_long_as_that_is_bounded() {
        let mut state = FeedState::default();
        state.compared(versions(3), (1, 1));
        assert_eq!(state.changes_after(0).changed, Changed::Keys(Vec::new()));
        state.compared(versions(5), (2, 1));
        let Changed::Keys(keys) = state.changes_after(0).changed else {
            panic!("two are known");
        };
        assert_eq!(keys.len(), 2);
        let before = state.position;
        for count in [COMPARED + 1, COMPARED + 1, 3] {
            state.compared(versions(count), (3, 1));
            assert_eq!(state.changes_after(before).changed, Changed::Everything);
        }
        assert_eq!(state.seen.len(), 3);
        let before = state.position;
        state.compared(versions(2), (4, 1));
        assert!(
            matches!(state.changes_after(before).changed, Changed::Keys(keys) if keys.len() == 1)
        );
    }
}
