//! JSON that keeps the bytes of everything that does not change.
//!
//! Values are slices of the text they came from. Edited text is assembled from those
//! slices, so unknown members, the order of members, the spelling of numbers and even strings that are
//! not valid Unicode (another program cuts names in the middle of an emoji) survive.

mod edit;

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use serde::Serialize;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

pub(crate) use edit::Edit;

use crate::error::FileError;

/// The members of an object, in their order; values as written.
#[derive(Default)]
pub(crate) struct Members<'t> {
    all: Vec<(String, &'t str)>,
    /// Index of each member by name, once there are many: a file of devices has one member per device.
    places: HashMap<String, usize>,
    repeated: bool,
}

/// Number of members above which they are looked up in an index instead of one by one.
const MANY: usize = 32;

impl<'t> Members<'t> {
    pub(crate) fn parse(text: &'t str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    pub(crate) fn get(&self, key: &str) -> Option<&'t str> {
        let (_, value) = self.all.get(self.place(key)?)?;
        Some(value)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &'t str)> {
        let members = self.all.iter();
        members.map(|(key, value)| (key.as_str(), *value))
    }

    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether a member was written more than once, so that the text holds values that do not count.
    pub(crate) fn is_repetitive(&self) -> bool {
        self.repeated
    }

    fn place(&self, key: &str) -> Option<usize> {
        if self.all.len() > MANY {
            return self.places.get(key).copied();
        }
        self.all.iter().position(|(known, _)| known == key)
    }

    fn insert(&mut self, key: String, value: &'t str) {
        // The last of several values wins, as in the program that wrote the file.
        if let Some((_, old)) = self.place(&key).and_then(|place| self.all.get_mut(place)) {
            *old = value;
            self.repeated = true;
            return;
        }
        self.all.push((key, value));
        if self.all.len() > MANY {
            let indexed = self.places.len();
            let new = self.all.iter().enumerate().skip(indexed);
            let new = new.map(|(place, (key, _))| (key.clone(), place));
            self.places.extend(new);
        }
    }

    /// Returns the object with some members replaced or, if new, added at the end; indented for its depth.
    pub(crate) fn render(&self, replaced: &[(&str, String)], depth: usize) -> String {
        let replacement = |key: &str| {
            let found = replaced.iter().find(|(name, _)| *name == key);
            found.map(|(_, value)| value.as_str())
        };
        let kept = self
            .iter()
            .map(|(key, value)| (key, replacement(key).unwrap_or(value)));
        let added = replaced
            .iter()
            .filter(|(key, _)| self.get(key).is_none())
            .map(|(key, value)| (*key, value.as_str()));
        object(kept.chain(added), depth)
    }
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;

        impl<'de> Visitor<'de> for Collect {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Members::default();
                while let Some((key, value)) = map.next_entry::<String, &'de RawValue>()? {
                    members.insert(key, value.get());
                }
                Ok(members)
            }
        }

        deserializer.deserialize_map(Collect)
    }
}

/// Returns the elements of an array, as written.
pub(crate) fn elements(text: &str) -> Result<Vec<&str>, serde_json::Error> {
    let raw: Vec<&RawValue> = serde_json::from_str(text)?;
    Ok(raw.into_iter().map(RawValue::get).collect())
}

/// Returns the text of a string or number. Half of a surrogate pair becomes U+FFFD.
pub(crate) fn text_of(value: &str) -> Option<String> {
    match value.as_bytes().first()? {
        // Without an escape, the text is what is between the quotes.
        b'"' if !value.contains('\\') => Some(value.get(1..value.len() - 1)?.to_owned()),
        b'"' => serde_json::from_str::<Lossy>(value)
            .ok()
            .map(|lossy| lossy.0),
        b'-' | b'0'..=b'9' => Some(value.to_owned()),
        _ => None,
    }
}

/// Whether this is a number that JavaScript reads as another one: a whole number beyond 53 bits, or one with a fraction or
/// an exponent, which has no single spelling.
pub(crate) fn is_rounded(value: &str) -> bool {
    const EXACT: u64 = (1 << 53) - 1;
    let digits = value.strip_prefix('-').unwrap_or(value);
    let is_number = digits.starts_with(|c: char| c.is_ascii_digit());
    is_number
        && digits
            .parse::<u64>()
            .ok()
            .is_none_or(|number| number > EXACT)
}

/// A string that may hold halves of surrogate pairs.
struct Lossy(String);

impl<'de> Deserialize<'de> for Lossy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Decode;

        impl Visitor<'_> for Decode {
            type Value = Lossy;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Self::Value, E> {
                Ok(Lossy(String::from_utf8_lossy(bytes).into_owned()))
            }
        }

        deserializer.deserialize_bytes(Decode)
    }
}

/// Serializes one of our own values as JSON, indented for its depth.
pub(crate) fn pretty(value: &impl Serialize, depth: usize) -> Result<String, serde_json::Error> {
    let text = serde_json::to_string_pretty(value)?;
    Ok(text.replace('\n', &format!("\n{}", indent(depth))))
}

/// Returns a string as JSON.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Formats `{ … }` over several lines.
pub(crate) fn object<'a>(
    members: impl Iterator<Item = (&'a str, &'a str)>,
    depth: usize,
) -> String {
    let lines = members.map(|(key, value)| format!("{}: {value}", quoted(key)).into());
    block('{', '}', lines, depth)
}

/// Formats `[ … ]` over several lines.
pub(crate) fn array<'a>(elements: impl Iterator<Item = Cow<'a, str>>, depth: usize) -> String {
    block('[', ']', elements, depth)
}

fn block<'a>(
    open: char,
    close: char,
    lines: impl Iterator<Item = Cow<'a, str>>,
    depth: usize,
) -> String {
    let inner = indent(depth + 1);
    let mut text = String::from(open);
    for (at, line) in lines.enumerate() {
        text.push_str(if at == 0 { "\n" } else { ",\n" });
        text.push_str(&inner);
        text.push_str(&line);
    }
    if text.len() > 1 {
        text.push('\n');
        text.push_str(&indent(depth));
    }
    text.push(close);
    text
}

fn indent(depth: usize) -> String {
    "  ".repeat(depth)
}

/// Converts an error of serde, without the position that serde appends to its message.
pub(crate) fn malformed(error: &serde_json::Error) -> FileError {
    let said = error.to_string();
    let reason = said
        .rsplit_once(" at line ")
        .map_or(&*said, |(reason, _)| reason);
    FileError::Malformed {
        line: error.line(),
        column: error.column().max(1),
        reason: reason.to_owned(),
    }
}

/// Returns an error with the line and column of `part`, which is a slice of `text`, and the reason.
pub(crate) fn malformed_at(text: &str, part: &str, reason: impl Into<String>) -> FileError {
    let offset = (part.as_ptr() as usize)
        .saturating_sub(text.as_ptr() as usize)
        .min(text.len());
    let (line, column) = position(&text.as_bytes()[..offset]);
    FileError::Malformed {
        line,
        column,
        reason: reason.into(),
    }
}

/// Returns the line and column of the byte after `before`, both from 1.
pub(crate) fn position(before: &[u8]) -> (usize, usize) {
    let line = before.split(|byte| *byte == b'\n').count();
    let column = before
        .iter()
        .rev()
        .take_while(|byte| **byte != b'\n')
        .count()
        + 1;
    (line, column)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_several_counts_also_among_many() {
        for number in [MANY - 1, MANY, MANY + 1, 4 * MANY] {
            let once: Vec<_> = (0..number).map(|n| format!("\"k{n}\": {n}")).collect();
            let text = format!("{{ {}, \"k7\": \"last\" }}", once.join(", "));
            let members = Members::parse(&text).unwrap();
            assert_eq!(members.len(), number);
            assert!(members.is_repetitive());
            assert_eq!(members.get("k7"), Some("\"last\""));
            assert_eq!(
                members.get(&format!("k{}", number - 1)),
                Some(&*(number - 1).to_string())
            );
            assert_eq!(members.get("k"), None);
            assert_eq!(members.iter().nth(7), Some(("k7", "\"last\"")));
        }
    }
}
