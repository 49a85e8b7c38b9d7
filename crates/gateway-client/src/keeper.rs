//! Where device tokens are kept: not here.

use gateway_protocol::Secret;
use pairing_core::ScopeSet;
use pairing_core::device::Role;

/// Keeps the device tokens of one device for one gateway.
///
/// Must hold:
/// - What [`store`](Self::store) has taken is what [`load`](Self::load) gives, also after a crash.
/// - Nobody else can read it.
///
/// It is never asked to delete a token, whatever the gateway says: a gateway that was restored from a
/// backup, or another one at its address, must not cost the pairing.
///
/// Both may block, and are called where that harms nobody.
pub trait TokenKeeper: Send + Sync {
    /// The token for a role, if there is one.
    fn load(&self, role: Role) -> Result<Option<HeldToken>, KeepError>;

    /// Keeps the token for a role, in place of the one before.
    fn store(&self, role: Role, token: &HeldToken) -> Result<(), KeepError>;
}

/// A device token as its device keeps it. `Debug` does not show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldToken {
    /// The token.
    pub token: Secret,
    /// The scopes that came with it.
    pub scopes: ScopeSet,
    /// When it was made, in milliseconds of the gateway's clock.
    pub issued_at_ms: Option<i64>,
}

/// The keeper failed.
#[derive(Debug, thiserror::Error)]
#[error("the device token cannot be read or kept")]
pub struct KeepError(#[source] Box<dyn std::error::Error + Send + Sync>);

impl KeepError {
    /// Wraps what went wrong. It must not hold a token.
    pub fn new(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(source.into())
    }
}
