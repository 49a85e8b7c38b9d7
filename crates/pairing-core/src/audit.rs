//! Who decided what, for those who look later.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::device::{DeviceId, NodeId, RequestId, Role};
use crate::{AccountId, Approver, ApproverId, ChannelId, ScopeSet, SenderId, Timestamp, Via};

/// A decision that has been committed. Holds no code, no token and no other secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct AuditEvent {
    /// When.
    pub at: Timestamp,
    /// What was decided.
    pub action: AuditAction,
    /// Who decided.
    pub by: ApproverId,
    /// The way the decision came in.
    pub via: Via,
    /// About whom.
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
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

/// About whom was decided.
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
    /// Whoever gets hold of a setup code.
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
