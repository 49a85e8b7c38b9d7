//! The adapters that run, by account, and those that a configuration names.

use std::collections::BTreeMap;
use std::sync::Arc;

use channel_kit::Adapter;
use pairing_core::{AccountId, ChannelId};

/// Adapters, by channel and account.
#[derive(Debug, Default)]
pub struct Adapters(BTreeMap<AdapterKey, Arc<dyn Adapter>>);

/// The channel and the account of an adapter.
pub type AdapterKey = (ChannelId, AccountId);

impl Adapters {
    /// The adapter of an account.
    pub fn get(&self, key: &AdapterKey) -> Option<&Arc<dyn Adapter>> {
        self.0.get(key)
    }

    /// All of them, by channel and account.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<dyn Adapter>> {
        self.0.values()
    }
}

impl FromIterator<(AdapterKey, Arc<dyn Adapter>)> for Adapters {
    fn from_iter<I: IntoIterator<Item = (AdapterKey, Arc<dyn Adapter>)>>(all: I) -> Self {
        Self(all.into_iter().collect())
    }
}

/// An account that a configuration sets up.
#[derive(Debug)]
pub struct Configured {
    /// Its channel and account.
    pub key: AdapterKey,
    /// Its adapter, or the reason why there is none.
    pub built: Result<Built, BuildError>,
}

/// An adapter that was built from the configuration, and does not run yet.
#[derive(Debug)]
pub struct Built {
    /// A hash of its settings: an adapter with another hash takes its place.
    pub fingerprint: [u8; 32],
    /// A hash of what the chat system knows the account by, such as its token: two accounts with the same would take
    /// messages from each other.
    pub identity: [u8; 32],
    /// The adapter.
    pub adapter: Arc<dyn Adapter>,
}

/// An adapter that cannot be built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildError {
    /// The error, without secrets and escaped.
    pub error: String,
    /// What the owner can do about it.
    pub advice: Option<&'static str>,
}
