//! The data that a channel provides about a sender.

mod value;

use serde::{Deserialize, Serialize};

pub use value::MetadataValue;

/// Names and similar data that came with a request, by which the owner can recognise the sender.
///
/// Each is a [`MetadataValue`]: a text as a rule, or any other JSON value within the bounds of that type.
///
/// - At most 16 pairs; keys of 1 to 64 characters and texts of 1 to 256, trimmed. Longer ones are cut,
///   and pairs with an empty key or value dropped.
/// - At most 20 KiB in all, as bytes of keys and texts; a pair that does not fit is dropped. Texts alone
///   always fit.
/// - Never contains `accountId`: the account is part of the request itself.
///
/// The sender chose the values: [`escape`](crate::escape) them before showing them.
///
/// In OpenClaw's files and database, each value is stored as it is. OpenClaw itself expects texts there,
/// and is not disturbed by other values: releases up to 2026.3 show them as JSON, later ones ignore
/// them, and lose them when they write the request again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<(String, MetadataValue)>")]
pub struct Metadata(Vec<(String, MetadataValue)>);

impl Metadata {
    /// Maximum number of pairs.
    pub const MAX_PAIRS: usize = 16;
    /// Maximum length of a key, in characters.
    pub const MAX_KEY: usize = 64;
    /// Maximum length of a text, in characters.
    pub const MAX_VALUE: usize = 256;
    /// Maximum size of all pairs together, in bytes: what the longest texts take.
    pub const MAX_BYTES: usize = Self::MAX_PAIRS * (Self::MAX_KEY + Self::MAX_VALUE) * 4;
    /// The key of the account in OpenClaw's files.
    pub const ACCOUNT_KEY: &str = "accountId";

    /// The key of the sender's user name.
    pub const USERNAME_KEY: &str = "username";

    /// Adds a pair or replaces its value. Does nothing if the key is empty once trimmed, if the value
    /// [says nothing](MetadataValue::is_empty), if the key is [`ACCOUNT_KEY`](Self::ACCOUNT_KEY), or if
    /// there would be too many pairs or bytes.
    pub fn insert(&mut self, key: &str, value: impl Into<MetadataValue>) {
        let key = cut(key.trim(), Self::MAX_KEY);
        let value = value.into();
        if key.is_empty() || value.is_empty() || key == Self::ACCOUNT_KEY {
            return;
        }
        let others = self.0.iter().filter(|(known, _)| known != key);
        let others: usize = others.map(|(key, value)| size(key, value)).sum();
        if others + size(key, &value) > Self::MAX_BYTES {
            return;
        }
        if let Some((_, old)) = self.0.iter_mut().find(|(known, _)| known == key) {
            *old = value;
        } else if self.0.len() < Self::MAX_PAIRS {
            self.0.push((key.to_owned(), value));
        }
    }

    /// Returns the value of a key.
    pub fn get(&self, key: &str) -> Option<&MetadataValue> {
        let found = self.0.iter().find(|(known, _)| known == key);
        found.map(|(_, value)| value)
    }

    /// Returns the value of a key, if it is a text.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.get(key)?.as_str()
    }

    /// Returns the pairs, in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &MetadataValue)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// Whether there are no pairs.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the bytes of all pairs.
    pub(crate) fn text_bytes(&self) -> usize {
        self.iter().map(|(key, value)| size(key, value)).sum()
    }
}

fn size(key: &str, value: &MetadataValue) -> usize {
    key.len() + value.text_bytes()
}

impl<K: AsRef<str>, V: Into<MetadataValue>> FromIterator<(K, V)> for Metadata {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        let mut meta = Self::default();
        for (key, value) in pairs {
            meta.insert(key.as_ref(), value);
        }
        meta
    }
}

impl<V: Into<MetadataValue>> From<Vec<(String, V)>> for Metadata {
    fn from(pairs: Vec<(String, V)>) -> Self {
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
        assert_eq!(pairs[0], ("name", &"Zoë".into()));
        let long = meta.text("long").unwrap();
        assert_eq!(long.chars().count(), Metadata::MAX_VALUE);
        assert_eq!(pairs.len(), 2);
    }

    #[test]
    fn no_more_than_sixteen() {
        let meta: Metadata = (0..100).map(|n| (n.to_string(), "x")).collect();
        assert_eq!(meta.iter().count(), Metadata::MAX_PAIRS);
    }

    #[test]
    fn texts_always_fit_and_other_values_within_the_bytes() {
        let longest = "\u{1f600}".repeat(1000);
        let texts: Metadata = (0..100)
            .map(|n| (format!("{n:02}{longest}"), longest.as_str()))
            .collect();
        assert_eq!(texts.iter().count(), Metadata::MAX_PAIRS);
        let lists: Metadata = (0..100)
            .map(|n| (n.to_string(), vec![longest.as_str(); 1000]))
            .collect();
        assert!(lists.text_bytes() <= Metadata::MAX_BYTES);
        assert!(lists.is_empty(), "one alone is too much");
        let mut mixed = Metadata::default();
        mixed.insert("tags", vec!["a", "b"]);
        mixed.insert("nothing", Vec::<String>::new());
        mixed.insert("accountId", 5);
        mixed.insert("tags", vec![longest.as_str(); 64]);
        assert_eq!(mixed.iter().count(), 1);
        assert_eq!(mixed.get("tags").unwrap().to_string(), r#"["a","b"]"#);
    }
}
