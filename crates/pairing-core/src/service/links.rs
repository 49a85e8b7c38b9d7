//! Bot accounts that are linked to their chat system.

use crate::{AccountId, Approver, AuditEvent, AuditSubject, ChannelId, LinkOutcome};

use super::Pairing;

impl Pairing {
    /// Reports to the audit log what became of the link between a bot account and its chat system. The link itself is no
    /// record of the store: a gateway makes and ends it.
    pub fn report_link(
        &self,
        outcome: LinkOutcome,
        approver: &Approver,
        channel: &ChannelId,
        account: &AccountId,
    ) {
        let subject = AuditSubject::Account {
            channel: channel.clone(),
            account: account.clone(),
        };
        let event = AuditEvent::new(self.now(), outcome.into(), approver, subject);
        self.audit(&event);
    }
}
