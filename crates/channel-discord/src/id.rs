//! Ids, which Discord calls snowflakes.

use std::fmt;

use pairing_core::Timestamp;
use serde::{Deserialize, Deserializer, de};

/// The start of the time that ids count, in milliseconds since 1970: the beginning of 2015.
const EPOCH: i64 = 1_420_070_400_000;

/// An id: a decimal number, as text.
///
/// - It has at most 32 digits and no leading zero, so that each id has one spelling. It need not fit into 64 bits: it is
///   only ever compared and passed on.
/// - A JSON number is refused. Discord writes strings, and a number may have been rounded on its way.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Id(Box<str>);

impl Id {
    /// Checks an id.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        const LONGEST: usize = 32;
        let is_id = !text.is_empty()
            && text.len() <= LONGEST
            && !text.starts_with('0')
            && text.bytes().all(|b| b.is_ascii_digit());
        is_id.then(|| Self(text.into()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The time at which Discord made the id. `None` where it does not fit into 64 bits.
    pub(crate) fn made_at(&self) -> Option<Timestamp> {
        let number: u64 = self.0.parse().ok()?;
        let millis = i64::try_from(number >> 22).ok()?;
        Some(Timestamp::from_millis(EPOCH + millis))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl de::Visitor<'_> for Text {
            type Value = Id;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an id, as a string of digits")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Id, E> {
                Id::parse(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling_each() {
        for id in ["1", "175928847299117063", "99999999999999999999999999"] {
            assert_eq!(Id::parse(id).unwrap().as_str(), id);
        }
        let long = "1".repeat(33);
        for wrong in ["", "0", "01", "-1", "+1", "1.0", "1e3", " 1", "१", &long] {
            assert!(Id::parse(wrong).is_none(), "{wrong}");
        }
        assert!(serde_json::from_str::<Id>("175928847299117063").is_err());
        assert!(serde_json::from_str::<Id>("\"175928847299117063\"").is_ok());
    }

    #[test]
    fn the_time_is_in_it() {
        // The example of Discord's own documentation.
        let id = Id::parse("175928847299117063").unwrap();
        assert_eq!(
            id.made_at(),
            Some(Timestamp::from_millis(1_462_015_105_796))
        );
        assert_eq!(
            Id::parse("99999999999999999999999999").unwrap().made_at(),
            None
        );
    }
}
