//! The effects of an approval, and the tokens of approved roles.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    ApprovedRole, Ask, Device, DeviceId, DeviceInfo, DeviceKey, DeviceToken, Role, TokenHash,
};
use crate::store::Grant;
use crate::{Scope, ScopeSet, Timestamp};

impl Device {
    /// Makes a device without any approved role.
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
            label: None,
            roles: BTreeMap::new(),
            created_at: now,
            approved_at: now,
            surface: None,
            signs_v3: false,
            pairing_token: None,
        }
    }

    /// Approves the asked roles: a role in force keeps its scopes and commands and gains those asked for;
    /// any other role gets those asked for. `said` contains the commands that the node declares; `None`
    /// if it has not declared any yet.
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
            let next = match standing {
                Some(before) => before.token_scopes().union(&asked),
                None => asked.clone(),
            };
            let scopes = match standing {
                Some(before) => before.scopes.union(&asked),
                None => asked,
            };
            let token = before.and_then(|before| before.token.clone());
            let approved = ApprovedRole {
                scopes: scopes.clone(),
                commands,
                approved_at: now,
                grant: Some(grant.clone()),
                token: token.map(|token| DeviceToken {
                    // A revoked token stays invalid; a valid one stays valid until the next is delivered.
                    hash: token.hash.filter(|_| token.revoked_at.is_none()),
                    revoked_at: None,
                    next_scopes: Some(next.clone()),
                    approved_scopes: Some(scopes.clone()),
                    ..token
                }),
            };
            self.roles.insert(*role, approved);
        }
        self.approved_at = now;
    }
}

impl DeviceToken {
    /// Returns the time at which the present token was delivered or, without one, at which the last one
    /// ended.
    pub fn issued_at(&self) -> Timestamp {
        self.rotated_at.unwrap_or(self.created_at)
    }
}

impl ApprovedRole {
    /// Whether a `hello-ok` for this role delivers a token: if the role has none, or one that is older
    /// than the last approval.
    pub(super) fn wants_token(&self) -> bool {
        let live = self.token.as_ref().filter(|token| token.hash.is_some());
        live.is_none_or(|token| token.next_scopes.is_some() || self.is_newer_than(token))
    }

    /// Returns the scopes of a token that would be delivered now: those of the present token, with what
    /// was approved since. All approved scopes if there is none yet; never more than those.
    pub(super) fn token_scopes(&self) -> ScopeSet {
        let Some(token) = &self.token else {
            return self.scopes.clone();
        };
        let kept = token.next_scopes.as_ref().unwrap_or(&token.scopes);
        let approved = |scope: &&Scope| self.scopes.allows(scope.as_str());
        let kept = kept.iter().filter(approved).cloned();
        kept.chain(self.approved_elsewhere(token)).collect()
    }

    /// Returns the scopes that a program approved which did not change the token's entry.
    fn approved_elsewhere(&self, token: &DeviceToken) -> impl Iterator<Item = Scope> {
        let known = token.approved_scopes.as_ref();
        let is_new = move |scope: &&Scope| {
            known.is_some_and(|known| known.iter().all(|known| known != *scope))
        };
        self.scopes.iter().filter(is_new).cloned()
    }

    /// Whether a program approved the role after this token that did not change the token's entry. Our own
    /// times of a token are never before its approval.
    fn is_newer_than(&self, token: &DeviceToken) -> bool {
        token.issued_at() < self.approved_at || self.approved_elsewhere(token).next().is_some()
    }

    /// Makes the entry of a token that is being delivered.
    pub(super) fn new_token(&self, hash: TokenHash, now: Timestamp) -> DeviceToken {
        let before = self.token.as_ref();
        let at = now.max(self.approved_at);
        DeviceToken {
            hash: Some(hash),
            scopes: self.token_scopes(),
            created_at: before.map_or(at, |before| before.created_at),
            rotated_at: before.map(|_| at),
            revoked_at: None,
            last_used_at: None,
            next_scopes: None,
            approved_scopes: Some(self.scopes.clone()),
        }
    }
}
