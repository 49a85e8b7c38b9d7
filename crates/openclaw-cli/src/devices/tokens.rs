//! `openclaw devices rotate` and `revoke`.

use gateway_protocol::device::{TokenDelivery, TokenRevoked, TokenRotated};
use pairing_core::device::{Device, Role};
use pairing_core::{DeviceError, ScopeSet};

use super::Call;
use crate::console::Screen;
use crate::subject::label;
use crate::{Exit, Failure, text};

impl Call {
    pub(super) fn rotate(
        &self,
        typed: &str,
        role: Role,
        scopes: Option<&ScopeSet>,
        screen: &mut Screen<'_, '_>,
    ) -> Result<Exit, Failure> {
        let list = self.read_paired(screen)?;
        let device = self.device(typed, &list, None)?;
        let rotated = self
            .backend
            .rotate_token(device, role, scopes)
            .map_err(|error| refused(error, device, role, scopes))?;
        if self.json {
            screen.json(&TokenRotated {
                device_id: device.id,
                role,
                scopes: rotated.scopes,
                rotated_at_ms: rotated.at.as_millis(),
                token_delivery: TokenDelivery::WithheldCrossDevice,
                token: None,
            })?;
        } else {
            let scopes = match role {
                Role::Operator => format!(", with {}", text::scopes(&rotated.scopes)),
                Role::Node => String::new(),
            };
            screen.line(format_args!("Rotated {role} of device {}", label(device)))?;
            screen.remark(format_args!(
                "Its token has ended. The device gets its new one{scopes}, at its next connect \
                 with the gateway's secret, or with a new setup code."
            ))?;
        }
        Ok(Exit::Done)
    }

    pub(super) fn revoke(
        &self,
        typed: &str,
        role: Role,
        screen: &mut Screen<'_, '_>,
    ) -> Result<Exit, Failure> {
        let list = self.read_paired(screen)?;
        let device = self.device(typed, &list, None)?;
        let at = self
            .backend
            .revoke_role(device, role)
            .map_err(|error| refused(error, device, role, None))?;
        if self.json {
            screen.json(&TokenRevoked {
                device_id: device.id,
                role,
                revoked_at_ms: at.as_millis(),
            })?;
        } else {
            screen.line(format_args!("Revoked {role} of device {}", label(device)))?;
            screen.remark("It stays revoked until you approve a new request of the device.")?;
        }
        Ok(Exit::Done)
    }
}

/// The service gives everybody the same answer; the owner may know the reason.
fn refused(error: Failure, device: &Device, role: Role, scopes: Option<&ScopeSet>) -> Failure {
    if !matches!(error, Failure::Device(DeviceError::UnknownRole)) {
        return error;
    }
    let label = label(device);
    match (device.standing(role), device.roles.get(&role), scopes) {
        (Some(approved), _, Some(scopes)) if !approved.scopes.covers(scopes) => Failure::Beyond {
            device: label,
            approved: text::scopes(&approved.scopes),
        },
        (None, Some(_), _) => Failure::Revoked {
            device: label,
            role,
        },
        (None, None, _) => Failure::NeverApproved {
            device: label,
            role,
        },
        _ => error,
    }
}
