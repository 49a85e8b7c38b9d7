//! Findings about the gateway's certificate.

use openclaw_config::Config;
use pairing_core::{Chain, Timestamp};
use pairing_fs::StateDir;
use pairing_fs::doctor::{Finding, Severity};

use crate::{CertificateFacts, Overrides, Settings, TlsFiles};

/// Finds a certificate that clients refuse, or soon will. Nothing if the gateway does not encrypt, or has made none yet.
pub fn of_certificate(state: &StateDir, config: &Config, now: Timestamp) -> Option<Finding> {
    let settings = Settings::from_config(config, &Overrides::default()).ok()?;
    let path = match settings.tls? {
        TlsFiles::Given { certificate, .. } => certificate,
        TlsFiles::SelfMade => {
            let path = state.root().join("tls/cert.pem");
            path.exists().then_some(path)?
        }
    };
    let (severity, kind, detail, advice) = match CertificateFacts::read(&path) {
        Err(error) => {
            let detail = Chain(&error).unescaped();
            (Severity::Error, "certificate", detail, error.advice())
        }
        Ok(facts) => {
            let severity = if facts.is_invalid(now) {
                Severity::Error
            } else {
                Severity::Warning
            };
            (
                severity,
                "certificate",
                facts.fault(now)?,
                CertificateFacts::ADVICE.to_owned(),
            )
        }
    };
    Some(Finding {
        severity,
        kind,
        path,
        detail,
        advice,
        fixable: false,
        fixed: false,
    })
}
