//! The adapters of a gateway: one for each account.

use std::collections::BTreeMap;
use std::sync::Arc;

use pairing_core::{AccountId, ChannelId};

use super::Adapter;

/// The adapters of a gateway, by account. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Adapters(Arc<BTreeMap<(ChannelId, AccountId), Arc<dyn Adapter>>>);

impl Adapters {
    /// Adds one; it takes the place of one for the same account.
    pub(crate) fn add(&mut self, adapter: Arc<dyn Adapter>) {
        let key = (adapter.channel().clone(), adapter.account().clone());
        Arc::make_mut(&mut self.0).insert(key, adapter);
    }

    /// That of an account.
    pub fn get(&self, channel: &ChannelId, account: &AccountId) -> Option<&Arc<dyn Adapter>> {
        self.0.get(&(channel.clone(), account.clone()))
    }

    /// All of them, by channel and account.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<dyn Adapter>> {
        self.0.values()
    }

    /// Is there none?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
