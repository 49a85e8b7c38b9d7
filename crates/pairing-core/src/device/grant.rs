//! What an approval gives, and the tokens that stand for it.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use super::{
    ApprovedRole, Ask, Device, DeviceId, DeviceInfo, DeviceKey, DeviceToken, Role, TokenHash,
};
use crate::store::Grant;
use crate::{ScopeSet, Timestamp};

impl Device {
    /// A device of which nothing is approved yet.
    pub(super) fn unapproved(
        id: DeviceId,
        key: DeviceKey,
        info: DeviceInfo,
        now: Timestamp,
    ) -> Self {
        Self {
            id,
            key,
            info,
            roles: BTreeMap::new(),
            created_at: now,
            approved_at: now,
            signs_v3: false,
            pairing_token: None,
        }
    }

    /// Approves: a role that stands keeps what it had, one that was revoked gets what it asked. `said` is
    /// what the node has named, `None` where it has not been heard.
    pub(crate) fn grant(
        &mut self,
        ask: &Ask,
        said: Option<&BTreeSet<String>>,
        grant: &Grant,
        now: Timestamp,
    ) {
        for role in &ask.roles {
            let asked = match role {
                Role::Operator => ask.scopes.clone(),
                Role::Node => ScopeSet::default(),
            };
            let before = self.roles.get(role);
            let standing = before.filter(|before| !before.is_revoked());
            let commands = match role {
                Role::Operator => None,
                Role::Node => ApprovedRole::commands_with(standing, said),
            };
            let scopes = match standing {
                Some(before) => before.scopes.union(&asked),
                None => asked,
            };
            let token = before.and_then(|before| before.token.clone());
            let approved = ApprovedRole {
                scopes,
                commands,
                approved_at: now,
                grant: Some(grant.clone()),
                token: token.map(|token| DeviceToken {
                    // A revoked token stays dead; a live one lives until the next is delivered.
                    hash: token.hash.filter(|_| token.revoked_at.is_none()),
                    revoked_at: None,
                    ..token
                }),
            };
            self.roles.insert(*role, approved);
        }
        self.approved_at = now;
    }
}

impl DeviceToken {
    /// When the token that is now kept was delivered or, where none is, ended.
    pub(super) fn issued_at(&self) -> Timestamp {
        self.rotated_at.unwrap_or(self.created_at)
    }
}

impl ApprovedRole {
    /// Whether a `hello-ok` for this role delivers a token: if the role has none, or one that is older than
    /// the last approval.
    pub(super) fn wants_token(&self) -> bool {
        let live = self.token.as_ref().filter(|token| token.hash.is_some());
        live.is_none_or(|token| match token.issued_at().cmp(&self.approved_at) {
            Ordering::Less => true,
            // Within one millisecond, the scopes tell which came first.
            Ordering::Equal => token.scopes != self.scopes,
            Ordering::Greater => false,
        })
    }

    /// The entry of a token that is being delivered: with what a rotation since the approval has left
    /// of the scopes, else with all that was approved.
    pub(super) fn new_token(&self, hash: TokenHash, now: Timestamp) -> DeviceToken {
        let before = self.token.as_ref();
        let rotated = before.filter(|before| {
            let since = before.rotated_at.is_some_and(|at| at >= self.approved_at);
            before.hash.is_none() && since
        });
        DeviceToken {
            hash: Some(hash),
            scopes: rotated.map_or_else(|| self.scopes.clone(), |rotated| rotated.scopes.clone()),
            created_at: before.map_or(now, |before| before.created_at),
            rotated_at: before.map(|_| now),
            revoked_at: None,
            last_used_at: None,
        }
    }
}
