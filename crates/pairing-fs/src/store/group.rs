//! The files of one channel, which change together.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use pairing_core::store::{AllowEntry, Holder};
use pairing_core::{AccountId, ChannelRules, PairingCode, SenderId, StoreError};

use super::file_names;
use crate::cache::{CachedFile, Now, State};
use crate::docs::{AllowDoc, ClaimsDoc, CountersDoc, GrantsDoc, RequestsDoc, Stored, digest};
use crate::json;
use crate::names;

pub(super) struct Group {
    credentials: PathBuf,
    pub(super) rules: Arc<ChannelRules>,
    pub(super) requests: CachedFile<RequestsDoc>,
    pub(super) grants: CachedFile<GrantsDoc>,
    pub(super) counters: CachedFile<CountersDoc>,
    pub(super) claims: CachedFile<ClaimsDoc>,
    accounts: RwLock<HashMap<AccountId, Arc<Allowlist>>>,
}

/// The files of an account's allowlist, starting with the one that is written.
pub(super) struct Allowlist {
    pub(super) stems: Vec<String>,
    pub(super) files: Vec<CachedFile<AllowDoc>>,
}

/// The requests of a channel without the half approved ones: their sender is in the allowlist already,
/// which is the moment an approval counts, and only the request remains to be removed.
pub(super) struct Requests<'g> {
    group: &'g Group,
    now: Now,
    state: Arc<State<RequestsDoc>>,
}

impl Group {
    pub(super) fn new(credentials: &Path, rules: Arc<ChannelRules>) -> Self {
        let meta = credentials.join(names::META_DIR);
        let channel = rules.id();
        let requests = credentials.join(names::pairing_file(channel));
        let grants = meta.join(names::grants_file(channel));
        let counters = meta.join(names::counters_file(channel));
        let claims = meta.join(names::claims_file(channel));
        Self {
            credentials: credentials.to_owned(),
            requests: CachedFile::new(requests, rules.clone()),
            grants: CachedFile::new(grants, rules.clone()),
            counters: CachedFile::new(counters, rules.clone()),
            claims: CachedFile::new(claims, rules.clone()),
            accounts: RwLock::default(),
            rules,
        }
    }

    pub(super) fn allowlist(&self, account: &AccountId) -> Arc<Allowlist> {
        let accounts = self.accounts.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(allowlist) = accounts.get(account) {
            return allowlist.clone();
        }
        drop(accounts);
        let mut accounts = self
            .accounts
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let allowlist = accounts.entry(account.clone()).or_insert_with(|| {
            let stems = names::allow_stems(self.rules.id(), account);
            let files = stems.iter().map(|stem| {
                let name = format!("{stem}{}", names::ALLOW_SUFFIX);
                CachedFile::new(self.credentials.join(name), self.rules.clone())
            });
            Arc::new(Allowlist {
                files: files.collect(),
                stems,
            })
        });
        allowlist.clone()
    }

    /// Returns the accounts that have an allowlist on disk, preceded by the default account.
    pub(super) fn accounts_on_disk(&self) -> Vec<AccountId> {
        let prefix = format!("{}-", self.rules.id());
        let scoped = file_names(&self.credentials)
            .into_iter()
            .filter_map(|name| {
                let account = name.strip_prefix(&prefix)?;
                let account = account.strip_suffix(names::ALLOW_SUFFIX)?;
                AccountId::parse(account).ok()
            });
        let mut accounts = vec![AccountId::default()];
        accounts.extend(scoped.filter(|account| !account.is_default()));
        accounts
    }

    /// Returns an entry of an account's allowlist, and its digest.
    ///
    /// If one of two files cannot be read, entries found in the other still count.
    pub(super) fn allow_entry(
        &self,
        account: &AccountId,
        entry: &SenderId,
        now: Now,
    ) -> Result<Option<(AllowEntry, u64)>, StoreError> {
        let allowlist = self.allowlist(account);
        let mut raws: Vec<String> = Vec::new();
        let mut unreadable = None;
        for file in &allowlist.files {
            match file.recent(now).document(file.path()) {
                Ok(doc) => raws.extend(doc.get(entry).map(str::to_owned)),
                Err(error) => unreadable = Some(error),
            }
        }
        match (raws.first(), unreadable) {
            (None, Some(error)) => Err(error),
            (None, None) => Ok(None),
            (Some(raw), _) => {
                let grants = self.grants.recent(now);
                // Losing the grants file loses no grant, only the record of its approver.
                let grants = grants.document(self.grants.path()).ok();
                let grant = grants.and_then(|grants| grants.get(account, entry));
                let digest = digest((&raws, grant.as_ref().map(|(_, digest)| digest)));
                let written = json::text_of(raw).filter(|text| text != entry.as_str());
                let allow = AllowEntry {
                    channel: self.rules.id().clone(),
                    account: account.clone(),
                    entry: entry.clone(),
                    written,
                    grant: grant.map(|(grant, _)| grant),
                };
                Ok(Some((allow, digest)))
            }
        }
    }

    /// Whether one of the account's readable files allows this sender.
    pub(super) fn is_allowed(&self, account: &AccountId, sender: &SenderId, now: Now) -> bool {
        self.any_allows(account, sender, now, false)
    }

    /// Does the same as [`is_allowed`](Self::is_allowed), but an unreadable file counts as allowing the
    /// sender.
    pub(super) fn may_be_allowed(&self, account: &AccountId, sender: &SenderId, now: Now) -> bool {
        self.any_allows(account, sender, now, true)
    }

    fn any_allows(
        &self,
        account: &AccountId,
        sender: &SenderId,
        now: Now,
        where_unreadable: bool,
    ) -> bool {
        let allowlist = self.allowlist(account);
        allowlist.files.iter().any(|file| {
            let state = file.recent(now);
            let doc = state.document(file.path());
            doc.map_or(where_unreadable, |doc| doc.get(sender).is_some())
        })
    }

    pub(super) fn requests(&self, now: Now) -> Result<Requests<'_>, StoreError> {
        let state = self.requests.recent(now);
        state.document(self.requests.path())?;
        Ok(Requests {
            group: self,
            now,
            state,
        })
    }
}

impl Requests<'_> {
    /// Returns the document in the file, half approved requests included.
    pub(super) fn document(&self) -> Result<&RequestsDoc, StoreError> {
        self.state.document(self.group.requests.path())
    }

    fn is_half_approved(&self, account: &AccountId, sender: &SenderId) -> bool {
        self.group.is_allowed(account, sender, self.now)
    }

    pub(super) fn get(&self, account: &AccountId, sender: &SenderId) -> Option<Stored<'_>> {
        let stored = self.document().ok()?.get(account, sender)?;
        (!self.is_half_approved(account, sender)).then_some(stored)
    }

    pub(super) fn holders(&self, code: PairingCode) -> Vec<Holder> {
        let holders = self
            .document()
            .into_iter()
            .flat_map(|doc| doc.holders(code));
        holders
            .filter(|holder| !self.is_half_approved(&holder.account, &holder.sender))
            .collect()
    }

    pub(super) fn iter(&self, account: Option<&AccountId>) -> impl Iterator<Item = Stored<'_>> {
        let all = self.document().into_iter();
        let all = all.flat_map(move |doc| doc.iter(account));
        all.filter(|s| !self.is_half_approved(&s.request.account, &s.request.sender))
    }

    pub(super) fn half_approved(&self) -> Vec<(AccountId, SenderId)> {
        let all = self.document().into_iter().flat_map(|doc| doc.iter(None));
        all.map(|s| (s.request.account.clone(), s.request.sender.clone()))
            .filter(|(account, sender)| self.is_half_approved(account, sender))
            .collect()
    }
}
