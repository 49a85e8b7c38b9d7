//! Pairing codes: eight characters that a sender receives and shows to the owner.

use std::fmt;

use serde::{Deserialize, Serialize};

/// 32 letters and digits, without `0`, `O`, `1` and `I`, which people confuse.
const ALPHABET: &[u8; 32] = PairingCode::ALPHABET;

/// A pairing code, which the owner types to approve a sender.
///
/// - Eight characters of `ABCDEFGHJKLMNPQRSTUVWXYZ23456789`: 40 random bits, each value equally likely.
/// - Unique among the pending requests of a channel.
/// - Not shown by `Debug`; only [`as_str`](Self::as_str) returns the text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct PairingCode([u8; Self::LENGTH]);

/// The reason that a text is not a pairing code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseCodeError {
    /// The number of characters is not eight, not counting spaces and dashes.
    #[error(
        "a pairing code has {} characters, this has {found}",
        PairingCode::LENGTH
    )]
    Length {
        /// Number of characters found.
        found: usize,
    },
    /// A character outside the alphabet.
    #[error(
        "a pairing code has no character {found:?}: letters A to Z without I and O, digits 2 to 9"
    )]
    Character {
        /// The character found.
        found: char,
    },
}

impl PairingCode {
    /// The characters of a code, which leave out those that are easily confused: `0`, `O`, `1` and `I`.
    pub const ALPHABET: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

    /// Number of characters in a code.
    pub const LENGTH: usize = 8;

    /// Makes a code from eight random bytes.
    ///
    /// Five bits of each byte choose one of 32 characters, so all characters are equally likely.
    pub fn from_entropy(bytes: [u8; Self::LENGTH]) -> Self {
        Self(bytes.map(|byte| ALPHABET[usize::from(byte & 31)]))
    }

    /// Parses a typed code: accepts lower case, spaces and dashes.
    pub fn parse(typed: &str) -> Result<Self, ParseCodeError> {
        let meant = || {
            typed
                .chars()
                .filter(|c| !c.is_whitespace() && !matches!(c, '-' | '\u{2010}'..='\u{2015}'))
        };
        let found = meant().count();
        if found != Self::LENGTH {
            return Err(ParseCodeError::Length { found });
        }
        let mut code = [0; Self::LENGTH];
        for (slot, found) in code.iter_mut().zip(meant()) {
            let upper = found.to_ascii_uppercase();
            *slot = u8::try_from(upper)
                .ok()
                .filter(|byte| ALPHABET.contains(byte))
                .ok_or(ParseCodeError::Character { found })?;
        }
        Ok(Self(code))
    }

    /// Returns the code as it is shown: eight upper-case characters.
    pub fn as_str(&self) -> &str {
        // Codes consist only of bytes of the ASCII alphabet.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Debug for PairingCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PairingCode(..)")
    }
}

impl From<PairingCode> for String {
    fn from(code: PairingCode) -> Self {
        code.as_str().to_owned()
    }
}

impl TryFrom<String> for PairingCode {
    type Error = ParseCodeError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn typed_back_forgivingly() {
        let code = PairingCode::parse("M8NGT2AA").unwrap();
        for typed in ["m8ngt2aa", " M8NG T2AA ", "m8ng-t2aa", "M8NG–T2AA\n"] {
            assert_eq!(PairingCode::parse(typed).unwrap(), code, "{typed:?}");
        }
    }

    #[test]
    fn wrong_length_and_alphabet_are_told_apart() {
        assert_eq!(
            PairingCode::parse("ABC"),
            Err(ParseCodeError::Length { found: 3 })
        );
        assert_eq!(
            PairingCode::parse(""),
            Err(ParseCodeError::Length { found: 0 })
        );
        for (typed, found) in [("ABCDEFG0", '0'), ("ABCDEFGI", 'I'), ("ABCDEFGÄ", 'Ä')] {
            assert_eq!(
                PairingCode::parse(typed),
                Err(ParseCodeError::Character { found })
            );
        }
    }

    #[test]
    fn debug_shows_nothing() {
        let code = PairingCode::parse("M8NGT2AA").unwrap();
        assert_eq!(format!("{code:?}"), "PairingCode(..)");
    }

    #[test]
    fn every_character_is_equally_likely() {
        let mut seen = [0u32; 256];
        for byte in 0..=255 {
            let code = PairingCode::from_entropy([byte; 8]);
            seen[usize::from(code.0[0])] += 1;
        }
        assert!(ALPHABET.iter().all(|&c| seen[usize::from(c)] == 8));
    }

    proptest! {
        #[test]
        fn what_is_drawn_can_be_typed(bytes: [u8; 8]) {
            let code = PairingCode::from_entropy(bytes);
            prop_assert_eq!(PairingCode::parse(code.as_str()), Ok(code));
        }

        #[test]
        fn parsing_never_panics(typed: String) {
            let _ = PairingCode::parse(&typed);
        }
    }
}
