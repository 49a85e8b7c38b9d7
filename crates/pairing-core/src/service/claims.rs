//! Claim codes: issuing, listing, ending and presenting them.

use std::sync::Arc;

use super::transact::{list, transact};
use super::{Account, Channel, ClaimError, InviteError, ListError, Sender};
use crate::dm::{self, Decision};
use crate::store::{Change, Claim};
use crate::{
    ApprovedSender, Approver, AuditAction, AuditEvent, AuditSubject, Basis, ClaimCode, Key,
    Metadata, Range, Record, Refusal, SenderId,
};

/// A claim code that has just been issued.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Invited {
    /// The code, to be given to the person whom it admits. It is not kept.
    pub code: ClaimCode,
    /// What is kept of it.
    pub claim: Claim,
}

/// A sender presented a claim code and may talk to the bot.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Claimed {
    /// The code admitted them, and is spent.
    Admitted(ApprovedSender),
    /// They were allowed before. The code was not looked at, and is not spent.
    AlreadyAllowed(ApprovedSender),
}

impl Claimed {
    /// Returns the proof that the sender may talk to the bot.
    pub fn sender(&self) -> &ApprovedSender {
        match self {
            Self::Admitted(sender) | Self::AlreadyAllowed(sender) => sender,
        }
    }
}

impl Account {
    /// Issues a claim code: the sender who presents it first to this account, with [`claim`](Self::claim),
    /// is allowed.
    ///
    /// - Valid once and for 10 minutes; only its hash is kept.
    /// - At most 16 codes of a channel are valid at a time. Expired ones are deleted with the next new one.
    /// - The grant names this approver, and the user that the approver decides
    ///   [for](Approver::for_principal).
    /// - Refused under policies other than `pairing`, under which approvals have no effect.
    ///
    /// ```
    /// # use std::sync::Mutex;
    /// # use pairing_core::{Approver, Claimed, EntropyError, ManualClock, MemoryStore, Pairing, Principal, ScopeSet, Timestamp};
    /// # struct Zeros; impl pairing_core::Entropy for Zeros {
    /// #     fn fill(&self, b: &mut [u8]) -> Result<(), EntropyError> { b.fill(0); Ok(()) } }
    /// # let pairing = Pairing::new(MemoryStore::new(), ManualClock::new(Timestamp::from_millis(0)), Zeros);
    /// let account = pairing.channel("telegram")?.account("default")?;
    /// let user = Principal::parse("user-7")?;
    /// let approver = Approver::operator("web", ScopeSet::admin()).for_principal(user.clone());
    /// let invited = account.invite(&approver)?;
    ///
    /// // The sender writes `/bind CODE`.
    /// let claimed = account.claim("12345", invited.code.expose())?;
    /// assert!(matches!(claimed, Claimed::Admitted(_)));
    /// assert_eq!(claimed.sender().principal(), Some(&user));
    /// assert!(account.claim("999", invited.code.expose()).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn invite(&self, approver: &Approver) -> Result<Invited, InviteError> {
        approver.may_pair()?;
        self.offers_pairing()?;
        let (pairing, limits) = (self.channel().pairing(), self.channel().limits());
        let (code, now) = (ClaimCode::generate(pairing.entropy())?, pairing.now());
        let claim = Claim {
            channel: self.channel().id().clone(),
            account: self.id().clone(),
            hash: code.hash(),
            by: approver.id().clone(),
            via: approver.via(),
            principal: approver.principal().cloned(),
            issued_at: now,
            expires_at: now + limits.claim_code_lifetime,
        };
        transact(pairing.store(), |tx| {
            let before = tx.claims(self.channel().id())?;
            dm::issue(&claim, &before, limits, now).ok_or(InviteError::TooMany {
                max: limits.max_claims,
            })
        })?;
        let subject = AuditSubject::Invitation {
            channel: claim.channel.clone(),
            account: claim.account.clone(),
        };
        let event = AuditEvent::new(now, AuditAction::Issued, approver, subject);
        pairing.audit(&event);
        Ok(Invited { code, claim })
    }

    /// Allows a sender who presents a claim code of this account, and ends their pending request.
    ///
    /// Call it only for authenticated direct messages. A code admits one sender, the first who presents it;
    /// of two at the same time, one. A text that can be no code is an error and does not count; every other
    /// wrong code counts for this sender, as a wrong code does for an approver, and too many lock the sender
    /// out, also for right codes. [`attempts_of`](Self::attempts_of) says how many are left.
    ///
    /// A sender who is allowed already spends nothing. Under policies other than `pairing`, the code is
    /// neither looked at nor spent.
    ///
    /// Where lists go by user names ([`ChannelRules::match_usernames`](crate::ChannelRules::match_usernames)), pass
    /// the sender with their metadata: a sender whom a name lets in is known by it alone.
    pub fn claim(&self, sender: impl Into<Sender>, code: &str) -> Result<Claimed, ClaimError> {
        let Sender { id, meta } = sender.into();
        let sender = self.channel().rules().sender(&id)?;
        self.claim_code(&sender, Some(&meta), &ClaimCode::parse(code)?)
    }

    /// Allows a sender who presents a claim code: as [`claim`](Self::claim), for a sender and a code that are
    /// parsed already.
    pub fn claim_code(
        &self,
        sender: &SenderId,
        meta: Option<&Metadata>,
        code: &ClaimCode,
    ) -> Result<Claimed, ClaimError> {
        self.offers_pairing()?;
        let pairing = self.channel().pairing();
        let (limits, channel) = (self.channel().limits(), self.channel().id());
        let presenter = Approver::presenter(channel, sender);
        let (claimed, spent) = transact(pairing.store(), |tx| {
            let now = pairing.now();
            let entry = tx.entry(self.allow_key(sender))?;
            if let Ok(basis) = self.access().decide(sender, meta, entry.is_some()) {
                let approved = self.approved(sender.clone(), basis, entry);
                return Ok(Decision::unchanged(Ok((
                    Claimed::AlreadyAllowed(approved),
                    None,
                ))));
            }
            let attempts_key = self.channel().attempts_key(&presenter);
            let attempts = tx.attempts(attempts_key.clone())?;
            if let Some(until) = dm::locked_until(attempts.as_ref(), limits, now) {
                return Err(ClaimError::LockedOut { until });
            }
            let claim = tx.claim(Key::Claim {
                channel: channel.clone(),
                hash: code.hash(),
            })?;
            let claim = claim.filter(|claim| claim.account == *self.id());
            let wrong = match claim {
                Some(claim) if !claim.is_expired(limits, now) => {
                    let request = tx.request(Key::Request {
                        channel: channel.clone(),
                        account: self.id().clone(),
                        sender: sender.clone(),
                    })?;
                    let Decision {
                        mut changes,
                        outcome,
                    } = dm::claim(&claim, sender, request.as_ref(), now);
                    changes.extend(attempts.map(|_| Change::Delete(attempts_key)));
                    let entry = Arc::new(Record::Allow(outcome));
                    let approved = self.approved(sender.clone(), Basis::Paired, Some(entry));
                    return Ok(Decision {
                        changes,
                        outcome: Ok((Claimed::Admitted(approved), Some((claim, now)))),
                    });
                }
                Some(_) => ClaimError::Expired {
                    channel: channel.clone(),
                },
                None => ClaimError::NotFound {
                    channel: channel.clone(),
                },
            };
            let Decision { mut changes, .. } =
                dm::wrong_code(channel, &presenter, attempts.as_ref(), limits, now);
            let all = tx.all_attempts(channel)?;
            changes.extend(dm::forgotten(&all, &presenter, limits, now));
            Ok(Decision {
                changes,
                outcome: Err(wrong),
            })
        })??;
        if let Some((claim, now)) = spent {
            let subject = AuditSubject::Sender {
                channel: channel.clone(),
                account: self.id().clone(),
                sender: sender.clone(),
            };
            let mut event = AuditEvent::new(now, AuditAction::Claimed, &presenter, subject);
            // The grant is the issuer's.
            (event.by, event.via) = (claim.by, claim.via);
            pairing.audit(&event);
        }
        Ok(claimed)
    }

    /// Refuses where approvals have no effect.
    fn offers_pairing(&self) -> Result<(), Refusal> {
        let policy = self.access().policy();
        if self.access().consults_store() {
            Ok(())
        } else {
            Err(Refusal { policy })
        }
    }
}

impl Channel {
    /// Returns the claim codes of all accounts that are valid, without the codes themselves.
    pub fn claims(&self) -> Result<Vec<Claim>, ListError> {
        let range = Range::Claims {
            channel: self.id().clone(),
        };
        let (records, _) = list(self.pairing().store(), &range)?;
        let now = self.pairing().now();
        let claims = records.iter().filter_map(|r| r.as_claim().cloned());
        Ok(claims
            .filter(|claim| !claim.is_expired(self.limits(), now))
            .collect())
    }

    /// Ends a claim code before it expires, by its [`id`](Claim::id) or the text of its hash. Returns it; `None` if
    /// no valid code has this id.
    pub fn end_claim(&self, id: &str, approver: &Approver) -> Result<Option<Claim>, InviteError> {
        approver.may_pair()?;
        let ended = transact(self.pairing().store(), |tx| {
            let now = self.pairing().now();
            let claims = tx.claims(self.id())?;
            let found = claims.into_iter().find(|claim| claim.is_named(id));
            let Some(claim) = found else {
                return Ok::<_, InviteError>(Decision::unchanged(None));
            };
            Ok(Decision {
                changes: vec![Change::Delete(claim.key())],
                outcome: (!claim.is_expired(self.limits(), now)).then_some((claim, now)),
            })
        })?;
        let Some((claim, now)) = ended else {
            return Ok(None);
        };
        let subject = AuditSubject::Invitation {
            channel: claim.channel.clone(),
            account: claim.account.clone(),
        };
        let event = AuditEvent::new(now, AuditAction::Ended, approver, subject);
        self.pairing().audit(&event);
        Ok(Some(claim))
    }
}
