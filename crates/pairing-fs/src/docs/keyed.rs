//! An object of records by name, the form of every file of devices and nodes.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::marker::PhantomData;
use std::sync::Arc;

use pairing_core::{Key, Problem, Record};

use super::ended::Ended;
use super::{Document, digest};
use crate::error::FileError;
use crate::json::{self, Edit, Members};

/// The file format of one kind of record.
pub(crate) trait Entry: Sized + Send + Sync + 'static {
    /// Name of the kind in reports about skipped records.
    const KIND: &'static str;

    /// Whether a record's name may be a secret in files of another program.
    const SECRET_NAMES: bool = false;

    /// Parses an entry whose tokens have been hashed.
    fn read(name: &str, members: &Members<'_>) -> Result<Self, String>;

    /// Id used for lookups; of several entries with the same id, the first counts.
    fn id(&self) -> String;

    /// Name of the record's member in the file.
    fn name(&self) -> String {
        self.id()
    }

    /// Sets the members that differ.
    fn write(&self, entry: &mut Edit);

    /// Replaces tokens in clear by their hashes.
    fn hash_tokens(entry: &mut Edit);

    /// Returns the name to store the record under, if the given one is a token in clear.
    fn hashed_name(_: &str) -> Option<String> {
        None
    }

    fn into_record(self) -> Record;

    /// Returns the record as this kind, if it is of this kind.
    fn of(record: &Record) -> Option<&Self>;
}

/// The records of a file.
///
/// Reading one record is a lookup, whatever their number. When the file changes, only its changed entries
/// are parsed again.
pub(crate) struct Keyed<E> {
    items: Vec<Arc<Item>>,
    by_id: HashMap<String, usize>,
    digest: u64,
    /// Text after the object: empty, or a line break.
    tail: String,
    has_clear_tokens: bool,
    has_problems: bool,
    entry: PhantomData<fn() -> E>,
}

/// One member; its text contains no tokens in clear.
struct Item {
    name: String,
    raw: Box<str>,
    was_clear: bool,
    said: Result<Said, String>,
}

struct Said {
    id: String,
    record: Arc<Record>,
    digest: u64,
    ended: Option<Ended>,
}

/// A record, and the digest of its text in the file.
#[derive(Clone)]
pub(crate) struct Found {
    pub(crate) record: Arc<Record>,
    pub(crate) digest: u64,
}

impl<E> Default for Keyed<E> {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            by_id: HashMap::new(),
            digest: 0,
            tail: String::new(),
            has_clear_tokens: false,
            has_problems: false,
            entry: PhantomData,
        }
    }
}

impl<E: Entry> Document for Keyed<E> {
    type Rules = ();

    fn parse(text: &str, (): &()) -> Result<Self, FileError> {
        Self::parse_after(text, &Self::default())
    }

    fn parse_again(text: &str, (): &(), before: &Self) -> Result<Self, FileError> {
        Self::parse_after(text, before)
    }

    fn problems(&self, resource: &str) -> Vec<Problem> {
        // Called for the first page of every list, so its cost must not grow with the number of records.
        if !self.has_problems {
            return Vec::new();
        }
        let numbered = self.items.iter().zip(1..);
        let bad = numbered.filter_map(|(item, number)| {
            let reason = item.said.as_ref().err()?;
            let mut detail = format!("{} {number}", E::KIND);
            if !E::SECRET_NAMES {
                // Writing to a `String` cannot fail.
                let _ = write!(detail, " (`{}`)", item.name);
            }
            Some(Problem {
                resource: resource.to_owned(),
                detail: format!("{detail} is passed over: {reason}"),
            })
        });
        bad.collect()
    }
}

impl<E: Entry> Keyed<E> {
    fn parse_after(text: &str, before: &Self) -> Result<Self, FileError> {
        let body = text.trim_end();
        if body.trim_start().is_empty() {
            return Err(FileError::Empty);
        }
        let members = Members::parse(text).map_err(|error| json::malformed(&error))?;
        let known: HashMap<&str, &Arc<Item>> = before
            .items
            .iter()
            .map(|item| (item.name.as_str(), item))
            .collect();
        let mut items: Vec<Arc<Item>> = Vec::with_capacity(members.len());
        for (name, raw) in members.iter() {
            let same = known.get(name).filter(|item| *item.raw == *raw);
            let reused = same.filter(|item| !item.was_clear).copied().cloned();
            items.push(reused.unwrap_or_else(|| Arc::new(Item::parse::<E>(name, raw))));
        }
        let mut doc = Self {
            has_clear_tokens: members.is_repetitive() || items.iter().any(|item| item.was_clear),
            tail: text[body.len()..].to_owned(),
            ..Self::default()
        };
        if E::SECRET_NAMES {
            // A token in clear and its own hash are the same record.
            let mut seen = HashSet::new();
            items.retain(|item| seen.insert(item.name.clone()));
        }
        doc.index(items);
        Ok(doc)
    }

    fn index(&mut self, items: Vec<Arc<Item>>) {
        let mut digests = Vec::with_capacity(items.len());
        for (at, item) in items.iter().enumerate() {
            let Ok(said) = &item.said else {
                self.has_problems = true;
                continue;
            };
            if !self.by_id.contains_key(&said.id) {
                self.by_id.insert(said.id.clone(), at);
                digests.push(said.digest);
            }
        }
        // A file without records counts as missing.
        self.digest = if digests.is_empty() {
            0
        } else {
            digest(digests)
        };
        self.items = items;
    }

    /// Returns the record with an id.
    pub(crate) fn get(&self, id: &str) -> Option<Found> {
        Some(self.said(id)?.found())
    }

    fn said(&self, id: &str) -> Option<&Said> {
        let item = self.items.get(*self.by_id.get(id)?)?;
        item.said.as_ref().ok()
    }

    /// Returns the request and tokens that the record's last approval ended.
    pub(super) fn ended(&self, id: &str) -> Option<&Ended> {
        self.said(id)?.ended.as_ref()
    }

    /// Returns the member name under which a record is stored.
    pub(crate) fn name_of(&self, id: &str) -> Option<&str> {
        let item = self.items.get(*self.by_id.get(id)?)?;
        Some(&item.name)
    }

    /// Iterates over the records from a place on, with the place after each, and its id; each id once.
    pub(crate) fn from(&self, place: usize) -> impl Iterator<Item = (usize, &str, Found)> {
        let items = self.items.iter().enumerate().skip(place);
        items.filter_map(|(at, item)| {
            let said = item.said.as_ref().ok()?;
            let is_first = self.by_id.get(&said.id) == Some(&at);
            is_first.then(|| (at + 1, said.id.as_str(), said.found()))
        })
    }

    /// Returns the keys of the records that are not the same in both.
    pub(crate) fn differing<'d>(&'d self, new: &'d Self) -> impl Iterator<Item = Key> {
        let digest = |doc: &Self, id: &str| doc.said(id).map(|said| said.digest);
        let changed = self.from(0);
        let changed = changed.filter(move |(_, id, found)| digest(new, id) != Some(found.digest));
        // What is in both was looked at.
        let added = new.from(0);
        let added = added.filter(move |(_, id, _)| digest(self, id).is_none());
        changed.chain(added).map(|(_, _, found)| found.record.key())
    }

    /// Returns a number that differs whenever a record does.
    pub(crate) fn digest(&self) -> u64 {
        self.digest
    }

    /// Whether the file holds secrets in clear that the next write removes.
    pub(crate) fn has_clear_tokens(&self) -> bool {
        self.has_clear_tokens
    }

    /// Returns the text without the `deleted` records and with the `put` ones, each with the request and
    /// tokens that it ends; `None` if that changes nothing. No token is left in clear.
    pub(crate) fn edited(&self, deleted: &[String], put: &[(&E, Option<Ended>)]) -> Option<String> {
        let mut new: HashMap<String, &(&E, Option<Ended>)> =
            put.iter().map(|new| (new.0.id(), new)).collect();
        let names: HashSet<String> = put.iter().map(|(entry, _)| entry.name()).collect();
        let mut gone: HashSet<&str> = deleted.iter().map(String::as_str).collect();
        let mut changed = self.has_clear_tokens;
        let mut members: Vec<(&str, Cow<'_, str>)> = Vec::with_capacity(self.items.len() + 1);
        for item in &self.items {
            let id = item.said.as_ref().ok().map(|said| said.id.as_str());
            let replacement = id.and_then(|id| new.get(id).copied());
            match replacement {
                Some((entry, ended)) if entry.name() == item.name => {
                    let text = written(&item.raw, *entry, ended.as_ref());
                    changed |= *text != *item.raw;
                    members.push((&item.name, text.into()));
                    new.remove(&entry.id());
                    gone.extend(id);
                }
                // The same id under another name: the entry moves to the end, like a new one.
                Some(_) => changed = true,
                None if id.is_some_and(|id| gone.contains(id)) => changed = true,
                // An entry that is not understood is replaced by a new one of the same name.
                None if names.contains(&item.name) => changed = true,
                None => members.push((&item.name, (*item.raw).into())),
            }
        }
        for (entry, ended) in put {
            if new.remove(&entry.id()).is_some() {
                changed = true;
                let text = written("{}", *entry, ended.as_ref());
                let name = names.get(&entry.name());
                members.extend(name.map(|name| (name.as_str(), text.into())));
            }
        }
        changed.then(|| {
            let members = members.iter().map(|(name, raw)| (*name, &**raw));
            json::object(members, 0) + &self.tail
        })
    }
}

/// Returns the text of an entry; only members that differ are rewritten.
fn written<E: Entry>(raw: &str, entry: &E, ended: Option<&Ended>) -> String {
    let mut edit = Members::parse(raw).map_or_else(|_| Edit::default(), |m| Edit::of(&m));
    let is_new = edit.is_empty();
    entry.write(&mut edit);
    if let Some(ended) = ended {
        ended.write(&mut edit);
    }
    if is_new || edit.is_changed() {
        edit.render(1)
    } else {
        raw.to_owned()
    }
}

impl Item {
    fn parse<E: Entry>(name: &str, raw: &str) -> Self {
        let hashed = E::hashed_name(name);
        let Ok(members) = Members::parse(raw) else {
            return Self {
                was_clear: hashed.is_some(),
                name: hashed.unwrap_or_else(|| name.to_owned()),
                raw: raw.into(),
                said: Err("not an object".to_owned()),
            };
        };
        let mut edit = Edit::of(&members);
        E::hash_tokens(&mut edit);
        let was_clear = edit.is_changed() || hashed.is_some();
        let name = hashed.unwrap_or_else(|| name.to_owned());
        let raw = if edit.is_changed() {
            edit.render(1)
        } else {
            raw.to_owned()
        };
        Self {
            said: Said::parse::<E>(&name, &raw),
            name,
            // Without the room that it grew by while it was written.
            raw: raw.into_boxed_str(),
            was_clear,
        }
    }
}

impl Said {
    fn parse<E: Entry>(name: &str, raw: &str) -> Result<Self, String> {
        let members = Members::parse(raw).map_err(|_| "not an object".to_owned())?;
        let entry = E::read(name, &members)?;
        Ok(Self {
            id: entry.id(),
            record: Arc::new(entry.into_record()),
            digest: digest(raw),
            ended: Ended::read(&members),
        })
    }

    fn found(&self) -> Found {
        Found {
            record: self.record.clone(),
            digest: self.digest,
        }
    }
}
