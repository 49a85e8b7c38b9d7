//! An object of records by name, which is what every file of devices and nodes is.

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

/// How one kind of record is written.
pub(crate) trait Entry: Sized + Send + Sync + 'static {
    /// What it is called when it is passed over.
    const KIND: &'static str;

    /// Its name may be a secret, in files of another program.
    const SECRET_NAMES: bool = false;

    /// Understands an entry whose tokens have been hashed.
    fn read(name: &str, members: &Members<'_>) -> Result<Self, String>;

    /// What it is found by; of several that have the same, the first counts.
    fn id(&self) -> String;

    /// The name of its member.
    fn name(&self) -> String {
        self.id()
    }

    /// Sets what differs.
    fn write(&self, entry: &mut Edit);

    /// Puts hashes in the place of tokens in clear.
    fn hash_tokens(entry: &mut Edit);

    /// The name to keep it under, where the given one is a token in clear.
    fn hashed_name(_: &str) -> Option<String> {
        None
    }

    fn into_record(self) -> Record;

    /// The record, if it is of the kind.
    fn of(record: &Record) -> Option<&Self>;
}

/// The records of a file.
///
/// Reading one is a lookup, whatever their number. A file that has changed is parsed again as far as it
/// has: entries that are written as before are kept.
pub(crate) struct Keyed<E> {
    items: Vec<Arc<Item>>,
    by_id: HashMap<String, usize>,
    digest: u64,
    /// What follows the object: nothing, or a line's end.
    tail: String,
    has_clear_tokens: bool,
    has_problems: bool,
    entry: PhantomData<fn() -> E>,
}

/// One member; its text without tokens in clear.
struct Item {
    name: String,
    raw: String,
    was_clear: bool,
    said: Result<Said, String>,
}

struct Said {
    id: String,
    record: Arc<Record>,
    digest: u64,
    ended: Option<Ended>,
}

/// A record and the digest of what is written of it.
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
        // Asked with the first page of every list, which is not to cost more as records grow.
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
            let same = known.get(name).filter(|item| item.raw == raw);
            let reused = same.filter(|item| !item.was_clear).copied().cloned();
            items.push(reused.unwrap_or_else(|| Arc::new(Item::parse::<E>(name, raw))));
        }
        let mut doc = Self {
            has_clear_tokens: members.is_repetitive() || items.iter().any(|item| item.was_clear),
            tail: text[body.len()..].to_owned(),
            ..Self::default()
        };
        if E::SECRET_NAMES {
            // A token in clear beside its own hash is one record.
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
        // A file without records is as good as none.
        self.digest = if digests.is_empty() {
            0
        } else {
            digest(digests)
        };
        self.items = items;
    }

    /// The record with an id.
    pub(crate) fn get(&self, id: &str) -> Option<Found> {
        Some(self.said(id)?.found())
    }

    fn said(&self, id: &str) -> Option<&Said> {
        let item = self.items.get(*self.by_id.get(id)?)?;
        item.said.as_ref().ok()
    }

    /// What the last change of a record has ended along with it.
    pub(super) fn ended(&self, id: &str) -> Option<&Ended> {
        self.said(id)?.ended.as_ref()
    }

    /// The name under which a record is kept.
    pub(crate) fn name_of(&self, id: &str) -> Option<&str> {
        let item = self.items.get(*self.by_id.get(id)?)?;
        Some(&item.name)
    }

    /// Id and record from a place in the file on, with the place after each; every id once.
    pub(crate) fn from(&self, place: usize) -> impl Iterator<Item = (usize, &str, Found)> {
        let items = self.items.iter().enumerate().skip(place);
        items.filter_map(|(at, item)| {
            let said = item.said.as_ref().ok()?;
            let is_first = self.by_id.get(&said.id) == Some(&at);
            is_first.then(|| (at + 1, said.id.as_str(), said.found()))
        })
    }

    /// The names of all records, and their digests.
    pub(crate) fn keys(&self) -> HashMap<Key, u64> {
        let all = self.from(0);
        all.map(|(_, _, found)| (found.record.key(), found.digest))
            .collect()
    }

    /// A number that differs whenever a record does.
    pub(crate) fn digest(&self) -> u64 {
        self.digest
    }

    /// Whether the file holds a secret in clear that should not stay there.
    pub(crate) fn has_clear_tokens(&self) -> bool {
        self.has_clear_tokens
    }

    /// The text without some records and with others, each with what it ends along with it; `None` where
    /// that changes nothing. No token is left in clear.
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
                    changed |= text != item.raw;
                    members.push((&item.name, text.into()));
                    new.remove(&entry.id());
                    gone.extend(id);
                }
                // Another one of the same id: it goes to the end, as new ones do.
                Some(_) => changed = true,
                None if id.is_some_and(|id| gone.contains(id)) => changed = true,
                // What is not understood makes way for what is, where both have one name.
                None if names.contains(&item.name) => changed = true,
                None => members.push((&item.name, item.raw.as_str().into())),
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

/// The text of an entry, of which only what differs is written anew.
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
                raw: raw.to_owned(),
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
            raw,
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
