//! Stored records of devices, of their requests, and of pairing tokens.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{DeviceId, DeviceKey, NodeRequest, RequestId, Role, TokenHash};
use crate::store::Grant;
use crate::{ScopeSet, Timestamp, Via};

/// A device's description of itself. It never decides about access.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DeviceInfo {
    /// The display name.
    pub display_name: Option<String>,
    /// The operating system; pinned once approved.
    pub platform: Option<String>,
    /// The kind of device; pinned once approved.
    pub device_family: Option<String>,
    /// The client program.
    pub client_id: Option<String>,
    /// The mode in which the program runs.
    pub client_mode: Option<String>,
    /// The address that it connected from, unless on this machine.
    pub remote_ip: Option<String>,
}

/// The roles that a device asks for, its scopes as an operator, and its commands as a node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// The roles.
    pub roles: BTreeSet<Role>,
    /// The scopes of the operator; empty if it does not ask to be one.
    pub scopes: ScopeSet,
    /// The commands that the node declares; empty if it does not ask to be one, or has not declared any
    /// yet.
    #[serde(default)]
    pub commands: BTreeSet<String>,
}

/// A pending request of a device. There is one per device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceRequest {
    /// The id by which the owner approves or rejects it; it changes as soon as more is asked for.
    pub id: RequestId,
    /// The device.
    pub device: DeviceId,
    /// Its key.
    pub key: DeviceKey,
    /// The device's description of itself.
    pub info: DeviceInfo,
    /// The latest ask of each role.
    pub ask: Ask,
    /// The origin of the browser page that it came from, if any.
    pub origin: Option<String>,
    /// Whether it qualified for approval without asking the owner.
    pub silent: bool,
    /// Whether the device was already known when it asked.
    pub is_repair: bool,
    /// The time at which it was first made; lists are sorted by it.
    pub asked_at: Timestamp,
    /// The time at which it was last repeated; expiry is counted from it.
    pub refreshed_at: Timestamp,
    /// The pairing token that it came with.
    pub pairing_token: Option<TokenHash>,
}

/// An approved device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Its id.
    pub id: DeviceId,
    /// Its key.
    pub key: DeviceKey,
    /// The device's description of itself.
    pub info: DeviceInfo,
    /// The owner's name for the device, which is shown instead of the device's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The approval of each role. A role that is missing was never approved.
    pub roles: BTreeMap<Role, ApprovedRole>,
    /// What the device, as a node, waits to be approved for, as a gateway of the other program recorded it. It does
    /// not expire. A gateway of this project makes a [`DeviceRequest`] instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub surface: Option<Box<NodeRequest>>,
    /// The time at which the device was first approved.
    pub created_at: Timestamp,
    /// The time at which it was last approved.
    pub approved_at: Timestamp,
    /// Whether it has signed payloads of version 3. If so, it may not fall back.
    pub signs_v3: bool,
    /// The pairing token with which it may still fetch device tokens.
    pub pairing_token: Option<TokenHash>,
}

/// The approval of one role, and its token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovedRole {
    /// The approved scopes: no token of the role ever exceeds them.
    pub scopes: ScopeSet,
    /// The commands approved for a node, which limit those that it declares; an approval adds to them.
    /// `None` if the role was approved before the node had declared any (by another program, or by a
    /// setup code whose operator connected first): the first commands that it declares are then recorded
    /// here.
    #[serde(default)]
    pub commands: Option<BTreeSet<String>>,
    /// The time of the last approval. Adding commands to a role in force does not change it, so that its
    /// token stays valid.
    pub approved_at: Timestamp,
    /// The last approval; `None` if another program did not record it.
    pub grant: Option<Grant>,
    /// The token; `None` until one has been delivered.
    pub token: Option<DeviceToken>,
}

/// The stored form of a device token; never contains the token itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceToken {
    /// The hash of the token; `None` after it was rotated or revoked, until the next one is delivered.
    pub hash: Option<TokenHash>,
    /// The scopes of the token.
    pub scopes: ScopeSet,
    /// The time at which it was made.
    pub created_at: Timestamp,
    /// The time at which it was last rotated.
    pub rotated_at: Option<Timestamp>,
    /// The time at which the role was revoked; only a new approval restores it.
    pub revoked_at: Option<Timestamp>,
    /// The time at which it was last used, to within a minute.
    pub last_used_at: Option<Timestamp>,
    /// The scopes of the token that replaces this one, if the role was approved since this one was
    /// delivered. They are what this token has and what was approved: whatever a rotation took away stays
    /// away. The next delivery clears it, so no clock orders the two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_scopes: Option<ScopeSet>,
    /// The approved scopes of the role that this entry takes into account. What the role has beyond them was
    /// approved by a program that does not know `next_scopes`, and belongs to the next token. `None` if such a
    /// program wrote the token: what was approved since is not known then, and the token keeps its scopes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_scopes: Option<ScopeSet>,
}

/// The roles and scopes that a device can ask for with a setup code.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SetupProfile {
    /// Only node.
    Node,
    /// Node, and operator with approvals, read, write and talk.secrets.
    #[default]
    Limited,
    /// Node, and operator with all scopes.
    Full,
    /// Node, and operator with read and talk: a device that is spoken to.
    #[serde(rename = "voice-node")]
    Voice,
}

/// A short-lived token with which one device may ask to be paired; it does not admit the device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairingToken {
    /// The token's hash.
    pub hash: TokenHash,
    /// The roles and scopes that a device asks for with it, regardless of its own ask.
    pub profile: SetupProfile,
    /// The time at which it was issued.
    pub issued_at: Timestamp,
    /// The time at which it expires.
    pub expires_at: Timestamp,
    /// The chat in which it was issued.
    pub chat: Option<String>,
    /// The first device that proved its key with it; no other device may use it.
    pub device: Option<DeviceId>,
    /// The roles whose device token may still be fetched with it, once the device is approved.
    pub unclaimed: BTreeSet<Role>,
}

impl SetupProfile {
    /// Returns the ask of a request that comes with such a setup code.
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
            Self::Voice => &["operator.read", "operator.talk"],
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
    /// Makes an ask for one role, without commands.
    pub fn role(role: Role, scopes: ScopeSet) -> Self {
        Self {
            roles: BTreeSet::from([role]),
            scopes,
            commands: BTreeSet::new(),
        }
    }

    /// Whether it covers everything in `other`.
    pub fn covers(&self, other: &Self) -> bool {
        self.roles.is_superset(&other.roles)
            && self.scopes.covers(&other.scopes)
            && self.commands.is_superset(&other.commands)
    }

    /// Returns the ask after `role` has asked again with `latest`; the part of the other role is kept.
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
    /// Returns the approval of a role that is in force; `None` if it was never approved, or has been
    /// revoked.
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

    /// Scopes of which none implies another; otherwise two different asks could cover each other.
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
