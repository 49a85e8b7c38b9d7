//! Storage of device tokens, which users of this crate provide.

use gateway_protocol::Secret;
use pairing_core::ScopeSet;
use pairing_core::device::Role;

/// Stores the device tokens of one device for one gateway.
///
/// Must hold:
/// - A token that [`store`](Self::store) has accepted is returned by [`load`](Self::load), also after a
///   crash.
/// - No other user can read the tokens.
///
/// The client never deletes a token, whatever the gateway says: a gateway restored from a backup, or a
/// different gateway at the same address, must not cost the device its pairing.
///
/// Both methods may block: they are called on the blocking pool.
pub trait TokenKeeper: Send + Sync {
    /// Returns the token for a role, if there is one.
    fn load(&self, role: Role) -> Result<Option<HeldToken>, KeepError>;

    /// Stores the token for a role, replacing the previous one.
    fn store(&self, role: Role, token: &HeldToken) -> Result<(), KeepError>;
}

/// A device token as stored by its device. `Debug` does not show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldToken {
    /// The token.
    pub token: Secret,
    /// The scopes that came with it.
    pub scopes: ScopeSet,
    /// Time of issue, in milliseconds of the gateway's clock.
    pub issued_at_ms: Option<i64>,
}

/// Error of a [`TokenKeeper`].
#[derive(Debug, thiserror::Error)]
#[error("the device token cannot be read or kept")]
pub struct KeepError(#[source] Box<dyn std::error::Error + Send + Sync>);

impl KeepError {
    /// Wraps the cause of the failure, which must not contain a token.
    pub fn new(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(source.into())
    }
}
