//! `pairing-meta/<channel>.claims.json`: the claim codes that were issued, as hashes.
//!
//! Kept apart from the grants and the counters, because a code that was presented has to be gone before the
//! sender whom it admits is allowed. Losing the file ends the codes, and nothing else.

use std::borrow::Cow;
use std::collections::HashMap;

use pairing_core::store::Claim;
use pairing_core::{
    AccountId, ApproverId, ChannelId, ChannelRules, Key, Principal, Problem, Timestamp, TokenHash,
    Via,
};
use serde::{Deserialize, Serialize};

use super::{Document, Lists, digest, list};
use crate::error::FileError;
use crate::json;

const CLAIMS: &str = "claims";

/// The claim codes of a channel. There are few.
#[derive(Default)]
pub(crate) struct ClaimsDoc {
    lists: Lists,
    items: Vec<Item>,
}

struct Item {
    raw: String,
    said: Option<Claim>,
}

/// One claim code, as written in the file.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OnFile {
    account: AccountId,
    hash: TokenHash,
    by: ApproverId,
    via: Via,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    principal: Option<Principal>,
    issued_at: Timestamp,
    expires_at: Timestamp,
}

impl Document for ClaimsDoc {
    type Rules = ChannelRules;

    fn parse(text: &str, rules: &ChannelRules) -> Result<Self, FileError> {
        let (lists, members) = Lists::parse(text)?;
        let items = list(text, &members, CLAIMS)?.into_iter().map(|raw| {
            let said = serde_json::from_str(raw).ok();
            Item {
                said: said.map(|said: OnFile| said.into_record(rules.id())),
                raw: raw.to_owned(),
            }
        });
        Ok(Self {
            items: items.collect(),
            lists,
        })
    }

    fn problems(&self, resource: &str) -> Vec<Problem> {
        let numbered = self.items.iter().zip(1..);
        let bad = numbered.filter(|(item, _)| item.said.is_none());
        bad.map(|(_, number)| Problem {
            resource: resource.to_owned(),
            detail: format!(
                "claim code {number} is passed over: its members are not those of a claim code"
            ),
        })
        .collect()
    }
}

impl ClaimsDoc {
    /// Returns the claim with a hash, and its digest.
    pub(crate) fn get(&self, hash: TokenHash) -> Option<(&Claim, u64)> {
        self.iter().find(|(claim, _)| claim.hash == hash)
    }

    /// Returns every claim, and its digest.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Claim, u64)> {
        let all = self.items.iter();
        all.filter_map(|item| Some((item.said.as_ref()?, digest(&item.raw))))
    }

    /// Returns the keys of all records, and their digests.
    pub(crate) fn keys(&self) -> HashMap<Key, u64> {
        self.iter()
            .map(|(claim, digest)| (claim.key(), digest))
            .collect()
    }

    /// Returns the text after some claims were put or deleted; `None` if that changes nothing.
    pub(crate) fn edited(
        &self,
        changed: &[(TokenHash, Option<&Claim>)],
    ) -> Result<Option<String>, serde_json::Error> {
        let is_kept = |item: &&Item| {
            let hash = item.said.as_ref().map(|claim| claim.hash);
            !changed.iter().any(|(changed, _)| Some(*changed) == hash)
        };
        let kept = self.items.iter().filter(is_kept);
        let mut lines: Vec<Cow<'_, str>> = kept.map(|item| item.raw.as_str().into()).collect();
        let is_same = lines.len() == self.items.len() && changed.iter().all(|(_, n)| n.is_none());
        for new in changed.iter().filter_map(|(_, new)| *new) {
            lines.push(json::pretty(&OnFile::from(new), 2)?.into());
        }
        Ok((!is_same).then(|| self.lists.render(&[(CLAIMS, lines)])))
    }
}

impl OnFile {
    fn from(claim: &Claim) -> Self {
        Self {
            account: claim.account.clone(),
            hash: claim.hash,
            by: claim.by.clone(),
            via: claim.via,
            principal: claim.principal.clone(),
            issued_at: claim.issued_at,
            expires_at: claim.expires_at,
        }
    }

    fn into_record(self, channel: &ChannelId) -> Claim {
        Claim {
            channel: channel.clone(),
            account: self.account,
            hash: self.hash,
            by: self.by,
            via: self.via,
            principal: self.principal,
            issued_at: self.issued_at,
            expires_at: self.expires_at,
        }
    }
}
