//! Audit events: each decision with its approver.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::device::{DeviceId, NodeId, RequestId, Role};
use crate::{AccountId, Approver, ApproverId, ChannelId, ScopeSet, SenderId, Timestamp, Via};

/// A decision that has been committed. Contains no code, token or other secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", try_from = "Written")]
#[non_exhaustive]
pub struct AuditEvent {
    /// The time of the decision.
    pub at: Timestamp,
    /// The kind of decision.
    pub action: AuditAction,
    /// The approver.
    pub by: ApproverId,
    /// The route by which the decision was made.
    pub via: Via,
    /// The sender, device or node that the decision is about.
    #[serde(flatten)]
    pub subject: AuditSubject,
    /// The request that was decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestId>,
    /// The role that the decision is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// The scopes that resulted from the decision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scopes: Option<ScopeSet>,
    /// The commands that resulted from the decision, if a node declared any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commands: Option<BTreeSet<String>>,
}

/// The kind of decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum AuditAction {
    /// A request was approved.
    Approved,
    /// A request was rejected.
    Rejected,
    /// A sender was allowed directly, not by approving a request.
    Allowed,
    /// A sender was removed from the allowlist, or a role was revoked.
    Revoked,
    /// A device or node was removed.
    Removed,
    /// A device or node was renamed.
    Renamed,
    /// A token was rotated.
    Rotated,
    /// A setup code or a claim code was issued.
    Issued,
    /// A sender presented a claim code and was allowed.
    Claimed,
    /// A claim code was ended before anybody presented it.
    Ended,
    /// A bot account was linked to its chat system, by a code that was scanned.
    Linked,
    /// Linking a bot account was begun, and ended without a link.
    NotLinked,
    /// A bot account was logged out of its chat system.
    LoggedOut,
}

/// What became of the link between a bot account and its chat system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LinkOutcome {
    /// It was linked.
    Linked,
    /// Linking was begun, and has failed or was given up.
    NotLinked,
    /// It was logged out.
    LoggedOut,
}

impl From<LinkOutcome> for AuditAction {
    fn from(outcome: LinkOutcome) -> Self {
        match outcome {
            LinkOutcome::Linked => Self::Linked,
            LinkOutcome::NotLinked => Self::NotLinked,
            LinkOutcome::LoggedOut => Self::LoggedOut,
        }
    }
}

/// The sender, device or node that the decision is about.
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
        /// The sender's id.
        sender: SenderId,
    },
    /// A device.
    Device {
        /// The device's id.
        device: DeviceId,
    },
    /// A legacy node.
    Node {
        /// The node's id.
        node: NodeId,
    },
    /// A bearer client.
    Client {
        /// The client's id: the first digits of the hash of its token.
        client: String,
    },
    /// The holder of a claim code.
    Invitation {
        /// The channel.
        channel: ChannelId,
        /// The bot account.
        account: AccountId,
    },
    /// A bot account itself.
    Account {
        /// The channel.
        channel: ChannelId,
        /// The bot account.
        account: AccountId,
    },
    /// The holder of a setup code.
    Bearer {
        /// The chat in which it was issued.
        #[serde(skip_serializing_if = "Option::is_none")]
        chat: Option<String>,
    },
}

/// Records decisions after they have been committed.
///
/// A failure in a sink does not undo a decision; an implementation reports its errors by its own means.
pub trait AuditSink: Send + Sync {
    /// Records one event.
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

/// An event as it was recorded, before its subject has been checked.
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
    client: Option<String>,
    chat: Option<String>,
    request: Option<RequestId>,
    role: Option<Role>,
    scopes: Option<ScopeSet>,
    commands: Option<BTreeSet<String>>,
}

/// The recorded event names no subject, or several at once.
#[derive(Debug, thiserror::Error)]
#[error("the event names no subject, or several")]
struct NoSubject;

impl TryFrom<Written> for AuditEvent {
    type Error = NoSubject;

    fn try_from(written: Written) -> Result<Self, NoSubject> {
        let sender = (written.channel, written.account, written.sender);
        let subject = match (sender, written.device, written.node) {
            ((None, None, None), None, None) if written.client.is_some() => AuditSubject::Client {
                client: written.client.ok_or(NoSubject)?,
            },
            _ if written.client.is_some() => return Err(NoSubject),
            ((Some(channel), Some(account), Some(sender)), None, None) => AuditSubject::Sender {
                channel,
                account,
                sender,
            },
            ((Some(channel), Some(account), None), None, None)
                if matches!(written.action, AuditAction::Issued | AuditAction::Ended) =>
            {
                AuditSubject::Invitation { channel, account }
            }
            ((Some(channel), Some(account), None), None, None)
                if matches!(
                    written.action,
                    AuditAction::Linked | AuditAction::NotLinked | AuditAction::LoggedOut
                ) =>
            {
                AuditSubject::Account { channel, account }
            }
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
            r#""client":"3fa94c0d2b11""#,
        ] {
            let line = format!(
                r#"{{"at":"2026-11-22T13:30:57.000Z","action":"approved","by":"terminal:ann","via":"terminal",{subject}}}"#
            );
            let event = read(&line).unwrap();
            assert_eq!(serde_json::to_string(&event).unwrap(), line);
        }
        for chat in [
            "",
            r#","chat":"telegram:1""#,
            r#","channel":"telegram","account":"work""#,
        ] {
            let line = format!(
                r#"{{"at":"2026-11-22T13:30:57.000Z","action":"issued","by":"telegram:1","via":"chat"{chat}}}"#
            );
            let event = read(&line).unwrap();
            assert_eq!(serde_json::to_string(&event).unwrap(), line);
        }
    }

    #[test]
    fn a_link_is_about_the_account_itself() {
        for (outcome, action) in [
            (LinkOutcome::Linked, "linked"),
            (LinkOutcome::NotLinked, "not-linked"),
            (LinkOutcome::LoggedOut, "logged-out"),
        ] {
            let line = format!(
                r#"{{"at":"2026-11-22T13:30:57.000Z","action":"{action}","by":"terminal:ann","via":"terminal","channel":"signal","account":"work"}}"#
            );
            let event = read(&line).unwrap();
            assert_eq!(event.action, outcome.into());
            assert!(
                matches!(&event.subject, AuditSubject::Account { account, .. } if account.as_str() == "work")
            );
            assert_eq!(serde_json::to_string(&event).unwrap(), line);
        }
    }

    #[test]
    fn what_is_about_nobody_or_about_several_is_refused() {
        for subject in [
            "",
            r#","channel":"telegram","sender":"1""#,
            r#","node":"a","device":"0000000000000000000000000000000000000000000000000000000000000000""#,
            r#","node":"a","client":"3fa94c0d2b11""#,
            r#","channel":"../x","account":"default","sender":"1""#,
        ] {
            let line = format!(
                r#"{{"at":"2026-11-22T13:30:57.000Z","action":"approved","by":"a","via":"chat"{subject}}}"#
            );
            assert!(read(&line).is_err(), "{line}");
        }
        // Unknown fields are accepted: a later version may record more.
        assert!(read(
            r#"{"at":"2026-11-22T13:30:57.000Z","action":"removed","by":"a","via":"chat","node":"a","why":7}"#
        )
        .is_ok());
    }
}
