//! Principals: which of the embedder's users a sender is.

use serde::{Deserialize, Serialize};

use crate::ids::text_id;

/// The embedder's id for one of its users, kept with each grant that is made for them.
///
/// A gateway with users of its own approves with [`Approver::for_principal`](crate::Approver::for_principal), and
/// reads back with [`ApprovedSender::principal`](crate::ApprovedSender::principal) which of them a sender is. A grant
/// without one is for the bot's owner. This crate compares principals and never interprets them.
///
/// - 1 to 128 bytes, no control character, no white space at either end.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Principal(Box<str>);

/// The text is not a principal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a principal has 1 to {} bytes, no control character, and no white space at its ends",
    Principal::MAX_BYTES
)]
pub struct ParsePrincipalError;

impl Principal {
    /// Maximum length, in bytes.
    pub const MAX_BYTES: usize = 128;

    /// Checks an id of the embedder's. It is kept as it is, letter for letter.
    pub fn parse(text: &str) -> Result<Self, ParsePrincipalError> {
        let is_valid = (1..=Self::MAX_BYTES).contains(&text.len())
            && !text.contains(char::is_control)
            && text.trim() == text;
        is_valid
            .then(|| Self(text.into()))
            .ok_or(ParsePrincipalError)
    }

    /// Returns the id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

text_id!(Principal, ParsePrincipalError, Principal::parse);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_bounded_and_kept_as_they_are() {
        let long = "x".repeat(Principal::MAX_BYTES);
        for text in ["7", "User-7", "a b", "7f9c/über", &long] {
            assert_eq!(Principal::parse(text).unwrap().as_str(), text);
        }
        for text in ["", " 7", "7\n", "a\u{1b}b", &format!("{long}x")] {
            assert_eq!(Principal::parse(text), Err(ParsePrincipalError), "{text:?}");
            assert!(serde_json::from_value::<Principal>(text.into()).is_err());
        }
    }
}
