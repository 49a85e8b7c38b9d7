//! Tokens of devices, and their stored hashes.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::text;
use crate::{Entropy, EntropyError};

/// A token in clear text: a device token or a pairing token.
///
/// - A token made here is 32 random bytes as 43 characters of base64url; a presented one may be any text
///   of 1 to 512 bytes without control characters.
/// - Never stored: only its [`TokenHash`] is. Not shown by `Debug`; only [`expose`](Self::expose) returns
///   the text. Wiped from memory when dropped.
#[derive(Clone)]
pub struct SecretToken(Zeroizing<Box<str>>);

/// The reason that a text is not a token. The text is not repeated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseTokenError {
    /// The text is empty.
    #[error("the token is empty")]
    Empty,
    /// Longer than 512 bytes.
    #[error(
        "a token has at most {} bytes, this has {found}",
        SecretToken::MAX_BYTES
    )]
    Long {
        /// Number of bytes found.
        found: usize,
    },
    /// A control character.
    #[error("the token holds a control character")]
    Control,
}

impl SecretToken {
    /// Maximum length of a token, in bytes.
    pub const MAX_BYTES: usize = 512;

    /// Makes a new token from 256 random bits.
    pub fn generate(entropy: &dyn Entropy) -> Result<Self, EntropyError> {
        let mut bytes = Zeroizing::new([0; 32]);
        entropy.fill(&mut *bytes)?;
        let text = text::to_base64url(&*bytes).into_boxed_str();
        Ok(Self(Zeroizing::new(text)))
    }

    /// Checks a presented token.
    pub fn parse(presented: &str) -> Result<Self, ParseTokenError> {
        if presented.is_empty() {
            return Err(ParseTokenError::Empty);
        }
        if presented.len() > Self::MAX_BYTES {
            let found = presented.len();
            return Err(ParseTokenError::Long { found });
        }
        if presented.contains(char::is_control) {
            return Err(ParseTokenError::Control);
        }
        Ok(Self(Zeroizing::new(presented.into())))
    }

    /// Returns the token in clear text, to deliver it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretToken(..)")
    }
}

/// The stored form of a token: the SHA-256 of its text.
///
/// - Shown and serialised as `sha256:` and 64 lower-case hexadecimal digits; not a secret.
/// - Compared with a presented token in constant time, regardless of the length of that token.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct TokenHash([u8; 32]);

/// The text is not `sha256:` followed by 64 lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a token hash is `sha256:` and 64 digits of 0-9 and a-f")]
pub struct ParseTokenHashError;

impl TokenHash {
    /// A placeholder for an unknown hash: no known token has it.
    pub const UNKNOWN: Self = Self([0; 32]);

    const PREFIX: &str = "sha256:";

    /// Returns the hash of a token.
    pub fn of(token: &SecretToken) -> Self {
        Self(Sha256::digest(token.expose()).into())
    }

    /// Whether this is the hash of that token.
    pub fn matches(&self, token: &SecretToken) -> bool {
        self.0.ct_eq(&Self::of(token).0).into()
    }

    /// Returns the first twelve digits, by which a person tells a few hashes apart.
    pub(crate) fn short(&self) -> String {
        let mut digits = text::to_hex(&self.0);
        digits.truncate(12);
        digits
    }

    /// Parses the form in which a hash is shown.
    pub fn parse(text: &str) -> Result<Self, ParseTokenHashError> {
        text.strip_prefix(Self::PREFIX)
            .and_then(text::array_from_hex)
            .map(Self)
            .ok_or(ParseTokenHashError)
    }
}

impl fmt::Display for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", Self::PREFIX, text::to_hex(&self.0))
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenHash({self})")
    }
}

impl From<TokenHash> for String {
    fn from(hash: TokenHash) -> Self {
        hash.to_string()
    }
}

impl TryFrom<String> for TokenHash {
    type Error = ParseTokenHashError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// An entropy source of consecutive byte values.
    struct Counting(std::sync::atomic::AtomicU8);

    impl Entropy for Counting {
        fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
            let next = || self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            bytes.fill_with(next);
            Ok(())
        }
    }

    struct Broken;

    impl Entropy for Broken {
        fn fill(&self, _: &mut [u8]) -> Result<(), EntropyError> {
            Err(EntropyError::new("drained"))
        }
    }

    #[test]
    fn a_new_token_is_32_bytes_of_the_entropy_it_was_given() {
        let entropy = Counting(0.into());
        let (one, two) = (
            SecretToken::generate(&entropy).unwrap(),
            SecretToken::generate(&entropy).unwrap(),
        );
        assert_eq!(one.expose(), "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8");
        assert_eq!(two.expose().len(), 43);
        assert_ne!(one.expose(), two.expose());
        assert!(SecretToken::generate(&Broken).is_err());
    }

    #[test]
    fn the_hash_is_that_of_the_text() {
        // echo -n 7lH12ZXhRjk8YmHv1oGyJO6Jv59zqzoAKproFeaSu_Q | sha256sum
        let token = SecretToken::parse("7lH12ZXhRjk8YmHv1oGyJO6Jv59zqzoAKproFeaSu_Q").unwrap();
        let hash = TokenHash::of(&token);
        let text = "sha256:2f8efcb3106013f038b3b956ca847f244e4c61ffbc064c8ec29cf03fb4364f77";
        assert_eq!(hash.to_string(), text);
        assert_eq!(TokenHash::parse(text), Ok(hash));
        assert!(hash.matches(&token));
        for other in [
            "7lH12ZXhRjk8YmHv1oGyJO6Jv59zqzoAKproFeaSu_R",
            "7lH12ZXhRjk8YmHv1oGyJO6Jv59zqzoAKproFeaSu_Q=",
            text,
        ] {
            assert!(
                !hash.matches(&SecretToken::parse(other).unwrap()),
                "{other}"
            );
        }
    }

    #[test]
    fn a_presented_token_is_bounded() {
        let long = "x".repeat(SecretToken::MAX_BYTES);
        assert_eq!(SecretToken::parse(&long).unwrap().expose(), long);
        let error = |text: &str| SecretToken::parse(text).unwrap_err();
        assert_eq!(
            error(&format!("{long}x")),
            ParseTokenError::Long { found: 513 }
        );
        assert_eq!(error(""), ParseTokenError::Empty);
        assert_eq!(error("a\nb"), ParseTokenError::Control);
    }

    #[test]
    fn debug_shows_nothing() {
        let token = SecretToken::parse("hunter2").unwrap();
        assert_eq!(
            format!("{token:?} {:?}", Some(&token)),
            "SecretToken(..) Some(SecretToken(..))"
        );
    }

    #[test]
    fn hashes_have_one_spelling() {
        let hash = TokenHash::of(&SecretToken::parse("a").unwrap()).to_string();
        for bad in [
            "",
            "sha256:",
            &hash[7..],
            &hash.to_uppercase(),
            &format!("{hash}0"),
            &hash.replace("sha256", "sha1"),
        ] {
            assert_eq!(TokenHash::parse(bad), Err(ParseTokenHashError), "{bad}");
            assert!(serde_json::from_str::<TokenHash>(&format!("{bad:?}")).is_err());
        }
        let read: TokenHash = serde_json::from_str(&format!("{hash:?}")).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), format!("{hash:?}"));
    }

    proptest! {
        #[test]
        fn only_the_token_itself_matches(one in "[ -~]{1,60}", two in "[ -~]{1,60}") {
            let (token, other) = (SecretToken::parse(&one).unwrap(), SecretToken::parse(&two).unwrap());
            prop_assert!(TokenHash::of(&token).matches(&token));
            prop_assert_eq!(TokenHash::of(&token).matches(&other), one == two);
        }

        #[test]
        fn parsing_never_panics(text: String) {
            let _ = (SecretToken::parse(&text), TokenHash::parse(&text));
        }
    }
}
