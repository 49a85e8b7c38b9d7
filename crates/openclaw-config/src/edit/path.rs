//! Paths to keys: `channels.telegram.allowFrom[0]`.

use std::str::FromStr;

/// The path to a key of a configuration.
///
/// Names are parted by dots; `[0]` is an entry of a list, and `["a.b"]` a name with other characters in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPath(Vec<Part>);

/// A step of a [`KeyPath`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// A key of an object.
    Key(String),
    /// An entry of a list, from 0.
    Index(usize),
}

/// The text is no path to a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no path to a key, such as channels.telegram.dmPolicy")]
pub struct KeyPathError;

impl KeyPath {
    /// Its steps; at least one, and at most 64.
    pub fn parts(&self) -> &[Part] {
        &self.0
    }

    /// The last key in it that is a name.
    pub fn name(&self) -> &str {
        let mut names = self.0.iter().rev().filter_map(|part| match part {
            Part::Key(key) => Some(key.as_str()),
            Part::Index(_) => None,
        });
        names.next().unwrap_or_default()
    }

    /// A path in text.
    pub(super) fn of(parts: &[Part]) -> String {
        let mut text = String::new();
        for part in parts {
            match part {
                Part::Key(key) if text.is_empty() => text.push_str(key),
                Part::Key(key) => text = format!("{text}.{key}"),
                Part::Index(index) => text = format!("{text}[{index}]"),
            }
        }
        pairing_core::escape(&text).limit(256).to_string()
    }
}

impl FromStr for KeyPath {
    type Err = KeyPathError;

    fn from_str(text: &str) -> Result<Self, KeyPathError> {
        let mut parts = Vec::new();
        let mut rest = text.trim();
        while !rest.is_empty() {
            if parts.len() == 64 {
                return Err(KeyPathError);
            }
            if let Some(inner) = rest.strip_prefix('[') {
                let (part, after) = bracketed(inner).ok_or(KeyPathError)?;
                parts.push(part);
                rest = after;
            } else {
                let dotted = if parts.is_empty() {
                    rest
                } else {
                    rest.strip_prefix('.').ok_or(KeyPathError)?
                };
                let end = dotted.find(['.', '[']).unwrap_or(dotted.len());
                if end == 0 {
                    return Err(KeyPathError);
                }
                parts.push(Part::Key(dotted[..end].to_owned()));
                rest = &dotted[end..];
            }
        }
        if matches!(parts.first(), Some(Part::Key(_))) {
            Ok(Self(parts))
        } else {
            Err(KeyPathError)
        }
    }
}

/// What stands in brackets, and what comes after them.
fn bracketed(text: &str) -> Option<(Part, &str)> {
    if let Some(quoted) = text.strip_prefix('"') {
        let (key, rest) = quoted.split_once("\"]")?;
        return Some((Part::Key(key.to_owned()), rest));
    }
    let (index, rest) = text.split_once(']')?;
    Some((Part::Index(index.parse().ok()?), rest))
}
