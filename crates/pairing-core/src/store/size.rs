//! The size of records, and the bound on it.

use super::{Change, Grant, Record, StoreError};
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
            Self::Request(request) => {
                let pairs = request.meta.iter();
                let meta: usize = pairs.map(|(key, value)| key.len() + value.len()).sum();
                meta + request.sender.as_str().len()
            }
            Self::Code(taken) => {
                let holders = taken.holders.iter();
                holders.map(|h| h.sender.as_str().len()).sum()
            }
            Self::Allow(entry) => {
                entry.entry.as_str().len() + of(&entry.written) + of_grant(&entry.grant)
            }
            Self::Attempts(attempts) => {
                attempts.approver.as_str().len() + attempts.failed_at.len() * size_of::<i64>()
            }
            Self::TurnedAway(turned) => {
                let recent = turned.recent.iter();
                recent.map(|seen| seen.sender.as_str().len()).sum()
            }
            Self::DeviceRequest(request) => {
                of_device(&request.info) + of_ask(&request.ask) + of(&request.origin)
            }
            Self::Device(device) => {
                let roles = device.roles.values().map(|role| {
                    let token = role.token.as_ref();
                    let next = token.and_then(|token| token.next_scopes.as_ref());
                    all(role.scopes.iter().map(|scope| scope.as_str()))
                        + all(token
                            .iter()
                            .flat_map(|token| token.scopes.iter().map(|scope| scope.as_str())))
                        + all(next
                            .iter()
                            .flat_map(|next| next.iter().map(|scope| scope.as_str())))
                        + all(role.commands.iter().flatten())
                        + of_grant(&role.grant)
                });
                of_device(&device.info) + roles.sum::<usize>()
            }
            Self::PairingToken(token) => of(&token.chat),
            Self::NodeRequest(request) => request.node.to_string().len() + of_node(&request.info),
            Self::Node(node) => {
                node.id.to_string().len() + of_node(&node.info) + of_grant(&node.grant)
            }
        }
    }
}

fn of(text: &Option<String>) -> usize {
    text.as_ref().map_or(0, String::len)
}

fn all(texts: impl IntoIterator<Item = impl AsRef<str>>) -> usize {
    texts.into_iter().map(|text| text.as_ref().len()).sum()
}

fn of_grant(grant: &Option<Grant>) -> usize {
    grant.as_ref().map_or(0, |grant| grant.by.as_str().len())
}

fn of_ask(ask: &Ask) -> usize {
    all(ask.scopes.iter().map(|scope| scope.as_str())) + all(&ask.commands)
}

fn of_device(info: &DeviceInfo) -> usize {
    let texts = [
        &info.display_name,
        &info.platform,
        &info.device_family,
        &info.client_id,
        &info.client_mode,
        &info.remote_ip,
    ];
    texts.into_iter().map(of).sum()
}

fn of_node(info: &NodeInfo) -> usize {
    let texts = [
        &info.display_name,
        &info.platform,
        &info.version,
        &info.core_version,
        &info.ui_version,
        &info.device_family,
        &info.model_identifier,
        &info.remote_ip,
    ];
    let own: usize = texts.into_iter().map(of).sum();
    own + all(&info.caps) + all(&info.commands) + all(info.permissions.keys())
}
