//! The channels that the cluster has records of.

use std::collections::BTreeSet;

use etcd_client::GetOptions;
use pairing_core::{ChannelId, StoreError};

use crate::EtcdStore;
use crate::answer;
use crate::layout::{Layout, Place};

impl EtcdStore {
    /// Lists the channels that any gateway ever stored anything of.
    ///
    /// Asks the cluster for one short key for each range that was ever written: two for a channel, and two
    /// for each of its accounts.
    pub fn channels(&self) -> Result<BTreeSet<ChannelId>, StoreError> {
        let follower = self.inner.follower.clone();
        self.inner.wait(async move {
            let (cluster, ranges) = (&follower.cluster, &follower.layout.ranges());
            let found = cluster
                .call(cluster.patience, |mut client, _| {
                    let options = GetOptions::new().with_prefix().with_keys_only();
                    async move { client.get(ranges.as_str(), Some(options)).await }
                })
                .await
                .map_err(|error| answer::unreachable(cluster, error))?;
            let keys = found.kvs().iter().map(etcd_client::KeyValue::key);
            Ok(keys
                .filter_map(|key| channel(&follower.layout, key))
                .collect())
        })
    }
}

/// The channel whose range has its version under this key.
fn channel(layout: &Layout, key: &[u8]) -> Option<ChannelId> {
    let Some(Place::Range(range)) = layout.place(key) else {
        return None;
    };
    let mut parts = range.split('/');
    let kind = parts.next()?;
    let is_channels = ["request", "allow", "attempts", "turned-away", "claim"].contains(&kind);
    let channel = parts.next().filter(|_| is_channels)?;
    ChannelId::parse(channel).ok()
}

#[cfg(test)]
mod tests {
    use pairing_core::Range;

    use super::*;

    #[test]
    fn the_channel_of_each_kind_of_range() {
        let layout = Layout::new("home");
        let matrix = || ChannelId::parse("matrix").unwrap();
        for range in [
            Range::Requests {
                channel: matrix(),
                account: None,
            },
            Range::Allowed {
                channel: matrix(),
                account: Some(pairing_core::AccountId::parse("work").unwrap()),
            },
            Range::Attempts { channel: matrix() },
            Range::TurnedAway { channel: matrix() },
            Range::Claims { channel: matrix() },
        ] {
            let key = layout.range(&range);
            assert_eq!(channel(&layout, key.as_bytes()), Some(matrix()), "{key}");
        }
        for other in [
            layout.range(&Range::Devices),
            layout.range(&Range::Nodes),
            layout.head(),
        ] {
            assert_eq!(channel(&layout, other.as_bytes()), None, "{other}");
        }
    }
}
