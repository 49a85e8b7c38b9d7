//! Ids of people, chats and files, and the times that name messages.

use std::fmt;

use pairing_core::Timestamp;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// An id, such as `U012AB3CD`: letters and digits of ASCII, at most 64.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Id(Box<str>);

/// The time that names a message within its chat, such as `1355517523.000005`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Ts(Box<str>);

impl Id {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let is_id =
            (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric());
        is_id.then(|| Self(text.into()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is that of a chat of two: with the bot, or of two people.
    pub(crate) fn is_direct_chat(&self) -> bool {
        self.0.starts_with('D')
    }
}

impl Ts {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (seconds, part) = text.split_once('.')?;
        let is_number =
            |text: &str| (1..=16).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        (is_number(seconds) && is_number(part)).then(|| Self(text.into()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The time, to a millisecond.
    pub(crate) fn time(&self) -> Option<Timestamp> {
        let (seconds, part) = self.0.split_once('.')?;
        let seconds: i64 = seconds.parse().ok()?;
        let millis: i64 = format!("{part:0<3}").get(..3)?.parse().ok()?;
        let millis = seconds.checked_mul(1000)?.checked_add(millis)?;
        Some(Timestamp::from_millis(millis))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Ts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom("no id"))
    }
}

impl<'de> Deserialize<'de> for Ts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom("no time of a message"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_an_id() {
        let long = "U".repeat(64);
        for id in ["U1", "W012AB3CD", "D0", &long] {
            assert_eq!(Id::parse(id).unwrap().as_str(), id);
        }
        for wrong in ["", "U 1", "U/1", "../x", "<@U1>", "Ü1", &format!("{long}1")] {
            assert!(Id::parse(wrong).is_none(), "{wrong}");
        }
        assert!(serde_json::from_str::<Id>("7").is_err());
    }

    #[test]
    fn a_message_is_named_by_its_time() {
        let ts = Ts::parse("1355517523.000005").unwrap();
        assert_eq!(ts.time(), Some(Timestamp::from_millis(1_355_517_523_000)));
        let ts = Ts::parse("1355517523.98").unwrap();
        assert_eq!(ts.time(), Some(Timestamp::from_millis(1_355_517_523_980)));
        for wrong in [
            "",
            "1",
            "1.",
            ".1",
            "-1.0",
            "1.x",
            "1.1.1",
            "11111111111111111.0",
        ] {
            assert!(Ts::parse(wrong).is_none(), "{wrong}");
        }
    }
}
