//! A channel: the decisions of the owner.

use std::sync::Arc;

use super::transact::{Transaction, list, transact};
use super::{Account, DecisionError, ListError, Pairing};
use crate::dm::{self, Decision, Limits};
use crate::store::{AllowEntry, Holder, PendingRequest, Problem, TurnedAway};
use crate::{
    AccountId, Approver, AuditAction, AuditEvent, AuditSubject, Change, ChannelId, ChannelRules,
    Key, NameError, PairingCode, Range, Record, SenderId, Timestamp,
};

/// A channel of a [`Pairing`]: lists pending requests, approves and rejects them.
#[derive(Debug, Clone)]
pub struct Channel {
    pairing: Pairing,
    rules: Arc<ChannelRules>,
}

/// An approval that has been committed.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Approved {
    /// The approved request.
    pub request: PendingRequest,
    /// The allowlist entry.
    pub entry: AllowEntry,
    /// Whether the sender was on the allowlist before.
    pub was_allowed: bool,
}

/// The wrong codes that an approver may still enter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct AttemptsLeft {
    /// How many more wrong codes lock the approver out; zero while locked out. `None` for the owner at the
    /// terminal, who never is.
    pub left: Option<usize>,
    /// The end of the lock-out, if one is in force.
    pub locked_until: Option<Timestamp>,
}

/// The pending requests.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Pending {
    /// Requests that have not expired, in the order of the store.
    pub requests: Vec<PendingRequest>,
    /// Stored data that could not be understood.
    pub problems: Vec<Problem>,
}

impl Channel {
    pub(super) fn new(pairing: Pairing, rules: Arc<ChannelRules>) -> Self {
        Self { pairing, rules }
    }

    /// Returns the channel's name.
    pub fn id(&self) -> &ChannelId {
        self.rules.id()
    }

    /// Returns the channel's rules.
    pub fn rules(&self) -> &ChannelRules {
        &self.rules
    }

    /// Returns a handle to one of its accounts, by its name as text; `default` if the channel has only one.
    pub fn account(&self, name: &str) -> Result<Account, NameError> {
        Ok(self.account_of(AccountId::parse(name)?))
    }

    /// Returns a handle to one of its accounts.
    pub fn account_of(&self, id: AccountId) -> Account {
        Account::new(self.clone(), id)
    }

    /// Returns the service that it belongs to.
    pub fn pairing(&self) -> &Pairing {
        &self.pairing
    }

    /// Returns the pending requests of all accounts, without expired ones.
    pub fn pending(&self) -> Result<Pending, ListError> {
        self.pending_of(None)
    }

    /// Returns the senders turned away because too many requests were pending, by account. Forgets them
    /// after a day without another one.
    pub fn turned_away(&self) -> Result<Vec<TurnedAway>, ListError> {
        let range = Range::TurnedAway {
            channel: self.id().clone(),
        };
        let (records, _) = list(self.pairing.store(), &range)?;
        let now = self.pairing.now();
        let turned = records.iter().filter_map(|r| r.as_turned_away());
        let remembered = turned.filter(|turned| dm::is_remembered(turned, now));
        Ok(remembered.cloned().collect())
    }

    /// Approves the request with this code, regardless of its account.
    ///
    /// Allows the sender and ends the request in one commit. If requests of several accounts have the
    /// code, it returns an error that names them. A wrong code counts towards a lock-out of the approver;
    /// a text that can be no code is an error and does not count: it tells nothing about any code.
    pub fn approve(&self, code: &str, approver: &Approver) -> Result<Approved, DecisionError> {
        self.approve_code(PairingCode::parse(code)?, approver)
    }

    /// Approves the request with this code: as [`approve`](Self::approve), for a code that is parsed already.
    pub fn approve_code(
        &self,
        code: PairingCode,
        approver: &Approver,
    ) -> Result<Approved, DecisionError> {
        self.approve_in(None, code, approver)
    }

    /// Rejects the request with this code or, if there is none, of this sender. The sender may ask again.
    pub fn reject(
        &self,
        code_or_sender: &str,
        approver: &Approver,
    ) -> Result<PendingRequest, DecisionError> {
        self.reject_in(None, code_or_sender, approver)
    }

    /// Returns how many wrong codes this approver may still enter, and until when they are locked out. One
    /// lookup; counts nothing.
    pub fn attempts(&self, approver: &Approver) -> Result<AttemptsLeft, ListError> {
        if !approver.can_be_locked_out() {
            return Ok(AttemptsLeft {
                left: None,
                locked_until: None,
            });
        }
        let read = self.pairing.store().read(&self.attempts_key(approver))?;
        let attempts = read.record.as_deref().and_then(Record::as_attempts);
        let (limits, now) = (self.limits(), self.pairing.now());
        let locked_until = dm::locked_until(attempts, limits, now);
        let failed = dm::recent_failures(attempts, limits, now).count();
        let left = match locked_until {
            Some(_) => 0,
            None => limits.max_attempts.saturating_sub(failed),
        };
        Ok(AttemptsLeft {
            left: Some(left),
            locked_until,
        })
    }

    pub(super) fn attempts_key(&self, approver: &Approver) -> Key {
        Key::Attempts {
            channel: self.id().clone(),
            approver: approver.id().clone(),
        }
    }

    pub(super) fn redeem_in(
        &self,
        account: &AccountId,
        sender: &SenderId,
        code: PairingCode,
    ) -> Result<Approved, DecisionError> {
        let presenter = Approver::presenter(self.id(), sender);
        let approved = self.decide(&presenter, |tx, now| {
            let request = tx.request(Key::Request {
                channel: self.id().clone(),
                account: account.clone(),
                sender: sender.clone(),
            })?;
            let live = request.filter(|request| !request.is_expired(self.limits(), now));
            // Without a request every code is wrong, so nothing can be learnt and nothing is counted.
            let Some(request) = live else {
                return Ok(Decision::unchanged(None));
            };
            if request.code != code {
                return Err(self.not_found());
            }
            approval(tx, request, &presenter, now).map(|decision| Decision {
                changes: decision.changes,
                outcome: Some(decision.outcome),
            })
        })?;
        let approved = approved.ok_or_else(|| self.not_found())?;
        self.audit(AuditAction::Approved, &presenter, account, sender);
        Ok(approved)
    }

    pub(super) fn pending_of(&self, account: Option<&AccountId>) -> Result<Pending, ListError> {
        let range = Range::Requests {
            channel: self.id().clone(),
            account: account.cloned(),
        };
        let now = self.pairing.now();
        let (records, problems) = list(self.pairing.store(), &range)?;
        let requests = records.iter().filter_map(|r| r.as_request());
        Ok(Pending {
            requests: requests
                .filter(|request| !request.is_expired(self.limits(), now))
                .cloned()
                .collect(),
            problems,
        })
    }

    pub(super) fn approve_in(
        &self,
        account: Option<&AccountId>,
        code: PairingCode,
        approver: &Approver,
    ) -> Result<Approved, DecisionError> {
        let approved = self.decide(approver, |tx, now| {
            let request = self.by_code(tx, account, code, now)?;
            approval(tx, request, approver, now)
        })?;
        let request = &approved.request;
        self.audit(
            AuditAction::Approved,
            approver,
            &request.account,
            &request.sender,
        );
        Ok(approved)
    }

    pub(super) fn reject_in(
        &self,
        account: Option<&AccountId>,
        code_or_sender: &str,
        approver: &Approver,
    ) -> Result<PendingRequest, DecisionError> {
        let code = PairingCode::parse(code_or_sender);
        let sender = self.rules.sender(code_or_sender);
        let rejected = self.decide(approver, |tx, now| {
            let found = match (&code, &sender) {
                (Ok(code), Ok(_)) => match self.by_code(tx, account, *code, now) {
                    Err(DecisionError::NotFound { .. }) => None,
                    found => Some(found?),
                },
                (Ok(code), Err(_)) => Some(self.by_code(tx, account, *code, now)?),
                (Err(_), Ok(_)) => None,
                (Err(code), Err(_)) => return Err(code.clone().into()),
            };
            let request = match (found, &sender) {
                (Some(request), _) => request,
                (None, Ok(sender)) => {
                    let mut requests = tx.requests(self.id(), account)?;
                    requests.retain(|request| {
                        request.sender == *sender && !request.is_expired(self.limits(), now)
                    });
                    self.the_only_one(requests, |request| &request.account)?
                }
                (None, Err(_)) => return Err(self.not_found()),
            };
            Ok(dm::reject(&request))
        })?;
        self.audit(
            AuditAction::Rejected,
            approver,
            &rejected.account,
            &rejected.sender,
        );
        Ok(rejected)
    }

    /// Sends a decision about a sender to the audit sink.
    pub(super) fn audit(
        &self,
        action: AuditAction,
        approver: &Approver,
        account: &AccountId,
        sender: &SenderId,
    ) {
        let subject = AuditSubject::Sender {
            channel: self.id().clone(),
            account: account.clone(),
            sender: sender.clone(),
        };
        let event = AuditEvent::new(self.pairing.now(), action, approver, subject);
        self.pairing.audit(&event);
    }

    /// Makes a decision by code or sender. Checks the scopes, then the lock-out, then runs `decide`. A
    /// decision that finds no valid request counts as a wrong code; one that succeeds clears the wrong
    /// codes.
    fn decide<T>(
        &self,
        approver: &Approver,
        decide: impl Fn(&mut Transaction<'_>, Timestamp) -> Result<Decision<T>, DecisionError>,
    ) -> Result<T, DecisionError> {
        approver.may_pair()?;
        transact(self.pairing.store(), |tx| {
            let now = self.pairing.now();
            let attempts_key = self.attempts_key(approver);
            let attempts = if approver.can_be_locked_out() {
                tx.attempts(attempts_key.clone())?
            } else {
                None
            };
            if let Some(until) = dm::locked_until(attempts.as_ref(), self.limits(), now) {
                return Err(DecisionError::LockedOut { until });
            }
            match decide(tx, now) {
                Ok(Decision { changes, outcome }) => {
                    let forget = attempts.map(|_| Change::Delete(attempts_key));
                    Ok(Decision {
                        changes: changes.into_iter().chain(forget).collect(),
                        outcome: Ok(outcome),
                    })
                }
                Err(wrong @ (DecisionError::NotFound { .. } | DecisionError::Expired { .. })) => {
                    let attempts = attempts.as_ref();
                    let Decision { mut changes, .. } =
                        dm::wrong_code(self.id(), approver, attempts, self.limits(), now);
                    if approver.id().is_presenter() {
                        let all = tx.all_attempts(self.id())?;
                        changes.extend(dm::forgotten(&all, approver, self.limits(), now));
                    }
                    Ok(Decision {
                        changes,
                        outcome: Err(wrong),
                    })
                }
                Err(error) => Err(error),
            }
        })?
    }

    /// Returns the pending request with this code.
    fn by_code(
        &self,
        tx: &mut Transaction<'_>,
        account: Option<&AccountId>,
        code: PairingCode,
        now: Timestamp,
    ) -> Result<PendingRequest, DecisionError> {
        let taken = tx.code(Key::Code {
            channel: self.id().clone(),
            code,
        })?;
        let mut holders = taken.map_or_else(Vec::new, |taken| taken.holders);
        if let Some(account) = account {
            let elsewhere = holders.first().map(|holder| holder.account.clone());
            holders.retain(|holder| holder.account == *account);
            if let (Some(account), true) = (elsewhere, holders.is_empty()) {
                return Err(DecisionError::OtherAccount { account });
            }
        }
        let Holder { account, sender } = self.the_only_one(holders, |holder| &holder.account)?;
        let request = tx
            .request(Key::Request {
                channel: self.id().clone(),
                account,
                sender,
            })?
            .filter(|request| request.code == code)
            .ok_or_else(|| self.not_found())?;
        if request.is_expired(self.limits(), now) {
            return Err(DecisionError::Expired {
                channel: self.id().clone(),
            });
        }
        Ok(request)
    }

    fn the_only_one<T>(
        &self,
        mut found: Vec<T>,
        account: impl Fn(&T) -> &AccountId,
    ) -> Result<T, DecisionError> {
        match (found.pop(), found.is_empty()) {
            (None, _) => Err(self.not_found()),
            (Some(only), true) => Ok(only),
            (Some(last), false) => {
                found.push(last);
                Err(DecisionError::Ambiguous {
                    accounts: found.iter().map(|f| account(f).clone()).collect(),
                })
            }
        }
    }

    fn not_found(&self) -> DecisionError {
        DecisionError::NotFound {
            channel: self.id().clone(),
        }
    }

    pub(super) fn limits(&self) -> &Limits {
        self.pairing.limits()
    }
}

/// Allows the sender of a request.
fn approval(
    tx: &mut Transaction<'_>,
    request: PendingRequest,
    approver: &Approver,
    now: Timestamp,
) -> Result<Decision<Approved>, DecisionError> {
    let allowed = tx.allow(Key::Allow {
        channel: request.channel.clone(),
        account: request.account.clone(),
        entry: request.sender.clone(),
    })?;
    let was_allowed = allowed.is_some();
    let Decision { changes, outcome } = dm::approve(&request, allowed.as_ref(), approver, now);
    Ok(Decision {
        changes,
        outcome: Approved {
            was_allowed,
            request,
            entry: outcome,
        },
    })
}
