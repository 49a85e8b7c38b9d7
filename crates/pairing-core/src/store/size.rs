//! The size of records, and the bound on it.

use super::{Change, Grant, Record, StoreError};
use crate::Scope;
use crate::device::{Ask, DeviceInfo, NodeInfo};

/// Maximum size of one record, in bytes of text. Everything that a well-meant device or sender says fits many
/// times over; what does not fit would let a few requests fill a file until it is no longer read.
const MAX_BYTES: usize = 256 * 1024;

/// Refuses a change whose record is larger than any store has to keep.
pub(crate) fn check(change: &Change) -> Result<(), StoreError> {
    let Change::Put(record) = change else {
        return Ok(());
    };
    let found = record.text_bytes();
    if found <= MAX_BYTES {
        return Ok(());
    }
    Err(StoreError::Refused {
        reason: format!("a record of {found} bytes, at most {MAX_BYTES} are stored"),
    })
}

impl Record {
    /// Returns the bytes of all texts in the record whose length others decide about. What has a fixed size
    /// (keys, times, hashes) does not count.
    fn text_bytes(&self) -> usize {
        match self {
            Self::Request(request) => request.meta.text_bytes() + request.sender.as_str().len(),
            Self::Code(taken) => {
                let holders = taken.holders.iter();
                holders.map(|h| h.sender.as_str().len()).sum()
            }
            Self::Allow(entry) => {
                entry.entry.as_str().len()
                    + of(entry.written.as_ref())
                    + of_grant(entry.grant.as_ref())
            }
            Self::Attempts(attempts) => {
                attempts.approver.as_str().len() + attempts.failed_at.len() * size_of::<i64>()
            }
            Self::TurnedAway(turned) => {
                let recent = turned.recent.iter();
                recent.map(|seen| seen.sender.as_str().len()).sum()
            }
            Self::Claim(claim) => {
                let principal = claim.principal.as_ref();
                claim.by.as_str().len() + principal.map_or(0, |p| p.as_str().len())
            }
            Self::DeviceRequest(request) => {
                of_device(&request.info) + of_ask(&request.ask) + of(request.origin.as_ref())
            }
            Self::Device(device) => {
                let roles = device.roles.values().map(|role| {
                    let token = role.token.as_ref();
                    let next = token.and_then(|token| token.next_scopes.as_ref());
                    all(role.scopes.iter().map(Scope::as_str))
                        + all(token
                            .iter()
                            .flat_map(|token| token.scopes.iter().map(Scope::as_str)))
                        + all(next.iter().flat_map(|next| next.iter().map(Scope::as_str)))
                        + all(role.commands.iter().flatten())
                        + of_grant(role.grant.as_ref())
                });
                let surface = device.surface.as_ref();
                let surface = surface.map_or(0, |asked| of_node(&asked.info));
                of_device(&device.info) + roles.sum::<usize>() + surface
            }
            Self::PairingToken(token) => of(token.chat.as_ref()),
            Self::BearerClient(client) => {
                let principal = client.principal.as_ref();
                client.name.len()
                    + client.by.as_str().len()
                    + all(client.scopes.iter().map(Scope::as_str))
                    + principal.map_or(0, |p| p.as_str().len())
            }
            Self::NodeRequest(request) => request.node.to_string().len() + of_node(&request.info),
            Self::Node(node) => {
                node.id.to_string().len() + of_node(&node.info) + of_grant(node.grant.as_ref())
            }
        }
    }
}

fn of(text: Option<&String>) -> usize {
    text.map_or(0, String::len)
}

fn all(texts: impl IntoIterator<Item = impl AsRef<str>>) -> usize {
    texts.into_iter().map(|text| text.as_ref().len()).sum()
}

fn of_grant(grant: Option<&Grant>) -> usize {
    grant.map_or(0, |grant| grant.by.as_str().len())
}

fn of_ask(ask: &Ask) -> usize {
    all(ask.scopes.iter().map(Scope::as_str)) + all(&ask.commands)
}

fn of_device(info: &DeviceInfo) -> usize {
    let texts = [
        info.display_name.as_ref(),
        info.platform.as_ref(),
        info.device_family.as_ref(),
        info.client_id.as_ref(),
        info.client_mode.as_ref(),
        info.remote_ip.as_ref(),
    ];
    texts.into_iter().map(of).sum()
}

fn of_node(info: &NodeInfo) -> usize {
    let texts = [
        info.display_name.as_ref(),
        info.platform.as_ref(),
        info.version.as_ref(),
        info.core_version.as_ref(),
        info.ui_version.as_ref(),
        info.device_family.as_ref(),
        info.model_identifier.as_ref(),
        info.remote_ip.as_ref(),
    ];
    let own: usize = texts.into_iter().map(of).sum();
    own + all(&info.caps) + all(&info.commands) + all(info.permissions.keys())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::Timestamp;
    use crate::device::{PairingToken, SetupProfile, TokenHash};

    #[test]
    fn t107_a_record_larger_than_its_bound_is_refused() {
        let put = |chat: usize| {
            let at = Timestamp::from_millis(0);
            Change::Put(Record::from(PairingToken {
                hash: TokenHash::UNKNOWN,
                profile: SetupProfile::Node,
                issued_at: at,
                expires_at: at,
                chat: Some("x".repeat(chat)),
                device: None,
                unclaimed: BTreeSet::new(),
            }))
        };
        check(&put(MAX_BYTES)).unwrap();
        let refused = check(&put(MAX_BYTES + 1)).unwrap_err();
        assert!(matches!(refused, StoreError::Refused { .. }), "{refused}");
    }
}
