//! Reading sections of the tree into types.
//!
//! A key has three states: not set, set, or faulty. What a faulty key costs is decided where it is read: see
//! [`Given`].

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use pairing_core::escape;
use zeroize::Zeroizing;

use crate::compose::{is_reference_left, name_of_short};
use crate::error::Place;
use crate::providers::{Providers, Sources};
use crate::slip::Slip;
use crate::tree::{Member, Node, Value};
use crate::{Fault, Part, Secret};

/// As many faults and slips as one person mends at a time.
const MOST: usize = 20;

/// The largest number up to which no program rounds: 2^53 - 1.
const EXACT: i64 = (1 << 53) - 1;

/// The value of a key: `Ok(None)` is not set, `Err` is set and cannot be understood, or may be set in a file
/// that could not be included.
pub(crate) type Given<T> = Result<Option<T>, Arc<Fault>>;

/// What was found while reading.
pub(crate) struct Reader<'s> {
    sources: &'s Sources<'s>,
    providers: Providers,
    pub(crate) faults: Vec<Arc<Fault>>,
    pub(crate) slips: Vec<Slip>,
    /// Keys that restrict access and are not obeyed.
    pub(crate) unheeded: Vec<Slip>,
    /// The parts that faults close.
    pub(crate) closed: BTreeMap<Part, Vec<Arc<Fault>>>,
    /// Where the keys that were asked for are written; `None` for those that are not.
    pub(crate) asked: BTreeMap<String, Option<Place>>,
}

/// An object of which the keys are known. [`finish`](Self::finish) it, so that others are looked at.
#[must_use]
pub(crate) struct Section<'n> {
    path: String,
    members: &'n [Member],
    known: Vec<&'static str>,
    /// Why keys that are not here may be set all the same.
    broken: Option<Arc<Fault>>,
}

/// A list, of which some entries may be faulty.
pub(crate) struct Entries {
    good: Option<Vec<String>>,
    fault: Option<Arc<Fault>>,
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

impl Entries {
    /// A list of those who are let in: a faulty entry lets nobody in, and a list that cannot be understood
    /// is an empty one. `None` is not set.
    pub(crate) fn letting_in(self) -> Option<Vec<String>> {
        let is_set = self.fault.is_some();
        self.good.or_else(|| is_set.then(Vec::new))
    }

    /// A list of those who are kept out: with a faulty entry, there is no telling who.
    pub(crate) fn keeping_out(self) -> Given<Vec<String>> {
        self.fault.map_or(Ok(self.good), Err)
    }

    /// Keeps only these of its entries.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&str) -> bool) {
        if let Some(good) = &mut self.good {
            good.retain(|entry| keep(entry));
        }
    }

    /// The first fault of it.
    pub(crate) fn fault(&self) -> Option<&Arc<Fault>> {
        self.fault.as_ref()
    }

    /// The fault, if nothing of the list is left.
    pub(crate) fn lost(&self) -> Option<&Arc<Fault>> {
        let is_empty = self.good.as_ref().is_none_or(Vec::is_empty);
        self.fault.as_ref().filter(|_| is_empty)
    }
}

impl<'s> Reader<'s> {
    pub(crate) fn new(
        sources: &'s Sources<'s>,
        providers: Providers,
        faults: Vec<Arc<Fault>>,
    ) -> Self {
        let mut faults = faults;
        faults.truncate(MOST);
        Self {
            sources,
            providers,
            faults,
            slips: Vec::new(),
            unheeded: Vec::new(),
            closed: BTreeMap::new(),
            asked: BTreeMap::new(),
        }
    }

    /// Notes a fault. Those after the twentieth count, and are not listed.
    pub(crate) fn fault(
        &mut self,
        path: &str,
        place: &Place,
        detail: impl Into<String>,
    ) -> Arc<Fault> {
        let mut fault = Fault::new(path, detail).at(Some(place));
        fault.key = fault.key.filter(|key| !key.is_empty());
        self.add(fault)
    }

    pub(crate) fn add(&mut self, fault: Fault) -> Arc<Fault> {
        let fault = Arc::new(fault);
        if self.faults.len() < MOST {
            self.faults.push(fault.clone());
        }
        fault
    }

    pub(crate) fn slip(&mut self, path: &str, place: &Place, detail: String) {
        if self.slips.len() < MOST {
            self.slips.push(Slip::new(path, place, detail));
        }
    }

    pub(crate) fn unheeded(&mut self, path: &str, place: &Place, detail: String) {
        if self.unheeded.len() < MOST {
            self.unheeded.push(Slip::new(path, place, detail));
        }
    }

    /// The value, where it can be understood; else the part that depends on it is closed.
    pub(crate) fn or_close<T>(&mut self, part: Part, given: Given<T>) -> Option<T> {
        given.unwrap_or_else(|fault| {
            self.close(part, &fault);
            None
        })
    }

    pub(crate) fn close(&mut self, part: Part, fault: &Arc<Fault>) {
        self.closed.entry(part).or_default().push(fault.clone());
    }

    fn wrong_kind(&mut self, found: &Found<'_>, expected: &str) -> Arc<Fault> {
        let detail = match &found.node.value {
            Value::Unset(name) => {
                format!("refers to {}, which is not set", escape(name).limit(64))
            }
            _ => format!("{} is not {expected}", found.node.kind()),
        };
        self.fault(&found.path, &found.node.place, detail)
    }

    fn wrong(&mut self, found: &Found<'_>, detail: impl Into<String>) -> Arc<Fault> {
        self.fault(&found.path, &found.node.place, detail)
    }
}

impl<'n> Section<'n> {
    /// The object at this path; empty where there is none.
    pub(crate) fn new(path: String, node: Option<&'n Node>, reader: &mut Reader<'_>) -> Self {
        let (members, broken) = match node {
            None => (&[][..], None),
            Some(Node {
                value: Value::Table(members),
                broken,
                ..
            }) => (&members[..], broken.clone()),
            // Nothing could be included, and nothing else is written here.
            Some(Node {
                broken: Some(fault),
                ..
            }) => (&[][..], Some(fault.clone())),
            Some(node) => {
                let found = Found { path, node };
                let fault = reader.wrong_kind(&found, "an object");
                return Self {
                    path: found.path,
                    members: &[],
                    known: Vec::new(),
                    broken: Some(fault),
                };
            }
        };
        Self {
            path,
            members,
            known: Vec::new(),
            broken,
        }
    }

    /// The same, where the section around it is broken.
    pub(crate) fn broken_by(mut self, broken: Option<&Arc<Fault>>) -> Self {
        self.broken = self.broken.or_else(|| broken.cloned());
        self
    }

    /// Why keys that are not here may be set all the same.
    pub(crate) fn broken(&self) -> Option<&Arc<Fault>> {
        self.broken.as_ref()
    }

    /// Looks at the keys that nobody asked for.
    pub(crate) fn finish(self, reader: &mut Reader<'_>) {
        let mut seen: BTreeMap<&str, &Member> = BTreeMap::new();
        for member in self.members {
            let known = self.known.contains(&member.key.as_str());
            let path = self.name(&member.key);
            if known && let Some(first) = seen.insert(&member.key, member) {
                let first = &first.place;
                let detail = format!("is written twice, first in {first}; this one counts");
                reader.slip(&path, &member.place, detail);
            }
            if !known && let Some(meant) = crate::did_you_mean(&member.key, &self.known) {
                let detail = format!("is ignored; did you mean `{}`?", self.path(meant));
                reader.slip(&path, &member.place, detail);
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

    /// A fault of the value of a key; of the whole section where the key is not there.
    pub(crate) fn fault(&self, key: &str, detail: &str, reader: &mut Reader<'_>) -> Arc<Fault> {
        match self.last(key) {
            Some(member) => reader.fault(&self.path(key), &member.node.place, detail),
            None => reader.add(Fault::new(self.path(key), detail)),
        }
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
        let found = self.found(key, reader);
        let section = Section::new(self.path(key), found.map(|found| found.node), reader);
        section.broken_by(self.broken.as_ref())
    }

    pub(crate) fn flag(&mut self, key: &'static str, reader: &mut Reader<'_>) -> Given<bool> {
        self.value(key, reader, |found, reader| match found.node.value {
            Value::Bool(flag) => Ok(Some(flag)),
            _ => Err(reader.wrong_kind(found, "true or false")),
        })
    }

    /// A text; one of blanks alone counts as not set.
    pub(crate) fn text(&mut self, key: &'static str, reader: &mut Reader<'_>) -> Given<String> {
        self.value(key, reader, |found, reader| {
            let text = found.text(reader)?.to_string();
            Ok(Some(text).filter(|text| !text.trim().is_empty()))
        })
    }

    /// A text, or true or false.
    pub(crate) fn text_or_flag(
        &mut self,
        key: &'static str,
        reader: &mut Reader<'_>,
    ) -> Given<TextOrFlag> {
        self.value(key, reader, |found, reader| match &found.node.value {
            Value::Text(text) => Ok(Some(TextOrFlag::Text(text.to_string()))),
            Value::Bool(flag) => Ok(Some(TextOrFlag::Flag(*flag))),
            _ => Err(reader.wrong_kind(found, "a text, true or false")),
        })
    }

    /// A secret: a text, or a reference to where it is kept.
    pub(crate) fn secret(&mut self, key: &'static str, reader: &mut Reader<'_>) -> Given<Secret> {
        self.value(key, reader, |found, reader| {
            let text = if let Value::Table(_) = found.node.value {
                reader.providers.resolve(found.node, reader.sources)
            } else {
                let text = found.text(reader)?;
                if text.trim().is_empty() {
                    return Ok(None);
                }
                match name_of_short(text) {
                    None => Ok(text.clone()),
                    Some(name) => (reader.sources.variable)(name)
                        .ok_or_else(|| format!("refers to {name}, which is not set")),
                }
            };
            let secret = text.and_then(|text| Secret::new(text).map_err(str::to_owned));
            match secret {
                Ok(secret) => Ok(Some(secret)),
                Err(detail) => Err(reader.wrong(found, detail)),
            }
        })
    }

    pub(crate) fn port(&mut self, key: &'static str, reader: &mut Reader<'_>) -> Given<u16> {
        self.value(key, reader, |found, reader| {
            let Value::Number(text) = &found.node.value else {
                return Err(reader.wrong_kind(found, "a port"));
            };
            let port = integer(text).and_then(port_of);
            let detail = || format!("{} is not a port", escape(text).limit(32));
            port.map(Some).ok_or_else(|| reader.wrong(found, detail()))
        })
    }

    /// A whole number within bounds.
    pub(crate) fn count(
        &mut self,
        key: &'static str,
        bounds: RangeInclusive<u64>,
        reader: &mut Reader<'_>,
    ) -> Given<u64> {
        self.value(key, reader, |found, reader| {
            let Value::Number(text) = &found.node.value else {
                return Err(reader.wrong_kind(found, "a whole number"));
            };
            let count = integer(text).and_then(|number| u64::try_from(number).ok());
            let count = count.filter(|count| bounds.contains(count));
            if count.is_none() {
                let (least, most) = bounds.into_inner();
                let text = escape(text).limit(32);
                let detail = format!("{text} is not a whole number from {least} to {most}");
                return Err(reader.wrong(found, detail));
            }
            Ok(count)
        })
    }

    /// One of several words.
    pub(crate) fn choice<T: Copy>(
        &mut self,
        key: &'static str,
        words: &[(&str, T)],
        reader: &mut Reader<'_>,
    ) -> Given<T> {
        self.value(key, reader, |found, reader| {
            let text = found.text(reader)?;
            let chosen = words.iter().find(|(word, _)| *word == text.as_str());
            if chosen.is_none() {
                let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
                let text = escape(text).limit(32);
                let detail = format!("\"{text}\" is none of {}", words.join(", "));
                return Err(reader.wrong(found, detail));
            }
            Ok(chosen.map(|(_, meaning)| *meaning))
        })
    }

    pub(crate) fn texts(&mut self, key: &'static str, reader: &mut Reader<'_>) -> Entries {
        self.entries(key, reader, |entry, reader| {
            let text = entry.text(reader)?.to_string();
            let place = entry.node.place.clone();
            reader.asked.insert(entry.path.clone(), Some(place));
            Ok(text)
        })
    }

    /// Texts that have to pass a check, which says what is wrong otherwise.
    pub(crate) fn checked_texts(
        &mut self,
        key: &'static str,
        reader: &mut Reader<'_>,
        check: impl Fn(&str) -> Result<(), String>,
    ) -> Entries {
        self.entries(key, reader, |entry, reader| {
            let text = entry.text(reader)?.to_string();
            check(&text).map_err(|detail| reader.wrong(entry, detail))?;
            let place = entry.node.place.clone();
            reader.asked.insert(entry.path.clone(), Some(place));
            Ok(text)
        })
    }

    /// Senders: texts, and numbers that no program rounds.
    pub(crate) fn senders(&mut self, key: &'static str, reader: &mut Reader<'_>) -> Entries {
        self.entries(key, reader, sender)
    }

    /// All members as lists of senders: their keys are names that somebody chose.
    pub(crate) fn lists(&self, reader: &mut Reader<'_>) -> BTreeMap<String, Entries> {
        let lists = self.members.iter().map(|member| {
            let found = Found {
                path: self.name(&member.key),
                node: &member.node,
            };
            let entries = found.entries(self.broken.clone(), reader, sender);
            (member.key.clone(), entries)
        });
        lists.collect()
    }

    fn entries(
        &mut self,
        key: &'static str,
        reader: &mut Reader<'_>,
        one: impl Fn(&Found<'n>, &mut Reader<'_>) -> Result<String, Arc<Fault>>,
    ) -> Entries {
        let found = self.found(key, reader);
        // Lists of included files are put together: what is written here may be a part of it.
        let fault = self.broken.clone();
        let Some(found) = found else {
            return Entries { good: None, fault };
        };
        found.entries(fault, reader, one)
    }

    fn value<T>(
        &mut self,
        key: &'static str,
        reader: &mut Reader<'_>,
        read: impl FnOnce(&Found<'n>, &mut Reader<'_>) -> Given<T>,
    ) -> Given<T> {
        match (self.found(key, reader), &self.broken) {
            (Some(found), _) => read(&found, reader),
            (None, Some(broken)) => Err(broken.clone()),
            (None, None) => Ok(None),
        }
    }

    /// The value of a key; the last one where it is repeated, as other programs have it.
    fn found(&mut self, key: &'static str, reader: &mut Reader<'_>) -> Option<Found<'n>> {
        self.known.push(key);
        let path = self.path(key);
        let member = self.last(key);
        let place = member.map(|member| member.node.place.clone());
        reader.asked.insert(path.clone(), place);
        let node = &member?.node;
        Some(Found { path, node })
    }

    fn last(&self, key: &str) -> Option<&'n Member> {
        self.members.iter().rev().find(|member| member.key == key)
    }
}

impl<'n> Found<'n> {
    fn text(&self, reader: &mut Reader<'_>) -> Result<&'n Zeroizing<String>, Arc<Fault>> {
        match &self.node.value {
            Value::Text(text) => Ok(text),
            _ => Err(reader.wrong_kind(self, "a text")),
        }
    }

    /// The entries of a list; `fault` is why it may lack some.
    fn entries(
        self,
        mut fault: Option<Arc<Fault>>,
        reader: &mut Reader<'_>,
        one: impl Fn(&Found<'n>, &mut Reader<'_>) -> Result<String, Arc<Fault>>,
    ) -> Entries {
        let Value::List(nodes) = &self.node.value else {
            let fault = Some(reader.wrong_kind(&self, "a list"));
            return Entries { good: None, fault };
        };
        let mut good = Vec::new();
        for (index, node) in nodes.iter().enumerate() {
            let path = format!("{}[{index}]", self.path);
            match one(&Found { path, node }, reader) {
                Ok(entry) => good.push(entry),
                Err(wrong) => fault = fault.or(Some(wrong)),
            }
        }
        Entries {
            good: Some(good),
            fault,
        }
    }
}

fn sender(entry: &Found<'_>, reader: &mut Reader<'_>) -> Result<String, Arc<Fault>> {
    match &entry.node.value {
        Value::Text(text) if is_reference_left(text) => {
            let detail = "holds `${`, as if a variable belonged there: it names nobody";
            Err(reader.wrong(entry, detail))
        }
        Value::Text(text) => Ok(text.to_string()),
        Value::Number(text) => match whole(text) {
            Ok(number) => Ok(number.to_string()),
            Err(detail) => Err(reader.wrong(entry, detail)),
        },
        _ => Err(reader.wrong_kind(entry, "a text or a number")),
    }
}

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
