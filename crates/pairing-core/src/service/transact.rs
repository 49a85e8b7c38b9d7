//! Transactions: read, decide and commit, and retry after a conflict.

use std::sync::Arc;

use crate::device::{
    Device, DeviceId, DeviceRequest, Node, NodeId, NodeRequest, PairingToken, TokenHash,
};
use crate::dm::Decision;
use crate::store::{
    AllowEntry, Attempts, Batch, BearerClient, Change, Claim, Condition, PageRequest,
    PendingRequest, TakenCode, TurnedAway, size,
};
use crate::{AccountId, ChannelId, Key, PairingStore, Range, Record, StoreError};

/// Maximum number of attempts at a decision. Every conflict is somebody else's success, so only a broken
/// store reaches it.
const MAX_TRIES: usize = 100;

/// Maximum number of records of a range that a decision may depend on.
const DECISIVE: usize = 1024;

/// Decides on the state of the store, and commits on condition that everything it read is unchanged.
///
/// `decide` runs once per attempt; each read through the transaction becomes a condition of the commit.
pub(super) fn transact<T, E: From<StoreError>>(
    store: &dyn PairingStore,
    mut decide: impl FnMut(&mut Transaction<'_>) -> Result<Decision<T>, E>,
) -> Result<T, E> {
    for _ in 0..MAX_TRIES {
        let mut transaction = Transaction {
            store,
            conditions: Vec::new(),
        };
        let Decision { changes, outcome } = decide(&mut transaction)?;
        if changes.is_empty() {
            return Ok(outcome);
        }
        for change in &changes {
            size::check(change)?;
        }
        let batch = Batch {
            conditions: transaction.conditions,
            changes: last_of_each_key(changes),
        };
        match store.commit(&batch) {
            Ok(()) => return Ok(outcome),
            Err(StoreError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(StoreError::Conflict.into())
}

/// Keeps the last change of each key, since the parts of a decision may name a key twice.
fn last_of_each_key(changes: Vec<Change>) -> Vec<Change> {
    let mut kept: Vec<Change> = Vec::with_capacity(changes.len());
    for change in changes {
        kept.retain(|before| before.key() != change.key());
        kept.push(change);
    }
    kept
}

/// Reads records for a decision, and remembers each read as a condition.
pub(super) struct Transaction<'s> {
    store: &'s dyn PairingStore,
    conditions: Vec<Condition>,
}

impl Transaction<'_> {
    fn read(&mut self, key: Key) -> Result<Option<Arc<Record>>, StoreError> {
        let read = self.store.read(&key)?;
        self.conditions.push(Condition::Record(key, read.version));
        Ok(read.record)
    }

    pub(super) fn request(&mut self, key: Key) -> Result<Option<PendingRequest>, StoreError> {
        let record = self.read(key)?;
        Ok(record.and_then(|record| record.as_request().cloned()))
    }

    pub(super) fn code(&mut self, key: Key) -> Result<Option<TakenCode>, StoreError> {
        let record = self.read(key)?;
        Ok(record.and_then(|record| record.as_code().cloned()))
    }

    pub(super) fn allow(&mut self, key: Key) -> Result<Option<AllowEntry>, StoreError> {
        let record = self.read(key)?;
        Ok(record.and_then(|record| record.as_allow().cloned()))
    }

    /// Reads an entry of an allowlist, shared.
    pub(super) fn entry(&mut self, key: Key) -> Result<Option<Arc<Record>>, StoreError> {
        self.read(key)
    }

    /// Reads the wrong codes of all approvers of a channel.
    pub(super) fn all_attempts(
        &mut self,
        channel: &ChannelId,
    ) -> Result<Vec<Attempts>, StoreError> {
        let records = self.whole(Range::Attempts {
            channel: channel.clone(),
        })?;
        let attempts = records.iter().filter_map(|r| r.as_attempts().cloned());
        Ok(attempts.collect())
    }

    pub(super) fn attempts(&mut self, key: Key) -> Result<Option<Attempts>, StoreError> {
        let record = self.read(key)?;
        Ok(record.and_then(|record| record.as_attempts().cloned()))
    }

    pub(super) fn turned_away(&mut self, key: Key) -> Result<Option<TurnedAway>, StoreError> {
        let record = self.read(key)?;
        Ok(record.and_then(|record| record.as_turned_away().cloned()))
    }

    pub(super) fn claim(&mut self, key: Key) -> Result<Option<Claim>, StoreError> {
        let record = self.read(key)?;
        Ok(record.and_then(|record| record.as_claim().cloned()))
    }

    /// Reads all claims of a channel.
    pub(super) fn claims(&mut self, channel: &ChannelId) -> Result<Vec<Claim>, StoreError> {
        let records = self.whole(Range::Claims {
            channel: channel.clone(),
        })?;
        let claims = records.iter().filter_map(|r| r.as_claim().cloned());
        Ok(claims.collect())
    }

    pub(super) fn device(&mut self, device: DeviceId) -> Result<Option<Device>, StoreError> {
        let record = self.read(Key::Device { device })?;
        Ok(record.and_then(|record| record.as_device().cloned()))
    }

    pub(super) fn device_request(
        &mut self,
        device: DeviceId,
    ) -> Result<Option<DeviceRequest>, StoreError> {
        let record = self.read(Key::DeviceRequest { device })?;
        Ok(record.and_then(|record| record.as_device_request().cloned()))
    }

    pub(super) fn pairing_token(
        &mut self,
        hash: TokenHash,
    ) -> Result<Option<PairingToken>, StoreError> {
        let record = self.read(Key::PairingToken { hash })?;
        Ok(record.and_then(|record| record.as_pairing_token().cloned()))
    }

    /// Reads all pending requests of devices.
    pub(super) fn device_requests(&mut self) -> Result<Vec<DeviceRequest>, StoreError> {
        let records = self.whole(Range::DeviceRequests)?;
        let requests = records
            .iter()
            .filter_map(|r| r.as_device_request().cloned());
        Ok(requests.collect())
    }

    /// Reads all pairing tokens.
    pub(super) fn pairing_tokens(&mut self) -> Result<Vec<PairingToken>, StoreError> {
        let records = self.whole(Range::PairingTokens)?;
        let tokens = records.iter().filter_map(|r| r.as_pairing_token().cloned());
        Ok(tokens.collect())
    }

    /// Reads all bearer clients.
    pub(super) fn bearer_clients(&mut self) -> Result<Vec<BearerClient>, StoreError> {
        let records = self.whole(Range::BearerClients)?;
        let clients = records.iter().filter_map(|r| r.as_bearer_client().cloned());
        Ok(clients.collect())
    }

    pub(super) fn node(&mut self, node: &NodeId) -> Result<Option<Node>, StoreError> {
        let record = self.read(Key::Node { node: node.clone() })?;
        Ok(record.and_then(|record| record.as_node().cloned()))
    }

    pub(super) fn node_request(
        &mut self,
        node: &NodeId,
    ) -> Result<Option<NodeRequest>, StoreError> {
        let record = self.read(Key::NodeRequest { node: node.clone() })?;
        Ok(record.and_then(|record| record.as_node_request().cloned()))
    }

    /// Reads all pending requests of legacy nodes.
    pub(super) fn node_requests(&mut self) -> Result<Vec<NodeRequest>, StoreError> {
        let records = self.whole(Range::NodeRequests)?;
        let requests = records.iter().filter_map(|r| r.as_node_request().cloned());
        Ok(requests.collect())
    }

    /// Reads all pending requests of a channel or an account.
    pub(super) fn requests(
        &mut self,
        channel: &ChannelId,
        account: Option<&AccountId>,
    ) -> Result<Vec<PendingRequest>, StoreError> {
        let range = Range::Requests {
            channel: channel.clone(),
            account: account.cloned(),
        };
        let records = self.whole(range)?;
        let requests = records.iter().filter_map(|r| r.as_request().cloned());
        Ok(requests.collect())
    }

    fn whole(&mut self, range: Range) -> Result<Vec<Arc<Record>>, StoreError> {
        let page = self.store.range(&range, &PageRequest::first(DECISIVE))?;
        if page.next.is_some() {
            return Err(StoreError::Refused {
                reason: format!("more than {DECISIVE} records are stored where a few belong"),
            });
        }
        self.conditions.push(Condition::Range(range, page.version));
        Ok(page.records)
    }
}

/// The records of a range, and what in it could not be understood.
pub(super) type Listed = (Vec<Arc<Record>>, Vec<crate::Problem>);

/// Maximum number of records that are listed at once: what takes longer than reading them is not meant for a thread
/// that must not be kept.
const AT_ONCE: usize = 64;

/// Reads a whole range, if it is short and the store can tell it at once.
pub(super) fn list_at_once(store: &dyn PairingStore, range: &Range) -> Option<Listed> {
    let page = store.range_at_once(range, &PageRequest::first(AT_ONCE))?;
    page.next.is_none().then_some((page.records, page.problems))
}

/// Reads a range page by page, without making it a condition of a decision.
pub(super) fn list(store: &dyn PairingStore, range: &Range) -> Result<Listed, StoreError> {
    let mut page = store.range(range, &PageRequest::first(DECISIVE))?;
    let (mut records, mut problems) = (page.records, page.problems);
    while let Some(after) = page.next {
        page = store.range(
            range,
            &PageRequest {
                after: Some(after),
                limit: DECISIVE,
            },
        )?;
        records.append(&mut page.records);
        problems.append(&mut page.problems);
    }
    Ok((records, problems))
}
