//! The device tokens of this machine, for a client of a gateway.

use std::sync::Arc;

use gateway_client::{HeldToken, KeepError, TokenKeeper};
use pairing_core::device::Role;
use pairing_core::{Clock, DeviceId, Scope, SecretToken, Timestamp};
use pairing_fs::IdentityDir;

/// `identity/device-auth.json`, as one device sees it.
#[derive(Clone)]
pub(crate) struct Keeper {
    pub(crate) dir: IdentityDir,
    pub(crate) device: DeviceId,
    pub(crate) clock: Arc<dyn Clock>,
}

impl TokenKeeper for Keeper {
    fn load(&self, role: Role) -> Result<Option<HeldToken>, KeepError> {
        let held = self.dir.token(self.device, role.as_str());
        let held = held.map_err(KeepError::new)?;
        Ok(held.map(|held| HeldToken {
            token: held.token.expose().into(),
            scopes: held
                .scopes
                .iter()
                .filter_map(|scope| Scope::parse(scope).ok())
                .collect(),
            issued_at_ms: Some(held.updated_at.as_millis()),
        }))
    }

    fn store(&self, role: Role, token: &HeldToken) -> Result<(), KeepError> {
        let given = token.issued_at_ms.map(Timestamp::from_millis);
        let held = pairing_fs::HeldToken {
            role: role.as_str().to_owned(),
            token: SecretToken::parse(token.token.expose()).map_err(KeepError::new)?,
            scopes: token
                .scopes
                .iter()
                .map(|scope| scope.as_str().to_owned())
                .collect(),
            updated_at: given.unwrap_or_else(|| self.clock.now()),
        };
        self.dir
            .put_token(self.device, &held)
            .map_err(KeepError::new)
    }
}
