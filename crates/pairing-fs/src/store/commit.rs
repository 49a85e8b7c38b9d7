//! Commits a batch about a channel: under both locks, checks its conditions and then replaces the files.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use pairing_core::store::{
    self as keys, AllowEntry, Attempts, Batch, Change, Claim, Condition, PageRequest,
    PendingRequest, TakenCode, TurnedAway,
};
use pairing_core::{AccountId, ApproverId, Key, Record, SenderId, StoreError, TokenHash};

use super::group::{Allowlist, Group};
use super::{Inner, only_group, unknown_kind};
use crate::cache::{CachedFile, Now, Replaceable, replace};
use crate::error::unwritable;
use crate::lock::{OtherLock, OurLock, Patience};
use crate::names;

/// The changes of a batch, grouped by the file they are written to.
#[derive(Default)]
struct Plan<'b> {
    put_requests: Vec<&'b PendingRequest>,
    deleted_requests: Vec<(&'b AccountId, &'b SenderId)>,
    put_codes: Vec<&'b TakenCode>,
    allow: BTreeMap<&'b AccountId, AllowChange<'b>>,
    attempts: Vec<(&'b ApproverId, Option<&'b Attempts>)>,
    turned_away: Vec<(&'b AccountId, Option<&'b TurnedAway>)>,
    claims: Vec<(TokenHash, Option<&'b Claim>)>,
}

#[derive(Default)]
struct AllowChange<'b> {
    put: Vec<&'b AllowEntry>,
    deleted: Vec<&'b SenderId>,
}

impl Inner {
    pub(super) fn commit(&self, batch: &Batch, lock_wait: Duration) -> Result<(), StoreError> {
        let channel = match only_group(batch)? {
            None => return Ok(()),
            Some(keys::Group::Channel(channel)) => channel,
            Some(keys::Group::Devices) => return self.commit_to(&self.devices, batch, lock_wait),
            Some(keys::Group::Nodes) => return self.commit_to(&self.nodes, batch, lock_wait),
            Some(_) => return Err(unknown_kind()),
        };
        let plan = Plan::of(&batch.changes)?;
        let group = self.group(channel);
        let mut patience = Patience::new(lock_wait);
        self.disk.create_dir(&self.credentials)?;
        let our_lock = self.credentials.join(names::lock_file(channel));
        let _ours = OurLock::take(&our_lock, &mut patience)?;
        if plan.writes_meta() {
            self.disk
                .create_dir(&self.credentials.join(names::META_DIR))?;
        }
        for (account, change) in &plan.allow {
            if !change.put.is_empty() {
                self.claim_names(&group, account, &mut patience)?;
            }
        }
        look_at_all(&group, batch);
        let _others = self.lock_others(&group, &plan, &mut patience)?;
        // Read again, to see everything that OpenClaw wrote before it released its locks.
        look_at_all(&group, batch);
        self.finish_half_approved(&group)?;
        self.check(batch)?;
        replace(&self.disk, plan.files(&group, self.now())?.as_replaceable())?;
        let keys = batch.changes.iter().map(Change::key);
        self.feed.report(keys.collect());
        Ok(())
    }

    /// Takes OpenClaw's locks on the files that will be replaced, in the order in which OpenClaw nests
    /// them.
    fn lock_others(
        &self,
        group: &Group,
        plan: &Plan<'_>,
        patience: &mut Patience,
    ) -> Result<Vec<OtherLock<'_>>, StoreError> {
        let mut locks = Vec::new();
        let half_approved = || Ok(!group.requests(self.now())?.half_approved().is_empty());
        if plan.writes_requests() || half_approved()? {
            locks.push(OtherLock::take(
                group.requests.path(),
                &self.disk,
                patience,
            )?);
        }
        for account in plan.allow.keys() {
            let allowlist = group.allowlist(account);
            for (number, file) in allowlist.files.iter().enumerate() {
                if number == 0 || !file.look().is_missing() {
                    locks.push(OtherLock::take(file.path(), &self.disk, patience)?);
                }
            }
        }
        Ok(locks)
    }

    /// Removes requests whose approval was interrupted by a crash, before the batch is checked.
    fn finish_half_approved(&self, group: &Group) -> Result<(), StoreError> {
        // If the requests cannot be read, only a batch about requests has to fail.
        let Ok(view) = group.requests(self.now()) else {
            return Ok(());
        };
        let half_approved = view.half_approved();
        let ended: Vec<_> = half_approved.iter().map(|(a, s)| (a, s)).collect();
        if ended.is_empty() {
            return Ok(());
        }
        let text = view.document()?.edited(&ended, &[]);
        let text = text.map_err(|e| unwritable(group.requests.path(), e.into()))?;
        drop(view);
        let file: &dyn Replaceable = &group.requests;
        replace(
            &self.disk,
            text.map(|text| (file, text)).into_iter().collect(),
        )
    }

    pub(super) fn check(&self, batch: &Batch) -> Result<(), StoreError> {
        let now = self.now();
        for condition in &batch.conditions {
            let (found, expected) = match condition {
                Condition::Record(key, version) => (self.read(key, now)?.version, version),
                Condition::Range(range, version) => (
                    self.range(range, &PageRequest::first(1), now)?.version,
                    version,
                ),
            };
            if found != *expected {
                return Err(StoreError::Conflict);
            }
        }
        Ok(())
    }
}

/// Checks every file that the batch may change or that its conditions depend on.
fn look_at_all(group: &Group, batch: &Batch) {
    let state = group.requests.look();
    group.grants.look();
    group.counters.look();
    group.claims.look();
    // A pending request may be half approved; only the account's allowlist tells.
    let asked = state.document(group.requests.path()).into_iter();
    let mut accounts: Vec<AccountId> = asked.flat_map(|doc| doc.accounts().cloned()).collect();
    let changed = batch.changes.iter().map(Change::key);
    let conditions = batch.conditions.iter().filter_map(|c| match c {
        Condition::Record(key, _) => Some(key.clone()),
        Condition::Range(..) => None,
    });
    accounts.extend(changed.chain(conditions).filter_map(|key| match key {
        Key::Allow { account, .. } => Some(account),
        _ => None,
    }));
    accounts.extend(batch.conditions.iter().filter_map(|c| match c {
        Condition::Range(range, _) => range.account().cloned(),
        Condition::Record(..) => None,
    }));
    accounts.sort_unstable();
    accounts.dedup();
    for account in accounts {
        for file in &group.allowlist(&account).files {
            file.look();
        }
    }
}

impl<'b> Plan<'b> {
    fn of(changes: &'b [Change]) -> Result<Self, StoreError> {
        let mut plan = Self::default();
        for change in changes {
            match change {
                Change::Put(Record::Request(request)) => plan.put_requests.push(request),
                Change::Put(Record::Code(taken)) => plan.put_codes.push(taken),
                Change::Put(Record::Allow(entry)) => {
                    plan.allow
                        .entry(&entry.account)
                        .or_default()
                        .put
                        .push(entry);
                }
                Change::Put(Record::Attempts(attempts)) => {
                    plan.attempts.push((&attempts.approver, Some(attempts)));
                }
                Change::Put(Record::TurnedAway(turned)) => {
                    plan.turned_away.push((&turned.account, Some(turned)));
                }
                Change::Put(Record::Claim(claim)) => plan.claims.push((claim.hash, Some(claim))),
                Change::Delete(Key::Request {
                    account, sender, ..
                }) => plan.deleted_requests.push((account, sender)),
                // A code is stored in its request.
                Change::Delete(Key::Code { .. }) => {}
                Change::Delete(Key::Allow { account, entry, .. }) => {
                    plan.allow.entry(account).or_default().deleted.push(entry);
                }
                Change::Delete(Key::Attempts { approver, .. }) => {
                    plan.attempts.push((approver, None));
                }
                Change::Delete(Key::TurnedAway { account, .. }) => {
                    plan.turned_away.push((account, None));
                }
                Change::Delete(Key::Claim { hash, .. }) => plan.claims.push((*hash, None)),
                _ => return Err(unknown_kind()),
            }
        }
        Ok(plan)
    }

    fn writes_requests(&self) -> bool {
        !self.put_requests.is_empty() || !self.deleted_requests.is_empty()
    }

    fn writes_counters(&self) -> bool {
        !self.attempts.is_empty() || !self.turned_away.is_empty()
    }

    fn writes_meta(&self) -> bool {
        self.writes_counters() || !self.claims.is_empty() || !self.allow.is_empty()
    }

    /// Returns the new texts, in the order in which they take effect.
    ///
    /// A new allowlist entry is written before its request is removed. Its approver is recorded before the
    /// entry counts; in a batch that only removes entries, the record is kept until they have ceased to
    /// count.
    ///
    /// A claim code is gone before the sender whom it admits is allowed: a crash in between costs the code,
    /// and does not let it admit somebody else.
    fn files<'g>(&self, group: &'g Group, now: Now) -> Result<Files<'g>, StoreError> {
        let mut files = Files::default();
        let requests = self.requests_text(group, now)?;
        let grants = self.grants_text(group, now)?;
        let adds = self.allow.values().any(|change| !change.put.is_empty());
        files.push_text(&group.claims, self.claims_text(group, now)?);
        let (first, last) = if adds { (grants, None) } else { (None, grants) };
        files.push_text(&group.grants, first);
        for (account, change) in &self.allow {
            let allowlist = group.allowlist(account);
            let texts = change.texts(&allowlist)?;
            files.allowlists.push((allowlist, texts));
        }
        files.after_allowlists = files.texts.len();
        files.push_text(&group.requests, requests);
        files.push_text(&group.grants, last);
        if self.writes_counters() {
            let state = group.counters.recent(now);
            let doc = state.document(group.counters.path())?;
            let text = doc.edited(&self.attempts, &self.turned_away);
            let text = text.map_err(|e| unwritable(group.counters.path(), e.into()))?;
            files.push_text(&group.counters, Some(text));
        }
        Ok(files)
    }

    fn requests_text(&self, group: &Group, now: Now) -> Result<Option<String>, StoreError> {
        if !self.writes_requests() && self.put_codes.is_empty() {
            return Ok(None);
        }
        let view = group.requests(now)?;
        let doc = view.document()?;
        for taken in &self.put_codes {
            let carries = |account: &AccountId, sender: &SenderId| {
                let mut new = self.put_requests.iter().copied();
                new.any(|r| r.account == *account && r.sender == *sender && r.code == taken.code)
                    || doc
                        .get(account, sender)
                        .is_some_and(|stored| stored.request.code == taken.code)
            };
            if !taken.holders.iter().all(|h| carries(&h.account, &h.sender)) {
                return Err(StoreError::Refused {
                    reason: "a code without its request".to_owned(),
                });
            }
        }
        doc.edited(&self.deleted_requests, &self.put_requests)
            .map_err(|e| unwritable(group.requests.path(), e.into()))
    }

    fn claims_text(&self, group: &Group, now: Now) -> Result<Option<String>, StoreError> {
        if self.claims.is_empty() {
            return Ok(None);
        }
        let state = group.claims.recent(now);
        let doc = state.document(group.claims.path())?;
        doc.edited(&self.claims)
            .map_err(|e| unwritable(group.claims.path(), e.into()))
    }

    fn grants_text(&self, group: &Group, now: Now) -> Result<Option<String>, StoreError> {
        if self.allow.is_empty() {
            return Ok(None);
        }
        let put: Vec<&AllowEntry> = self.allow.values().flat_map(|c| c.put.clone()).collect();
        let state = group.grants.recent(now);
        let doc = match state.document(group.grants.path()) {
            Ok(doc) => doc,
            // Who is removed has to go at once. A grant without an entry is dropped at a later change.
            Err(_) if put.is_empty() => return Ok(None),
            Err(error) => return Err(error),
        };
        let stands = |account: &AccountId, entry: &SenderId| {
            let deleted = self.allow.get(account);
            !deleted.is_some_and(|change| change.deleted.contains(&entry))
                && group.may_be_allowed(account, entry, now)
        };
        doc.edited(&put, stands)
            .map_err(|e| unwritable(group.grants.path(), e.into()))
    }
}

impl AllowChange<'_> {
    /// Returns the new texts of an account's files; `None` for a file that stays unchanged.
    fn texts(&self, allowlist: &Allowlist) -> Result<Vec<Option<String>>, StoreError> {
        let states: Vec<_> = allowlist.files.iter().map(CachedFile::look).collect();
        let files = states.iter().zip(&allowlist.files);
        let docs = files.map(|(state, file)| state.document(file.path()));
        let docs = docs.collect::<Result<Vec<_>, _>>()?;
        let put = self.put.iter().map(|entry| &entry.entry);
        let new: Vec<_> = put
            .filter(|entry| docs.iter().all(|doc| doc.get(entry).is_none()))
            .collect();
        let texts = docs.iter().enumerate().map(|(number, doc)| {
            let added = if number == 0 { &new[..] } else { &[] };
            doc.edited(&self.deleted, added)
        });
        Ok(texts.collect())
    }
}

/// Files and their new texts: those written before the allowlists, the allowlists, and those written after.
#[derive(Default)]
struct Files<'g> {
    texts: Vec<(&'g dyn Replaceable, String)>,
    after_allowlists: usize,
    allowlists: Vec<(Arc<Allowlist>, Vec<Option<String>>)>,
}

impl<'g> Files<'g> {
    fn push_text(&mut self, file: &'g dyn Replaceable, text: Option<String>) {
        self.texts.extend(text.map(|text| (file, text)));
    }

    fn as_replaceable(&self) -> Vec<(&dyn Replaceable, String)> {
        let (before, after) = self.texts.split_at(self.after_allowlists);
        let mut all: Vec<(&dyn Replaceable, String)> = before.to_vec();
        for (allowlist, texts) in &self.allowlists {
            let files = allowlist.files.iter().zip(texts);
            all.extend(files.filter_map(|(file, text)| {
                let file: &dyn Replaceable = file;
                Some((file, text.clone()?))
            }));
        }
        all.extend_from_slice(after);
        all
    }
}
