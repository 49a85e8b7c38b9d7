//! `<channel>-allowFrom.json` and `<channel>-<account>-allowFrom.json`: the allowed senders.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use pairing_core::{ChannelRules, Problem, SenderId};

use super::{Before, Document, Lists, digest, list};
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
    items: Vec<Arc<Item>>,
    /// Index of the first element of each entry.
    places: HashMap<SenderId, usize>,
    digest: u64,
    has_problems: bool,
}

/// One element as written, and the sender that it allows.
struct Item {
    raw: Box<str>,
    entry: Result<SenderId, String>,
    digest: u64,
}

impl Item {
    fn parse(raw: &str, rules: &ChannelRules) -> Self {
        let entry = match json::text_of(raw) {
            Some(_) if json::is_rounded(raw) => Err(
                "a number of more than 53 bits, which other programs round; put it in quotes"
                    .to_owned(),
            ),
            Some(entry) => rules.sender(&entry).map_err(|error| error.to_string()),
            None => Err("neither text nor number".to_owned()),
        };
        Self {
            raw: raw.into(),
            entry,
            digest: digest(raw),
        }
    }
}

impl Document for AllowDoc {
    type Rules = ChannelRules;

    fn parse(text: &str, rules: &ChannelRules) -> Result<Self, FileError> {
        Self::parse_again(text, rules, &Self::default())
    }

    fn parse_again(text: &str, rules: &ChannelRules, before: &Self) -> Result<Self, FileError> {
        let (lists, members) = Lists::parse_around(text, ALLOW_FROM)?;
        let mut known = Before::new(&before.items);
        let items: Vec<Arc<Item>> = list(text, &members, ALLOW_FROM)?
            .into_iter()
            .map(|raw| {
                let same = known.find(|item| *item.raw == *raw);
                same.unwrap_or_else(|| Arc::new(Item::parse(raw, rules)))
            })
            .collect();
        let mut places = HashMap::with_capacity(items.len());
        for (at, item) in items.iter().enumerate() {
            if let Ok(entry) = &item.entry {
                places.entry(entry.clone()).or_insert(at);
            }
        }
        Ok(Self {
            digest: digest(items.iter().map(|item| item.digest).collect::<Vec<_>>()),
            has_problems: items.iter().any(|item| item.entry.is_err()),
            lists,
            items,
            places,
        })
    }

    fn problems(&self, resource: &str) -> Vec<Problem> {
        // Called for every page of a list, so its cost must not grow with the number of entries.
        if !self.has_problems {
            return Vec::new();
        }
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
        Some(&*item.raw)
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
            (self.places.get(entry) == Some(&at)).then_some((at + 1, entry, &*item.raw))
        })
    }

    /// Returns the text without the `deleted` entries and with the `added` ones; `None` if unchanged.
    pub(crate) fn edited(&self, deleted: &[&SenderId], added: &[&SenderId]) -> Option<String> {
        let deleted: HashSet<&SenderId> = deleted.iter().copied().collect();
        let mut lines: Vec<Cow<'_, str>> = self
            .items
            .iter()
            .filter(|item| {
                let entry = item.entry.as_ref();
                !entry.is_ok_and(|entry| deleted.contains(entry))
            })
            .map(|item| (*item.raw).into())
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

#[cfg(test)]
mod tests {
    use pairing_core::ChannelId;
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str, before: &AllowDoc) -> AllowDoc {
        let rules = ChannelRules::new(ChannelId::parse("telegram").unwrap());
        AllowDoc::parse_again(text, &rules, before).unwrap()
    }

    fn text(entries: &[u8]) -> String {
        let entries: Vec<_> = entries.iter().map(|entry| format!("\"{entry}\"")).collect();
        format!(
            r#"{{ "version": 1, "allowFrom": [{}] }}"#,
            entries.join(", ")
        )
    }

    proptest! {
        /// Whatever stayed, went, came or changed its place: what is reused makes no difference.
        #[test]
        fn parsing_again_is_parsing(
            before in proptest::collection::vec(0_u8..30, 0..40),
            after in proptest::collection::vec(0_u8..30, 0..40),
        ) {
            let before = parse(&text(&before), &AllowDoc::default());
            let again = parse(&text(&after), &before);
            let anew = parse(&text(&after), &AllowDoc::default());
            prop_assert_eq!(again.digest(), anew.digest());
            prop_assert_eq!(again.from(0).collect::<Vec<_>>(), anew.from(0).collect::<Vec<_>>());
        }
    }
}
