//! An account of a channel: who gets in, who has to wait.

use std::fmt;
use std::sync::Arc;

use super::transact::{Transaction, list, transact};
use super::{
    AdmitError, AllowlistError, Approved, Channel, DecisionError, ListError, Pending, RequestError,
};
use crate::dm::{self, Ask, Decision, Standing};
use crate::store::{AllowEntry, PendingRequest, Problem};
use crate::{
    Access, AccountId, ApprovedSender, Approver, AuditAction, Basis, EntropyError, GroupSender,
    Key, Metadata, PairingCode, Range, Refusal, SenderId, Timestamp,
};

/// With a handful of codes taken out of 2^40, a second draw is rare and a third a broken generator.
const MAX_DRAWS: usize = 16;

/// One account of a [`Channel`]: all that a channel adapter needs.
///
/// [`admit`](Self::admit) every direct message; for one that is refused, call
/// [`request_or_reuse`](Self::request_or_reuse) and send the reply if there is one.
#[derive(Debug, Clone)]
pub struct Account {
    channel: Channel,
    id: AccountId,
    access: Arc<Access>,
}

/// Somebody who wrote to the bot: an id as the channel gives it, and what else is known of them.
#[derive(Debug, Clone)]
pub struct Sender {
    id: String,
    meta: Metadata,
}

/// What came of asking.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Requested {
    /// A request was made: send the reply, this once.
    Created(Created),
    /// A request was made before and still runs: send nothing.
    Pending(PendingRequest),
    /// Too many requests are pending. It was counted for the owner to see: send nothing.
    Full,
    /// The sender may talk to the bot already.
    Allowed(ApprovedSender),
    /// The policy does not let strangers ask: send nothing.
    NotOffered(Refusal),
}

/// A request that was just made.
#[derive(Clone)]
pub struct Created {
    /// The request, with its code.
    pub request: PendingRequest,
    /// When the code stops working.
    pub expires_at: Timestamp,
    /// The text for the sender.
    pub reply: String,
}

impl fmt::Debug for Created {
    /// Without the reply, which holds the code.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Created")
            .field("request", &self.request)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// The decision about a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// The sender may talk to the bot.
    Approved(ApprovedSender),
    /// The sender may not; nothing of theirs is to be processed.
    Refused(Refusal),
}

/// The entries of the allowlist in the store.
#[derive(Debug, Clone, Default)]
pub struct Allowed {
    /// The entries, in the store's order.
    pub entries: Vec<AllowEntry>,
    /// What was stored but can match nobody, or could not be understood.
    pub problems: Vec<Problem>,
}

impl Account {
    pub(super) fn new(channel: Channel, id: AccountId) -> Self {
        Self {
            channel,
            id,
            access: Arc::default(),
        }
    }

    /// The same account under what the configuration says of it. Without, the policy is `pairing` and
    /// the configured list is empty.
    pub fn with_access(self, access: Access) -> Self {
        Self {
            access: Arc::new(access),
            ..self
        }
    }

    /// The account's name.
    pub fn id(&self) -> &AccountId {
        &self.id
    }

    /// The channel it belongs to.
    pub fn channel(&self) -> &Channel {
        &self.channel
    }

    /// Decides whether a direct message of this sender may be processed.
    ///
    /// Runs per message: one lookup at most, however long the allowlist is. Whom the configuration lets in
    /// is let in without one, so that a store which fails keeps nobody else out than whoever was approved.
    /// An error admits nobody.
    pub fn admit(&self, sender: &str) -> Result<Admission, AdmitError> {
        let sender = self.channel.rules().sender(sender)?;
        let stored = self.access.needs_store(&sender) && {
            let read = self
                .channel
                .pairing()
                .store()
                .read(&self.allow_key(&sender))?;
            read.record.is_some()
        };
        Ok(match self.access.decide(&sender, stored) {
            Ok(basis) => Admission::Approved(self.approved(sender, basis)),
            Err(refusal) => Admission::Refused(refusal),
        })
    }

    /// Whether this sender may talk to the bot: [`admit`](Self::admit) without the proof.
    pub fn is_allowed(&self, sender: &str) -> Result<bool, AdmitError> {
        Ok(matches!(self.admit(sender)?, Admission::Approved(_)))
    }

    /// Decides about a message in a group: by the configured list alone, never by pairing.
    pub fn admit_in_group(&self, sender: &str) -> Result<Option<GroupSender>, AdmitError> {
        let sender = self.channel.rules().sender(sender)?;
        let configured = self.access.configured(&sender).is_some();
        Ok(configured.then_some(GroupSender { sender }))
    }

    /// A stranger wrote: makes a request, or finds the one that was made.
    ///
    /// Call it for authenticated direct messages of other people only: not for the bot's own, for
    /// history, for groups or for other bots. Expired requests vanish first. Making one is a durable
    /// write; meeting one again is written down once a minute.
    pub fn request_or_reuse(&self, sender: impl Into<Sender>) -> Result<Requested, RequestError> {
        let Sender { id, meta } = sender.into();
        let sender = self.channel.rules().sender(&id)?;
        let ask = Ask {
            channel: self.channel.id(),
            account: &self.id,
            sender: &sender,
            meta: &meta,
        };
        let limits = self.channel.limits();
        let pairing = self.channel.pairing();
        transact(pairing.store(), |tx| {
            let now = pairing.now();
            let stored =
                self.access.needs_store(&sender) && tx.allow(self.allow_key(&sender))?.is_some();
            match self.access.decide(&sender, stored) {
                Ok(basis) => {
                    let approved = self.approved(sender.clone(), basis);
                    return Ok(Decision::unchanged(Requested::Allowed(approved)));
                }
                Err(refusal) if !self.access.consults_store() => {
                    return Ok(Decision::unchanged(Requested::NotOffered(refusal)));
                }
                Err(_) => {}
            }
            let pending = tx.requests(ask.channel, Some(ask.account))?;
            match dm::standing(&ask, &pending, limits, now) {
                Standing::Waiting(request) => {
                    let Decision { changes, outcome } = dm::refresh(request, &pending, limits, now);
                    Ok(Decision {
                        changes,
                        outcome: Requested::Pending(outcome),
                    })
                }
                Standing::New => {
                    let code = self.draw_free_code(tx)?;
                    let Decision { changes, outcome } =
                        dm::create(&ask, code, &pending, limits, now);
                    Ok(Decision {
                        changes,
                        outcome: Requested::Created(Created {
                            expires_at: now + limits.code_lifetime,
                            reply: self.channel.rules().pairing_reply(&sender, code),
                            request: outcome,
                        }),
                    })
                }
                Standing::Full => {
                    let before = tx.turned_away(Key::TurnedAway {
                        channel: ask.channel.clone(),
                        account: ask.account.clone(),
                    })?;
                    let Decision { changes, .. } =
                        dm::turn_away(&ask, before.as_ref(), limits, now);
                    Ok(Decision {
                        changes,
                        outcome: Requested::Full,
                    })
                }
            }
        })
    }

    /// Requests of this account that still run.
    pub fn pending(&self) -> Result<Pending, ListError> {
        self.channel.pending_of(Some(&self.id))
    }

    /// Approves the request with this code: [`Channel::approve`], for requests of this account only.
    pub fn approve(&self, code: &str, approver: &Approver) -> Result<Approved, DecisionError> {
        self.channel.approve_in(Some(&self.id), code, approver)
    }

    /// Rejects a request: [`Channel::reject`], for requests of this account only.
    pub fn reject(
        &self,
        code_or_sender: &str,
        approver: &Approver,
    ) -> Result<PendingRequest, DecisionError> {
        let id = Some(&self.id);
        self.channel.reject_in(id, code_or_sender, approver)
    }

    /// The senders that were allowed, by approval or by hand.
    pub fn allowed(&self) -> Result<Allowed, ListError> {
        let range = Range::Allowed {
            channel: self.channel.id().clone(),
            account: Some(self.id.clone()),
        };
        let (records, problems) = list(self.channel.pairing().store(), &range)?;
        Ok(Allowed {
            entries: records
                .iter()
                .filter_map(|r| r.as_allow().cloned())
                .collect(),
            problems,
        })
    }

    /// Lets a sender in who need not have asked. `false` where they were in already.
    ///
    /// A pending request of theirs ends with it.
    pub fn allow(&self, entry: &str, approver: &Approver) -> Result<bool, AllowlistError> {
        approver.may_pair()?;
        let sender = self.channel.rules().sender(entry)?;
        let is_new = transact(self.channel.pairing().store(), |tx| {
            let now = self.channel.pairing().now();
            let allowed = tx.allow(self.allow_key(&sender))?;
            let request = tx.request(Key::Request {
                channel: self.channel.id().clone(),
                account: self.id.clone(),
                sender: sender.clone(),
            })?;
            let who = (self.channel.id(), &self.id, &sender);
            let (request, allowed) = (request.as_ref(), allowed.as_ref());
            Ok::<_, AllowlistError>(dm::allow(who, request, allowed, approver, now))
        })?;
        if is_new {
            self.channel
                .audit(AuditAction::Allowed, approver, &self.id, &sender);
        }
        Ok(is_new)
    }

    /// Takes a sender off the list. `None` where they were not on it.
    pub fn revoke(
        &self,
        entry: &str,
        approver: &Approver,
    ) -> Result<Option<AllowEntry>, AllowlistError> {
        approver.may_pair()?;
        let sender = self.channel.rules().sender(entry)?;
        let revoked = transact(self.channel.pairing().store(), |tx| {
            Ok::<_, AllowlistError>(match tx.allow(self.allow_key(&sender))? {
                Some(allowed) => {
                    let Decision { changes, outcome } = dm::withdraw(&allowed);
                    Decision {
                        changes,
                        outcome: Some(outcome),
                    }
                }
                None => Decision::unchanged(None),
            })
        })?;
        if revoked.is_some() {
            self.channel
                .audit(AuditAction::Revoked, approver, &self.id, &sender);
        }
        Ok(revoked)
    }

    fn allow_key(&self, sender: &SenderId) -> Key {
        Key::Allow {
            channel: self.channel.id().clone(),
            account: self.id.clone(),
            entry: sender.clone(),
        }
    }

    fn approved(&self, sender: SenderId, basis: Basis) -> ApprovedSender {
        ApprovedSender {
            channel: self.channel.id().clone(),
            account: self.id.clone(),
            sender,
            basis,
        }
    }

    /// A code that no pending request of the channel carries.
    fn draw_free_code(&self, tx: &mut Transaction<'_>) -> Result<PairingCode, RequestError> {
        for _ in 0..MAX_DRAWS {
            let mut bytes = [0; PairingCode::LENGTH];
            self.channel.pairing().entropy().fill(&mut bytes)?;
            let code = PairingCode::from_entropy(bytes);
            let key = Key::Code {
                channel: self.channel.id().clone(),
                code,
            };
            if tx.code(key)?.is_none() {
                return Ok(code);
            }
        }
        Err(EntropyError::new("every code that was drawn is taken").into())
    }
}

impl Sender {
    /// A sender known by id only.
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            meta: Metadata::default(),
        }
    }

    /// Adds what else is known: `username`, `name`, …
    pub fn with(mut self, key: &str, value: &str) -> Self {
        self.meta.insert(key, value);
        self
    }
}

impl From<&str> for Sender {
    fn from(id: &str) -> Self {
        Self::new(id)
    }
}

impl From<String> for Sender {
    fn from(id: String) -> Self {
        Self::new(id)
    }
}
