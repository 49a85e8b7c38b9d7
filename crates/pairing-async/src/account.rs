//! An account, for async code.

use pairing_core::store::{AllowEntry, Claim, PendingRequest};
use pairing_core::{
    Account, Admission, AdmitError, Allowed, AllowlistError, Approved, Approver, AttemptsLeft,
    ClaimCode, ClaimError, Claimed, DecisionError, InviteError, Invited, ListError, Metadata,
    Pending, RequestError, Requested, Reverted, Sender, SenderId,
};

use crate::{AsyncError, AsyncPairing};

/// An [`Account`] whose decisions run on the blocking pool. Each method is that of [`Account`] with the same name; see
/// there for its guarantees.
#[derive(Debug, Clone)]
pub struct AsyncAccount {
    pairing: AsyncPairing,
    account: Account,
}

impl AsyncAccount {
    /// An account of a service.
    pub fn new(pairing: AsyncPairing, account: Account) -> Self {
        Self { pairing, account }
    }

    /// The account itself, for calls that do not reach the store.
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// Decides whether a direct message of this sender may be processed: [`Account::admit`].
    pub async fn admit(&self, sender: &str) -> Result<Admission, AsyncError<AdmitError>> {
        let (account, sender) = (self.account.clone(), sender.to_owned());
        let admit = move || account.admit(&sender);
        self.pairing.decide(admit).await
    }

    /// Decides about a direct message, with what the channel says of the sender: [`Account::admit_named`].
    pub async fn admit_named(
        &self,
        sender: impl Into<Sender>,
    ) -> Result<Admission, AsyncError<AdmitError>> {
        let (account, sender) = (self.account.clone(), sender.into());
        let admit = move || account.admit_named(sender);
        self.pairing.decide(admit).await
    }

    /// Returns the entry of a sender on the allowlist: [`Account::entry`].
    pub async fn entry(&self, sender: &str) -> Result<Option<AllowEntry>, AsyncError<AdmitError>> {
        let (account, sender) = (self.account.clone(), sender.to_owned());
        let entry = move || account.entry(&sender);
        self.pairing.decide(entry).await
    }

    /// Whether this sender may talk to the bot: [`Account::is_allowed`].
    pub async fn is_allowed(&self, sender: &str) -> Result<bool, AsyncError<AdmitError>> {
        Ok(matches!(self.admit(sender).await?, Admission::Approved(_)))
    }

    /// Creates a request for an unknown sender, or finds their pending one: [`Account::request_or_reuse`].
    pub async fn request_or_reuse(
        &self,
        sender: impl Into<Sender>,
    ) -> Result<Requested, AsyncError<RequestError>> {
        let (account, sender) = (self.account.clone(), sender.into());
        let request = move || account.request_or_reuse(sender);
        self.pairing.decide(request).await
    }

    /// Admits a sender, or else creates or finds their request: [`Account::admit_or_request`].
    pub async fn admit_or_request(
        &self,
        sender: SenderId,
        request: Option<Metadata>,
    ) -> Result<Requested, AsyncError<RequestError>> {
        let account = self.account.clone();
        let decide = move || account.admit_or_request(&sender, request.as_ref());
        self.pairing.decide(decide).await
    }

    /// The pending requests: [`Account::pending`].
    pub async fn pending(&self) -> Result<Pending, AsyncError<ListError>> {
        let account = self.account.clone();
        self.pairing.decide(move || account.pending()).await
    }

    /// Approves the request with this code: [`Account::approve`].
    pub async fn approve(
        &self,
        code: &str,
        approver: &Approver,
    ) -> Result<Approved, AsyncError<DecisionError>> {
        let (account, code, approver) = (self.account.clone(), code.to_owned(), approver.clone());
        let approve = move || account.approve(&code, &approver);
        self.pairing.decide(approve).await
    }

    /// Approves the request of this sender, who presents its code: [`Account::redeem`], with its warning.
    pub async fn redeem(
        &self,
        sender: &str,
        code: &str,
    ) -> Result<Approved, AsyncError<DecisionError>> {
        let (account, sender, code) = (self.account.clone(), sender.to_owned(), code.to_owned());
        let redeem = move || account.redeem(&sender, &code);
        self.pairing.decide(redeem).await
    }

    /// Issues a claim code: [`Account::invite`].
    pub async fn invite(&self, approver: &Approver) -> Result<Invited, AsyncError<InviteError>> {
        let (account, approver) = (self.account.clone(), approver.clone());
        let invite = move || account.invite(&approver);
        self.pairing.decide(invite).await
    }

    /// Allows a sender who presents a claim code: [`Account::claim`].
    pub async fn claim(
        &self,
        sender: impl Into<Sender>,
        code: &str,
    ) -> Result<Claimed, AsyncError<ClaimError>> {
        let (account, sender) = (self.account.clone(), sender.into());
        let code = ClaimCode::parse(code).map_err(|error| AsyncError::Decision(error.into()))?;
        let claim = move || account.claim(sender, code.expose());
        self.pairing.decide(claim).await
    }

    /// The claim codes of the channel that are valid, without the codes themselves:
    /// [`Channel::claims`](pairing_core::Channel::claims).
    pub async fn claims(&self) -> Result<Vec<Claim>, AsyncError<ListError>> {
        let channel = self.account.channel().clone();
        self.pairing.decide(move || channel.claims()).await
    }

    /// Ends a claim code of the channel: [`Channel::end_claim`](pairing_core::Channel::end_claim).
    pub async fn end_claim(
        &self,
        id: &str,
        approver: &Approver,
    ) -> Result<Option<Claim>, AsyncError<InviteError>> {
        let channel = self.account.channel().clone();
        let (id, approver) = (id.to_owned(), approver.clone());
        let end = move || channel.end_claim(&id, &approver);
        self.pairing.decide(end).await
    }

    /// Returns how many wrong codes this sender may still present: [`Account::attempts_of`].
    pub async fn attempts_of(
        &self,
        sender: &SenderId,
    ) -> Result<AttemptsLeft, AsyncError<ListError>> {
        let (account, sender) = (self.account.clone(), sender.clone());
        let attempts = move || account.attempts_of(&sender);
        self.pairing.decide(attempts).await
    }

    /// Returns how many wrong codes this approver may still enter:
    /// [`Channel::attempts`](pairing_core::Channel::attempts).
    pub async fn attempts(
        &self,
        approver: &Approver,
    ) -> Result<AttemptsLeft, AsyncError<ListError>> {
        let (channel, approver) = (self.account.channel().clone(), approver.clone());
        let attempts = move || channel.attempts(&approver);
        self.pairing.decide(attempts).await
    }

    /// Reverts an approval: [`Channel::revert`](pairing_core::Channel::revert).
    pub async fn revert(
        &self,
        approved: &Approved,
        approver: &Approver,
    ) -> Result<Reverted, AsyncError<AllowlistError>> {
        let channel = self.account.channel().clone();
        let (approved, approver) = (approved.clone(), approver.clone());
        let revert = move || channel.revert(&approved, &approver);
        self.pairing.decide(revert).await
    }

    /// Rejects the request with this code or of this sender: [`Account::reject`].
    pub async fn reject(
        &self,
        code_or_sender: &str,
        approver: &Approver,
    ) -> Result<PendingRequest, AsyncError<DecisionError>> {
        let (account, approver) = (self.account.clone(), approver.clone());
        let subject = code_or_sender.to_owned();
        let reject = move || account.reject(&subject, &approver);
        self.pairing.decide(reject).await
    }

    /// The senders on the allowlist: [`Account::allowed`].
    pub async fn allowed(&self) -> Result<Allowed, AsyncError<ListError>> {
        let account = self.account.clone();
        self.pairing.decide(move || account.allowed()).await
    }

    /// Adds a sender to the allowlist: [`Account::allow`].
    pub async fn allow(
        &self,
        entry: &str,
        approver: &Approver,
    ) -> Result<bool, AsyncError<AllowlistError>> {
        let (account, entry, approver) = (self.account.clone(), entry.to_owned(), approver.clone());
        let allow = move || account.allow(&entry, &approver);
        self.pairing.decide(allow).await
    }

    /// Removes a sender from the allowlist: [`Account::revoke`].
    pub async fn revoke(
        &self,
        entry: &str,
        approver: &Approver,
    ) -> Result<Option<AllowEntry>, AsyncError<AllowlistError>> {
        let (account, entry, approver) = (self.account.clone(), entry.to_owned(), approver.clone());
        let revoke = move || account.revoke(&entry, &approver);
        self.pairing.decide(revoke).await
    }
}
