//! Tokens that devices hold, and what is kept of them.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::text;
use crate::{Entropy, EntropyError};

/// A token in clear: a device's, or a pairing token.
///
/// - 32 random bytes as 43 characters of base64url where we made it; a presented one may be any text of
///   1 to 512 bytes without control characters.
/// - Never stored: [`TokenHash`] is. Not shown by `Debug`; [`expose`](Self::expose) is the one way to the
///   text. Wiped from memory when dropped.
#[derive(Clone)]
pub struct SecretToken(Zeroizing<Box<str>>);

/// Why a text is no token. The text is not repeated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseTokenError {
    /// Nothing at all.
    #[error("the token is empty")]
    Empty,
    /// Longer than 512 bytes.
    #[error(
        "a token has at most {} bytes, this has {found}",
        SecretToken::MAX_BYTES
    )]
    Long {
        /// Bytes found.
        found: usize,
    },
    /// A control character.
    #[error("the token holds a control character")]
    Control,
}

impl SecretToken {
    /// The longest token, in bytes.
    pub const MAX_BYTES: usize = 512;

    /// A new token: 256 random bits.
    pub fn generate(entropy: &dyn Entropy) -> Result<Self, EntropyError> {
        let mut bytes = Zeroizing::new([0; 32]);
        entropy.fill(&mut *bytes)?;
        let text = text::to_base64url(&*bytes).into_boxed_str();
        Ok(Self(Zeroizing::new(text)))
    }

    /// Takes what somebody presented.
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

    /// The token itself, for the one it is delivered to.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretToken(..)")
    }
}

/// What is kept of a token: the SHA-256 of its text.
///
/// - Shown and serialised as `sha256:` and 64 lower-case hexadecimal digits; no secret.
/// - A token is compared with it in constant time, whatever the length of what was presented.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct TokenHash([u8; 32]);

/// The text is not `sha256:` and 64 lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a token hash is `sha256:` and 64 digits of 0-9 and a-f")]
pub struct ParseTokenHashError;

impl TokenHash {
    const PREFIX: &str = "sha256:";

    /// The hash of a token.
    pub fn of(token: &SecretToken) -> Self {
        Self(Sha256::digest(token.expose()).into())
    }

    /// Is this the hash of that token?
    pub fn matches(&self, token: &SecretToken) -> bool {
        self.0.ct_eq(&Self::of(token).0).into()
    }

    /// Reads the spelling that it is shown in.
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
