//! The audit log of pairing decisions, as `pairing.audit` returns it. Other gateways lack this method.

use std::collections::BTreeSet;

use pairing_core::device::{NodeId, RequestId, Role};
use pairing_core::{
    AccountId, ApproverId, AuditAction, AuditEvent, AuditSubject, ChannelId, DeviceId, ScopeSet,
    SenderId, Via,
};
use serde::{Deserialize, Serialize};

use crate::Text;

/// The parameters of `pairing.audit`. An entry has to match every filter that is given.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AuditParams {
    /// Maximum number of entries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<AuditLimit>,
    /// Only entries about senders and bot accounts of this channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<Text>,
    /// Only entries about devices and nodes whose id starts with this text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<Text>,
    /// Only entries whose approver or sender has this text as part of the id; case is ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<Text>,
}

/// Maximum number of entries per request, from 1 to 1000; 100 by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct AuditLimit(u16);

/// Error for a limit outside the permitted range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be from 1 to {}", AuditLimit::MOST)]
pub struct AuditLimitError;

/// The answer to `pairing.audit`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditEntries {
    /// Matching entries, newest first.
    pub entries: Vec<AuditEntry>,
    /// Whether more entries match.
    pub more: bool,
    /// Number of malformed lines in the part of the log that was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problems: Option<u64>,
}

/// One decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditEntry {
    /// Time of the decision, in milliseconds.
    pub at: i64,
    /// The decision.
    pub action: AuditAction,
    /// Identity of the approver.
    pub by: ApproverId,
    /// Interface through which the decision was made.
    pub via: Via,
    /// The chat channel of the sender or bot account concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<ChannelId>,
    /// The bot account concerned, or that of the sender concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountId>,
    /// The sender concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender: Option<SenderId>,
    /// The device concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<DeviceId>,
    /// The legacy node concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<NodeId>,
    /// The chat in which a setup code was created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chat: Option<String>,
    /// The request that was decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestId>,
    /// The role concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// The resulting scopes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<ScopeSet>,
    /// The resulting commands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commands: Option<BTreeSet<String>>,
}

impl AuditLimit {
    /// Largest permitted limit.
    pub const MOST: u16 = 1000;

    /// Returns the limit as a number.
    pub fn get(self) -> usize {
        usize::from(self.0)
    }
}

impl Default for AuditLimit {
    fn default() -> Self {
        Self(100)
    }
}

impl TryFrom<u64> for AuditLimit {
    type Error = AuditLimitError;

    fn try_from(number: u64) -> Result<Self, AuditLimitError> {
        let number = u16::try_from(number).map_err(|_| AuditLimitError)?;
        if (1..=Self::MOST).contains(&number) {
            Ok(Self(number))
        } else {
            Err(AuditLimitError)
        }
    }
}

impl From<AuditLimit> for u64 {
    fn from(limit: AuditLimit) -> Self {
        Self::from(limit.0)
    }
}

impl AuditParams {
    /// Whether the event matches the filter.
    pub fn wants(&self, event: &AuditEvent) -> bool {
        self.channel
            .as_ref()
            .is_none_or(|channel| is_of_channel(event, channel))
            && self
                .device
                .as_ref()
                .is_none_or(|device| is_of_device(event, device))
            && self
                .person
                .as_ref()
                .is_none_or(|person| is_of_person(event, person))
    }
}

fn is_of_channel(event: &AuditEvent, name: &str) -> bool {
    match &event.subject {
        AuditSubject::Sender { channel, .. }
        | AuditSubject::Invitation { channel, .. }
        | AuditSubject::Account { channel, .. } => channel.as_str() == name,
        _ => false,
    }
}

fn is_of_device(event: &AuditEvent, start: &str) -> bool {
    match &event.subject {
        AuditSubject::Device { device } => device.to_string().starts_with(start),
        AuditSubject::Node { node } => node.as_str().starts_with(start),
        _ => false,
    }
}

fn is_of_person(event: &AuditEvent, part: &str) -> bool {
    let part = part.to_lowercase();
    let has = |text: &str| text.to_lowercase().contains(&part);
    has(event.by.as_str())
        || matches!(&event.subject, AuditSubject::Sender { sender, .. } if has(sender.as_str()))
}

impl From<AuditEvent> for AuditEntry {
    fn from(event: AuditEvent) -> Self {
        let mut entry = Self {
            at: event.at.as_millis(),
            action: event.action,
            by: event.by,
            via: event.via,
            channel: None,
            account: None,
            sender: None,
            device: None,
            node: None,
            chat: None,
            request: event.request,
            role: event.role,
            scopes: event.scopes,
            commands: event.commands,
        };
        match event.subject {
            AuditSubject::Sender {
                channel,
                account,
                sender,
            } => {
                entry.channel = Some(channel);
                entry.account = Some(account);
                entry.sender = Some(sender);
            }
            AuditSubject::Device { device } => entry.device = Some(device),
            AuditSubject::Node { node } => entry.node = Some(node),
            AuditSubject::Invitation { channel, account }
            | AuditSubject::Account { channel, account } => {
                entry.channel = Some(channel);
                entry.account = Some(account);
            }
            AuditSubject::Bearer { chat } => entry.chat = chat,
            // Other subjects have no field in this version.
            _ => {}
        }
        entry
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(json: &str) -> Result<AuditParams, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn the_number_of_entries_is_bounded() {
        assert_eq!(params("{}").unwrap().limit.unwrap_or_default().get(), 100);
        for (number, is_good) in [
            ("0", false),
            ("1", true),
            ("1000", true),
            ("1001", false),
            ("-1", false),
        ] {
            let read = params(&format!(r#"{{"limit":{number}}}"#));
            assert_eq!(read.is_ok(), is_good, "{number}");
        }
    }

    #[test]
    fn what_is_asked_for() {
        let event = |subject: &str| -> AuditEvent {
            let line = format!(
                r#"{{"at":"2026-11-22T13:30:57.000Z","action":"approved","by":"telegram:Ann","via":"chat",{subject}}}"#
            );
            serde_json::from_str(&line).unwrap()
        };
        let sender = event(r#""channel":"signal","account":"default","sender":"uuid:BOB""#);
        let device = event(&format!(r#""device":"{}""#, "5f".repeat(32)));
        let node = event(r#""node":"Kitchen""#);
        for (asked, wanted) in [
            ("{}", [true, true, true]),
            (r#"{"channel":"signal"}"#, [true, false, false]),
            (r#"{"channel":"sig"}"#, [false, false, false]),
            (r#"{"device":"5f5f"}"#, [false, true, false]),
            (r#"{"device":"Kit"}"#, [false, false, true]),
            (r#"{"person":"bob"}"#, [true, false, false]),
            (r#"{"person":"ANN"}"#, [true, true, true]),
            (r#"{"person":"ann","device":"f"}"#, [false, false, false]),
        ] {
            let params = params(asked).unwrap();
            let found = [&sender, &device, &node].map(|event| params.wants(event));
            assert_eq!(found, wanted, "{asked}");
        }
    }
}
