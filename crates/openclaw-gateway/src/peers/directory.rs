//! Where gateways find each other.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Where the gateways on one pairing state say that they are there. Each has a `Directory` of its own; all
/// of these show the same contents.
///
/// Must hold:
/// - What is published through a `Directory` is seen through all, and is gone soon after the `Directory`
///   is dropped or its process dies, within a time that the implementation states: a lease.
/// - Values are read byte for byte as they were published.
/// - Whoever can write here is believed to be a gateway: it is for nobody else than who may write the pairing
///   state.
/// - Both operations may block, for a bounded time: the gateway calls them where that is allowed.
pub trait Directory: Send + Sync {
    /// Makes these values, by name, all that is published through this `Directory`.
    ///
    /// - Nobody else's have these names. A value has at most [`MAX_VALUE`] bytes; there is one for the
    ///   gateway, and one for each node that is connected to it.
    /// - They need not appear all at once.
    /// - The same is published again every few seconds, so that nothing is lost for good: at a cost that does
    ///   not grow with readers, where nothing has been lost.
    fn publish(&self, values: &BTreeMap<String, Vec<u8>>) -> Result<(), DirectoryError>;

    /// What everybody has published, this gateway included, where that is not the version `known`; waits for
    /// one that is another at most so long. `None` where there is none by then.
    ///
    /// Fails where the contents cannot be vouched for: an old copy is worth less than no answer.
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

/// The longest value that is published, in bytes.
pub const MAX_VALUE: usize = 64 << 10;

/// All that is published.
#[derive(Debug, Clone, Default)]
pub struct Contents {
    /// Differs from that of other contents.
    pub version: u64,
    /// The values, in any order.
    pub values: Vec<Vec<u8>>,
}

/// The directory cannot be read or written now.
#[derive(Debug, thiserror::Error)]
#[error("the directory of gateways fails")]
pub struct DirectoryError(#[source] Box<dyn Error + Send + Sync>);

impl DirectoryError {
    /// Wraps what the implementation says.
    pub fn new(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(source.into())
    }
}

/// A directory for the gateways of one process. Clones are the same one.
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

/// One gateway's place in a [`MemoryDirectory`]: what it published ends with it.
#[derive(Debug)]
pub struct MemoryLease {
    memory: Arc<Memory>,
    number: u64,
}

impl MemoryDirectory {
    /// A directory without any gateways.
    pub fn new() -> Self {
        Self::default()
    }

    /// A place for one gateway.
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
        // The same again is no news.
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
