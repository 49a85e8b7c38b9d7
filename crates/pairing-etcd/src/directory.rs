//! The values that gateways announce, under a lease that ends with the gateway.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use etcd_client::{PutOptions, Txn, TxnOp};
use pairing_core::StoreError;
use tokio::sync::Mutex;
use tokio::time::sleep;

use crate::answer;
use crate::cluster::{CallError, Cluster, Kind};
use crate::store::{EtcdStore, Inner};

/// Time for which a gateway's values outlive it, in seconds.
const LIVES_ON: i64 = 10;

/// Interval at which the lease is renewed.
const RENEW_EVERY: Duration = Duration::from_secs(3);

/// Maximum number of values written or withdrawn in one transaction.
const AT_ONCE: usize = 100;

/// The directory of the gateways of one install. Each gateway has a `Directory` of its own.
///
/// - What is published here is seen by all within milliseconds, and gone at once when this is dropped, or
///   10 seconds after the process died.
/// - It is followed by the same watch as the state: reading asks nobody.
pub struct Directory {
    inner: Arc<Inner>,
    held: Arc<Mutex<Held>>,
}

/// Everything that is published.
#[derive(Debug, Clone, Default)]
pub struct Contents {
    /// The version; other contents have another one.
    pub version: u64,
    /// The values, in any order.
    pub values: Vec<Vec<u8>>,
}

/// A lease, and what is published under it.
#[derive(Debug, Default)]
struct Held {
    lease: Option<Lease>,
    published: BTreeMap<String, Vec<u8>>,
}

#[derive(Debug, Clone)]
struct Lease {
    id: i64,
    /// Whether it has ended, or may have.
    is_over: Arc<AtomicBool>,
}

impl EtcdStore {
    /// Returns the directory for one of the gateways that share the state.
    pub fn directory(&self) -> Directory {
        self.inner.follow();
        Directory {
            inner: self.inner.clone(),
            held: Arc::default(),
        }
    }
}

impl Directory {
    /// Replaces everything that this directory has published with these values, by name. Writes only what
    /// differs. The values need not appear all at once.
    pub fn publish(&self, values: &BTreeMap<String, Vec<u8>>) -> Result<(), StoreError> {
        let (inner, held, values) = (self.inner.clone(), self.held.clone(), values.clone());
        self.inner.wait(async move {
            let mut held = held.lock().await;
            let cluster = &inner.follower.cluster;
            // A lease may end between the check and its use.
            for _ in 0..2 {
                let lease = held.lease(&inner).await?;
                match held.write(&inner, &lease, &values).await {
                    Err(CallError::Refused {
                        kind: Kind::NoLease,
                        ..
                    }) => lease.is_over.store(true, Ordering::Relaxed),
                    written => return written.map_err(|error| answer::unreachable(cluster, error)),
                }
            }
            Err(StoreError::Unwritable {
                resource: cluster.name(),
                source: "the lease ends at once".into(),
            })
        })
    }

    /// Returns the values that all gateways have published, unless they still are the version `known`; then
    /// it waits up to `timeout` for another version. Fails if a majority of the cluster has not confirmed
    /// them lately.
    pub fn read(&self, known: Option<u64>, wait: Duration) -> Result<Option<Contents>, StoreError> {
        let view = &self.inner.follower.view;
        view.wait_for_gateways(known, wait);
        if view.currency(Instant::now()).is_down() {
            let silence = CallError::NoAnswer {
                waited: wait,
                last: "nobody knows who is there".to_owned(),
            };
            return Err(answer::unreachable(&self.inner.follower.cluster, silence));
        }
        let contents = view.read(|mirror| {
            let version = mirror.gateways_revision();
            (known != Some(version)).then(|| Contents {
                version,
                values: mirror.gateways().cloned().collect(),
            })
        });
        Ok(contents.flatten())
    }
}

impl Held {
    /// Returns the lease, or makes a new one, under which nothing is published yet.
    async fn lease(&mut self, inner: &Arc<Inner>) -> Result<Lease, StoreError> {
        if let Some(lease) = &self.lease
            && !lease.is_over.load(Ordering::Relaxed)
        {
            return Ok(lease.clone());
        }
        let cluster = &inner.follower.cluster;
        let granted = cluster
            .call(cluster.patience, |mut client, _| async move {
                client.lease_grant(LIVES_ON, None).await
            })
            .await
            .map_err(|error| answer::unreachable(cluster, error))?;
        let lease = Lease {
            id: granted.id(),
            is_over: Arc::default(),
        };
        inner.spawn(renew(cluster.clone(), lease.clone()));
        self.published.clear();
        self.lease = Some(lease.clone());
        Ok(lease)
    }

    /// Writes what differs from what is published.
    async fn write(
        &mut self,
        inner: &Inner,
        lease: &Lease,
        values: &BTreeMap<String, Vec<u8>>,
    ) -> Result<(), CallError> {
        let follower = &inner.follower;
        let layout = &follower.layout;
        let gone = self
            .published
            .keys()
            .filter(|name| !values.contains_key(*name));
        let gone = gone.map(|name| (name.clone(), None));
        let new = values
            .iter()
            .filter(|(name, value)| self.published.get(*name) != Some(value))
            .map(|(name, value)| (name.clone(), Some(value.clone())));
        let changes: Vec<_> = gone.chain(new).collect();
        for part in changes.chunks(AT_ONCE) {
            let operations = part.iter().map(|(name, value)| match value {
                Some(value) => {
                    let options = PutOptions::new().with_lease(lease.id);
                    TxnOp::put(layout.gateway(name), value.clone(), Some(options))
                }
                None => TxnOp::delete(layout.gateway(name), None),
            });
            // The head tells readers that something has changed.
            let head = TxnOp::put(layout.head(), "", None);
            let txn = &Txn::new().and_then(operations.chain([head]).collect::<Vec<_>>());
            // Writing it twice has the same result.
            follower
                .cluster
                .call(follower.cluster.patience, |mut client, _| {
                    let txn = txn.clone();
                    async move { client.txn(txn).await }
                })
                .await?;
            for (name, value) in part.iter().cloned() {
                match value {
                    Some(value) => self.published.insert(name, value),
                    None => self.published.remove(&name),
                };
            }
        }
        Ok(())
    }
}

/// Renews a lease until it is over, or the store's thread ends.
async fn renew(cluster: Arc<Cluster>, lease: Lease) {
    let mut renewed = Instant::now();
    while !lease.is_over.load(Ordering::Relaxed) {
        sleep(RENEW_EVERY).await;
        let kept = cluster
            .call(RENEW_EVERY, |mut client, _| async move {
                // Its first answer says whether the lease was renewed, or does not exist.
                match client.lease_keep_alive(lease.id).await {
                    Ok(_) => Ok(true),
                    Err(etcd_client::Error::LeaseKeepAliveError(_)) => Ok(false),
                    Err(error) => Err(error),
                }
            })
            .await;
        match kept {
            Ok(true) => renewed = Instant::now(),
            Err(_) if renewed.elapsed() < Duration::from_secs(LIVES_ON.unsigned_abs()) => {}
            Ok(false) | Err(_) => break,
        }
    }
    lease.is_over.store(true, Ordering::Relaxed);
}

impl Drop for Directory {
    fn drop(&mut self) {
        let (inner, held) = (self.inner.clone(), self.held.clone());
        // Nobody waits for it: if it fails, the lease ends by itself.
        self.inner.spawn(async move {
            let mut held = held.lock().await;
            let Some(lease) = held.lease.take() else {
                return;
            };
            lease.is_over.store(true, Ordering::Relaxed);
            let cluster = &inner.follower.cluster;
            let ended = cluster
                .call(RENEW_EVERY, |mut client, _| async move {
                    client.lease_revoke(lease.id).await
                })
                .await;
            if let Err(error) = ended {
                tracing::debug!(%error, "a lease is left to end by itself");
            }
        });
    }
}

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Directory").finish_non_exhaustive()
    }
}
