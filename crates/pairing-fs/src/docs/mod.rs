//! The files as documents: parses them, and renders their new text after a change.

mod allow;
mod bearer_client;
mod claims;
mod counters;
mod device;
mod device_request;
mod ended;
mod fields;
mod grants;
mod keyed;
mod names;
mod node;
mod pairing_token;
mod requests;

use std::borrow::Cow;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Arc, LazyLock};

use pairing_core::Problem;

pub(crate) use allow::AllowDoc;
pub(crate) use claims::ClaimsDoc;
pub(crate) use counters::CountersDoc;
pub(crate) use ended::{Ended, unfinished};
pub(crate) use grants::GrantsDoc;
pub(crate) use keyed::{Entry, Keyed};
pub(crate) use names::{NamesDoc, Owner};
pub(crate) use requests::{RequestsDoc, Stored};

use crate::error::FileError;
use crate::json::{self, Members};

/// A parsed file. The default value stands for a missing file.
pub(crate) trait Document: Default + Send + Sync + 'static {
    /// Rules needed to parse the file.
    type Rules: Send + Sync;

    fn parse(text: &str, rules: &Self::Rules) -> Result<Self, FileError>;

    /// Does the same as [`parse`](Self::parse), reusing parts of `before` for text that has not changed.
    fn parse_again(text: &str, rules: &Self::Rules, _before: &Self) -> Result<Self, FileError> {
        Self::parse(text, rules)
    }

    /// Returns the elements that cannot be understood but are kept in the file; `resource` names the file.
    fn problems(&self, resource: &str) -> Vec<Problem>;
}

/// The only supported version of the format; a file of another version is an error.
const VERSION: &str = "1";

/// An object with a `version` and lists, the form of every file of DM pairing.
///
/// Members and elements are kept as they were written.
#[derive(Debug, Clone, Default)]
struct Lists {
    members: Vec<(String, String)>,
}

impl Lists {
    fn parse(text: &str) -> Result<(Self, Members<'_>), FileError> {
        let members = versioned(text)?;
        let kept = members.iter().map(|(k, v)| (k.to_owned(), v.to_owned()));
        let lists = Self {
            members: kept.collect(),
        };
        Ok((lists, members))
    }

    /// Parses a file of which every new text gives this list anew, so that its present text is not kept.
    fn parse_around<'t>(text: &'t str, list: &str) -> Result<(Self, Members<'t>), FileError> {
        let members = versioned(text)?;
        let kept = members.iter().map(|(key, value)| {
            let value = if key == list { "" } else { value };
            (key.to_owned(), value.to_owned())
        });
        let lists = Self {
            members: kept.collect(),
        };
        Ok((lists, members))
    }

    /// Returns the whole text with the given lists replaced.
    fn render(&self, lists: &[(&str, Vec<Cow<'_, str>>)]) -> String {
        let rendered: Vec<(&str, String)> = lists
            .iter()
            .map(|(key, list)| (*key, json::array(list.iter().cloned(), 1)))
            .collect();
        let rendered_of = |key: &str| {
            let found = rendered.iter().find(|(name, _)| *name == key);
            found.map(|(_, text)| text.as_str())
        };
        let has = |key: &str| self.members.iter().any(|(known, _)| known == key);
        let version = (!has("version")).then_some(("version", VERSION));
        let kept = self.members.iter();
        let kept = kept.map(|(key, value)| (&**key, rendered_of(key).unwrap_or(value)));
        let added = rendered.iter().filter(|(key, _)| !has(key));
        let added = added.map(|(key, text)| (*key, &**text));
        json::object(version.into_iter().chain(kept).chain(added), 0) + "\n"
    }
}

/// Returns the members of a file that is an object of the supported version.
pub(crate) fn versioned(text: &str) -> Result<Members<'_>, FileError> {
    if text.trim().is_empty() {
        return Err(FileError::Empty);
    }
    let members = Members::parse(text).map_err(|error| json::malformed(&error))?;
    if let Some(version) = members.get("version").filter(|found| *found != VERSION) {
        let reason = format!("version {version} of the format, only {VERSION} is known");
        return Err(json::malformed_at(text, version, reason));
    }
    Ok(members)
}

/// Returns the elements of a list in the file; an empty list if the member is missing.
fn list<'t>(text: &'t str, members: &Members<'t>, key: &str) -> Result<Vec<&'t str>, FileError> {
    match members.get(key) {
        None => Ok(Vec::new()),
        Some(value) => json::elements(value)
            .map_err(|_| json::malformed_at(text, value, format!("`{key}` is not a list"))),
    }
}

/// The elements of a list as it was before, most of which are there again, in the same order.
struct Before<'b, I> {
    items: &'b [Arc<I>],
    at: usize,
}

/// Number of elements in a row that may be gone without those after them being parsed again.
const GAP: usize = 8;

impl<'b, I> Before<'b, I> {
    fn new(items: &'b [Arc<I>]) -> Self {
        Self { items, at: 0 }
    }

    /// Returns the next element that is the same.
    fn find(&mut self, is_same: impl Fn(&I) -> bool) -> Option<Arc<I>> {
        let next = self.items.get(self.at..)?.iter().take(GAP);
        let found = next.enumerate().find(|(_, item)| is_same(item));
        let (passed, item) = found?;
        self.at += passed + 1;
        Some(item.clone())
    }
}

/// Returns a number that differs whenever the value does, for as long as the process runs.
///
/// Keyed at random, so that nobody outside can choose values that collide.
pub(crate) fn digest(value: impl Hash) -> u64 {
    static KEYS: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    KEYS.hash_one(value)
}
