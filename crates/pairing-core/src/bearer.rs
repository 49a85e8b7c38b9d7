//! Bearer clients: programs that hold a token and no key of their own.

use crate::store::BearerClient;
use crate::{Approver, Principal, ScopeSet, Timestamp};

/// What to issue a token for: see [`Bearers::issue`](crate::Bearers::issue).
#[derive(Debug, Clone)]
pub struct NewBearer {
    pub(crate) name: String,
    pub(crate) scopes: ScopeSet,
    pub(crate) expires_at: Option<Timestamp>,
}

impl NewBearer {
    /// A client of this name, which may do what these scopes allow and never more. Its token does not expire,
    /// unless [`expires_at`](Self::expires_at) says when.
    pub fn new(name: impl Into<String>, scopes: ScopeSet) -> Self {
        Self {
            name: name.into(),
            scopes,
            expires_at: None,
        }
    }

    /// Sets the time from which the token is no longer valid.
    #[must_use]
    pub fn expires_at(mut self, at: Timestamp) -> Self {
        self.expires_at = Some(at);
        self
    }
}

/// Proof that a client presented a valid token.
///
/// Only [`Bearers::verify`](crate::Bearers::verify) makes one. It holds what was true then: verify again at each
/// request, so that a revocation counts at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthenticatedBearer {
    pub(crate) client: BearerClient,
}

impl AuthenticatedBearer {
    /// Returns the client, without its token.
    pub fn client(&self) -> &BearerClient {
        &self.client
    }

    /// Returns the name that the client was given.
    pub fn name(&self) -> &str {
        &self.client.name
    }

    /// Returns the scopes that the token was issued for.
    pub fn scopes(&self) -> &ScopeSet {
        &self.client.scopes
    }

    /// Returns the embedder's user whose client it is; `None` for the bot's owner.
    pub fn principal(&self) -> Option<&Principal> {
        self.client.principal.as_ref()
    }

    /// Returns the client as an approver: it decides within its scopes and for its user, and is locked out for wrong
    /// codes.
    pub fn approver(&self) -> Approver {
        Approver::bearer(&self.client)
    }
}
