//! More scopes for an operator that is connected: asking the owner, and delivering the token.

use super::transact::transact;
use super::{DeviceError, Devices};
use crate::ScopeSet;
use crate::device::{
    self, Asked, Asking, AuthenticatedDevice, DeviceInfo, MintedToken, RequestId, Role, SecretToken,
};
use crate::dm::Decision;

impl Devices {
    /// Asks the owner for these scopes, in the name of a connected operator; its session goes on meanwhile. It is
    /// the same request as that of a connection which asks for them.
    ///
    /// `origin` is that of the page that it connected from, and `remote_ip` its address unless on this machine.
    pub fn ask_for_scopes(
        &self,
        asks: &AuthenticatedDevice,
        scopes: &ScopeSet,
        origin: Option<&str>,
        remote_ip: Option<&str>,
    ) -> Result<Asked, DeviceError> {
        let (pairing, limits) = (&self.0, self.limits());
        let id = RequestId::generate(pairing.entropy())?;
        transact(pairing.store(), |tx| {
            let now = pairing.now();
            let device = tx.device(asks.id())?.ok_or(DeviceError::UnknownDevice)?;
            let approved = device.standing(Role::Operator);
            if approved.is_none() || asks.role() != Role::Operator {
                return Err(DeviceError::UnknownRole);
            }
            let before = tx.device_request(asks.id())?;
            let asking = |waiting| Asking {
                device: device.id,
                key: device.key,
                info: DeviceInfo {
                    remote_ip: remote_ip.map(str::to_owned),
                    ..device.info.clone()
                },
                origin: origin.map(str::to_owned),
                silent: false,
                is_known: true,
                before: before
                    .as_ref()
                    .filter(|request| !request.is_expired(limits, now)),
                waiting,
                id: &id,
                limits,
                now,
            };
            let asked = device::ask_for_scopes(&asking(&[]), scopes);
            if asked.outcome.is_new {
                // A new request takes a slot, which depends on all pending ones.
                return Ok(device::ask_for_scopes(
                    &asking(&tx.device_requests()?),
                    scopes,
                ));
            }
            Ok(asked)
        })
    }

    /// Makes the device token that an approval since the last one calls for, to be delivered on this session instead
    /// of with the next `hello-ok`. It ends the former token, and with it the sessions that depend on that one.
    ///
    /// `None` if there is none to deliver: nothing was approved, or another connection has fetched it.
    pub fn renew_token(
        &self,
        asks: &AuthenticatedDevice,
    ) -> Result<Option<MintedToken>, DeviceError> {
        let token = SecretToken::generate(self.0.entropy())?;
        transact(self.0.store(), |tx| {
            let device = tx.device(asks.id())?.ok_or(DeviceError::UnknownDevice)?;
            let renewed = if asks.holds_in(&device) {
                device::renew(&device, asks.role(), &token, self.0.now())
            } else {
                None
            };
            Ok(match renewed {
                Some(Decision { changes, outcome }) => Decision {
                    changes,
                    outcome: Some(outcome),
                },
                None => Decision::unchanged(None),
            })
        })
    }
}
