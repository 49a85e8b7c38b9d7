//! The command surface of a node: its declared commands, compared with the approved ones.

use std::collections::BTreeSet;

use super::standing::check;
use super::{ApprovedRole, Ask, Device, DeviceRequest, NodeRequest, Role};
use crate::store::Change;
use crate::{Key, Record, ScopeSet};

/// Maximum number of commands that a connection may declare.
pub(super) const MAX_COMMANDS: usize = 256;

/// Maximum length of a command name, in characters.
const MAX_CHARS: usize = 128;

/// Returns the declared commands within bounds. Invalid names are dropped rather than rejected, so that a
/// faulty plugin does not lock the node out; such a command can then not be sent. Of too many names, the
/// first in alphabetical order stay, so that the same declaration always has the same result.
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

/// Whether this can be the name of a command: 1 to 128 characters, none of them a control character.
pub fn is_command(name: &str) -> bool {
    let mut chars = name.chars();
    let fits = chars.by_ref().take(MAX_CHARS).count() > 0 && chars.next().is_none();
    fits && !name.contains(char::is_control)
}

/// The declared commands of a node, compared with the approved ones.
#[derive(Default)]
pub(super) struct Pinned {
    /// The commands that it may be sent now.
    pub(super) live: BTreeSet<String>,
    /// Whether it declares more than was approved.
    pub(super) is_wider: bool,
}

impl ApprovedRole {
    /// Compares a declaration with the approved commands. If none were ever recorded, records the first
    /// declaration as approved, and does not count it as an upgrade.
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

    /// Returns the commands after an approval, which adds `said` to those approved before. `said` is
    /// `None` if the node has not declared any yet.
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
    /// Returns the commands that the node declared; `None` if it has not declared any because its setup
    /// code asked for it.
    pub(super) fn said_commands(&self) -> Option<&BTreeSet<String>> {
        let unheard = self.ask.commands.is_empty() && self.pairing_token.is_some();
        (!unheard).then_some(&self.ask.commands)
    }
}

impl Device {
    /// Returns the device with what it waits to be approved for as a node, while that role is in force.
    pub(crate) fn waiting_surface(&self) -> Option<(&Self, &NodeRequest)> {
        self.standing(Role::Node)?;
        self.surface.as_deref().map(|asked| (self, asked))
    }

    /// Ends what the device waits for as a node. What it declares next does not count as approved.
    pub(crate) fn end_surface(&mut self) {
        if self.surface.take().is_some()
            && let Some(node) = self.roles.get_mut(&Role::Node)
        {
            node.commands.get_or_insert_with(BTreeSet::new);
        }
    }

    /// Whether the node is already admitted, so that this request is only about its commands as far as
    /// that role is concerned.
    pub(super) fn lacks_commands_alone(&self, request: &DeviceRequest) -> bool {
        let scopes = ScopeSet::default();
        request.pairing_token.is_none()
            && request.ask.roles.contains(&Role::Node)
            && check(Some(self), Role::Node, &scopes, None, &request.info).is_ok()
    }

    /// Withdraws the unapproved commands from the request of a node that no longer declares more than was
    /// approved.
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
            // Once commands are recorded, only an approval changes them.
            prop_assert!(before.is_none() || role.commands == before);
        }
    }
}
