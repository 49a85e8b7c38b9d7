//! Problems with an installation, as `doctor.findings` returns them. Other gateways lack this method.

use serde::{Deserialize, Serialize};

/// The answer to `doctor.findings`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DoctorFindings {
    /// Kind of pairing store: `files`, `openclaw` (its own database), `sqlite` or `etcd`.
    pub store: String,
    /// All findings.
    pub findings: Vec<DoctorFinding>,
}

/// A finding that the owner should know about. Its texts are escaped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DoctorFinding {
    /// Severity of the finding.
    pub severity: DoctorSeverity,
    /// Kind of finding, in kebab case.
    pub kind: String,
    /// Path of the file or directory.
    pub path: String,
    /// Description of the problem, for people.
    pub detail: String,
    /// Recommended action.
    pub advice: String,
    /// Whether `openclaw doctor --fix` can repair it.
    pub fixable: bool,
}

/// Severity of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DoctorSeverity {
    /// For information only.
    Note,
    /// Works, but not as intended.
    Warning,
    /// Something does not work.
    Error,
}
