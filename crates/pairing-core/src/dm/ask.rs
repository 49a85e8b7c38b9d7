//! An unknown sender asks.

use super::{Decision, Limits, Metadata, delete_request, put_request};
use crate::store::{Change, PendingRequest, Record, SeenSender, TurnedAway};
use crate::{AccountId, ChannelId, PairingCode, SenderId, Timestamp};

/// How many of those turned away are remembered by name.
const RECENT: usize = 8;

/// After this long without anybody being turned away, counting starts anew.
const FORGET_TURNED_AWAY: std::time::Duration = std::time::Duration::from_secs(24 * 3600);

/// The sender that asks, with channel and account.
#[derive(Debug)]
pub(crate) struct Ask<'a> {
    pub(crate) channel: &'a ChannelId,
    pub(crate) account: &'a AccountId,
    pub(crate) sender: &'a SenderId,
    pub(crate) meta: &'a Metadata,
}

/// How an asking sender stands with what is pending.
#[derive(Debug)]
pub(crate) enum Standing<'a> {
    /// Has a request that still runs.
    Waiting(&'a PendingRequest),
    /// Has none, and there is room for one.
    New,
    /// Has none, and there is no room.
    Full,
}

/// Looks the sender up among the requests of the account; what has expired does not count.
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

/// Makes a request under `code`, which is free. What has expired vanishes first.
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
    // The sender's own expired request is replaced under its key, not deleted and put.
    changes.retain(|change| change.key() != request.key());
    changes.extend(put_request(request.clone()));
    Decision {
        changes,
        outcome: request,
    }
}

/// Notes that a waiting sender came back, at most once per interval; its code stays.
pub(crate) fn refresh(
    request: &PendingRequest,
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
        ..request.clone()
    };
    let mut changes = sweep(pending, limits, now);
    changes.extend(put_request(seen.clone()));
    Decision {
        changes,
        outcome: seen,
    }
}

/// Counts a sender who came when there was no room; one and the same at most once per interval.
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

/// Deletes what has expired.
fn sweep(pending: &[PendingRequest], limits: &Limits, now: Timestamp) -> Vec<Change> {
    pending
        .iter()
        .filter(|request| request.is_expired(limits, now))
        .flat_map(delete_request)
        .collect()
}
