//! Checks of the audit log.

use super::{Found, Severity, loose_mode, push};
use crate::{AuditLog, StateDir};

pub(super) fn examine(found: &mut Found, state: &StateDir) {
    let log = AuditLog::new(state);
    for path in log.files_kept() {
        loose_mode(found, &path);
    }
    let check = match log.verify() {
        Ok(check) => check,
        Err(error) => {
            push(
                found,
                Severity::Error,
                "unreadable",
                log.path(),
                error.to_string(),
                "make it a file that this user can read, or move it away",
                None,
            );
            return;
        }
    };
    if let Some(gap) = check.gaps.first() {
        let line = gap
            .line
            .map_or_else(String::new, |line| format!("line {line}: "));
        push(
            found,
            Severity::Warning,
            "audit-gap",
            &gap.path,
            format!("{line}{}", gap.kind.as_str()),
            "`openclaw audit verify` lists all such places; what is missing may be in a backup. If you changed the log \
             yourself, move its files away: a new chain begins",
            None,
        );
    }
}
