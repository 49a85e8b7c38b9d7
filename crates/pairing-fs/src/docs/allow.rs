//! `<channel>-allowFrom.json` and `<channel>-<account>-allowFrom.json`: the allowed senders.

use std::borrow::Cow;
use std::collections::HashMap;

use pairing_core::{ChannelRules, Problem, SenderId};

use super::{Document, Lists, digest, list};
use crate::error::FileError;
use crate::json;

const ALLOW_FROM: &str = "allowFrom";

/// The allowlist in one file.
///
/// An id that is written as a number counts as its digits, unless programs that read numbers as `f64` would take it for
/// another one; the configuration has the same rule.
#[derive(Default)]
pub(crate) struct AllowDoc {
    lists: Lists,
    items: Vec<Item>,
    /// Index of the first element of each entry.
    places: HashMap<SenderId, usize>,
    digest: u64,
}

/// One element as written, and the sender that it allows.
struct Item {
    raw: String,
    entry: Result<SenderId, String>,
}

impl Document for AllowDoc {
    type Rules = ChannelRules;

    fn parse(text: &str, rules: &ChannelRules) -> Result<Self, FileError> {
        let (lists, members) = Lists::parse(text)?;
        let items: Vec<Item> = list(text, &members, ALLOW_FROM)?
            .into_iter()
            .map(|raw| Item {
                entry: match json::text_of(raw) {
                    Some(_) if json::is_rounded(raw) => Err(
                        "a number of more than 53 bits, which other programs round; put it in quotes"
                            .to_owned(),
                    ),
                    Some(entry) => rules.sender(&entry).map_err(|error| error.to_string()),
                    None => Err("neither text nor number".to_owned()),
                },
                raw: raw.to_owned(),
            })
            .collect();
        let mut places = HashMap::with_capacity(items.len());
        for (at, item) in items.iter().enumerate() {
            if let Ok(entry) = &item.entry {
                places.entry(entry.clone()).or_insert(at);
            }
        }
        Ok(Self {
            digest: digest(items.iter().map(|item| &item.raw).collect::<Vec<_>>()),
            lists,
            items,
            places,
        })
    }

    fn problems(&self, resource: &str) -> Vec<Problem> {
        let numbered = self.items.iter().zip(1..);
        let bad = numbered.filter_map(|(item, number)| {
            let reason = item.entry.as_ref().err()?;
            let shown = json::text_of(&item.raw).unwrap_or_default();
            Some(Problem {
                resource: resource.to_owned(),
                detail: format!("entry {number} (`{shown}`) matches nobody: {reason}"),
            })
        });
        bad.collect()
    }
}

impl AllowDoc {
    /// Returns an entry as written in the file, if the file contains it.
    pub(crate) fn get(&self, entry: &SenderId) -> Option<&str> {
        let item = self.items.get(*self.places.get(entry)?)?;
        Some(item.raw.as_str())
    }

    /// Returns a number that differs whenever an entry does.
    pub(crate) fn digest(&self) -> u64 {
        self.digest
    }

    /// Returns the entries from a place on, with the place after each; each entry once.
    pub(crate) fn from(&self, place: usize) -> impl Iterator<Item = (usize, &SenderId, &str)> {
        let items = self.items.iter().enumerate().skip(place);
        items.filter_map(|(at, item)| {
            let entry = item.entry.as_ref().ok()?;
            (self.places.get(entry) == Some(&at)).then_some((at + 1, entry, item.raw.as_str()))
        })
    }

    /// Returns the text without the `deleted` entries and with the `added` ones; `None` if unchanged.
    pub(crate) fn edited(&self, deleted: &[&SenderId], added: &[&SenderId]) -> Option<String> {
        let mut lines: Vec<Cow<'_, str>> = self
            .items
            .iter()
            .filter(|item| {
                !item
                    .entry
                    .as_ref()
                    .is_ok_and(|entry| deleted.contains(&entry))
            })
            .map(|item| item.raw.as_str().into())
            .collect();
        let removed = lines.len() < self.items.len();
        let new = added.iter().filter(|entry| self.get(entry).is_none());
        let new: Vec<_> = new
            .map(|entry| json::quoted(entry.as_str()).into())
            .collect();
        let changed = removed || !new.is_empty();
        lines.extend(new);
        changed.then(|| self.lists.render(&[(ALLOW_FROM, lines)]))
    }
}
