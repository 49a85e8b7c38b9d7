//! Phone numbers and ids of Signal.

use std::fmt;

/// A phone number as E.164 has it: `+`, then 7 to 15 digits, of which the first is not 0.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Number(Box<str>);

/// A text is no phone number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a phone number is + and 7 to 15 digits, with the country first")]
pub struct NumberError;

impl Number {
    /// Checks a number. Spaces, hyphens, dots and parentheses are left out; no country is guessed.
    pub fn parse(text: &str) -> Result<Self, NumberError> {
        let is_filling = |c: &char| !matches!(c, ' ' | '-' | '.' | '(' | ')');
        let text: String = text.trim().chars().filter(is_filling).collect();
        let digits = text.strip_prefix('+').ok_or(NumberError)?;
        let is_number = (7..=15).contains(&digits.len())
            && !digits.starts_with('0')
            && digits.bytes().all(|b| b.is_ascii_digit());
        is_number
            .then(|| Self(text.into_boxed_str()))
            .ok_or(NumberError)
    }

    /// The number, as E.164 has it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Signal's id of a person: a UUID in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Uuid(Box<str>);

impl Uuid {
    /// Checks an id.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let is_uuid = text.len() == 36
            && text.bytes().enumerate().all(|(at, b)| match at {
                8 | 13 | 18 | 23 => b == b'-',
                _ => b.is_ascii_hexdigit(),
            });
        is_uuid.then(|| Self(text.to_ascii_lowercase().into()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_their_country() {
        let number = |text| Number::parse(text).map(|n| n.to_string()).ok();
        assert_eq!(
            number(" +1 (555) 999-0000 ").as_deref(),
            Some("+15559990000")
        );
        for none in [
            "",
            "15559990000",
            "+05559990000",
            "+1555",
            "+1555999000012345",
            "+1555999O000",
        ] {
            assert_eq!(number(none), None, "{none}");
        }
    }

    #[test]
    fn ids_are_uuids() {
        let id = "7B0AB3C4-6F3C-4E0E-9A51-0F1B2C3D4E5F";
        assert_eq!(Uuid::parse(id).unwrap().as_str(), id.to_lowercase());
        for none in [
            "",
            "7b0ab3c46f3c4e0e9a510f1b2c3d4e5f",
            "7B0AB3C4-6F3C-4E0E-9A51-0F1B2C3D4E5G",
        ] {
            assert_eq!(Uuid::parse(none), None, "{none}");
        }
    }
}
