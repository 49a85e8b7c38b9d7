//! What is wrong with an install, as `doctor.findings` shows it: a method that no other gateway has.

use serde::{Deserialize, Serialize};

/// The answer to `doctor.findings`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DoctorFindings {
    /// What keeps the records: `files` or `etcd`.
    pub store: String,
    /// What was found.
    pub findings: Vec<DoctorFinding>,
}

/// Something that the owner should know. Texts are escaped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DoctorFinding {
    /// How bad it is.
    pub severity: DoctorSeverity,
    /// What it is, in kebab case.
    pub kind: String,
    /// The file or directory.
    pub path: String,
    /// What is wrong, for a person.
    pub detail: String,
    /// What to do about it.
    pub advice: String,
    /// Whether `openclaw doctor --fix` can mend it.
    pub fixable: bool,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DoctorSeverity {
    /// Good to know.
    Note,
    /// Works, but not as somebody meant it to.
    Warning,
    /// Something does not work.
    Error,
}
