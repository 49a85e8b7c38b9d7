//! Compares the ask of a device with its approval.

use super::{Device, DeviceInfo, Role};
use crate::ScopeSet;

/// The reason that the owner has to be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UpgradeReason {
    /// The device is not paired.
    NotPaired,
    /// The device was not approved for the role, or the role was revoked.
    RoleUpgrade,
    /// It asks for scopes beyond those approved.
    ScopeUpgrade,
    /// Its platform or device family is of another kind than the approved one.
    MetadataUpgrade,
    /// A node declares commands beyond those approved: it is admitted, and the rest is pending.
    CommandUpgrade,
}

impl UpgradeReason {
    /// Returns the name in the protocol.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotPaired => "not-paired",
            Self::RoleUpgrade => "role-upgrade",
            Self::ScopeUpgrade => "scope-upgrade",
            Self::MetadataUpgrade => "metadata-upgrade",
            Self::CommandUpgrade => "command-upgrade",
        }
    }
}

/// Checks that everything that a connection asks for is approved. `bound` contains the scopes that its
/// credential is limited to, if any.
pub(crate) fn check<'d>(
    device: Option<&'d Device>,
    role: Role,
    scopes: &ScopeSet,
    bound: Option<&ScopeSet>,
    info: &DeviceInfo,
) -> Result<&'d Device, UpgradeReason> {
    let device = device.ok_or(UpgradeReason::NotPaired)?;
    let approved = device.standing(role).ok_or(UpgradeReason::RoleUpgrade)?;
    let is_bounded = bound.is_none_or(|bound| bound.covers(scopes));
    if !is_bounded || !approved.scopes.covers(scopes) {
        return Err(UpgradeReason::ScopeUpgrade);
    }
    let (pinned, now) = (&device.info, info);
    let same = is_same_kind(pinned.platform.as_deref(), now.platform.as_deref())
        && is_same_kind(
            pinned.device_family.as_deref(),
            now.device_family.as_deref(),
        );
    if same {
        Ok(device)
    } else {
        Err(UpgradeReason::MetadataUpgrade)
    }
}

/// Whether two texts name the same kind, regardless of the version. A missing text matches every kind.
fn is_same_kind(pinned: Option<&str>, now: Option<&str>) -> bool {
    match (pinned.map(kind), now.map(kind)) {
        (Some(pinned), Some(now)) => pinned.is_empty() || pinned == now,
        (None, _) | (_, None) => true,
    }
}

/// Returns the kind: `iOS 26.1` and `ios` are the same kind, and so are `iPhone17,1` and `iPhone18,2`.
fn kind(text: &str) -> String {
    let word = text.trim().chars().take_while(|c| c.is_alphabetic());
    word.flat_map(char::to_lowercase).collect()
}

impl Device {
    /// The name under which the device is shown: the owner's, or else its own.
    pub fn name(&self) -> Option<&str> {
        let own = self.info.display_name.as_deref();
        self.label.as_deref().or(own)
    }

    /// Returns the device's description, updated by the latest one. A stored display name is kept, and so
    /// is every other value that is now missing, except the address.
    pub(crate) fn updated(&self, info: &DeviceInfo) -> DeviceInfo {
        let newer =
            |old: &Option<String>, new: &Option<String>| new.clone().or_else(|| old.clone());
        let old = &self.info;
        DeviceInfo {
            // Earlier versions kept the owner's name here.
            display_name: old
                .display_name
                .clone()
                .or_else(|| info.display_name.clone()),
            platform: newer(&old.platform, &info.platform),
            device_family: newer(&old.device_family, &info.device_family),
            client_id: newer(&old.client_id, &info.client_id),
            client_mode: newer(&old.client_mode, &info.client_mode),
            remote_ip: info.remote_ip.clone(),
        }
    }

    /// Whether `new` differs in more than its address and its program. A change of only those is written
    /// with the next other change, so that a connection does not cost a write.
    pub(crate) fn is_worth_replacing_by(&self, new: &Self) -> bool {
        let mut same_way = new.clone();
        same_way.info.remote_ip.clone_from(&self.info.remote_ip);
        same_way.info.client_id.clone_from(&self.info.client_id);
        same_way.info.client_mode.clone_from(&self.info.client_mode);
        same_way != *self
    }

    /// Whether every one of its roles was approved without asking the owner.
    pub(crate) fn is_silent(&self) -> bool {
        !self.roles.is_empty() && self.roles.values().all(|approved| approved.is_silent())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_one_kind_are_the_same() {
        for (pinned, now, same) in [
            ("iOS 26.1", "ios 26.2", true),
            ("linux", "Linux", true),
            ("iPhone17,1", "iPhone18,2", true),
            ("ios", "android", false),
            ("iPhone", "iPad", false),
        ] {
            assert_eq!(
                is_same_kind(Some(pinned), Some(now)),
                same,
                "{pinned} {now}"
            );
        }
        assert!(is_same_kind(None, Some("ios")));
        assert!(is_same_kind(Some("ios"), None));
    }
}
