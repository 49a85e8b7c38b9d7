//! Ids of people, chats, messages and pictures.

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// An id, such as `ou_7d8a6e6df7621556ce0d21922b676706`: letters, digits, `_` and `-` of ASCII, at most 128.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Id(Box<str>);

impl Id {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let is_kept = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
        let is_id = (1..=128).contains(&text.len()) && text.bytes().all(is_kept);
        is_id.then(|| Self(text.into()))
    }

    /// An id that begins with `prefix` and does not end there.
    pub(crate) fn with(prefix: &str, text: &str) -> Option<Self> {
        Self::parse(text).filter(|id| id.0.len() > prefix.len() && id.0.starts_with(prefix))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is that of a person for this app.
    pub(crate) fn is_person(&self) -> bool {
        self.0.starts_with("ou_")
    }
}

impl fmt::Display for Id {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_an_id() {
        let long = "o".repeat(128);
        for id in ["ou_1", "img_7ea74629-9191-4176-998c-2e603c9c5e8g", &long] {
            assert_eq!(Id::parse(id).unwrap().as_str(), id);
        }
        for wrong in [
            "",
            "ou 1",
            "ou/1",
            "../x",
            "ou_1?x",
            "ü",
            &format!("{long}1"),
        ] {
            assert!(Id::parse(wrong).is_none(), "{wrong}");
        }
        assert!(Id::with("ou_", "ou_1").is_some_and(|id| id.is_person()));
        for wrong in ["ou_", "oc_1", "xou_1", "ou_/"] {
            assert!(Id::with("ou_", wrong).is_none(), "{wrong}");
        }
        assert!(serde_json::from_str::<Id>("7").is_err());
    }
}
