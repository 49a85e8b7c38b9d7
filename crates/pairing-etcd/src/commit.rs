//! Commits a batch in one transaction. If the answer is lost, it finds out what happened.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use etcd_client::{Compare, CompareOp, PutOptions, ResponseHeader, Txn, TxnOp};
use pairing_core::StoreError;
use pairing_core::store::{Batch, Change, Condition};
use tokio::sync::Mutex;

use crate::answer::{found, revision, signed, unreachable, unsigned};
use crate::cluster::{CallError, Cluster, Kind};
use crate::follow::Follower;
use crate::layout::Layout;
use crate::stored;

/// Maximum number of operations and comparisons in a transaction, nested ones included, unless the cluster is
/// configured otherwise.
const MAX_OPERATIONS: usize = 128;

/// Number of operations in a nested transaction; there may be as many of these.
const PART: usize = MAX_OPERATIONS / 2;

/// Time for which the cluster remembers an operation, in seconds: many times as long as anybody asks for it.
const REMEMBER_FOR: i64 = 120;

/// Time for which one lease is used for new operations.
const USE_LEASE_FOR: Duration = Duration::from_secs(60);

/// The value of an operation that was given up, so that it cannot happen any more.
const GIVEN_UP: &str = "given up";

/// Gives every commit of this process a unique name, of a lease and a number.
#[derive(Debug, Default)]
pub(crate) struct Operations {
    lease: Mutex<Option<Lease>>,
    count: AtomicU64,
}

#[derive(Debug, Clone, Copy)]
struct Lease {
    id: i64,
    granted: Instant,
}

/// The result of a transaction.
enum Outcome {
    Answered(Committed),
    /// The lease for remembering it does not exist any more; nothing has happened.
    NoLease,
}

/// The result of a commit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Committed {
    /// The commit that it is based on: its own, or the latest that it may conflict with.
    pub(crate) head: u64,
    /// Whether a condition did not hold, so that nothing was written.
    pub(crate) conflicts: bool,
}

/// Commits the batch, and returns the result.
pub(crate) async fn commit(
    follower: &Follower,
    operations: &Operations,
    batch: &Batch,
    patience: Duration,
) -> Result<Committed, StoreError> {
    let Follower {
        cluster, layout, ..
    } = follower;
    let conditions: Vec<_> = batch
        .conditions
        .iter()
        .map(|c| compare(layout, c))
        .collect();
    if batch.changes.is_empty() {
        return check(follower, conditions, patience).await;
    }
    let changes = changes(layout, &batch.changes)?;
    loop {
        let lease = operations.lease(cluster, patience).await?;
        let number = operations.count.fetch_add(1, Ordering::Relaxed);
        let id = layout.operation(&format!("{:x}-{number:x}", lease.id));
        match run(follower, patience, &conditions, &changes, &id, lease).await? {
            Outcome::Answered(committed) => return Ok(committed),
            Outcome::NoLease => operations.forget(lease).await,
        }
    }
}

/// Checks whether the conditions hold now.
async fn check(
    Follower {
        cluster, layout, ..
    }: &Follower,
    conditions: Vec<Compare>,
    patience: Duration,
) -> Result<Committed, StoreError> {
    let head = [TxnOp::get(layout.head(), None)];
    let txn = Txn::new().when(conditions).and_then(head.clone());
    let txn = &txn.or_else(head);
    let answer = cluster
        .call(patience, |mut client, _| {
            let txn = txn.clone();
            async move { client.txn(txn).await }
        })
        .await
        .map_err(|error| unreachable(cluster, error))?;
    let head = found(&answer).next();
    Ok(Committed {
        head: head.as_ref().map_or(0, revision),
        conflicts: !answer.succeeded(),
    })
}

/// Asks until it is known what happened to the operation `id`. It happens at most once, however often it is
/// sent, because it requires that its own name is free.
async fn run(
    Follower {
        cluster, layout, ..
    }: &Follower,
    patience: Duration,
    conditions: &[Compare],
    changes: &[TxnOp],
    id: &str,
    lease: Lease,
) -> Result<Outcome, StoreError> {
    let is_free = Compare::create_revision(id, CompareOp::Equal, 0);
    let note = TxnOp::put(id, "", Some(PutOptions::new().with_lease(lease.id)));
    let mut conditions = conditions.to_vec();
    conditions.push(is_free.clone());
    let mut writes = changes.to_vec();
    writes.push(note);
    let happen = Txn::new()
        .when(conditions.clone())
        .and_then(parts(writes, conditions.len())?);
    // Asking again also prevents earlier attempts that are still on their way.
    let give_up = TxnOp::put(id, GIVEN_UP, Some(PutOptions::new().with_lease(lease.id)));
    let shut = TxnOp::txn(Txn::new().when([is_free]).and_then([give_up]));
    let found_there = [TxnOp::get(id, None), TxnOp::get(layout.head(), None)];
    let first = &happen.clone().or_else(found_there.clone());
    let again = &happen.or_else([&found_there[..], &[shut]].concat());
    let answer = cluster
        .call(patience, |mut client, attempt| {
            let txn = if attempt == 0 { first } else { again }.clone();
            async move { client.txn(txn).await }
        })
        .await;
    let answer = match answer {
        Ok(answer) => answer,
        Err(CallError::Refused {
            kind: Kind::NoLease,
            ..
        }) => return Ok(Outcome::NoLease),
        Err(CallError::Refused {
            kind: Kind::TooLarge,
            ..
        }) => return Err(too_large()),
        Err(error) => {
            return Err(StoreError::Unwritable {
                resource: cluster.name(),
                source: error.into(),
            });
        }
    };
    if answer.succeeded() {
        let revision = answer.header().map_or(0, ResponseHeader::revision);
        return Ok(Outcome::Answered(Committed {
            head: unsigned(revision),
            conflicts: false,
        }));
    }
    let mut found = found(&answer);
    let (earlier, head) = (found.next(), found.next());
    // A name that is taken and was not given up is an earlier attempt that succeeded.
    let earlier = earlier.as_ref().and_then(|found| found.kvs().first());
    let happened = earlier.filter(|kv| kv.value() != GIVEN_UP.as_bytes());
    Ok(Outcome::Answered(Committed {
        head: head.as_ref().map_or(0, revision),
        conflicts: happened.is_none(),
    }))
}

fn compare(layout: &Layout, condition: &Condition) -> Compare {
    let (key, version) = match condition {
        Condition::Record(key, version) => (layout.record(key), version),
        Condition::Range(range, version) => (layout.range(range), version),
    };
    // A missing key has revision 0, as in `Version::ABSENT`.
    Compare::mod_revision(key, CompareOp::Equal, signed(version.number()))
}

/// The writes: the records, a new version for each range that contains one of them, and the head. A
/// comparison over a range would not notice deletions.
fn changes(layout: &Layout, changes: &[Change]) -> Result<Vec<TxnOp>, StoreError> {
    let mut operations = Vec::with_capacity(changes.len() + 4);
    let mut ranges = BTreeSet::new();
    for change in changes {
        let key = change.key();
        ranges.extend(key.ranges().iter().map(|range| layout.range(range)));
        operations.push(match change {
            Change::Put(record) => {
                let value = stored::encode(record).map_err(|error| StoreError::Unwritable {
                    resource: layout.shown(&key.path()),
                    source: error.into(),
                })?;
                TxnOp::put(layout.record(&key), value, None)
            }
            Change::Delete(_) => TxnOp::delete(layout.record(&key), None),
        });
    }
    operations.extend(ranges.into_iter().map(|range| TxnOp::put(range, "", None)));
    operations.push(TxnOp::put(layout.head(), "", None));
    Ok(operations)
}

/// Puts the operations into nested transactions if there are too many for one.
fn parts(operations: Vec<TxnOp>, comparisons: usize) -> Result<Vec<TxnOp>, StoreError> {
    if operations.len() <= MAX_OPERATIONS && comparisons <= MAX_OPERATIONS {
        return Ok(operations);
    }
    if operations.len() > PART * PART || comparisons > PART {
        return Err(too_large());
    }
    let parts = operations.chunks(PART);
    Ok(parts
        .map(|part| TxnOp::txn(Txn::new().and_then(part)))
        .collect())
}

fn too_large() -> StoreError {
    StoreError::Refused {
        reason: "more at once than the cluster takes".to_owned(),
    }
}

impl Operations {
    async fn lease(&self, cluster: &Cluster, patience: Duration) -> Result<Lease, StoreError> {
        let mut held = self.lease.lock().await;
        if let Some(lease) = *held
            && lease.granted.elapsed() < USE_LEASE_FOR
        {
            return Ok(lease);
        }
        let granted = Instant::now();
        let answer = cluster
            .call(patience, |mut client, _| async move {
                client.lease_grant(REMEMBER_FOR, None).await
            })
            .await
            .map_err(|error| unreachable(cluster, error))?;
        let lease = Lease {
            id: answer.id(),
            granted,
        };
        *held = Some(lease);
        Ok(lease)
    }

    async fn forget(&self, lease: Lease) {
        let mut held = self.lease.lock().await;
        if held.is_some_and(|held| held.id == lease.id) {
            *held = None;
        }
    }
}
