//! Whether the store can be written.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use pairing_core::store::Group;
use pairing_core::{Chain, ChannelId, StoreError};

/// Whether the store can be written, as the last write of each group of records tells: why not, escaped. On a disk or in a
/// cluster that is full, reading works on. After a failure, the feed tries a write of its own now and then, in the same
/// group: another one may be on another disk.
#[derive(Debug, Default)]
pub(crate) struct WriteHealth(Mutex<BTreeMap<Place, String>>);

/// A group of records.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    Channel(ChannelId),
    Devices,
    Nodes,
}

impl Place {
    fn of(group: Group<'_>) -> Option<Self> {
        Some(match group {
            Group::Channel(channel) => Self::Channel(channel.clone()),
            Group::Devices => Self::Devices,
            Group::Nodes => Self::Nodes,
            _ => return None,
        })
    }

    pub(crate) fn group(&self) -> Group<'_> {
        match self {
            Self::Channel(channel) => Group::Channel(channel),
            Self::Devices => Group::Devices,
            Self::Nodes => Group::Nodes,
        }
    }
}

impl WriteHealth {
    /// Records the result of a write. A refusal that says nothing about the store itself does not count: another writer
    /// was faster, or holds the lock.
    pub(crate) fn note(&self, group: Group<'_>, result: &Result<(), StoreError>) {
        let mut failed = self.failed();
        match result {
            Ok(()) if failed.is_empty() => {}
            Ok(()) => {
                let was = Place::of(group).and_then(|place| failed.remove(&place));
                if was.is_some() && failed.is_empty() {
                    tracing::info!("store can be written again");
                }
            }
            Err(error @ (StoreError::Unwritable { .. } | StoreError::Unreachable { .. })) => {
                if failed.is_empty() {
                    tracing::error!(error = %Chain(error), "store cannot be written");
                }
                if let Some(place) = Place::of(group) {
                    failed.insert(place, Chain(error).to_string());
                }
            }
            Err(_) => {}
        }
    }

    /// Lets the last failures no longer count.
    pub(crate) fn forget(&self) {
        self.failed().clear();
    }

    /// Why it cannot.
    pub(crate) fn fault(&self) -> Option<String> {
        self.failed().values().next().cloned()
    }

    /// The groups of which it cannot.
    pub(crate) fn places(&self) -> Vec<Place> {
        self.failed().keys().cloned().collect()
    }

    fn failed(&self) -> std::sync::MutexGuard<'_, BTreeMap<Place, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
