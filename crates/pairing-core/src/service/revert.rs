//! Reverting an approval.

use super::transact::{Transaction, transact};
use super::{AllowlistError, Approved, Channel};
use crate::dm::{self, Ask, Decision, Standing};
use crate::store::{AllowEntry, PendingRequest};
use crate::{Approver, AuditAction, Key, Record, StoreError, Timestamp};

/// The result of reverting an approval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reverted {
    /// The sender is no longer allowed, and the request is pending again, with its code.
    Pending,
    /// The sender is no longer allowed. The request is not pending: it has expired, the sender has asked
    /// anew, or there is no room for it.
    Ended,
    /// Nothing was changed: the sender was allowed before this approval, or is not by it any more.
    Unchanged,
}

impl Channel {
    /// Reverts an approval, for a gateway whose own part of it failed: the transaction that was to store the
    /// sender as a user, say.
    ///
    /// Only what this approval allowed is reverted. A sender who has been revoked and allowed again since
    /// stays allowed.
    pub fn revert(
        &self,
        approved: &Approved,
        approver: &Approver,
    ) -> Result<Reverted, AllowlistError> {
        approver.may_pair()?;
        let request = &approved.request;
        if approved.was_allowed || request.channel != *self.id() {
            return Ok(Reverted::Unchanged);
        }
        let pairing = self.pairing();
        let reverted = transact(pairing.store(), |tx| {
            let entry = tx.allow(Record::Allow(approved.entry.clone()).key())?;
            // A store may forget the grant; then the entry can only be this one.
            let is_this =
                |entry: &AllowEntry| entry.grant.is_none() || entry.grant == approved.entry.grant;
            let Some(entry) = entry.filter(is_this) else {
                return Ok::<_, AllowlistError>(Decision::unchanged(Reverted::Unchanged));
            };
            let is_free = self.has_room(tx, request, pairing.now())?;
            Ok(Decision {
                changes: dm::revert(is_free.then_some(request), &entry),
                outcome: if is_free {
                    Reverted::Pending
                } else {
                    Reverted::Ended
                },
            })
        })?;
        if reverted != Reverted::Unchanged {
            self.audit(
                AuditAction::Revoked,
                approver,
                &request.account,
                &request.sender,
            );
        }
        Ok(reverted)
    }

    /// Whether an ended request can be pending again.
    fn has_room(
        &self,
        tx: &mut Transaction<'_>,
        request: &PendingRequest,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let code = tx.code(Key::Code {
            channel: request.channel.clone(),
            code: request.code,
        })?;
        let pending = tx.requests(&request.channel, Some(&request.account))?;
        let ask = Ask {
            channel: &request.channel,
            account: &request.account,
            sender: &request.sender,
            meta: &request.meta,
        };
        let standing = dm::standing(&ask, &pending, self.limits(), now);
        let is_live = !request.is_expired(self.limits(), now);
        Ok(is_live && code.is_none() && matches!(standing, Standing::New))
    }
}
