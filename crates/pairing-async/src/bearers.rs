//! Bearer clients, for async code.

use pairing_core::store::BearerClient;
use pairing_core::{
    Approver, AuthenticatedBearer, BearerError, Bearers, IssuedBearer, ListError, NewBearer,
    Principal, SecretToken, StoreError, TokenHash,
};

use crate::{AsyncError, AsyncPairing};

/// [`Bearers`] whose decisions run on the blocking pool. Each method is that of [`Bearers`] with the same name; see
/// there for its guarantees.
#[derive(Debug, Clone)]
pub struct AsyncBearers {
    pairing: AsyncPairing,
    bearers: Bearers,
}

impl AsyncBearers {
    pub(crate) fn new(pairing: AsyncPairing, bearers: Bearers) -> Self {
        Self { pairing, bearers }
    }

    /// Issues a token: [`Bearers::issue`].
    pub async fn issue(
        &self,
        new: NewBearer,
        approver: &Approver,
    ) -> Result<IssuedBearer, AsyncError<BearerError>> {
        let (bearers, approver) = (self.bearers.clone(), approver.clone());
        let issue = move || bearers.issue(new, &approver);
        self.pairing.decide(issue).await
    }

    /// Takes over a token that was issued elsewhere, by its hash: [`Bearers::import`].
    pub async fn import(
        &self,
        hash: TokenHash,
        new: NewBearer,
        approver: &Approver,
    ) -> Result<BearerClient, AsyncError<BearerError>> {
        let (bearers, approver) = (self.bearers.clone(), approver.clone());
        let import = move || bearers.import(hash, new, &approver);
        self.pairing.decide(import).await
    }

    /// Returns the client that presents this token: [`Bearers::verify`].
    pub async fn verify(
        &self,
        token: &SecretToken,
    ) -> Result<Option<AuthenticatedBearer>, AsyncError<StoreError>> {
        let (bearers, token) = (self.bearers.clone(), token.clone());
        let verify = move || bearers.verify(&token);
        self.pairing.decide(verify).await
    }

    /// Returns the client that presents this text: [`Bearers::verify_text`].
    pub async fn verify_text(
        &self,
        presented: &str,
    ) -> Result<Option<AuthenticatedBearer>, AsyncError<StoreError>> {
        match SecretToken::parse(presented) {
            Ok(token) => self.verify(&token).await,
            Err(_) => Ok(None),
        }
    }

    /// The clients whose tokens are valid: [`Bearers::list`].
    pub async fn list(&self) -> Result<Vec<BearerClient>, AsyncError<ListError>> {
        let bearers = self.bearers.clone();
        self.pairing.decide(move || bearers.list()).await
    }

    /// Revokes the token of a client: [`Bearers::revoke`].
    pub async fn revoke(
        &self,
        id: &str,
        approver: &Approver,
    ) -> Result<Option<BearerClient>, AsyncError<BearerError>> {
        let (bearers, id, approver) = (self.bearers.clone(), id.to_owned(), approver.clone());
        let revoke = move || bearers.revoke(&id, &approver);
        self.pairing.decide(revoke).await
    }

    /// Revokes the tokens of all clients of a user: [`Bearers::revoke_of`].
    pub async fn revoke_of(
        &self,
        principal: &Principal,
        approver: &Approver,
    ) -> Result<Vec<BearerClient>, AsyncError<BearerError>> {
        let bearers = self.bearers.clone();
        let (principal, approver) = (principal.clone(), approver.clone());
        let revoke = move || bearers.revoke_of(&principal, &approver);
        self.pairing.decide(revoke).await
    }
}
