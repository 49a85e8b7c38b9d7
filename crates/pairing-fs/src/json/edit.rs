//! An object on its way to another text.

use super::{Members, object};

/// The members of an object while they are changed: what is set stands where it stood, or at the end;
/// everything else stays as it was written.
#[derive(Debug, Clone, Default)]
pub(crate) struct Edit {
    members: Vec<(String, String)>,
    changed: bool,
}

impl Edit {
    /// The object as it is written. A member that was written twice counts as changed: the text has to
    /// be put together anew to be rid of what does not count.
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

    /// Puts `value` under another key in the place of `old`, and nothing else under that key.
    pub(crate) fn replace(&mut self, old: &str, key: &str, value: String) {
        self.remove(key);
        if let Some(member) = self.members.iter_mut().find(|(known, _)| known == old) {
            *member = (key.to_owned(), value);
            self.changed = true;
        }
    }

    /// The text, indented for its depth.
    pub(crate) fn render(&self, depth: usize) -> String {
        let members = self.members.iter();
        object(members.map(|(key, value)| (&**key, &**value)), depth)
    }
}
