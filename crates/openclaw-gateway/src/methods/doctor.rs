//! `doctor.findings`: problems that the owner can solve.

use gateway_protocol::Empty;
use gateway_protocol::doctor::{DoctorFinding, DoctorFindings, DoctorSeverity};
use pairing_core::escape;
use pairing_fs::doctor::{Finding, Severity};

use super::{Call, Reply};
use crate::doctor::Doctor;

/// Paths are shown in full, however long they are.
const LONGEST: usize = 4096;

pub(super) fn findings(call: &Call, doctor: &Doctor) -> Reply {
    call.params::<Empty>()?;
    let found = doctor.examine(call.pairing());
    call.reply(&DoctorFindings {
        store: doctor.store().name().to_owned(),
        findings: found.iter().map(shown).collect(),
    })
}

fn shown(finding: &Finding) -> DoctorFinding {
    let text = |text: &str| escape(text).limit(LONGEST).to_string();
    DoctorFinding {
        severity: match finding.severity {
            Severity::Note => DoctorSeverity::Note,
            Severity::Warning => DoctorSeverity::Warning,
            Severity::Error => DoctorSeverity::Error,
        },
        kind: finding.kind.to_owned(),
        path: text(&finding.path.display().to_string()),
        detail: text(&finding.detail),
        advice: text(&finding.advice),
        fixable: finding.fixable,
    }
}
