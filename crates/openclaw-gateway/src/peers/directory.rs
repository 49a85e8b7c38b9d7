//! The directory in which gateways find each other.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The directory in which the gateways on one pairing state announce themselves. Each gateway has a
/// `Directory` of its own; all of them show the same contents.
///
/// An implementation has to guarantee:
/// - What is published through a `Directory` is seen through all, and is gone soon after the `Directory`
///   is dropped or its process dies, within a time that the implementation states: a lease.
/// - Values are read byte for byte as they were published.
/// - Whoever can write here is believed to be a gateway: it is for nobody else than who may write the pairing
///   state.
/// - Both operations may block, for a bounded time: the gateway calls them where that is allowed.
pub trait Directory: Send + Sync {
    /// Replaces everything that this `Directory` has published with these values, by name.
    ///
    /// - Nobody else's have these names. A value has at most [`MAX_VALUE`] bytes; there is one for the
    ///   gateway, and one for each node that is connected to it.
    /// - They need not appear all at once.
    /// - The same is published again every few seconds, so that nothing is lost for good: at a cost that does
    ///   not grow with readers, where nothing has been lost.
    fn publish(&self, values: &BTreeMap<String, Vec<u8>>) -> Result<(), DirectoryError>;

    /// Returns the values that all gateways have published, this one included, unless they still are the
    /// version `known`; then it waits up to `timeout` for another version, and returns `None` if there is
    /// none.
    ///
    /// Fails if the contents cannot be guaranteed: an old copy is worse than no answer.
    fn read(&self, known: Option<u64>, wait: Duration) -> Result<Option<Contents>, DirectoryError>;
}

impl<D: Directory + ?Sized> Directory for Arc<D> {
    fn publish(&self, values: &BTreeMap<String, Vec<u8>>) -> Result<(), DirectoryError> {
        (**self).publish(values)
    }

    fn read(&self, known: Option<u64>, wait: Duration) -> Result<Option<Contents>, DirectoryError> {
        (**self).read(known, wait)
    }
}

/// Maximum size of a value, in bytes.
pub const MAX_VALUE: usize = 64 << 10;

/// Everything that is published.
#[derive(Debug, Clone, Default)]
pub struct Contents {
    /// The version; other contents have another one.
    pub version: u64,
    /// The values, in any order.
    pub values: Vec<Vec<u8>>,
}

/// The directory cannot be read or written at the moment.
#[derive(Debug, thiserror::Error)]
#[error("the directory of gateways fails")]
pub struct DirectoryError(#[source] Box<dyn Error + Send + Sync>);

impl DirectoryError {
    /// Wraps an error of the implementation.
    pub fn new(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(source.into())
    }
}

/// A directory for the gateways of one process. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct MemoryDirectory(Arc<Memory>);

#[derive(Debug, Default)]
struct Memory {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    version: u64,
    leases: u64,
    values: BTreeMap<(u64, String), Vec<u8>>,
}

/// One gateway's access to a [`MemoryDirectory`]. What it published is removed when it is dropped.
#[derive(Debug)]
pub struct MemoryLease {
    memory: Arc<Memory>,
    number: u64,
}

impl MemoryDirectory {
    /// An empty directory.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the access for one gateway.
    pub fn lease(&self) -> MemoryLease {
        let mut state = self.0.state();
        state.leases += 1;
        MemoryLease {
            memory: self.0.clone(),
            number: state.leases,
        }
    }
}

impl Memory {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn replace(&self, lease: u64, values: &BTreeMap<String, Vec<u8>>) {
        let mut state = self.state();
        let others = |of: &u64| *of != lease;
        let before: Vec<_> = state
            .values
            .iter()
            .filter(|((of, _), _)| !others(of))
            .collect();
        let is_same = before.len() == values.len()
            && before
                .iter()
                .all(|((_, name), value)| values.get(name) == Some(value));
        if is_same {
            return;
        }
        state.values.retain(|(of, _), _| others(of));
        let named = values
            .iter()
            .map(|(name, value)| ((lease, name.clone()), value.clone()));
        state.values.extend(named);
        state.version += 1;
        self.changed.notify_all();
    }
}

impl Directory for MemoryLease {
    fn publish(&self, values: &BTreeMap<String, Vec<u8>>) -> Result<(), DirectoryError> {
        self.memory.replace(self.number, values);
        Ok(())
    }

    fn read(&self, known: Option<u64>, wait: Duration) -> Result<Option<Contents>, DirectoryError> {
        let state = self.memory.state();
        let is_known = |state: &mut State| known == Some(state.version);
        let waited = self
            .memory
            .changed
            .wait_timeout_while(state, wait, is_known);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        Ok((!is_known(&mut state)).then(|| Contents {
            version: state.version,
            values: state.values.values().cloned().collect(),
        }))
    }
}

impl Drop for MemoryLease {
    fn drop(&mut self) {
        self.memory.replace(self.number, &BTreeMap::new());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(names: &[&str]) -> BTreeMap<String, Vec<u8>> {
        let value = |name: &&str| ((*name).to_owned(), name.as_bytes().to_vec());
        names.iter().map(value).collect()
    }

    #[test]
    fn what_is_published_is_all_that_there_is_and_ends_with_the_lease() {
        let directory = MemoryDirectory::new();
        let (one, other) = (directory.lease(), directory.lease());
        one.publish(&values(&["a", "b"])).unwrap();
        other.publish(&values(&["c"])).unwrap();
        one.publish(&values(&["b", "d"])).unwrap();
        let seen = other.read(None, Duration::ZERO).unwrap().unwrap();
        assert_eq!(seen.values, [b"b", b"d", b"c"]);
        // The same values are not a new version.
        one.publish(&values(&["b", "d"])).unwrap();
        let known = Some(seen.version);
        assert!(other.read(known, Duration::ZERO).unwrap().is_none());
        drop(one);
        let seen = other.read(known, Duration::ZERO).unwrap().unwrap();
        assert_eq!(seen.values, [b"c"]);
    }

    #[test]
    fn who_waits_is_told() {
        let directory = MemoryDirectory::new();
        let (one, other) = (directory.lease(), directory.lease());
        let known = one.read(None, Duration::ZERO).unwrap().unwrap().version;
        let waiting = std::thread::spawn(move || one.read(Some(known), Duration::from_secs(60)));
        other.publish(&values(&["a"])).unwrap();
        let seen = waiting.join().unwrap().unwrap().unwrap();
        assert_eq!(seen.values, [b"a"]);
    }
}
