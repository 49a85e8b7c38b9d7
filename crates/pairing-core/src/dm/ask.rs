//! Requests of unknown senders.

use super::{Decision, Limits, delete_request, put_request};
use crate::store::{Change, PendingRequest, Record, SeenSender, TurnedAway};
use crate::{AccountId, ChannelId, Metadata, PairingCode, SenderId, Timestamp};

/// Maximum number of turned-away senders that are recorded by name.
const RECENT: usize = 8;

/// Time without a turned-away sender after which the count restarts.
const FORGET_TURNED_AWAY: std::time::Duration = std::time::Duration::from_secs(24 * 3600);

/// The sender who asks, with channel and account.
#[derive(Debug)]
pub(crate) struct Ask<'a> {
    pub(crate) channel: &'a ChannelId,
    pub(crate) account: &'a AccountId,
    pub(crate) sender: &'a SenderId,
    pub(crate) meta: &'a Metadata,
}

/// The state of a sender among the pending requests.
#[derive(Debug)]
pub(crate) enum Standing<'a> {
    /// The sender has a request that has not expired.
    Waiting(&'a PendingRequest),
    /// The sender has none, and there is room for one.
    New,
    /// The sender has none, and too many are pending.
    Full,
}

/// Looks the sender up among the requests of the account; ignores expired ones.
pub(crate) fn standing<'a>(
    ask: &Ask<'_>,
    pending: &'a [PendingRequest],
    limits: &Limits,
    now: Timestamp,
) -> Standing<'a> {
    let live = || pending.iter().filter(|r| !r.is_expired(limits, now));
    match live().find(|request| request.sender == *ask.sender) {
        Some(request) => Standing::Waiting(request),
        None if live().count() < limits.max_pending => Standing::New,
        None => Standing::Full,
    }
}

/// Creates a request with `code`, which no other request has. Deletes expired requests first.
pub(crate) fn create(
    ask: &Ask<'_>,
    code: PairingCode,
    pending: &[PendingRequest],
    limits: &Limits,
    now: Timestamp,
) -> Decision<PendingRequest> {
    let request = PendingRequest {
        channel: ask.channel.clone(),
        account: ask.account.clone(),
        sender: ask.sender.clone(),
        code,
        created_at: Some(now),
        last_seen_at: Some(now),
        meta: ask.meta.clone(),
    };
    let mut changes = sweep(pending, limits, now);
    // The sender's own expired request is overwritten under its key, rather than deleted and put.
    changes.retain(|change| change.key() != request.key());
    changes.extend(put_request(request.clone()));
    Decision {
        changes,
        outcome: request,
    }
}

/// Records that a waiting sender wrote again, with newer data about them, at most once per interval; the
/// code stays the same. Without newer data, the data from before stays.
pub(crate) fn refresh(
    request: &PendingRequest,
    meta: &Metadata,
    pending: &[PendingRequest],
    limits: &Limits,
    now: Timestamp,
) -> Decision<PendingRequest> {
    let since = request.last_seen_at.and_then(|at| now.since(at));
    let due = since.is_none_or(|since| since >= limits.seen_interval);
    if !due {
        return Decision::unchanged(request.clone());
    }
    let seen = PendingRequest {
        last_seen_at: Some(now),
        meta: if meta.is_empty() { &request.meta } else { meta }.clone(),
        ..request.clone()
    };
    let mut changes = sweep(pending, limits, now);
    changes.extend(put_request(seen.clone()));
    Decision {
        changes,
        outcome: seen,
    }
}

/// Counts a sender turned away because too many requests are pending; the same sender at most once per
/// interval.
pub(crate) fn turn_away(
    ask: &Ask<'_>,
    before: Option<&TurnedAway>,
    limits: &Limits,
    now: Timestamp,
) -> Decision<()> {
    let age = |at| now.since(at).unwrap_or_default();
    let kept = before.filter(|before| is_remembered(before, now));
    let mut recent = kept.map_or_else(Vec::new, |kept| kept.recent.clone());
    let known = recent.iter().position(|seen| seen.sender == *ask.sender);
    if let Some(known) = known {
        if age(recent[known].at) < limits.seen_interval {
            return Decision::unchanged(());
        }
        recent.remove(known);
    }
    recent.push(SeenSender {
        sender: ask.sender.clone(),
        at: now,
    });
    if recent.len() > RECENT {
        recent.remove(0);
    }
    let turned = TurnedAway {
        channel: ask.channel.clone(),
        account: ask.account.clone(),
        count: kept.map_or(0, |kept| kept.count).saturating_add(1),
        since: kept.map_or(now, |kept| kept.since),
        recent,
    };
    Decision {
        changes: vec![Change::Put(Record::TurnedAway(turned))],
        outcome: (),
    }
}

/// Whether a sender was turned away recently enough for the count to continue.
pub(crate) fn is_remembered(turned: &TurnedAway, now: Timestamp) -> bool {
    let last = turned.recent.last();
    last.is_some_and(|last| now.since(last.at).unwrap_or_default() < FORGET_TURNED_AWAY)
}

/// Deletes expired requests.
fn sweep(pending: &[PendingRequest], limits: &Limits, now: Timestamp) -> Vec<Change> {
    pending
        .iter()
        .filter(|request| request.is_expired(limits, now))
        .flat_map(delete_request)
        .collect()
}
