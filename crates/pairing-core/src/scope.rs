//! The rights of an operator.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::ids::text_id;

/// One right of an operator, such as `operator.read` or `operator.pairing`.
///
/// - Consists of `operator.` and a name of `[a-z0-9_.-]`, at most 64 bytes in all; so it never contains
///   the separators of a signed payload.
/// - Unknown names are accepted; only `operator.admin` implies them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Scope(Box<str>);

/// The text is not `operator.` followed by a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a scope is `operator.` and a name of a-z, 0-9, `_`, `.` and `-`")]
pub struct ParseScopeError;

impl Scope {
    /// Implies every other scope.
    pub const ADMIN: &str = "operator.admin";
    /// Deciding about pairing: senders, devices and nodes.
    pub const PAIRING: &str = "operator.pairing";
    /// Write access; implies [`READ`](Self::READ) and [`MESSAGES`](Self::MESSAGES).
    pub const WRITE: &str = "operator.write";
    /// Read access, but for the texts of direct messages.
    pub const READ: &str = "operator.read";
    /// Reading the texts of direct messages.
    pub const MESSAGES: &str = "operator.messages";
    /// Deciding about the commands that an agent may execute.
    pub const APPROVALS: &str = "operator.approvals";

    /// Parses a scope name.
    pub fn parse(text: &str) -> Result<Self, ParseScopeError> {
        let name = text.strip_prefix("operator.").ok_or(ParseScopeError)?;
        let well_formed = !name.is_empty()
            && text.len() <= 64
            && name.bytes().all(|b| {
                b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'.' | b'-')
            });
        well_formed
            .then(|| Self(text.into()))
            .ok_or(ParseScopeError)
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

text_id!(Scope, ParseScopeError, Scope::parse);

/// A set of [`Scope`]s; the empty set allows nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScopeSet(BTreeSet<Scope>);

impl ScopeSet {
    /// Returns the set with `operator.admin`, which implies every scope.
    pub fn admin() -> Self {
        Self::of(&[Scope::ADMIN])
    }

    /// Whether this set permits an operation that requires `scope`.
    ///
    /// `operator.admin` implies everything; `operator.write` implies `operator.read` and
    /// `operator.messages`. There are no other implications.
    pub fn allows(&self, scope: &str) -> bool {
        let holds = |name: &str| self.0.iter().any(|held| held.as_str() == name);
        let is_of_write = matches!(scope, Scope::READ | Scope::MESSAGES);
        holds(scope) || holds(Scope::ADMIN) || (is_of_write && holds(Scope::WRITE))
    }

    /// Whether this set allows every scope of `other`.
    pub fn covers(&self, other: &Self) -> bool {
        other.0.iter().all(|scope| self.allows(scope.as_str()))
    }

    /// Returns the scopes of this set that `bound` allows.
    pub fn within(&self, bound: &Self) -> Self {
        let allowed = self.0.iter().filter(|scope| bound.allows(scope.as_str()));
        allowed.cloned().collect()
    }

    /// Returns the union of both sets.
    pub fn union(&self, other: &Self) -> Self {
        self.0.union(&other.0).cloned().collect()
    }

    /// Whether the set is empty, and so allows nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Makes a set of names that are known to be well formed.
    pub(crate) fn of(names: &[&str]) -> Self {
        names
            .iter()
            .filter_map(|name| Scope::parse(name).ok())
            .collect()
    }

    /// Returns the scopes, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = &Scope> {
        self.0.iter()
    }
}

impl FromIterator<Scope> for ScopeSet {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &[&str]) -> ScopeSet {
        names.iter().map(|n| Scope::parse(n).unwrap()).collect()
    }

    #[test]
    fn implication() {
        assert!(ScopeSet::admin().allows("operator.anything"));
        assert!(set(&["operator.write"]).allows(Scope::READ));
        assert!(!set(&["operator.write"]).allows(Scope::PAIRING));
        assert!(!set(&["operator.pairing"]).allows(Scope::READ));
        assert!(!set(&[]).allows(Scope::READ));
    }

    #[test]
    fn t117_the_texts_of_messages_are_a_right_of_their_own() {
        assert!(!set(&["operator.read"]).allows(Scope::MESSAGES));
        assert!(!set(&["operator.messages"]).allows(Scope::READ));
        for enough in ["operator.messages", "operator.write", "operator.admin"] {
            assert!(set(&[enough]).allows(Scope::MESSAGES), "{enough}");
        }
    }

    #[test]
    fn what_is_within_a_bound_is_what_the_bound_allows() {
        let held = set(&["operator.read", "operator.pairing"]);
        assert_eq!(
            held.within(&set(&["operator.write"])),
            set(&["operator.read"])
        );
        assert_eq!(held.within(&ScopeSet::admin()), held);
        assert_eq!(held.within(&ScopeSet::default()), ScopeSet::default());
        // A bound does not give anything.
        assert_eq!(
            set(&["operator.read"]).within(&held),
            set(&["operator.read"])
        );
        assert_eq!(ScopeSet::default().within(&held), ScopeSet::default());
    }

    #[test]
    fn only_the_set_of_nothing_is_empty() {
        assert!(ScopeSet::default().is_empty());
        assert!(!set(&["operator.read"]).is_empty());
    }

    #[test]
    fn separators_and_foreign_prefixes_are_refused() {
        for bad in [
            "",
            "operator.",
            "admin",
            "operator.a,b",
            "operator.a|b",
            "operator.A",
            "node.x",
        ] {
            assert_eq!(Scope::parse(bad), Err(ParseScopeError), "{bad}");
        }
    }
}
