//! Validated names of channels, accounts and senders.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A chat channel: `telegram`, `whatsapp`, or one that an adapter author has added.
///
/// - Matches `[a-z][a-z0-9_-]{0,63}`, so it is safe in a file name and needs no escaping there.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct ChannelId(Arc<str>);

/// One of the bot accounts of a channel; [`AccountId::default`] if there is only one.
///
/// - Trimmed and lower-cased, 1 to 64 characters.
/// - No control character, `/`, `\` or `..`, so it cannot lead out of a directory.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct AccountId(Arc<str>);

/// A sender's id, in the normal form that the rules of its channel define.
///
/// - Outside text becomes a sender's id only through
///   [`ChannelRules::sender`](crate::ChannelRules::sender).
/// - 1 to 256 bytes, no control character, not `*`, no white space at either end.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct SenderId(Arc<str>);

/// The reason that a text is not the name of a channel or account.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// Not `[a-z][a-z0-9_-]{0,63}`.
    #[error("a channel is named by a letter and up to 63 more of a-z, 0-9, _ and -")]
    Channel,
    /// Nothing but white space.
    #[error("the account name is empty")]
    EmptyAccount,
    /// Longer than 64 characters.
    #[error("an account name has at most 64 characters, this has {found}")]
    LongAccount {
        /// Number of characters found.
        found: usize,
    },
    /// A control character, a slash, a backslash or `..`.
    #[error("an account name holds no {found}")]
    AccountCharacter {
        /// The offending characters, in words.
        found: &'static str,
    },
}

impl ChannelId {
    /// Parses a channel name; accepts surrounding white space and upper case.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let name = text.trim().to_ascii_lowercase();
        let mut bytes = name.bytes();
        let well_formed = name.len() <= 64
            && bytes.next().is_some_and(|first| first.is_ascii_lowercase())
            && bytes
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-'));
        well_formed
            .then(|| Self(name.into()))
            .ok_or(NameError::Channel)
    }

    /// Makes the id of a built-in channel.
    pub(crate) fn builtin(name: &'static str) -> Self {
        debug_assert!(Self::parse(name).is_ok_and(|id| id.as_str() == name));
        Self(name.into())
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl AccountId {
    /// Maximum length of a name, in characters.
    pub const MAX_CHARS: usize = 64;

    /// Parses an account name: trims it, lower-cases it, and rejects anything that could be a path.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let name = text.trim().to_lowercase();
        let found = name.chars().count();
        let refused = |found| Err(NameError::AccountCharacter { found });
        if found == 0 {
            return Err(NameError::EmptyAccount);
        }
        if found > Self::MAX_CHARS {
            return Err(NameError::LongAccount { found });
        }
        if name.contains("..") {
            return refused("`..`");
        }
        if name.contains(['/', '\\']) {
            return refused("slash or backslash");
        }
        if name.contains(char::is_control) {
            return refused("control character");
        }
        Ok(Self(name.into()))
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is the default account of a channel.
    pub fn is_default(&self) -> bool {
        &*self.0 == "default"
    }
}

impl Default for AccountId {
    fn default() -> Self {
        Self("default".into())
    }
}

impl SenderId {
    /// Maximum length of an id, in bytes.
    pub const MAX_BYTES: usize = 256;

    /// Checks the invariants of a text that is already in normal form.
    pub(crate) fn checked(text: &str) -> Result<Self, SenderError> {
        if text.is_empty() {
            return Err(SenderError::Empty);
        }
        if text == "*" {
            return Err(SenderError::Wildcard);
        }
        if text.len() > Self::MAX_BYTES {
            return Err(SenderError::Long { found: text.len() });
        }
        if text.contains(char::is_control) || text.trim() != text {
            return Err(SenderError::Control);
        }
        Ok(Self(text.into()))
    }

    /// Returns the id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The reason that a text is not a sender.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SenderError {
    /// Nothing is left after removing the prefix and white space.
    #[error("nothing is left of the sender id once its prefix is removed")]
    Empty,
    /// `*`, which stands for everybody and so is not a sender.
    #[error("`*` stands for everybody, not for a sender")]
    Wildcard,
    /// Longer than 256 bytes.
    #[error(
        "a sender id has at most {} bytes, this has {found}",
        SenderId::MAX_BYTES
    )]
    Long {
        /// Number of bytes found.
        found: usize,
    },
    /// A control character.
    #[error("a sender id holds no control characters")]
    Control,
    /// Not in the format of the ids of this channel, so it could never match a sender.
    #[error("a sender of {channel} is {expected}")]
    Shape {
        /// The channel whose rules were applied.
        channel: ChannelId,
        /// The format of its sender ids, in words.
        expected: Cow<'static, str>,
    },
}

/// Implements the traits of every text name: `Display`, a quoting `Debug`, and deserialisation through
/// its parser.
macro_rules! text_id {
    ($name:ident, $error:ty, $parse:path) => {
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}({:?})", stringify!($name), &*self.0)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.as_str().to_owned()
            }
        }

        impl TryFrom<String> for $name {
            type Error = $error;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                $parse(&text)
            }
        }
    };
}

pub(crate) use text_id;

text_id!(ChannelId, NameError, ChannelId::parse);
text_id!(AccountId, NameError, AccountId::parse);
text_id!(SenderId, SenderError, SenderId::checked);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels() {
        assert_eq!(ChannelId::parse(" Telegram ").unwrap().as_str(), "telegram");
        assert_eq!(ChannelId::parse("a-b_9").unwrap().as_str(), "a-b_9");
        let long = "a".repeat(65);
        for bad in [
            "",
            "../x",
            "a/b",
            "9a",
            "-a",
            "tele gram",
            "ä",
            "a\0",
            &long,
        ] {
            assert_eq!(ChannelId::parse(bad), Err(NameError::Channel), "{bad:?}");
        }
    }

    #[test]
    fn accounts() {
        assert_eq!(AccountId::parse(" Work ").unwrap().as_str(), "work");
        assert_eq!(AccountId::parse("Default").unwrap(), AccountId::default());
        assert!(AccountId::parse("a:b").is_ok());
        let long = "x".repeat(300);
        for bad in [
            "", "  ", "../x", "a/b", "a\\b", "a..b", "a\0b", "a\nb", &long,
        ] {
            assert!(AccountId::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn deserialising_goes_through_the_parser() {
        assert!(ChannelId::try_from("../x".to_owned()).is_err());
        assert!(SenderId::try_from("*".to_owned()).is_err());
        assert!(SenderId::try_from(" a".to_owned()).is_err());
    }
}
