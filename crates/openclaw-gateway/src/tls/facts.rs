//! What a certificate says about itself.

use std::path::Path;
use std::time::Duration;

use gateway_protocol::Fingerprint;
use pairing_core::Timestamp;
use tokio_rustls::rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::{TlsError, certificates};

/// Facts about a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct CertificateFacts {
    /// Its fingerprint.
    pub fingerprint: Fingerprint,
    /// The time from which it is valid; `None` if that cannot be read.
    pub not_before: Option<Timestamp>,
    /// The time until which it is valid; `None` if that cannot be read.
    pub not_after: Option<Timestamp>,
}

impl CertificateFacts {
    /// An owner is told from this time before the end on: certificates for 90 days are renewed 30 days before.
    pub const SOON: Duration = Duration::from_secs(14 * 24 * 60 * 60);

    /// What to do about a [`fault`](Self::fault), for a person.
    pub const ADVICE: &str =
        "renew it: the gateway serves the new one as soon as the files are replaced";

    /// Reads the first certificate of a PEM file.
    pub fn read(path: &Path) -> Result<Self, TlsError> {
        let chain = certificates(path)?;
        let leaf = chain.first().ok_or_else(|| TlsError::NoCertificate {
            path: path.to_owned(),
        })?;
        Ok(Self::of(leaf))
    }

    pub(super) fn of(leaf: &CertificateDer<'_>) -> Self {
        let parsed = X509Certificate::from_der(leaf).ok();
        let validity = parsed.as_ref().map(|(_, parsed)| parsed.validity());
        let seconds = |at: i64| Timestamp::from_millis(at.saturating_mul(1000));
        Self {
            fingerprint: Fingerprint::of(leaf),
            not_before: validity.map(|validity| seconds(validity.not_before.timestamp())),
            not_after: validity.map(|validity| seconds(validity.not_after.timestamp())),
        }
    }

    /// What is wrong with its time, in words: that it has expired, that it expires [`SOON`](Self::SOON), or that it is
    /// not valid yet. `None` if nothing is.
    pub fn fault(&self, now: Timestamp) -> Option<String> {
        let day = |at: Timestamp| {
            let text = at.to_string();
            text.split_once('T')
                .map_or(text.clone(), |(day, _)| day.to_owned())
        };
        if let Some(begin) = self.not_before.filter(|begin| now < *begin) {
            return Some(format!("it is not valid before {}", day(begin)));
        }
        let end = self.not_after?;
        match end.since(now) {
            None => Some(format!("it has expired on {}", day(end))),
            Some(left) if left <= Self::SOON => {
                let days = left.as_secs() / (24 * 60 * 60);
                Some(format!("it expires on {}, in {days} days", day(end)))
            }
            Some(_) => None,
        }
    }

    /// Whether clients refuse it at this time.
    pub fn is_invalid(&self, now: Timestamp) -> bool {
        self.not_before.is_some_and(|begin| now < begin)
            || self.not_after.is_some_and(|end| end < now)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Tls;
    use super::*;

    #[test]
    fn t130_what_is_wrong_with_its_time() {
        let dir = tempfile::tempdir().unwrap();
        let made = Timestamp::parse("2026-11-22T00:00:00.000Z").unwrap();
        let tls = Tls::self_made(dir.path(), made).unwrap();
        let facts = CertificateFacts::read(&dir.path().join("cert.pem")).unwrap();
        assert_eq!(facts, tls.facts());
        let days = |days: u64| Duration::from_secs(days * 24 * 60 * 60);
        let at = |days_later: u64| made + days(days_later);
        let (begin, end) = (facts.not_before.unwrap(), facts.not_after.unwrap());
        assert_eq!(made.since(begin), Some(days(1)));
        assert_eq!(end.since(made), Some(days(3650)));
        for (now, fault, is_invalid) in [
            (
                Timestamp::from_millis(begin.as_millis() - 1),
                Some("it is not valid before 2026-11-21"),
                true,
            ),
            (at(0), None, false),
            (at(3635), None, false),
            (
                at(3636),
                Some("it expires on 2036-11-19, in 14 days"),
                false,
            ),
            (at(3650), Some("it expires on 2036-11-19, in 0 days"), false),
            (at(3651), Some("it has expired on 2036-11-19"), true),
        ] {
            assert_eq!(facts.fault(now).as_deref(), fault);
            assert_eq!(facts.is_invalid(now), is_invalid, "{now}");
        }
    }
}
