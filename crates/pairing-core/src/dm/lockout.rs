//! Wrong codes, counted per approver and channel.

use super::{Decision, Limits};
use crate::store::{Attempts, Change};
use crate::{Approver, ChannelId, Record, Timestamp};

/// Returns the end of the lock-out of this approver, if one is in force.
pub(crate) fn locked_until(
    attempts: Option<&Attempts>,
    limits: &Limits,
    now: Timestamp,
) -> Option<Timestamp> {
    let until = attempts?.locked_until?;
    // A lock-out that ends later than one starting now was written under a clock that has since been set
    // back; it is ignored.
    (now < until && until <= now + limits.lockout).then_some(until)
}

/// Returns the times of the wrong codes that still count.
pub(crate) fn recent_failures(
    attempts: Option<&Attempts>,
    limits: &Limits,
    now: Timestamp,
) -> impl Iterator<Item = Timestamp> {
    let failed_at = attempts.map_or(&[][..], |attempts| &attempts.failed_at);
    failed_at.iter().copied().filter(move |at| {
        now.since_about(*at, limits.clock_skew)
            .is_some_and(|age| age < limits.attempts_window)
    })
}

/// Maximum number of senders in a channel whose wrong codes are kept.
const MAX_PRESENTERS: usize = 256;

/// Deletes the wrong codes of other senders that count no longer, and beyond a bound those of the senders who
/// guessed longest ago. Approvers are few; senders who present codes may be many.
pub(crate) fn forgotten(
    all: &[Attempts],
    but: &Approver,
    limits: &Limits,
    now: Timestamp,
) -> Vec<Change> {
    let others = all
        .iter()
        .filter(|attempts| attempts.approver.is_presenter() && attempts.approver != *but.id());
    let (mut over, mut counted): (Vec<_>, Vec<_>) = others.partition(|attempts| {
        locked_until(Some(attempts), limits, now).is_none()
            && recent_failures(Some(attempts), limits, now)
                .next()
                .is_none()
    });
    // Whoever is locked out is forgotten last.
    counted.sort_by_key(|attempts| (attempts.locked_until, attempts.failed_at.last().copied()));
    let excess = (counted.len() + 1).saturating_sub(MAX_PRESENTERS);
    over.extend(counted.drain(..excess));
    over.into_iter()
        .map(|attempts| Change::Delete(Record::from(attempts.clone()).key()))
        .collect()
}

/// Counts a wrong code, and locks the approver out after too many.
pub(crate) fn wrong_code(
    channel: &ChannelId,
    approver: &Approver,
    before: Option<&Attempts>,
    limits: &Limits,
    now: Timestamp,
) -> Decision<()> {
    if !approver.can_be_locked_out() {
        return Decision::unchanged(());
    }
    let mut failed_at: Vec<Timestamp> = recent_failures(before, limits, now).collect();
    failed_at.push(now);
    let locked_until = (failed_at.len() >= limits.max_attempts).then(|| now + limits.lockout);
    if locked_until.is_some() {
        failed_at.clear();
    }
    Decision {
        changes: vec![Change::Put(Record::Attempts(Attempts {
            channel: channel.clone(),
            approver: approver.id().clone(),
            failed_at,
            locked_until,
        }))],
        outcome: (),
    }
}
