//! Fingerprints, which pin a certificate in advance.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// SHA-256 fingerprint of a certificate, as setup codes carry it.
///
/// Displayed and serialised as 64 lower-case hexadecimal digits; not a secret.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Fingerprint([u8; 32]);

/// Error for a text that is not a fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a fingerprint is the SHA-256 of a certificate: 64 hexadecimal digits, with or without colons"
)]
pub struct ParseFingerprintError;

impl Fingerprint {
    /// Computes the fingerprint of a certificate in DER.
    pub fn of(certificate: &[u8]) -> Self {
        Self(Sha256::digest(certificate).into())
    }

    /// Parses 64 hexadecimal digits in either case, with or without colons, and with or without the prefix
    /// `sha256:`.
    pub fn parse(text: &str) -> Result<Self, ParseFingerprintError> {
        let text = text.trim().to_ascii_lowercase();
        let digits = ["sha256:", "sha-256:", "sha256/"]
            .iter()
            .find_map(|prefix| text.strip_prefix(prefix))
            .unwrap_or(&text);
        let digits: Vec<u8> = if digits.contains(':') {
            pairs(digits).ok_or(ParseFingerprintError)?
        } else {
            digits.bytes().collect()
        };
        let mut bytes = [0; 32];
        if digits.len() != 2 * bytes.len() {
            return Err(ParseFingerprintError);
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
        }
        Ok(Self(bytes))
    }

    /// Returns the raw bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Returns the digits of `aa:bb:…`; colons are accepted only between pairs.
fn pairs(text: &str) -> Option<Vec<u8>> {
    let mut digits = Vec::with_capacity(64);
    for pair in text.split(':') {
        if pair.len() != 2 {
            return None;
        }
        digits.extend(pair.bytes());
    }
    Some(digits)
}

fn nibble(digit: u8) -> Result<u8, ParseFingerprintError> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        _ => Err(ParseFingerprintError),
    }
}

impl From<Fingerprint> for String {
    fn from(fingerprint: Fingerprint) -> Self {
        fingerprint.to_string()
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = ParseFingerprintError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_pairs(plain: &str) -> String {
        let pairs = plain.as_bytes().chunks(2).map(str::from_utf8);
        pairs.collect::<Result<Vec<_>, _>>().unwrap().join(":")
    }

    #[test]
    fn every_usual_spelling_is_read() {
        let of = Fingerprint::of(b"a certificate");
        let plain = of.to_string();
        let colons = in_pairs(&plain);
        for text in [
            colons.clone(),
            plain.clone(),
            plain.to_uppercase(),
            format!(" sha256:{plain}\n"),
            format!("SHA256:{colons}"),
        ] {
            assert_eq!(Fingerprint::parse(&text), Ok(of), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        let plain = Fingerprint::of(b"a certificate").to_string();
        let good = in_pairs(&plain);
        for text in [
            "",
            "sha256:",
            &good[..good.len() - 3],
            &format!("{good}:00"),
            &plain[1..],
            &plain.replace(&plain[..1], "g"),
            &format!(":{plain}"),
            &good.replacen(':', "", 1),
            &"é".repeat(32),
        ] {
            assert_eq!(
                Fingerprint::parse(text),
                Err(ParseFingerprintError),
                "{text}"
            );
        }
    }
}
