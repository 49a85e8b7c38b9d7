//! Claim codes: what the owner gives to a person, who presents it to the bot and is in.

use std::fmt;

use zeroize::Zeroizing;

use crate::{Entropy, EntropyError, PairingCode, SecretToken, TokenHash};

/// A claim code, which the owner issues and a sender presents, once.
///
/// - 26 characters of [`PairingCode::ALPHABET`]: 130 random bits, which nobody guesses.
/// - Never stored: only its [`hash`](Self::hash) is. Not shown by `Debug`; only [`expose`](Self::expose)
///   returns the text. Wiped from memory when dropped.
#[derive(Clone)]
pub struct ClaimCode(SecretToken);

/// The text is not a claim code. It is not repeated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a claim code has {} characters, letters A to Z without I and O, and digits 2 to 9",
    ClaimCode::LENGTH
)]
pub struct ParseClaimCodeError;

impl ClaimCode {
    /// Number of characters in a code.
    pub const LENGTH: usize = 26;

    /// Makes a new code from 130 random bits.
    pub fn generate(entropy: &dyn Entropy) -> Result<Self, EntropyError> {
        let mut bytes = Zeroizing::new([0; Self::LENGTH]);
        entropy.fill(&mut *bytes)?;
        // Five bits of each byte choose one of 32 characters, so all characters are equally likely.
        let text: Zeroizing<String> = Zeroizing::new(
            bytes
                .iter()
                .map(|byte| char::from(PairingCode::ALPHABET[usize::from(byte & 31)]))
                .collect(),
        );
        let token = SecretToken::parse(&text);
        token
            .map(Self)
            .map_err(|_| EntropyError::new("no code was drawn"))
    }

    /// Parses a presented code: accepts lower case, spaces and dashes.
    pub fn parse(presented: &str) -> Result<Self, ParseClaimCodeError> {
        let mut text = Zeroizing::new(String::with_capacity(Self::LENGTH));
        let is_filler = |c: char| c.is_whitespace() || matches!(c, '-' | '\u{2010}'..='\u{2015}');
        for c in presented.chars().filter(|c| !is_filler(*c)) {
            let c = c.to_ascii_uppercase();
            let is_valid = u8::try_from(c).is_ok_and(|c| PairingCode::ALPHABET.contains(&c));
            if !is_valid || text.len() == Self::LENGTH {
                return Err(ParseClaimCodeError);
            }
            text.push(c);
        }
        if text.len() != Self::LENGTH {
            return Err(ParseClaimCodeError);
        }
        let token = SecretToken::parse(&text);
        token.map(Self).map_err(|_| ParseClaimCodeError)
    }

    /// Returns the code in clear text, to give it to the person whom it admits.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// Returns the form in which it is stored.
    pub fn hash(&self) -> TokenHash {
        TokenHash::of(&self.0)
    }
}

impl fmt::Debug for ClaimCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClaimCode(..)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CODE: &str = "ABCDEFGHJKLMNPQRSTUVWXYZ23";

    struct Given([u8; ClaimCode::LENGTH]);

    impl Entropy for Given {
        fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
            bytes.copy_from_slice(&self.0);
            Ok(())
        }
    }

    #[test]
    fn typed_back_forgivingly() {
        let code = ClaimCode::parse(CODE).unwrap();
        for typed in [
            "abcdefghjklmnpqrstuvwxyz23",
            " ABCDEFGH-JKLMNPQR STUVWXYZ–23\n",
        ] {
            assert_eq!(ClaimCode::parse(typed).unwrap().hash(), code.hash());
        }
    }

    #[test]
    fn other_texts_are_no_codes() {
        let long = "A".repeat(100_000);
        for text in ["", "ABCDEFGH", &CODE[1..], &format!("{CODE}A"), &long] {
            assert!(ClaimCode::parse(text).is_err());
        }
        for wrong in ['0', 'O', '1', 'I', 'Ä', '\u{1b}', '/'] {
            let text = format!("{}{wrong}", &CODE[1..]);
            assert!(ClaimCode::parse(&text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn debug_and_errors_show_nothing() {
        let code = ClaimCode::parse(CODE).unwrap();
        assert_eq!(format!("{code:?}"), "ClaimCode(..)");
        assert!(!ParseClaimCodeError.to_string().contains(CODE));
    }

    proptest! {
        #[test]
        fn what_is_drawn_can_be_typed(bytes: [u8; ClaimCode::LENGTH]) {
            let code = ClaimCode::generate(&Given(bytes)).unwrap();
            let typed = ClaimCode::parse(&code.expose().to_lowercase()).unwrap();
            prop_assert_eq!(typed.hash(), code.hash());
        }

        #[test]
        fn parsing_never_panics(typed: String) {
            let _ = ClaimCode::parse(&typed);
        }
    }
}
