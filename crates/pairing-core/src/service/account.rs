//! An account of a channel: admitting senders, and recording their requests.

use std::fmt;
use std::sync::Arc;

use super::transact::{Transaction, list, transact};
use super::{
    AdmitError, AllowlistError, Approved, AttemptsLeft, Channel, DecisionError, ListError, Pending,
    RequestError,
};
use crate::dm::{self, Ask, Decision, Standing};
use crate::store::{AllowEntry, PendingRequest, Problem};
use crate::{
    Access, AccountId, ApprovedSender, Approver, AuditAction, Basis, EntropyError, GroupSender,
    Key, Metadata, MetadataValue, PairingCode, Principal, Range, Record, Refusal, Replies,
    SenderId, StoreError, Timestamp,
};

/// Maximum number of draws for a free code. With a handful of codes taken out of 2^40, a second draw is
/// rare, and a third means a broken generator.
const MAX_DRAWS: usize = 16;

/// One account of a [`Channel`], with everything that a channel adapter needs.
///
/// Call [`admit`](Self::admit) for every direct message. If it is refused, call
/// [`request_or_reuse`](Self::request_or_reuse) and send the reply if there is one.
#[derive(Debug, Clone)]
pub struct Account {
    channel: Channel,
    id: AccountId,
    access: Arc<Access>,
}

/// A person who wrote to the bot: the id as the channel gives it, and further data about them.
#[derive(Debug, Clone)]
pub struct Sender {
    pub(super) id: String,
    pub(super) meta: Metadata,
}

/// The result of asking to be paired.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Requested {
    /// A request was created: send the reply, once.
    Created(Created),
    /// An earlier request is still pending: send nothing.
    Pending(PendingRequest),
    /// Too many requests are pending. The attempt was counted for the owner: send nothing.
    Full,
    /// The sender may already talk to the bot.
    Allowed(ApprovedSender),
    /// The policy does not let unknown senders ask, or no request was wanted: send nothing.
    NotOffered(Refusal),
}

/// A request that has just been created.
#[derive(Clone)]
#[non_exhaustive]
pub struct Created {
    /// The request, with its code.
    pub request: PendingRequest,
    /// The expiry time of the code.
    pub expires_at: Timestamp,
    /// The text to send to the sender.
    pub reply: String,
}

impl fmt::Debug for Created {
    /// Omits the reply, which contains the code.
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
    /// The sender may not talk to the bot; do not process any of their messages.
    Refused(Refusal),
}

/// The entries of the allowlist in the store.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Allowed {
    /// The entries, in the store's order.
    pub entries: Vec<AllowEntry>,
    /// Stored entries that cannot match any sender, or could not be understood.
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

    /// Returns the same account with the given configuration. Without it, the policy is `pairing` and the
    /// configured list is empty.
    pub fn with_access(self, access: Access) -> Self {
        Self {
            access: Arc::new(access),
            ..self
        }
    }

    /// Returns the account's name.
    pub fn id(&self) -> &AccountId {
        &self.id
    }

    pub(super) fn access(&self) -> &Access {
        &self.access
    }

    /// Returns the channel that it belongs to.
    pub fn channel(&self) -> &Channel {
        &self.channel
    }

    /// Decides whether a direct message of this sender may be processed.
    ///
    /// Runs for every message, and needs one lookup at most, however long the allowlist is. Senders
    /// admitted by the configuration need no lookup, so a failing store keeps out only senders who were
    /// approved by pairing. An error admits nobody.
    pub fn admit(&self, sender: &str) -> Result<Admission, AdmitError> {
        let sender = self.channel.rules().sender(sender)?;
        Ok(self.admit_sender(&sender)?)
    }

    /// Decides about a direct message: as [`admit`](Self::admit), for a sender that is parsed already.
    pub fn admit_sender(&self, sender: &SenderId) -> Result<Admission, StoreError> {
        self.admit_known(sender, None)
    }

    /// Decides about a direct message: as [`admit`](Self::admit), with what the channel says of the sender, for
    /// channels whose lists go by user names ([`ChannelRules::match_usernames`](crate::ChannelRules::match_usernames)).
    pub fn admit_named(&self, sender: impl Into<Sender>) -> Result<Admission, AdmitError> {
        let Sender { id, meta } = sender.into();
        let sender = self.channel.rules().sender(&id)?;
        Ok(self.admit_known(&sender, Some(&meta))?)
    }

    fn admit_known(
        &self,
        sender: &SenderId,
        meta: Option<&Metadata>,
    ) -> Result<Admission, StoreError> {
        let entry = if self.access.needs_store(sender, meta) {
            let store = self.channel.pairing().store();
            store.read(&self.allow_key(sender))?.record
        } else {
            None
        };
        Ok(match self.access.decide(sender, meta, entry.is_some()) {
            Ok(basis) => Admission::Approved(self.approved(sender.clone(), basis, entry)),
            Err(refusal) => Admission::Refused(refusal),
        })
    }

    /// Admits a sender as [`admit_or_request`](Self::admit_or_request) does, if the configuration or the store can tell
    /// [at once](crate::PairingStore::read_at_once); otherwise returns `None`. For async programs, in which a message of
    /// an approved sender then needs no thread that may block.
    pub fn admit_at_once(
        &self,
        sender: &SenderId,
        meta: Option<&Metadata>,
    ) -> Option<ApprovedSender> {
        let entry = if self.access.needs_store(sender, meta) {
            let store = self.channel.pairing().store();
            store.read_at_once(&self.allow_key(sender))?.record
        } else {
            None
        };
        let basis = self.access.decide(sender, meta, entry.is_some()).ok()?;
        Some(self.approved(sender.clone(), basis, entry))
    }

    /// Whether this sender may talk to the bot: [`admit`](Self::admit) without the proof.
    pub fn is_allowed(&self, sender: &str) -> Result<bool, AdmitError> {
        Ok(matches!(self.admit(sender)?, Admission::Approved(_)))
    }

    /// Decides about a message in a group, by the configured lists alone, never by pairing: the list of
    /// groups ([`Access::with_groups`]), or else `allowFrom`. The policy is for direct messages, and
    /// `disabled` closes no group.
    pub fn admit_in_group(&self, sender: &str) -> Result<Option<GroupSender>, AdmitError> {
        let sender = self.channel.rules().sender(sender)?;
        Ok(self.admit_sender_in_group(&sender))
    }

    /// Decides about a message in a group: as [`admit_in_group`](Self::admit_in_group), for a sender that is
    /// parsed already. Reads nothing.
    pub fn admit_sender_in_group(&self, sender: &SenderId) -> Option<GroupSender> {
        self.access.in_group(sender, None)?;
        Some(GroupSender {
            sender: sender.clone(),
        })
    }

    /// Decides about a message in a group: as [`admit_in_group`](Self::admit_in_group), with what the channel says
    /// of the sender, for channels whose lists go by user names.
    pub fn admit_named_in_group(
        &self,
        sender: impl Into<Sender>,
    ) -> Result<Option<GroupSender>, AdmitError> {
        let Sender { id, meta } = sender.into();
        let sender = self.channel.rules().sender(&id)?;
        let basis = self.access.in_group(&sender, Some(&meta));
        Ok(basis.map(|_| GroupSender { sender }))
    }

    /// Creates a request for an unknown sender, or finds their pending one.
    ///
    /// Call it only for authenticated direct messages of other people: not for messages of the bot
    /// itself, history, groups or other bots. Removes expired requests first. Creating a request is a
    /// durable write; a repeated message is recorded at most once a minute.
    pub fn request_or_reuse(&self, sender: impl Into<Sender>) -> Result<Requested, RequestError> {
        let Sender { id, meta } = sender.into();
        let sender = self.channel.rules().sender(&id)?;
        self.admit_or_request(&sender, Some(&meta))
    }

    /// Admits a sender, or else creates or finds their request: [`admit`](Self::admit) and
    /// [`request_or_reuse`](Self::request_or_reuse) in one transaction, for a gate.
    ///
    /// `request` is what to record of a sender who asks. Without it nothing is recorded or written, and a sender
    /// who is not allowed gets [`Requested::NotOffered`]: for senders whose requests are rate limited. Their user
    /// name is not known then, either.
    pub fn admit_or_request(
        &self,
        sender: &SenderId,
        request: Option<&Metadata>,
    ) -> Result<Requested, RequestError> {
        let limits = self.channel.limits();
        let pairing = self.channel.pairing();
        transact(pairing.store(), |tx| {
            let now = pairing.now();
            let entry = if self.access.needs_store(sender, request) {
                tx.entry(self.allow_key(sender))?
            } else {
                None
            };
            let refusal = match self.access.decide(sender, request, entry.is_some()) {
                Ok(basis) => {
                    let approved = self.approved(sender.clone(), basis, entry);
                    return Ok(Decision::unchanged(Requested::Allowed(approved)));
                }
                Err(refusal) => refusal,
            };
            let Some(meta) = request.filter(|_| self.access.consults_store()) else {
                return Ok(Decision::unchanged(Requested::NotOffered(refusal)));
            };
            let ask = Ask {
                channel: self.channel.id(),
                account: &self.id,
                sender,
                meta,
            };
            let pending = tx.requests(ask.channel, Some(ask.account))?;
            match dm::standing(&ask, &pending, limits, now) {
                Standing::Waiting(request) => {
                    let Decision { changes, outcome } =
                        dm::refresh(request, ask.meta, &pending, limits, now);
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
                            reply: pairing.replies().request(
                                self.channel.rules(),
                                sender,
                                code,
                                Replies::language_of(ask.meta),
                            ),
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

    /// Returns the pending requests of this account, without expired ones.
    pub fn pending(&self) -> Result<Pending, ListError> {
        self.channel.pending_of(Some(&self.id))
    }

    /// Approves the request with this code: as [`Channel::approve`], for requests of this account only.
    pub fn approve(&self, code: &str, approver: &Approver) -> Result<Approved, DecisionError> {
        self.approve_code(PairingCode::parse(code)?, approver)
    }

    /// Approves the request with this code: as [`approve`](Self::approve), for a code that is parsed already.
    pub fn approve_code(
        &self,
        code: PairingCode,
        approver: &Approver,
    ) -> Result<Approved, DecisionError> {
        self.channel.approve_in(Some(&self.id), code, approver)
    }

    /// Approves the request of this sender, who presents its code on their own behalf.
    ///
    /// For gateways that give the code to somebody other than the sender: it proves that the sender was told
    /// by them. **Never call it where the sender is shown the code**, as [`Created::reply`] does: it would let
    /// everybody in who reads it.
    ///
    /// A code admits only the sender whose request has it. Wrong codes count for this sender alone, and lock
    /// them out as they do an approver; [`attempts_of`](Self::attempts_of) says how many are left. A sender
    /// without a request is told nothing but [`DecisionError::NotFound`].
    pub fn redeem(&self, sender: &str, code: &str) -> Result<Approved, DecisionError> {
        let sender = self.channel.rules().sender(sender)?;
        let code = PairingCode::parse(code)?;
        self.channel.redeem_in(&self.id, &sender, code)
    }

    /// Returns how many wrong codes this sender may still present to [`redeem`](Self::redeem) and
    /// [`claim`](Self::claim).
    pub fn attempts_of(&self, sender: &SenderId) -> Result<AttemptsLeft, ListError> {
        let presenter = Approver::presenter(self.channel.id(), sender);
        self.channel.attempts(&presenter)
    }

    /// Rejects a request: as [`Channel::reject`], for requests of this account only.
    pub fn reject(
        &self,
        code_or_sender: &str,
        approver: &Approver,
    ) -> Result<PendingRequest, DecisionError> {
        let id = Some(&self.id);
        self.channel.reject_in(id, code_or_sender, approver)
    }

    /// Returns the senders on the allowlist, whether approved or added by hand.
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

    /// Returns the entry of a sender on the allowlist: who approved them, when, and for which principal. One
    /// lookup. `None` for senders who are not on it, whatever the configuration says of them.
    pub fn entry(&self, sender: &str) -> Result<Option<AllowEntry>, AdmitError> {
        let sender = self.channel.rules().sender(sender)?;
        let store = self.channel.pairing().store();
        let record = store.read(&self.allow_key(&sender))?.record;
        Ok(record.and_then(|record| record.as_allow().cloned()))
    }

    /// Returns the senders on the allowlist that are this principal's. Reads the whole list.
    pub fn allowed_for(&self, principal: &Principal) -> Result<Allowed, ListError> {
        let mut allowed = self.allowed()?;
        let is_theirs = |entry: &AllowEntry| entry.principal() == Some(principal);
        allowed.entries.retain(is_theirs);
        Ok(allowed)
    }

    /// Removes every sender of a principal from the allowlist, and returns their entries: for a user of the
    /// embedder's that leaves.
    ///
    /// Each is removed on its own, so an error may leave some; repeat the call.
    pub fn revoke_all_for(
        &self,
        principal: &Principal,
        approver: &Approver,
    ) -> Result<Vec<AllowEntry>, AllowlistError> {
        approver.may_pair()?;
        let theirs = self
            .allowed_for(principal)
            .map_err(|ListError(error)| error)?;
        let mut revoked = Vec::new();
        for entry in theirs.entries {
            // Granted to somebody else meanwhile, it stays.
            let is_theirs = |entry: &AllowEntry| entry.principal() == Some(principal);
            revoked.extend(self.revoke_if(&entry.entry, approver, is_theirs)?);
        }
        Ok(revoked)
    }

    /// Adds a sender to the allowlist, whether or not they have asked. Returns `false` if they were
    /// already on it.
    ///
    /// Also ends a pending request of the sender.
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

    /// Removes a sender from the allowlist. Returns `None` if they were not on it.
    pub fn revoke(
        &self,
        entry: &str,
        approver: &Approver,
    ) -> Result<Option<AllowEntry>, AllowlistError> {
        approver.may_pair()?;
        let sender = self.channel.rules().sender(entry)?;
        self.revoke_if(&sender, approver, |_| true)
    }

    fn revoke_if(
        &self,
        sender: &SenderId,
        approver: &Approver,
        meant: impl Fn(&AllowEntry) -> bool,
    ) -> Result<Option<AllowEntry>, AllowlistError> {
        let revoked = transact(self.channel.pairing().store(), |tx| {
            let allowed = tx.allow(self.allow_key(sender))?;
            Ok::<_, AllowlistError>(match allowed.filter(&meant) {
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
                .audit(AuditAction::Revoked, approver, &self.id, sender);
        }
        Ok(revoked)
    }

    pub(super) fn allow_key(&self, sender: &SenderId) -> Key {
        Key::Allow {
            channel: self.channel.id().clone(),
            account: self.id.clone(),
            entry: sender.clone(),
        }
    }

    pub(super) fn approved(
        &self,
        sender: SenderId,
        basis: Basis,
        entry: Option<Arc<Record>>,
    ) -> ApprovedSender {
        ApprovedSender {
            channel: self.channel.id().clone(),
            account: self.id.clone(),
            sender,
            basis,
            entry,
        }
    }

    /// Draws a code that no pending request of the channel has.
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
    /// Makes a sender of which only the id is known.
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            meta: Metadata::default(),
        }
    }

    /// Adds further data, such as `username` or `name`: a text, or another [`MetadataValue`].
    pub fn with(mut self, key: &str, value: impl Into<MetadataValue>) -> Self {
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
