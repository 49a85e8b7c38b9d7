//! What is stored of devices, their requests, and pairing tokens.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{DeviceId, DeviceKey, RequestId, Role, TokenHash};
use crate::store::Grant;
use crate::{ScopeSet, Timestamp, Via};

/// What a device says about itself. None of it ever decides what it may do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DeviceInfo {
    /// A name for people.
    pub display_name: Option<String>,
    /// The operating system; pinned once approved.
    pub platform: Option<String>,
    /// The kind of device; pinned once approved.
    pub device_family: Option<String>,
    /// The program.
    pub client_id: Option<String>,
    /// The program's way of running.
    pub client_mode: Option<String>,
    /// Where it connected from, unless on this machine.
    pub remote_ip: Option<String>,
}

/// What a device asks for: roles, the scopes that it wants as an operator, and the commands that it would
/// carry out as a node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// The roles.
    pub roles: BTreeSet<Role>,
    /// The operator's scopes; empty where it does not ask to be one.
    pub scopes: ScopeSet,
    /// What the node says it can be asked to do; empty where it does not ask to be one, and until it has
    /// been heard.
    #[serde(default)]
    pub commands: BTreeSet<String>,
}

/// A device that waits for the owner. One per device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceRequest {
    /// The id that the owner decides about; another one as soon as more is asked for.
    pub id: RequestId,
    /// The device.
    pub device: DeviceId,
    /// Its key.
    pub key: DeviceKey,
    /// What it says about itself.
    pub info: DeviceInfo,
    /// The latest ask of each role.
    pub ask: Ask,
    /// The browser page it came from, if it did.
    pub origin: Option<String>,
    /// Whether it qualified for approval without asking the owner.
    pub silent: bool,
    /// Whether the device was already known when it asked.
    pub is_repair: bool,
    /// When this was first asked, which lists go by.
    pub asked_at: Timestamp,
    /// When it was last asked, which expiry goes by.
    pub refreshed_at: Timestamp,
    /// The pairing token it came in with.
    pub pairing_token: Option<TokenHash>,
}

/// A device that has been approved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Its id.
    pub id: DeviceId,
    /// Its key.
    pub key: DeviceKey,
    /// What it says about itself.
    pub info: DeviceInfo,
    /// What was approved, by role. A role that is not here was never approved.
    pub roles: BTreeMap<Role, ApprovedRole>,
    /// When the device was first approved.
    pub created_at: Timestamp,
    /// When it was last approved.
    pub approved_at: Timestamp,
    /// Whether it has signed with payloads of version 3. Then it may not fall back.
    pub signs_v3: bool,
    /// The pairing token with which it may still fetch device tokens.
    pub pairing_token: Option<TokenHash>,
}

/// What was approved for one role, and the token that stands for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovedRole {
    /// The baseline: no token of the role ever exceeds it.
    pub scopes: ScopeSet,
    /// What a node may be asked to do, however much it declares; an approval adds to it. `None` where
    /// the role was approved before the node had named anything (by another program, or by a setup code
    /// whose operator came first): the first names that it declares are recorded here.
    #[serde(default)]
    pub commands: Option<BTreeSet<String>>,
    /// When it was last approved. Commands that were added to a role that stood do not move it: its
    /// token goes on.
    pub approved_at: Timestamp,
    /// The last approval; `None` if another program did not record it.
    pub grant: Option<Grant>,
    /// The token; `None` until one has been delivered.
    pub token: Option<DeviceToken>,
}

/// A device token as it is kept: never the token itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceToken {
    /// What the token is recognised by; `None` once it was rotated, until the next is delivered.
    pub hash: Option<TokenHash>,
    /// Its scopes.
    pub scopes: ScopeSet,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last rotated.
    pub rotated_at: Option<Timestamp>,
    /// When the role was revoked: nothing but a new approval brings it back.
    pub revoked_at: Option<Timestamp>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Timestamp>,
}

/// What a setup code lets a device ask for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SetupProfile {
    /// Node alone.
    Node,
    /// Node, and operator with approvals, read, write and talk.secrets.
    #[default]
    Limited,
    /// Node, and operator with everything.
    Full,
}

/// A short-lived token that lets one device ask, not in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairingToken {
    /// What it is recognised by.
    pub hash: TokenHash,
    /// What it lets a device ask for, whatever the device asks.
    pub profile: SetupProfile,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// The chat it was issued in.
    pub chat: Option<String>,
    /// The first device that proved its key with it; no other may use it.
    pub device: Option<DeviceId>,
    /// After approval: the roles whose device token may still be fetched with it.
    pub unclaimed: BTreeSet<Role>,
}

impl SetupProfile {
    /// What a request that comes with such a code asks for.
    pub fn ask(self) -> Ask {
        let scopes: &[&str] = match self {
            Self::Node => &[],
            Self::Limited => &[
                "operator.approvals",
                "operator.read",
                "operator.write",
                "operator.talk.secrets",
            ],
            Self::Full => &["operator.admin"],
        };
        let mut roles = BTreeSet::from([Role::Node]);
        if !scopes.is_empty() {
            roles.insert(Role::Operator);
        }
        Ask {
            roles,
            scopes: ScopeSet::of(scopes),
            commands: BTreeSet::new(),
        }
    }
}

impl Ask {
    /// One role, as a connection asks for it that names no commands.
    pub fn role(role: Role, scopes: ScopeSet) -> Self {
        Self {
            roles: BTreeSet::from([role]),
            scopes,
            commands: BTreeSet::new(),
        }
    }

    /// Whether all of `other` is covered.
    pub fn covers(&self, other: &Self) -> bool {
        self.roles.is_superset(&other.roles)
            && self.scopes.covers(&other.scopes)
            && self.commands.is_superset(&other.commands)
    }

    /// The same once a role asks anew: what the other role asked for stays.
    pub(super) fn with(&self, role: Role, latest: &Self) -> Self {
        let mut ask = self.clone();
        ask.roles.insert(role);
        match role {
            Role::Operator => ask.scopes.clone_from(&latest.scopes),
            Role::Node => ask.commands.clone_from(&latest.commands),
        }
        ask
    }
}

impl Device {
    /// What was approved for a role and stands: `None` where it never was, or has been revoked.
    pub fn standing(&self, role: Role) -> Option<&ApprovedRole> {
        self.roles
            .get(&role)
            .filter(|approved| !approved.is_revoked())
    }
}

impl ApprovedRole {
    /// Whether the role was revoked and has not been approved again since.
    pub fn is_revoked(&self) -> bool {
        let token = self.token.as_ref();
        token.is_some_and(|token| token.revoked_at.is_some())
    }

    /// Whether it was approved without asking the owner.
    pub fn is_silent(&self) -> bool {
        let grant = self.grant.as_ref();
        grant.is_some_and(|grant| grant.via == Via::Silent)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Scope;

    /// Scopes of which none implies another: with those that do, two asks may cover each other.
    const SCOPES: [&str; 2] = ["operator.approvals", "operator.read"];

    prop_compose! {
        fn asks()(roles in 0..4u8, scopes in 0..4u8, commands in 0..8u8) -> Ask {
            let has = |bits: u8, at: usize| bits >> at & 1 == 1;
            let named = |bits, names: &[&str]| -> Vec<String> {
                let names = names.iter().enumerate().filter(|(at, _)| has(bits, *at));
                names.map(|(_, name)| (*name).to_owned()).collect()
            };
            Ask {
                roles: named(roles, &["operator", "node"]).iter().filter_map(|r| Role::parse(r).ok()).collect(),
                scopes: named(scopes, &SCOPES).iter().filter_map(|s| Scope::parse(s).ok()).collect(),
                commands: named(commands, &["a", "b", "c"]).into_iter().collect(),
            }
        }
    }

    proptest! {
        #[test]
        fn covering_is_a_partial_order(a in asks(), b in asks(), c in asks()) {
            prop_assert!(a.covers(&a));
            prop_assert!(!(a.covers(&b) && b.covers(&c)) || a.covers(&c));
            prop_assert_eq!(a.covers(&b) && b.covers(&a), a == b);
        }

        #[test]
        fn t33_more_commands_are_never_covered(a in asks(), b in asks()) {
            prop_assert!(!a.covers(&b) || b.commands.is_subset(&a.commands));
        }

        #[test]
        fn the_latest_ask_of_a_role_leaves_the_other(a in asks(), b in asks()) {
            let operator = a.with(Role::Operator, &b);
            prop_assert_eq!((&operator.scopes, &operator.commands), (&b.scopes, &a.commands));
            let node = a.with(Role::Node, &b);
            prop_assert_eq!((&node.scopes, &node.commands), (&a.scopes, &b.commands));
        }
    }
}
