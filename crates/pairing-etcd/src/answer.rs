//! Reads the client library's answers, and turns its errors into those of the store.

use etcd_client::{GetResponse, TxnOpResponse, TxnResponse};
use pairing_core::StoreError;

use crate::cluster::{CallError, Cluster};

/// The answers to the reads of a transaction, in their order.
pub(crate) fn found(answer: &TxnResponse) -> impl Iterator<Item = GetResponse> + use<> {
    let answers = answer.op_responses().into_iter();
    answers.filter_map(|op| match op {
        TxnOpResponse::Get(found) => Some(found),
        _ => None,
    })
}

/// The revision of the one key that was read; 0 if the key does not exist.
pub(crate) fn revision(found: &GetResponse) -> u64 {
    let kv = found.kvs().first();
    kv.map_or(0, |kv| unsigned(kv.mod_revision()))
}

/// A revision of the cluster, which the protocol has as `i64` although it counts up from 0.
pub(crate) fn unsigned(revision: i64) -> u64 {
    u64::try_from(revision).unwrap_or_default()
}

/// A revision as the protocol has it.
pub(crate) fn signed(revision: u64) -> i64 {
    i64::try_from(revision).unwrap_or(i64::MAX)
}

/// The error of a call that the cluster did not answer.
pub(crate) fn unreachable(cluster: &Cluster, error: CallError) -> StoreError {
    StoreError::Unreachable {
        resource: cluster.name(),
        source: error.into(),
    }
}
