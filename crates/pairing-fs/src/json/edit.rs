//! Edits the members of a JSON object.

use super::{Members, object};

/// The members of an object while they are edited: a member that is set keeps its place, or is added at the
/// end; all others stay as they were written.
#[derive(Debug, Clone, Default)]
pub(crate) struct Edit {
    members: Vec<(String, String)>,
    changed: bool,
}

impl Edit {
    /// Starts from an object as written. A repeated member counts as a change: the text has to be
    /// assembled anew to remove the values that do not count.
    pub(crate) fn of(members: &Members<'_>) -> Self {
        Self {
            members: members
                .iter()
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect(),
            changed: members.is_repetitive(),
        }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        let found = self.members.iter().find(|(known, _)| known == key);
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub(crate) fn is_changed(&self) -> bool {
        self.changed
    }

    pub(crate) fn set(&mut self, key: &str, value: String) {
        match self.members.iter_mut().find(|(known, _)| known == key) {
            Some((_, old)) if *old == value => return,
            Some((_, old)) => *old = value,
            None => self.members.push((key.to_owned(), value)),
        }
        self.changed = true;
    }

    pub(crate) fn remove(&mut self, key: &str) {
        let before = self.members.len();
        self.members.retain(|(known, _)| known != key);
        self.changed |= self.members.len() < before;
    }

    /// Replaces the member `old` with `key` and `value`, in its place, and removes any earlier member `key`.
    pub(crate) fn replace(&mut self, old: &str, key: &str, value: String) {
        self.remove(key);
        if let Some(member) = self.members.iter_mut().find(|(known, _)| known == old) {
            *member = (key.to_owned(), value);
            self.changed = true;
        }
    }

    /// Returns the text of the object, indented for its depth.
    pub(crate) fn render(&self, depth: usize) -> String {
        let members = self.members.iter();
        object(members.map(|(key, value)| (&**key, &**value)), depth)
    }
}
