//! `pairing.audit`: decisions and their approvers.

use gateway_protocol::audit::{AuditEntries, AuditParams};
use gateway_protocol::{DetailCode, ErrorShape};
use pairing_core::{AuditEvent, AuditSubject};
use pairing_fs::AuditLog;

use super::{Call, Reply};
use crate::sessions::Session;
use pairing_core::Chain;

pub(super) fn list(call: &Call, log: &AuditLog) -> Reply {
    let params: AuditParams = call.params()?;
    let limit = params.limit.unwrap_or_default().get();
    let page = log.newest(limit, |event| {
        may_see(&call.session, event) && params.wants(event)
    });
    let page = page.map_err(|error| {
        tracing::error!(error = %Chain(&error), "audit log cannot be read");
        ErrorShape::unavailable(
            DetailCode::AuditUnavailable,
            "the gateway cannot read its audit log",
        )
    })?;
    call.reply(&AuditEntries {
        entries: page.events.into_iter().map(Into::into).collect(),
        more: page.more,
        problems: Some(page.problems).filter(|problems| *problems > 0),
    })
}

/// A device without admin rights is told of senders and of itself only.
fn may_see(viewer: &Session, event: &AuditEvent) -> bool {
    match &event.subject {
        AuditSubject::Sender { .. }
        | AuditSubject::Invitation { .. }
        | AuditSubject::Account { .. } => viewer.may_see_senders(),
        AuditSubject::Device { device } => viewer.may_see_device(*device),
        _ => viewer.may_see_nodes(),
    }
}
