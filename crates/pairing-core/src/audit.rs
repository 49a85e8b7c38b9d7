//! Audit events: each decision with its approver.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::device::{DeviceId, NodeId, RequestId, Role};
use crate::{AccountId, Approver, ApproverId, ChannelId, ScopeSet, SenderId, Timestamp, Via};

/// A decision that has been committed. Holds no code, no token and no other secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", try_from = "Written")]
#[non_exhaustive]
pub struct AuditEvent {
    /// When.
    pub at: Timestamp,
    /// What was decided.
    pub action: AuditAction,
    /// The approver.
    pub by: ApproverId,
    /// The way the decision came in.
    pub via: Via,
    /// The sender, device or node that was decided about.
    #[serde(flatten)]
    pub subject: AuditSubject,
    /// The request that was answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestId>,
    /// The role that was decided about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// The scopes that came of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scopes: Option<ScopeSet>,
    /// The commands that came of it, where a node named any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commands: Option<BTreeSet<String>>,
}

/// What was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum AuditAction {
    /// A request was granted.
    Approved,
    /// A request was turned down.
    Rejected,
    /// Somebody was let in without having asked.
    Allowed,
    /// Somebody was taken off the list, or a role was ended.
    Revoked,
    /// A device or node was forgotten.
    Removed,
    /// A device or node was given another name.
    Renamed,
    /// A token was ended.
    Rotated,
    /// A setup code was made.
    Issued,
}

/// The sender, device or node that was decided about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all_fields = "camelCase", untagged)]
#[non_exhaustive]
pub enum AuditSubject {
    /// A sender.
    Sender {
        /// The channel.
        channel: ChannelId,
        /// The bot account.
        account: AccountId,
        /// Who.
        sender: SenderId,
    },
    /// A device.
    Device {
        /// Which.
        device: DeviceId,
    },
    /// A legacy node.
    Node {
        /// Which.
        node: NodeId,
    },
    /// The holder of a setup code.
    Bearer {
        /// The chat it was made in.
        #[serde(skip_serializing_if = "Option::is_none")]
        chat: Option<String>,
    },
}

/// Takes down what was decided, after it has been committed.
///
/// Nothing that goes wrong in here undoes a decision: an implementation says so where its own errors go.
pub trait AuditSink: Send + Sync {
    /// Takes down one event.
    fn record(&self, event: &AuditEvent);
}

impl<S: AuditSink + ?Sized> AuditSink for std::sync::Arc<S> {
    fn record(&self, event: &AuditEvent) {
        (**self).record(event);
    }
}

impl AuditEvent {
    pub(crate) fn new(
        at: Timestamp,
        action: AuditAction,
        approver: &Approver,
        subject: AuditSubject,
    ) -> Self {
        Self {
            at,
            action,
            by: approver.id().clone(),
            via: approver.via(),
            subject,
            request: None,
            role: None,
            scopes: None,
            commands: None,
        }
    }
}

/// An event as it was written down, before its subject has been checked.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    at: Timestamp,
    action: AuditAction,
    by: ApproverId,
    via: Via,
    channel: Option<ChannelId>,
    account: Option<AccountId>,
    sender: Option<SenderId>,
    device: Option<DeviceId>,
    node: Option<NodeId>,
    chat: Option<String>,
    request: Option<RequestId>,
    role: Option<Role>,
    scopes: Option<ScopeSet>,
    commands: Option<BTreeSet<String>>,
}

/// What was written down is about nobody, or about several at once.
#[derive(Debug, thiserror::Error)]
#[error("the event names no subject, or several")]
struct NoSubject;

impl TryFrom<Written> for AuditEvent {
    type Error = NoSubject;

    fn try_from(written: Written) -> Result<Self, NoSubject> {
        let sender = (written.channel, written.account, written.sender);
        let subject = match (sender, written.device, written.node) {
            ((Some(channel), Some(account), Some(sender)), None, None) => AuditSubject::Sender {
                channel,
                account,
                sender,
            },
            ((None, None, None), Some(device), None) => AuditSubject::Device { device },
            ((None, None, None), None, Some(node)) => AuditSubject::Node { node },
            ((None, None, None), None, None) if written.action == AuditAction::Issued => {
                AuditSubject::Bearer { chat: written.chat }
            }
            _ => return Err(NoSubject),
        };
        Ok(Self {
            at: written.at,
            action: written.action,
            by: written.by,
            via: written.via,
            subject,
            request: written.request,
            role: written.role,
            scopes: written.scopes,
            commands: written.commands,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<AuditEvent, serde_json::Error> {
        serde_json::from_str(line)
    }

    #[test]
    fn what_was_written_is_read_as_it_was() {
        let device = "5".repeat(64);
        for subject in [
            r#""channel":"telegram","account":"default","sender":"67890""#,
            &format!(r#""device":"{device}","request":"00000000-0000-4000-8000-000000000000""#),
            &format!(r#""device":"{device}","role":"operator","scopes":["operator.read"]"#),
            &format!(r#""device":"{device}","commands":["camera.snap"]"#),
            r#""node":"kitchen""#,
        ] {
            let line = format!(
                r#"{{"at":"2026-11-22T13:30:57.000Z","action":"approved","by":"terminal:ann","via":"terminal",{subject}}}"#
            );
            let event = read(&line).unwrap();
            assert_eq!(serde_json::to_string(&event).unwrap(), line);
        }
        for chat in ["", r#","chat":"telegram:1""#] {
            let line = format!(
                r#"{{"at":"2026-11-22T13:30:57.000Z","action":"issued","by":"telegram:1","via":"chat"{chat}}}"#
            );
            let event = read(&line).unwrap();
            assert_eq!(serde_json::to_string(&event).unwrap(), line);
        }
    }

    #[test]
    fn what_is_about_nobody_or_about_several_is_refused() {
        for subject in [
            "",
            r#","channel":"telegram","sender":"1""#,
            r#","node":"a","device":"0000000000000000000000000000000000000000000000000000000000000000""#,
            r#","channel":"../x","account":"default","sender":"1""#,
        ] {
            let line = format!(
                r#"{{"at":"2026-11-22T13:30:57.000Z","action":"approved","by":"a","via":"chat"{subject}}}"#
            );
            assert!(read(&line).is_err(), "{line}");
        }
        // Who comes later may know more of it.
        assert!(read(
            r#"{"at":"2026-11-22T13:30:57.000Z","action":"removed","by":"a","via":"chat","node":"a","why":7}"#
        )
        .is_ok());
    }
}
