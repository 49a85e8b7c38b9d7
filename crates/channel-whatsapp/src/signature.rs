//! Meta's signature over the body of a webhook.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::AppSecret;

/// The header that holds it.
pub(crate) const HEADER: &str = "x-hub-signature-256";

/// A signature, as it was sent.
pub(crate) struct Signature([u8; 32]);

impl Signature {
    /// Reads the value of the header: `sha256=`, and 64 hexadecimal digits.
    pub(crate) fn parse(value: &str) -> Option<Self> {
        let digits = value.strip_prefix("sha256=")?.as_bytes();
        if digits.len() != 64 {
            return None;
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let digit = |at: usize| char::from(*pair.get(at)?).to_digit(16);
            let number = digit(0)? * 16 + digit(1)?;
            *byte = u8::try_from(number).ok()?;
        }
        Some(Self(bytes))
    }

    /// Whether it is the one of a body, compared in constant time.
    pub(crate) fn is_of(&self, body: &[u8], secret: &AppSecret) -> bool {
        // A key of any length is taken.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()) else {
            return false;
        };
        mac.update(body);
        mac.verify_slice(&self.0).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by Python: `hmac.new(b"0123456789abcdef", b"{\"a\":1}", "sha256").hexdigest()`.
    const KNOWN: &str = "sha256=1c76fbb930d3aa8b1633728fae212c68ca68a6752bb319b98be6fe17e86cf5b8";

    #[test]
    fn t181_a_signature_is_of_one_body_and_one_secret() {
        let secret = AppSecret::parse("0123456789abcdef").unwrap();
        let other = AppSecret::parse("0123456789abcdee").unwrap();
        let signature = Signature::parse(KNOWN).unwrap();
        assert!(signature.is_of(b"{\"a\":1}", &secret));
        assert!(!signature.is_of(b"{\"a\":1}", &other));
        for body in [&b""[..], b"{\"a\":2}", b"{\"a\": 1}", b"{\"a\":1}\n"] {
            assert!(!signature.is_of(body, &secret));
        }
        for at in 7..KNOWN.len() {
            let mut changed = KNOWN.to_owned();
            let digit = if changed.as_bytes()[at] == b'0' {
                "1"
            } else {
                "0"
            };
            changed.replace_range(at..=at, digit);
            let signature = Signature::parse(&changed).unwrap();
            assert!(!signature.is_of(b"{\"a\":1}", &secret), "{changed}");
        }
    }

    #[test]
    fn what_is_no_signature() {
        let (short, long) = (&KNOWN[..KNOWN.len() - 1], format!("{KNOWN}0"));
        let odd = KNOWN.replace("sha256=", "sha1=");
        let sign = format!("{}+f", &KNOWN[..KNOWN.len() - 2]);
        for text in ["", "sha256=", short, &long, &odd, &sign, &KNOWN[7..]] {
            assert!(Signature::parse(text).is_none(), "{text}");
        }
        assert!(Signature::parse(&format!("sha256={}", "ä".repeat(32))).is_none());
    }
}
