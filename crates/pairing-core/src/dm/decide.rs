//! Decisions of the owner about senders.

use super::{Decision, delete_request, put_request};
use crate::store::{AllowEntry, Change, PendingRequest};
use crate::{AccountId, Approver, ChannelId, Key, Record, SenderId, Timestamp};

/// Allows the sender of a request, and ends the request.
pub(crate) fn approve(
    request: &PendingRequest,
    allowed: Option<&AllowEntry>,
    approver: &Approver,
    now: Timestamp,
) -> Decision<AllowEntry> {
    let entry = allowed.cloned().unwrap_or_else(|| AllowEntry {
        channel: request.channel.clone(),
        account: request.account.clone(),
        entry: request.sender.clone(),
        written: None,
        grant: Some(approver.grant(request.created_at, now)),
    });
    let mut changes = Vec::from(delete_request(request));
    if allowed.is_none() {
        changes.push(Change::Put(Record::Allow(entry.clone())));
    }
    Decision {
        changes,
        outcome: entry,
    }
}

/// Removes a sender from the allowlist, and puts the request back that was approved.
pub(crate) fn revert(request: Option<&PendingRequest>, allowed: &AllowEntry) -> Vec<Change> {
    let Decision { mut changes, .. } = withdraw(allowed);
    changes.extend(request.cloned().map(put_request).into_iter().flatten());
    changes
}

/// Ends a request without allowing the sender.
pub(crate) fn reject(request: &PendingRequest) -> Decision<PendingRequest> {
    Decision {
        changes: delete_request(request).into(),
        outcome: request.clone(),
    }
}

/// Allows a sender, whether or not they have asked, and ends a request of theirs. The outcome is `true`
/// if they were not allowed before.
pub(crate) fn allow(
    (channel, account, sender): (&ChannelId, &AccountId, &SenderId),
    request: Option<&PendingRequest>,
    allowed: Option<&AllowEntry>,
    approver: &Approver,
    now: Timestamp,
) -> Decision<bool> {
    let mut changes: Vec<Change> = request.map(delete_request).into_iter().flatten().collect();
    if allowed.is_none() {
        changes.push(Change::Put(Record::Allow(AllowEntry {
            channel: channel.clone(),
            account: account.clone(),
            entry: sender.clone(),
            written: None,
            grant: Some(approver.grant(request.and_then(|r| r.created_at), now)),
        })));
    }
    Decision {
        changes,
        outcome: allowed.is_none(),
    }
}

/// Removes a sender from the allowlist.
pub(crate) fn withdraw(allowed: &AllowEntry) -> Decision<AllowEntry> {
    let key = Key::Allow {
        channel: allowed.channel.clone(),
        account: allowed.account.clone(),
        entry: allowed.entry.clone(),
    };
    Decision {
        changes: vec![Change::Delete(key)],
        outcome: allowed.clone(),
    }
}
