//! Records that were read lately, kept for a bounded time and in a bounded number.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use pairing_core::store::Read;

/// Number of records that are kept: at most twice this, and absences count.
const GENERATION: usize = 8192;

/// A cache of records by path, as of one revision of the database.
///
/// What is not used while [`GENERATION`] others are read is dropped.
pub(crate) struct Cache {
    young: HashMap<String, Read>,
    old: HashMap<String, Read>,
    /// Every record here is as it was at this revision, or later.
    revision: u64,
    checked_at: Option<Instant>,
}

impl Cache {
    pub(crate) fn new(revision: u64) -> Self {
        Self {
            young: HashMap::new(),
            old: HashMap::new(),
            revision,
            checked_at: None,
        }
    }

    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    /// Whether the database has to be asked for what has changed meanwhile.
    pub(crate) fn is_due(&self, every: Duration) -> bool {
        self.checked_at.is_none_or(|at| at.elapsed() >= every)
    }

    /// Makes the next read ask the database.
    pub(crate) fn expire(&mut self) {
        self.checked_at = None;
    }

    pub(crate) fn get(&mut self, path: &str) -> Option<Read> {
        if let Some(read) = self.young.get(path) {
            return Some(read.clone());
        }
        let (path, read) = self.old.remove_entry(path)?;
        self.keep(path, read.clone());
        Some(read)
    }

    /// Keeps what was read at a revision, unless that is older than what is known to have changed.
    pub(crate) fn insert(&mut self, path: String, read: Read, revision: u64) {
        if revision >= self.revision {
            self.old.remove(&path);
            self.keep(path, read);
        }
    }

    fn keep(&mut self, path: String, read: Read) {
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(path, read);
    }

    /// Goes on from revision `from` to `to`, between which these paths were changed; `None` if it is not
    /// known which. Does nothing if the cache has gone on meanwhile.
    pub(crate) fn advance(&mut self, from: u64, to: u64, changed: Option<&[String]>) {
        if self.revision != from {
            return;
        }
        if let Some(paths) = changed {
            self.forget(paths);
        } else {
            self.young.clear();
            self.old.clear();
        }
        self.revision = to;
        self.checked_at = Some(Instant::now());
    }

    /// Takes in a commit of this handle's own.
    pub(crate) fn committed(&mut self, revision: u64, paths: &[String]) {
        self.forget(paths);
        // Otherwise others have committed in between: the next check finds out what.
        if self.revision + 1 == revision {
            self.revision = revision;
        }
    }

    fn forget(&mut self, paths: &[String]) {
        for path in paths {
            self.young.remove(path);
            self.old.remove(path);
        }
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}

#[cfg(test)]
mod tests {
    use pairing_core::store::Version;

    use super::*;

    fn read(number: u64) -> Read {
        Read {
            version: Version::new(number),
            record: None,
        }
    }

    fn version(cache: &mut Cache, path: &str) -> Option<u64> {
        cache.get(path).map(|read| read.version.number())
    }

    #[test]
    fn what_changed_is_forgotten() {
        let mut cache = Cache::new(1);
        cache.insert("a".to_owned(), read(1), 1);
        cache.insert("b".to_owned(), read(1), 1);
        cache.committed(2, &["a".to_owned()]);
        assert_eq!(
            (version(&mut cache, "a"), version(&mut cache, "b")),
            (None, Some(1))
        );
        // Read before that commit, and arriving after it.
        cache.insert("a".to_owned(), read(1), 1);
        assert_eq!(version(&mut cache, "a"), None);
        cache.advance(2, 5, Some(&["b".to_owned()]));
        assert_eq!((cache.revision(), version(&mut cache, "b")), (5, None));
        cache.insert("a".to_owned(), read(5), 5);
        cache.advance(5, 9, None);
        assert_eq!(version(&mut cache, "a"), None);
    }

    #[test]
    fn a_commit_after_others_leaves_those_to_be_found() {
        let mut cache = Cache::new(1);
        cache.insert("b".to_owned(), read(1), 1);
        cache.committed(3, &["a".to_owned()]);
        assert_eq!(cache.revision(), 1);
        cache.advance(1, 3, Some(&["a".to_owned(), "b".to_owned()]));
        assert_eq!((cache.revision(), version(&mut cache, "b")), (3, None));
    }

    #[test]
    fn bounded_and_what_is_used_stays() {
        let mut cache = Cache::new(0);
        cache.insert("used".to_owned(), read(1), 0);
        for number in 0..5 * GENERATION {
            cache.insert(number.to_string(), read(1), 0);
            assert!(cache.get("used").is_some(), "{number}");
        }
        assert!(cache.len() <= 2 * GENERATION);
        assert!(cache.get("0").is_none());
    }
}
