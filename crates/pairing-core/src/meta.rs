//! The data that a channel provides about a sender.

use serde::{Deserialize, Serialize};

/// Names and similar data that came with a request, by which the owner can recognise the sender.
///
/// - At most 16 pairs; keys of 1 to 64 characters and values of 1 to 256, trimmed. Longer ones are cut,
///   and pairs with an empty key or value dropped.
/// - Never contains `accountId`: the account is part of the request itself.
///
/// The sender chose the values: [`escape`](crate::escape) them before showing them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<(String, String)>")]
pub struct Metadata(Vec<(String, String)>);

impl Metadata {
    /// Maximum number of pairs.
    pub const MAX_PAIRS: usize = 16;
    /// Maximum length of a key, in characters.
    pub const MAX_KEY: usize = 64;
    /// Maximum length of a value, in characters.
    pub const MAX_VALUE: usize = 256;
    /// The key of the account in OpenClaw's files.
    pub const ACCOUNT_KEY: &str = "accountId";

    /// The key of the sender's user name.
    pub const USERNAME_KEY: &str = "username";

    /// Adds a pair or replaces its value. Does nothing if key or value is empty once trimmed, if the key
    /// is [`ACCOUNT_KEY`](Self::ACCOUNT_KEY), or if there are too many pairs.
    pub fn insert(&mut self, key: &str, value: &str) {
        let key = cut(key.trim(), Self::MAX_KEY);
        let value = cut(value.trim(), Self::MAX_VALUE);
        if key.is_empty() || value.is_empty() || key == Self::ACCOUNT_KEY {
            return;
        }
        if let Some((_, old)) = self.0.iter_mut().find(|(known, _)| known == key) {
            value.clone_into(old);
        } else if self.0.len() < Self::MAX_PAIRS {
            self.0.push((key.to_owned(), value.to_owned()));
        }
    }

    /// Returns the pairs, in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(k, v)| (k.as_str(), v.as_str()))
    }

    /// Whether there are no pairs.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<K: AsRef<str>, V: AsRef<str>> FromIterator<(K, V)> for Metadata {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        let mut meta = Self::default();
        for (key, value) in pairs {
            meta.insert(key.as_ref(), value.as_ref());
        }
        meta
    }
}

impl From<Vec<(String, String)>> for Metadata {
    fn from(pairs: Vec<(String, String)>) -> Self {
        pairs.into_iter().collect()
    }
}

/// Returns the first `limit` characters, without white space at the cut.
fn cut(text: &str, limit: usize) -> &str {
    text.char_indices()
        .nth(limit)
        .map_or(text, |(end, _)| text[..end].trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trimmed_bounded_and_never_empty() {
        let long = "ä".repeat(10_000);
        let meta: Metadata = [
            (" name ", " Zoë "),
            ("empty", "  "),
            ("", "x"),
            ("accountId", "work"),
            ("long", &long),
        ]
        .into_iter()
        .collect();
        let pairs: Vec<_> = meta.iter().collect();
        assert_eq!(pairs[0], ("name", "Zoë"));
        assert_eq!(pairs[1].1.chars().count(), Metadata::MAX_VALUE);
        assert_eq!(pairs.len(), 2);
    }

    #[test]
    fn no_more_than_sixteen() {
        let meta: Metadata = (0..100).map(|n| (n.to_string(), "x")).collect();
        assert_eq!(meta.iter().count(), Metadata::MAX_PAIRS);
    }
}
