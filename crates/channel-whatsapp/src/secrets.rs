//! The secrets of a number.

use std::fmt;

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// The token with which requests to the Graph API are made.
///
/// It has no `Display`, its `Debug` hides the value, and it is wiped when dropped.
#[derive(Clone)]
pub struct AccessToken(Zeroizing<String>);

/// The secret of an app, with which Meta signs webhooks.
///
/// It has no `Display`, its `Debug` hides the value, and it is wiped when dropped.
#[derive(Clone)]
pub struct AppSecret(Zeroizing<String>);

/// The text that Meta shows when a webhook is set up. Its owner chooses it.
///
/// It has no `Display`, its `Debug` hides the value, it is wiped when dropped, and compared in constant time.
#[derive(Clone)]
pub struct VerifyToken(Zeroizing<String>);

impl AccessToken {
    /// Parses a token; `None` if the text cannot be one. Space around it is ignored.
    pub fn parse(text: &str) -> Option<Self> {
        kept(text, 20..=4096, |b| {
            b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'|' | b'.')
        })
        .map(Self)
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl AppSecret {
    /// Parses a secret; `None` if the text cannot be one. Space around it is ignored.
    pub fn parse(text: &str) -> Option<Self> {
        kept(text, 16..=256, |b| b.is_ascii_alphanumeric()).map(Self)
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl VerifyToken {
    /// Parses a token; `None` if it is shorter than 8 characters, or has others than printable ASCII. Space around it is
    /// ignored.
    pub fn parse(text: &str) -> Option<Self> {
        kept(text, 8..=256, |b| b.is_ascii_graphic()).map(Self)
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// Whether it is this one.
    pub(crate) fn is(&self, shown: &[u8]) -> bool {
        let (own, shown) = (Sha256::digest(self.0.as_bytes()), Sha256::digest(shown));
        own.ct_eq(&shown).into()
    }
}

fn kept(
    text: &str,
    lengths: std::ops::RangeInclusive<usize>,
    is_kept: impl Fn(u8) -> bool,
) -> Option<Zeroizing<String>> {
    let text = text.trim();
    let is_one = lengths.contains(&text.len()) && text.bytes().all(is_kept);
    is_one.then(|| Zeroizing::new(text.to_owned()))
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessToken(…)")
    }
}

impl fmt::Debug for AppSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AppSecret(…)")
    }
}

impl fmt::Debug for VerifyToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VerifyToken(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_its_shape_and_none_is_shown() {
        let token = AccessToken::parse(" EAAGhunter2hunter2ZDZD \n").unwrap();
        let secret = AppSecret::parse("0123456789abcdefhunter2hunter2ab").unwrap();
        let verify = VerifyToken::parse("hunter2-hunter2").unwrap();
        assert!(!format!("{token:?}{secret:?}{verify:?}").contains("hunter2"));
        assert!(verify.is(b"hunter2-hunter2"));
        for wrong in [
            "",
            "hunter2",
            "hunter2-hunter3",
            "hunter2-hunter2 ",
            "Hunter2-hunter2",
        ] {
            assert!(!verify.is(wrong.as_bytes()), "{wrong}");
        }
        for wrong in [
            "",
            "short",
            "EAAGhunter2hunter2\r\nx: y",
            "EAAG hunter2 hunter2 hunter2",
        ] {
            assert!(AccessToken::parse(wrong).is_none(), "{wrong}");
            assert!(AppSecret::parse(wrong).is_none(), "{wrong}");
        }
        for wrong in ["", "1234567", "with a space", "zeichen-ä-mit"] {
            assert!(VerifyToken::parse(wrong).is_none(), "{wrong}");
        }
    }
}
