//! `pairing-meta/<channel>.json`: the approver of each grant. Losing the file loses no grant.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use pairing_core::store::{AllowEntry, Grant};
use pairing_core::{AccountId, ChannelRules, Problem, SenderId};
use serde::{Deserialize, Serialize};

use super::{Before, Document, Lists, digest, list};
use crate::error::FileError;
use crate::json;

const GRANTS: &str = "grants";

/// The grants of a channel.
#[derive(Default)]
pub(crate) struct GrantsDoc {
    lists: Lists,
    items: Vec<Arc<Item>>,
    accounts: HashMap<AccountId, Granted>,
    has_problems: bool,
}

#[derive(Default)]
struct Granted {
    by_entry: HashMap<SenderId, usize>,
    digest: u64,
}

struct Item {
    raw: Box<str>,
    said: Option<OnFile>,
    digest: u64,
}

impl Item {
    fn parse(raw: &str) -> Self {
        Self {
            said: serde_json::from_str(raw).ok(),
            digest: digest(raw),
            raw: raw.into(),
        }
    }
}

/// One grant, as written in the file.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OnFile {
    account: AccountId,
    entry: SenderId,
    by: pairing_core::ApproverId,
    via: pairing_core::Via,
    at: pairing_core::Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    requested_at: Option<pairing_core::Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    principal: Option<pairing_core::Principal>,
}

impl Document for GrantsDoc {
    type Rules = ChannelRules;

    fn parse(text: &str, rules: &ChannelRules) -> Result<Self, FileError> {
        Self::parse_again(text, rules, &Self::default())
    }

    fn parse_again(text: &str, _: &ChannelRules, before: &Self) -> Result<Self, FileError> {
        let (lists, members) = Lists::parse_around(text, GRANTS)?;
        let mut known = Before::new(&before.items);
        let items: Vec<Arc<Item>> = list(text, &members, GRANTS)?
            .into_iter()
            .map(|raw| {
                let same = known.find(|item| *item.raw == *raw);
                same.unwrap_or_else(|| Arc::new(Item::parse(raw)))
            })
            .collect();
        let mut accounts: HashMap<AccountId, Granted> = HashMap::new();
        for (at, item) in items.iter().enumerate() {
            if let Some(said) = &item.said {
                // Only the first grant of an account needs a name of its own.
                let granted = match accounts.get_mut(&said.account) {
                    Some(granted) => granted,
                    None => accounts.entry(said.account.clone()).or_default(),
                };
                granted.by_entry.insert(said.entry.clone(), at);
                granted.digest = digest((granted.digest, item.digest));
            }
        }
        Ok(Self {
            has_problems: items.iter().any(|item| item.said.is_none()),
            lists,
            items,
            accounts,
        })
    }

    fn problems(&self, resource: &str) -> Vec<Problem> {
        if !self.has_problems {
            return Vec::new();
        }
        let numbered = self.items.iter().zip(1..);
        let bad = numbered.filter(|(item, _)| item.said.is_none());
        bad.map(|(_, number)| Problem {
            resource: resource.to_owned(),
            detail: format!("grant {number} is passed over: its members are not those of a grant"),
        })
        .collect()
    }
}

impl GrantsDoc {
    /// Returns the grant of an allowlist entry, and its digest.
    pub(crate) fn get(&self, account: &AccountId, entry: &SenderId) -> Option<(Grant, u64)> {
        let item = self.item(account, entry)?;
        Some((item.said.as_ref()?.grant(), item.digest))
    }

    /// Returns every grant, in the order of the file.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&AccountId, &SenderId, Grant)> {
        let all = self.items.iter().filter_map(|item| item.said.as_ref());
        all.map(|said| (&said.account, &said.entry, said.grant()))
    }

    /// Returns the entries whose grants are not the same in both.
    pub(crate) fn differing<'d>(
        &'d self,
        new: &'d Self,
    ) -> impl Iterator<Item = (&'d AccountId, &'d SenderId)> {
        let changed = self.granted();
        let changed = changed
            .filter(move |(account, entry, digest)| new.digest_of(account, entry) != Some(*digest));
        // What is in both was looked at.
        let added = new.granted();
        let added =
            added.filter(move |(account, entry, _)| self.digest_of(account, entry).is_none());
        changed
            .chain(added)
            .map(|(account, entry, _)| (account, entry))
    }

    /// The entries that were granted, each once, with the digest of the grant that counts.
    fn granted(&self) -> impl Iterator<Item = (&AccountId, &SenderId, u64)> {
        let accounts = self.accounts.iter();
        let entries = accounts.flat_map(|(account, granted)| {
            let entries = granted.by_entry.iter();
            entries.map(move |(entry, at)| (account, entry, *at))
        });
        entries
            .filter_map(|(account, entry, at)| Some((account, entry, self.items.get(at)?.digest)))
    }

    fn digest_of(&self, account: &AccountId, entry: &SenderId) -> Option<u64> {
        Some(self.item(account, entry)?.digest)
    }

    fn item(&self, account: &AccountId, entry: &SenderId) -> Option<&Item> {
        let at = *self.accounts.get(account)?.by_entry.get(entry)?;
        self.items.get(at).map(Arc::as_ref)
    }

    /// Returns a number that differs whenever a grant of the account does.
    pub(crate) fn digest(&self, account: &AccountId) -> u64 {
        self.accounts
            .get(account)
            .map_or(0, |granted| granted.digest)
    }

    /// Returns the text with the grants in `put`, and without those for which `stands` is false; `None` if
    /// that changes nothing.
    ///
    /// A grant without an allowlist entry is left over from a crash, or from a removal by another program.
    pub(crate) fn edited(
        &self,
        put: &[&AllowEntry],
        stands: impl Fn(&AccountId, &SenderId) -> bool,
    ) -> Result<Option<String>, serde_json::Error> {
        let new: Vec<OnFile> = put.iter().filter_map(|entry| on_file(entry)).collect();
        let names: HashSet<_> = new.iter().map(|new| (&new.account, &new.entry)).collect();
        let is_new = |old: &OnFile| names.contains(&(&old.account, &old.entry));
        let kept = self.items.iter().filter(|item| match &item.said {
            Some(said) => !is_new(said) && stands(&said.account, &said.entry),
            None => true,
        });
        let mut lines: Vec<Cow<'_, str>> = kept.map(|item| (*item.raw).into()).collect();
        let changed = !new.is_empty() || lines.len() < self.items.len();
        for grant in &new {
            lines.push(json::pretty(grant, 2)?.into());
        }
        Ok(changed.then(|| self.lists.render(&[(GRANTS, lines)])))
    }
}

impl OnFile {
    fn grant(&self) -> Grant {
        Grant::new(self.by.clone(), self.via, self.at)
            .with_requested_at(self.requested_at)
            .with_principal(self.principal.clone())
    }
}

fn on_file(entry: &AllowEntry) -> Option<OnFile> {
    let grant = entry.grant.as_ref()?;
    Some(OnFile {
        account: entry.account.clone(),
        entry: entry.entry.clone(),
        by: grant.by.clone(),
        via: grant.via,
        at: grant.at,
        requested_at: grant.requested_at,
        principal: grant.principal.clone(),
    })
}
