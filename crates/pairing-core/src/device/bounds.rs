//! Bounds on what devices and nodes say about themselves, so that no description fills the store.
//!
//! What is too long is cut, and what is too much is dropped, rather than refused: a description never decides
//! about access, so a device with a faulty one can still connect. The cut is the same each time, so that a
//! repeated request stays the same request.

use std::collections::BTreeMap;

use super::surface::{MAX_COMMANDS, is_command};
use super::{DeviceInfo, NodeInfo};

/// Maximum length of a text in a description, in characters.
const MAX_TEXT: usize = 256;

impl DeviceInfo {
    /// Returns the description with every text cut to 256 characters.
    pub(super) fn bounded(self) -> Self {
        Self {
            display_name: self.display_name.map(cut),
            platform: self.platform.map(cut),
            device_family: self.device_family.map(cut),
            client_id: self.client_id.map(cut),
            client_mode: self.client_mode.map(cut),
            remote_ip: self.remote_ip.map(cut),
        }
    }
}

impl NodeInfo {
    /// Returns the description with every text cut to 256 characters, and at most 256 names of each kind.
    /// A name that cannot be that of a command is dropped.
    pub fn bounded(self) -> Self {
        Self {
            display_name: self.display_name.map(cut),
            platform: self.platform.map(cut),
            version: self.version.map(cut),
            core_version: self.core_version.map(cut),
            ui_version: self.ui_version.map(cut),
            device_family: self.device_family.map(cut),
            model_identifier: self.model_identifier.map(cut),
            caps: names(self.caps),
            commands: names(self.commands),
            permissions: permissions(self.permissions),
            remote_ip: self.remote_ip.map(cut),
        }
    }
}

fn cut(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(MAX_TEXT) {
        text.truncate(end);
        text.shrink_to_fit();
    }
    text
}

/// Keeps the first names, in the order in which the node declares them.
fn names(names: Vec<String>) -> Vec<String> {
    let fitting = names.into_iter().filter(|name| is_command(name));
    fitting.take(MAX_COMMANDS).collect()
}

/// Keeps the first permissions in alphabetical order.
fn permissions(permissions: BTreeMap<String, bool>) -> BTreeMap<String, bool> {
    let fitting = permissions.into_iter().filter(|(name, _)| is_command(name));
    fitting.take(MAX_COMMANDS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t107_a_description_is_cut_to_its_bounds() {
        let long = Some("ä".repeat(MAX_TEXT + 1));
        let name = "ä".repeat(128);
        let many = || (0..1000).map(|n| format!("c{n:04}"));
        let info = NodeInfo {
            display_name: long.clone(),
            remote_ip: long.clone(),
            caps: [String::new(), format!("{name}x"), name.clone()]
                .into_iter()
                .chain(many())
                .collect(),
            permissions: many().map(|name| (name, true)).collect(),
            ..NodeInfo::default()
        };
        let bounded = info.bounded();
        assert_eq!(bounded.display_name.as_ref().unwrap().len(), MAX_TEXT * 2);
        assert_eq!(bounded.remote_ip.as_ref().unwrap().len(), MAX_TEXT * 2);
        assert_eq!((bounded.caps.len(), &bounded.caps[0]), (256, &name));
        assert_eq!(bounded.permissions.len(), 256);
        assert_eq!(bounded.clone().bounded(), bounded);
        let device = DeviceInfo {
            platform: long,
            ..DeviceInfo::default()
        };
        assert_eq!(device.bounded().platform.unwrap().len(), MAX_TEXT * 2);
    }
}
