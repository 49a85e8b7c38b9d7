//! The command surface of a node: what it says it can be asked to do, against what was approved.

use std::collections::BTreeSet;

use super::standing::check;
use super::{ApprovedRole, Ask, Device, DeviceRequest, Role};
use crate::store::Change;
use crate::{Key, Record, ScopeSet};

/// The most commands that a connection may name.
const MAX_COMMANDS: usize = 256;

/// The longest name of one.
const MAX_CHARS: usize = 128;

/// What a node names, within bounds. What can be no name is left out rather than refused: it cannot be
/// asked for then, and a node is not locked out by one of its plugins. Of too many, the first by name
/// stay, so that the same declaration always means the same.
pub(super) fn bounded(names: impl IntoIterator<Item = impl Into<String>>) -> BTreeSet<String> {
    let mut kept = BTreeSet::new();
    for name in names.into_iter().map(Into::into) {
        if is_command(&name) {
            kept.insert(name);
            if kept.len() > MAX_COMMANDS {
                kept.pop_last();
            }
        }
    }
    kept
}

/// Whether this can be a command's name: 1 to 128 characters, none of them a control character.
pub fn is_command(name: &str) -> bool {
    let mut chars = name.chars();
    let fits = chars.by_ref().take(MAX_CHARS).count() > 0 && chars.next().is_none();
    fits && !name.contains(char::is_control)
}

/// What of a node's declaration counts.
#[derive(Default)]
pub(super) struct Pinned {
    /// What it may be asked to do now.
    pub(super) live: BTreeSet<String>,
    /// Whether it declares more than was approved.
    pub(super) is_wider: bool,
}

impl ApprovedRole {
    /// Holds a declaration against what was approved. Where nothing was ever named, the first names are
    /// what was approved: an absent value is recorded, and is no upgrade.
    pub(super) fn pin(&mut self, declared: &BTreeSet<String>) -> Pinned {
        if declared.is_empty() {
            return Pinned::default();
        }
        let approved = self.commands.get_or_insert_with(|| declared.clone());
        Pinned {
            live: declared & approved,
            is_wider: !declared.is_subset(approved),
        }
    }

    /// What an approval adds to what stands. `said` is `None` where the node has not been heard.
    pub(super) fn commands_with(
        before: Option<&Self>,
        said: Option<&BTreeSet<String>>,
    ) -> Option<BTreeSet<String>> {
        match (before.and_then(|before| before.commands.as_ref()), said) {
            (Some(before), Some(said)) => Some(before | said),
            (commands, None) | (None, commands) => commands.cloned(),
        }
    }
}

impl DeviceRequest {
    /// What the node has said it can be asked to do; `None` where it has not been heard, because its
    /// code asked for it.
    pub(super) fn said_commands(&self) -> Option<&BTreeSet<String>> {
        let unheard = self.ask.commands.is_empty() && self.pairing_token.is_some();
        (!unheard).then_some(&self.ask.commands)
    }
}

impl Device {
    /// Whether the node is admitted as it is, so that this request is about its commands and nothing else of
    /// that role.
    pub(super) fn lacks_commands_alone(&self, request: &DeviceRequest) -> bool {
        let scopes = ScopeSet::default();
        request.pairing_token.is_none()
            && request.ask.roles.contains(&Role::Node)
            && check(Some(self), Role::Node, &scopes, None, &request.info).is_ok()
    }

    /// A node that declares no more than was approved takes back what it asked beyond that.
    pub(super) fn take_back(
        &self,
        request: &DeviceRequest,
        declared: &BTreeSet<String>,
    ) -> Option<Change> {
        let approved = self.standing(Role::Node)?.commands.as_ref();
        let fits = |names: &BTreeSet<String>| {
            approved.map_or(names.is_empty(), |approved| names.is_subset(approved))
        };
        if fits(&request.ask.commands) {
            return None;
        }
        if request.ask.roles.len() == 1 && self.lacks_commands_alone(request) {
            let device = request.device;
            return Some(Change::Delete(Key::DeviceRequest { device }));
        }
        Some(Change::Put(Record::from(DeviceRequest {
            ask: Ask {
                commands: declared.clone(),
                ..request.ask.clone()
            },
            ..request.clone()
        })))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_can_be_no_name_is_left_out() {
        let long = "x".repeat(MAX_CHARS);
        let longer = "ä".repeat(MAX_CHARS + 1);
        let names = [
            "",
            "a\nb",
            "\u{7f}",
            &longer,
            &long,
            " ",
            "system.run",
            "ä b",
        ];
        let kept = bounded(names);
        assert_eq!(kept, bounded([long.as_str(), " ", "system.run", "ä b"]));
        assert_eq!(kept.len(), 4);
    }

    #[test]
    fn of_too_many_the_same_stay_in_whatever_order() {
        let names: Vec<_> = (0..1000).map(|n| format!("c{n:04}")).collect();
        let kept = bounded(names.iter());
        assert_eq!(kept.len(), MAX_COMMANDS);
        assert!(kept.contains("c0000") && !kept.contains("c0256"));
        assert_eq!(bounded(names.iter().rev()), kept);
    }

    proptest! {
        #[test]
        fn t33_what_is_live_was_declared_and_approved(
            declared: BTreeSet<u8>, approved: Option<BTreeSet<u8>>,
        ) {
            let names = |set: &BTreeSet<u8>| bounded(set.iter().map(|n| format!("c{n}")));
            let declared = names(&declared);
            let mut role = ApprovedRole {
                commands: approved.as_ref().map(names),
                scopes: ScopeSet::default(),
                approved_at: crate::Timestamp::from_millis(0),
                grant: None,
                token: None,
            };
            let before = role.commands.clone();
            let pinned = role.pin(&declared);
            prop_assert!(pinned.live.is_subset(&declared));
            let counts = before.clone().unwrap_or_else(|| declared.clone());
            prop_assert!(pinned.live.is_subset(&counts));
            prop_assert_eq!(pinned.is_wider, pinned.live != declared);
            // Once named, only an approval changes it.
            prop_assert!(before.is_none() || role.commands == before);
        }
    }
}
