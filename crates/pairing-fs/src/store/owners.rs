//! Ensures that two accounts never share a file: the second account with the same file name is refused.

use pairing_core::{AccountId, ChannelRules, StoreError};

use super::Inner;
use super::group::Group;
use crate::cache::{Now, replace};
use crate::docs::Owner;
use crate::error::unwritable;
use crate::lock::{OurLock, Patience};
use crate::names;

impl Inner {
    /// Returns an error if the account's allowlist would be a file of another account.
    pub(super) fn check_owner(
        &self,
        group: &Group,
        account: &AccountId,
        now: Now,
    ) -> Result<(), StoreError> {
        for stem in self.contested(group, account) {
            let state = self.names.recent(now);
            let owner = state.document(self.names.path())?.owner(&stem).cloned();
            self.is_owner(group, account, &stem, owner, now)?;
        }
        Ok(())
    }

    /// Returns the accounts of a channel that have an allowlist file: the account that claimed the file's
    /// name, or else the account in the name. Files of other channels are skipped.
    pub(super) fn accounts_with_files(
        &self,
        group: &Group,
        now: Now,
    ) -> Result<Vec<AccountId>, StoreError> {
        let mut accounts = Vec::new();
        for named in group.accounts_on_disk() {
            if self.contested(group, &named).is_empty() {
                accounts.push(named);
                continue;
            }
            let stem = names::allow_stem(group.rules.id(), Some(&named));
            let state = self.names.recent(now);
            let owner = state.document(self.names.path())?.owner(&stem).cloned();
            let account = match owner {
                Some(owner) if owner.channel == *group.rules.id() => owner.account,
                _ => named,
            };
            match self.check_owner(group, &account, now) {
                Ok(()) => accounts.push(account),
                Err(StoreError::Refused { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(accounts)
    }

    /// Claims the file names of an allowlist permanently, before it is written.
    pub(super) fn claim_names(
        &self,
        group: &Group,
        account: &AccountId,
        patience: &mut Patience,
    ) -> Result<(), StoreError> {
        let contested = self.contested(group, account);
        if contested.is_empty() {
            return Ok(());
        }
        let _lock = OurLock::take(&self.credentials.join(".names.oslock"), patience)?;
        for stem in contested {
            let state = self.names.look();
            let doc = state.document(self.names.path())?;
            let owner = doc.owner(&stem).cloned();
            let is_claimed = owner.is_some();
            self.is_owner(group, account, &stem, owner, self.now())?;
            if !is_claimed {
                let claim = Owner {
                    name: stem,
                    channel: group.rules.id().clone(),
                    account: account.clone(),
                };
                let path = self.names.path().to_owned();
                let text = doc.with(&claim).map_err(|e| unwritable(&path, e.into()))?;
                self.disk
                    .create_dir(path.parent().unwrap_or(&self.credentials))?;
                replace(&self.disk, vec![(&self.names, text)])?;
            }
        }
        Ok(())
    }

    /// Returns the names of an account's files that could also belong to another account or channel.
    pub(super) fn contested(&self, group: &Group, account: &AccountId) -> Vec<String> {
        let channel = group.rules.id();
        let stems = group.allowlist(account).stems.clone();
        let known = || self.channels.iter().map(ChannelRules::id);
        let contested = stems.into_iter();
        contested
            .filter(|stem| names::is_contested(stem, channel, account, known()))
            .collect()
    }

    /// Returns an error unless the account may use the name. A name belongs to the account that claimed it;
    /// unclaimed, an existing file belongs to the channel with the shorter name, as another program would
    /// read it.
    fn is_owner(
        &self,
        group: &Group,
        account: &AccountId,
        stem: &str,
        owner: Option<Owner>,
        now: Now,
    ) -> Result<(), StoreError> {
        let channel = group.rules.id();
        let other = match owner {
            Some(owner) if owner.channel == *channel && owner.account == *account => None,
            Some(owner) => Some(format!("{} account {}", owner.channel, owner.account)),
            None => {
                let allowlist = group.allowlist(account);
                let mut files = allowlist.stems.iter().zip(&allowlist.files);
                let is_there = files
                    .find(|(name, _)| *name == stem)
                    .is_some_and(|(_, file)| !file.recent(now).is_missing());
                let shorter = self.channels.iter().map(ChannelRules::id).find(|other| {
                    let rest = stem.strip_prefix(other.as_str());
                    *other != channel
                        && other.as_str().len() < channel.as_str().len()
                        && rest.is_some_and(|rest| rest.starts_with('-'))
                });
                shorter
                    .filter(|_| is_there)
                    .map(|other| format!("channel {other}"))
            }
        };
        match other {
            None => Ok(()),
            Some(other) => Err(StoreError::Refused {
                reason: format!(
                    "the file {stem}{} belongs to {other}; {channel} account {account} would share it",
                    names::ALLOW_SUFFIX
                ),
            }),
        }
    }
}
