//! Claims: access that the owner grants in advance, to the sender who presents its code.

use super::{Decision, Limits, delete_request};
use crate::store::{AllowEntry, Change, Claim, Grant, PendingRequest};
use crate::{Record, SenderId, Timestamp};

impl Claim {
    /// Whether it has expired. One issued in the future beyond the clock skew counts as expired.
    pub fn is_expired(&self, limits: &Limits, now: Timestamp) -> bool {
        now >= self.expires_at || now.since_about(self.issued_at, limits.clock_skew).is_none()
    }
}

/// Puts a claim, and deletes those that have expired. `None` if too many others have not.
pub(crate) fn issue(
    claim: &Claim,
    before: &[Claim],
    limits: &Limits,
    now: Timestamp,
) -> Option<Decision<()>> {
    let (over, live): (Vec<_>, Vec<_>) = before
        .iter()
        .partition(|claim| claim.is_expired(limits, now));
    if live.len() >= limits.max_claims {
        return None;
    }
    let over = over.into_iter().map(|claim| Change::Delete(claim.key()));
    let new = Change::Put(Record::from(claim.clone()));
    Some(Decision {
        changes: over.chain([new]).collect(),
        outcome: (),
    })
}

/// Spends a claim on a sender who is not allowed yet: allows them, and ends a request of theirs.
pub(crate) fn claim(
    claim: &Claim,
    sender: &SenderId,
    request: Option<&PendingRequest>,
    now: Timestamp,
) -> Decision<AllowEntry> {
    let grant = Grant::new(claim.by.clone(), claim.via, now)
        .with_requested_at(request.and_then(|request| request.created_at))
        .with_principal(claim.principal.clone());
    let entry = AllowEntry {
        channel: claim.channel.clone(),
        account: claim.account.clone(),
        entry: sender.clone(),
        written: None,
        grant: Some(grant),
    };
    let ended = request.map(delete_request).into_iter().flatten();
    let mut changes = vec![Change::Delete(claim.key())];
    changes.extend(ended);
    changes.push(Change::Put(Record::Allow(entry.clone())));
    Decision {
        changes,
        outcome: entry,
    }
}
