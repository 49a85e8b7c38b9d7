//! Bearer clients: issuing, importing, listing, verifying and revoking their tokens.

use super::devices::name;
use super::transact::{list, transact};
use super::{BearerError, ListError, Pairing};
use crate::device::Role;
use crate::dm::Decision;
use crate::store::{BearerClient, Change};
use crate::{
    Approver, AuditAction, AuditEvent, AuditSubject, AuthenticatedBearer, Key, NewBearer,
    Principal, Range, Record, SecretToken, StoreError, TokenHash,
};

/// The bearer clients of a service: [`Pairing::bearers`].
///
/// A bearer client is a program that presents a token and has no key, as clients of HTTP services are. Whoever has
/// the token is the client, so prefer [`Devices`](crate::Devices) where a client can keep a key.
///
/// - Only the SHA-256 of a token is stored. A presented token is found by its hash, with one lookup however many
///   clients there are, and compared in constant time.
/// - A client may do what its token was issued for, never more. To change that, revoke the token and issue another.
/// - At most 256 clients, unless [`Limits`](crate::Limits) say otherwise. Expired ones are deleted with the next new
///   one.
///
/// ```
/// # use pairing_core::{Approver, EntropyError, ManualClock, MemoryStore, NewBearer, PairingBuilder, Scope, ScopeSet, Timestamp};
/// # struct Zeros; impl pairing_core::Entropy for Zeros {
/// #     fn fill(&self, b: &mut [u8]) -> Result<(), EntropyError> { b.fill(0); Ok(()) } }
/// # let clock = ManualClock::new(Timestamp::from_millis(0));
/// let pairing = PairingBuilder::new(MemoryStore::new(), clock, Zeros).bearer_clients(true).build();
/// let bearers = pairing.bearers()?;
/// let scopes: ScopeSet = [Scope::parse(Scope::READ)?].into_iter().collect();
/// let owner = Approver::operator("page", ScopeSet::admin());
/// let issued = bearers.issue(NewBearer::new("dashboard", scopes), &owner)?;
///
/// // `Authorization: Bearer TOKEN`
/// let presented = issued.token.expose();
/// let client = bearers.verify_text(presented)?.ok_or("no such client")?;
/// assert!(client.scopes().allows(Scope::READ) && !client.scopes().allows(Scope::WRITE));
///
/// bearers.revoke(&issued.client.id(), &owner)?;
/// assert!(bearers.verify_text(presented)?.is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Bearers(pub(super) Pairing);

/// A token that has just been issued.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct IssuedBearer {
    /// The token, to be given to the client. It is not kept.
    pub token: SecretToken,
    /// What is kept of it.
    pub client: BearerClient,
}

impl Bearers {
    /// Issues a token. The approver needs `operator.pairing` and every scope that it gives; the client is the user's
    /// that the approver decides [for](Approver::for_principal).
    pub fn issue(&self, new: NewBearer, approver: &Approver) -> Result<IssuedBearer, BearerError> {
        let token = SecretToken::generate(self.0.entropy())?;
        let client = self.import(TokenHash::of(&token), new, approver)?;
        Ok(IssuedBearer { token, client })
    }

    /// Takes over a token that was issued elsewhere, by its hash: [`issue`](Self::issue) without making a token.
    /// [`TokenHash::of`] makes the hash of a token in clear; a SHA-256 that another program kept is read by
    /// [`TokenHash::parse`], as `sha256:` and 64 digits.
    ///
    /// An error if a client has this token already, also with other scopes: importing widens nothing.
    pub fn import(
        &self,
        hash: TokenHash,
        new: NewBearer,
        approver: &Approver,
    ) -> Result<BearerClient, BearerError> {
        approver.may_deal(&[Role::Operator], &new.scopes)?;
        let now = self.0.now();
        let client = BearerClient {
            hash,
            name: name(&new.name).map_err(|_| BearerError::Name)?.to_owned(),
            scopes: new.scopes,
            by: approver.id().clone(),
            via: approver.via(),
            principal: approver.principal().cloned(),
            issued_at: now,
            expires_at: new.expires_at,
        };
        let max = self.0.limits().max_bearers;
        transact(self.0.store(), |tx| {
            let (over, live): (Vec<_>, Vec<_>) = tx
                .bearer_clients()?
                .into_iter()
                .partition(|client| client.is_expired(now));
            if live.iter().any(|client| client.hash == hash) {
                return Err(BearerError::Known);
            }
            if live.len() >= max {
                return Err(BearerError::TooMany { max });
            }
            let over = over.iter().map(|client| Change::Delete(client.key()));
            let new = Change::Put(Record::from(client.clone()));
            Ok(Decision {
                changes: over.chain([new]).collect(),
                outcome: (),
            })
        })?;
        self.audit(AuditAction::Issued, &client, approver);
        Ok(client)
    }

    /// Returns the client that presents this token; `None` if the token is not known, was revoked or has expired.
    /// Writes nothing.
    pub fn verify(&self, token: &SecretToken) -> Result<Option<AuthenticatedBearer>, StoreError> {
        let key = Key::BearerClient {
            hash: TokenHash::of(token),
        };
        let read = self.0.store().read(&key)?;
        let client = read.record.as_deref().and_then(Record::as_bearer_client);
        let client =
            client.filter(|client| client.hash.matches(token) && !client.is_expired(self.0.now()));
        Ok(client.cloned().map(|client| AuthenticatedBearer { client }))
    }

    /// Returns the client that presents this text: as [`verify`](Self::verify). A text that can be no token is
    /// nobody's.
    pub fn verify_text(&self, presented: &str) -> Result<Option<AuthenticatedBearer>, StoreError> {
        match SecretToken::parse(presented) {
            Ok(token) => self.verify(&token),
            Err(_) => Ok(None),
        }
    }

    /// Returns the clients whose tokens are valid, in the store's order.
    pub fn list(&self) -> Result<Vec<BearerClient>, ListError> {
        let (records, _) = list(self.0.store(), &Range::BearerClients)?;
        let now = self.0.now();
        let clients = records.iter().filter_map(|r| r.as_bearer_client());
        let valid = clients.filter(|client| !client.is_expired(now));
        Ok(valid.cloned().collect())
    }

    /// Revokes the token of a client, by its [`id`](BearerClient::id) or the text of its hash. Returns the client;
    /// `None` if there is none of this id. The approver needs what it would need to issue the token.
    pub fn revoke(
        &self,
        id: &str,
        approver: &Approver,
    ) -> Result<Option<BearerClient>, BearerError> {
        let ended = self.end(approver, |client| client.is_named(id))?;
        Ok(ended.into_iter().next())
    }

    /// Revokes the tokens of all clients of a user. Returns the clients.
    pub fn revoke_of(
        &self,
        principal: &Principal,
        approver: &Approver,
    ) -> Result<Vec<BearerClient>, BearerError> {
        self.end(approver, |client| {
            client.principal.as_ref() == Some(principal)
        })
    }

    fn end(
        &self,
        approver: &Approver,
        is_meant: impl Fn(&BearerClient) -> bool,
    ) -> Result<Vec<BearerClient>, BearerError> {
        approver.may_pair()?;
        let ended = transact(self.0.store(), |tx| {
            let mut ended = tx.bearer_clients()?;
            ended.retain(&is_meant);
            for client in &ended {
                approver.may_deal(&[Role::Operator], &client.scopes)?;
            }
            let keys = ended.iter().map(|client| Change::Delete(client.key()));
            Ok::<_, BearerError>(Decision {
                changes: keys.collect(),
                outcome: ended,
            })
        })?;
        for client in &ended {
            self.audit(AuditAction::Revoked, client, approver);
        }
        Ok(ended)
    }

    fn audit(&self, action: AuditAction, client: &BearerClient, approver: &Approver) {
        let subject = AuditSubject::Client {
            client: client.id(),
        };
        let mut event = AuditEvent::new(self.0.now(), action, approver, subject);
        event.scopes = Some(client.scopes.clone());
        self.0.audit(&event);
    }
}
