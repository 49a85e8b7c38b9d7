//! Reading sections of the tree into types. Faults and slips are gathered, so that one look tells all.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::ops::RangeInclusive;

use pairing_core::escape;
use zeroize::Zeroizing;

use crate::outline::word;
use crate::slip::Slip;
use crate::tree::{Member, Node, Value};
use crate::{Fault, Position, Secret};

/// Enough for a person to mend at a time.
const MOST: usize = 20;

/// The largest number up to which no program rounds: 2^53 - 1.
const EXACT: i64 = (1 << 53) - 1;

/// What was found while reading.
pub(crate) struct Reader<'t> {
    text: &'t str,
    var: &'t dyn Fn(&str) -> Option<OsString>,
    pub(crate) faults: Vec<Fault>,
    pub(crate) slips: Vec<Slip>,
    /// Where the keys that were asked for are written; `None` for those that are not.
    pub(crate) asked: BTreeMap<String, Option<Position>>,
}

/// An object of which the keys are known. [`finish`](Self::finish) it, so that others are looked at.
#[must_use]
pub(crate) struct Section<'n> {
    path: String,
    members: &'n [Member],
    known: Vec<&'static str>,
}

/// A value that is there, and its key.
struct Found<'n> {
    path: String,
    node: &'n Node,
}

/// What may be said in words, or merely be on or off.
pub(crate) enum TextOrFlag {
    Text(String),
    Flag(bool),
}

impl<'t> Reader<'t> {
    pub(crate) fn new(text: &'t str, var: &'t dyn Fn(&str) -> Option<OsString>) -> Self {
        Self {
            text,
            var,
            faults: Vec::new(),
            slips: Vec::new(),
            asked: BTreeMap::new(),
        }
    }

    pub(crate) fn fault(&mut self, path: &str, at: Position, detail: impl Into<String>) {
        if self.faults.len() < MOST {
            self.faults.push(Fault {
                key: Some(path.to_owned()).filter(|path| !path.is_empty()),
                detail: detail.into(),
                at: Some(at),
            });
        }
    }

    pub(crate) fn slip(&mut self, path: &str, at: Position, detail: String) {
        if self.slips.len() < MOST {
            self.slips.push(Slip {
                key: path.to_owned(),
                detail,
                at,
            });
        }
    }

    fn wrong_kind(&mut self, found: &Found<'_>, expected: &str) {
        let kind = found.node.kind();
        self.fault(
            &found.path,
            found.node.begin.at,
            format!("{kind} is not {expected}"),
        );
    }

    fn variable(&self, name: &str) -> Option<Secret> {
        let text = (self.var)(name)?.into_string().ok()?;
        let text = Some(Zeroizing::new(text)).filter(|text| !text.trim().is_empty())?;
        Secret::new(text)
    }

    fn number(&self, node: &Node) -> &'t str {
        let rest = self.text.get(node.begin.offset..).unwrap_or_default();
        &rest[..word(rest)]
    }
}

impl<'n> Section<'n> {
    /// The object at this path; empty where there is none.
    pub(crate) fn new(path: String, node: Option<&'n Node>, reader: &mut Reader<'_>) -> Self {
        let members = match node {
            None => &[][..],
            Some(Node {
                value: Value::Table(members),
                ..
            }) => members,
            Some(node) => {
                let found = Found { path, node };
                reader.wrong_kind(&found, "an object");
                return Self::new(found.path, None, reader);
            }
        };
        Self {
            path,
            members,
            known: Vec::new(),
        }
    }

    /// Looks at the keys that nobody asked for.
    pub(crate) fn finish(self, reader: &mut Reader<'_>) {
        let mut seen: BTreeMap<&str, &Member> = BTreeMap::new();
        for member in self.members {
            let known = self.known.contains(&member.key.as_str());
            let path = self.name(&member.key);
            if known && let Some(first) = seen.insert(&member.key, member) {
                let first = first.at;
                let detail = format!("is written twice, first in {first}; this one counts");
                reader.slip(&path, member.at, detail);
            }
            if !known && let Some(meant) = crate::slip::meant(&member.key, &self.known) {
                let detail = format!("is ignored; did you mean `{}`?", self.path(meant));
                reader.slip(&path, member.at, detail);
            }
        }
    }

    /// All members: their keys are names that somebody chose.
    pub(crate) fn members(&self) -> &'n [Member] {
        self.members
    }

    /// The path of a member that somebody named.
    pub(crate) fn name(&self, key: &str) -> String {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '$');
        if !key.is_empty() && key.len() <= 64 && key.chars().all(plain) {
            self.path(key)
        } else {
            format!("{}[\"{}\"]", self.path, escape(key).limit(64))
        }
    }

    /// A fault of the value of a key; `false` where the key is not there.
    pub(crate) fn fault(&self, key: &str, detail: &str, reader: &mut Reader<'_>) -> bool {
        let member = self.last(key);
        if let Some(member) = member {
            reader.fault(&self.path(key), member.node.begin.at, detail);
        }
        member.is_some()
    }

    /// Whether there is a value that is not blank.
    pub(crate) fn has(&self, key: &str) -> bool {
        let value = self.last(key).map(|member| &member.node.value);
        value.is_some_and(|value| !matches!(value, Value::Text(text) if text.trim().is_empty()))
    }

    fn path(&self, key: &str) -> String {
        match self.path.as_str() {
            "" => key.to_owned(),
            path => format!("{path}.{key}"),
        }
    }

    pub(crate) fn child(&mut self, key: &'static str, reader: &mut Reader<'_>) -> Section<'n> {
        let found = self.find(key, reader);
        Section::new(self.path(key), found.map(|found| found.node), reader)
    }

    pub(crate) fn flag(&mut self, key: &'static str, reader: &mut Reader<'_>) -> Option<bool> {
        let found = self.find(key, reader)?;
        match found.node.value {
            Value::Bool(flag) => return Some(flag),
            _ => reader.wrong_kind(&found, "true or false"),
        }
        None
    }

    /// A text; one of blanks alone counts as not set.
    pub(crate) fn text(&mut self, key: &'static str, reader: &mut Reader<'_>) -> Option<String> {
        let text = self.find(key, reader)?.text(reader)?;
        Some(text.to_string()).filter(|text| !text.trim().is_empty())
    }

    /// A text, or true or false.
    pub(crate) fn text_or_flag(
        &mut self,
        key: &'static str,
        reader: &mut Reader<'_>,
    ) -> Option<TextOrFlag> {
        let found = self.find(key, reader)?;
        match &found.node.value {
            Value::Text(text) => return Some(TextOrFlag::Text(text.to_string())),
            Value::Bool(flag) => return Some(TextOrFlag::Flag(*flag)),
            _ => reader.wrong_kind(&found, "a text, true or false"),
        }
        None
    }

    pub(crate) fn secret(&mut self, key: &'static str, reader: &mut Reader<'_>) -> Option<Secret> {
        let found = self.find(key, reader)?;
        let text = found.text(reader)?;
        if text.trim().is_empty() {
            return None;
        }
        if let Some(name) = reference(text) {
            // Its own text would be a secret that everybody knows.
            let secret = reader.variable(name);
            if secret.is_none() {
                let detail = format!("refers to {}, which is not set", escape(name).limit(64));
                reader.slip(&found.path, found.node.begin.at, detail);
            }
            return secret;
        }
        let secret = Secret::new(text.clone());
        if secret.is_none() {
            reader.fault(&found.path, found.node.begin.at, PLACEHOLDER);
        }
        secret
    }

    pub(crate) fn port(&mut self, key: &'static str, reader: &mut Reader<'_>) -> Option<u16> {
        let found = self.find(key, reader)?;
        let Value::Number = found.node.value else {
            reader.wrong_kind(&found, "a port");
            return None;
        };
        let text = reader.number(found.node);
        let port = integer(text).and_then(port_of);
        if port.is_none() {
            let text = escape(text).limit(32);
            reader.fault(
                &found.path,
                found.node.begin.at,
                format!("{text} is not a port"),
            );
        }
        port
    }

    /// A whole number within bounds.
    pub(crate) fn count(
        &mut self,
        key: &'static str,
        bounds: RangeInclusive<u64>,
        reader: &mut Reader<'_>,
    ) -> Option<u64> {
        let found = self.find(key, reader)?;
        let Value::Number = found.node.value else {
            reader.wrong_kind(&found, "a whole number");
            return None;
        };
        let text = reader.number(found.node);
        let count = integer(text).and_then(|number| u64::try_from(number).ok());
        let count = count.filter(|count| bounds.contains(count));
        if count.is_none() {
            let (least, most) = bounds.into_inner();
            let text = escape(text).limit(32);
            let detail = format!("{text} is not a whole number from {least} to {most}");
            reader.fault(&found.path, found.node.begin.at, detail);
        }
        count
    }

    /// One of several words.
    pub(crate) fn choice<T: Copy>(
        &mut self,
        key: &'static str,
        words: &[(&str, T)],
        reader: &mut Reader<'_>,
    ) -> Option<T> {
        let found = self.find(key, reader)?;
        let text = found.text(reader)?;
        let chosen = words.iter().find(|(word, _)| *word == text.as_str());
        if chosen.is_none() {
            let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
            let text = escape(text).limit(32);
            let detail = format!("\"{text}\" is none of {}", words.join(", "));
            reader.fault(&found.path, found.node.begin.at, detail);
        }
        chosen.map(|(_, meaning)| *meaning)
    }

    pub(crate) fn texts(
        &mut self,
        key: &'static str,
        reader: &mut Reader<'_>,
    ) -> Option<Vec<String>> {
        let found = self.find(key, reader)?;
        let mut texts = Vec::new();
        for entry in found.entries(reader)? {
            if let Some(text) = entry.text(reader) {
                let at = entry.node.begin.at;
                reader.asked.insert(entry.path, Some(at));
                texts.push(text.to_string());
            }
        }
        Some(texts)
    }

    /// Senders: texts, and numbers that no program rounds.
    pub(crate) fn senders(
        &mut self,
        key: &'static str,
        reader: &mut Reader<'_>,
    ) -> Option<Vec<String>> {
        let found = self.find(key, reader)?;
        let mut senders = Vec::new();
        for entry in found.entries(reader)? {
            match &entry.node.value {
                Value::Text(text) => senders.push(text.to_string()),
                Value::Number => match whole(reader.number(entry.node)) {
                    Ok(number) => senders.push(number.to_string()),
                    Err(detail) => reader.fault(&entry.path, entry.node.begin.at, detail),
                },
                _ => reader.wrong_kind(&entry, "a text or a number"),
            }
        }
        Some(senders)
    }

    /// The value of a key; the last one where it is repeated, as other programs have it.
    fn find(&mut self, key: &'static str, reader: &mut Reader<'_>) -> Option<Found<'n>> {
        self.known.push(key);
        let path = self.path(key);
        let member = self.last(key);
        let at = member.map(|member| member.node.begin.at);
        reader.asked.insert(path.clone(), at);
        let node = &member?.node;
        Some(Found { path, node })
    }

    fn last(&self, key: &str) -> Option<&'n Member> {
        self.members.iter().rev().find(|member| member.key == key)
    }
}

impl<'n> Found<'n> {
    fn text(&self, reader: &mut Reader<'_>) -> Option<&'n Zeroizing<String>> {
        match &self.node.value {
            Value::Text(text) => return Some(text),
            _ => reader.wrong_kind(self, "a text"),
        }
        None
    }

    fn entries(self, reader: &mut Reader<'_>) -> Option<impl Iterator<Item = Found<'n>> + use<'n>> {
        let Value::List(nodes) = &self.node.value else {
            reader.wrong_kind(&self, "a list");
            return None;
        };
        let entries = nodes.iter().enumerate().map(move |(index, node)| Found {
            path: format!("{}[{index}]", self.path),
            node,
        });
        Some(entries)
    }
}

/// The variable that a text stands for: `${TELEGRAM_TOKEN}`.
fn reference(text: &str) -> Option<&str> {
    text.trim().strip_prefix("${")?.strip_suffix('}')
}

pub(crate) const PLACEHOLDER: &str = "is a placeholder, put there in place of the real one";

/// A port that can be listened on and connected to.
pub(crate) fn port_of(number: i128) -> Option<u16> {
    u16::try_from(number).ok().filter(|port| *port != 0)
}

/// A whole number that is the same for every program.
fn whole(text: &str) -> Result<i128, String> {
    let shown = escape(text).limit(32);
    let rounded =
        || format!("{shown} has more than 53 bits, and programs round it: put it in quotes");
    match integer(text) {
        Some(number) if number.unsigned_abs() <= u128::from(EXACT.unsigned_abs()) => Ok(number),
        Some(_) => Err(rounded()),
        None if is_long(text) => Err(rounded()),
        None => Err(format!("{shown} is not a whole number: put it in quotes")),
    }
}

fn is_long(text: &str) -> bool {
    text.len() > 38 && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// The integer that is written here, digit by digit: `42`, `+42`, `0x2A`, `42.0`.
pub(crate) fn integer(text: &str) -> Option<i128> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let hex = digits.strip_prefix("0x").or(digits.strip_prefix("0X"));
    let number = if let Some(hex) = hex {
        i128::from_str_radix(hex, 16).ok()?
    } else {
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let plain = whole.bytes().all(|b| b.is_ascii_digit());
        (plain && fraction.bytes().all(|b| b == b'0')).then(|| whole.parse().ok())??
    };
    Some(if negative { -number } else { number })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_exact_or_refused() {
        for (text, number) in [
            ("42", "42"),
            ("+42", "42"),
            ("-100123", "-100123"),
            ("0x2A", "42"),
            ("42.0", "42"),
            ("42.", "42"),
            ("9007199254740991", "9007199254740991"),
            ("-9007199254740991", "-9007199254740991"),
        ] {
            assert_eq!(whole(text).unwrap().to_string(), number, "{text}");
        }
        let long = "9".repeat(60);
        for text in [
            "9007199254740992",
            "-9007199254740992",
            "9007199254740991.4",
            "0x20000000000000",
            "4e2",
            "1.5",
            ".5",
            "NaN",
            "-Infinity",
            &long,
        ] {
            assert!(whole(text).is_err(), "{text}");
        }
        assert!(whole(&long).unwrap_err().contains("53 bits"));
    }
}
