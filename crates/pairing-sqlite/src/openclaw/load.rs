//! Reading: rows of OpenClaw's and what is kept beside, as records.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use pairing_core::store::{Holder, Read, TakenCode, Version};
use pairing_core::{
    AccountId, ChannelId, ChannelRules, Channels, Key, Problem, Range, Record, SenderId, StoreError,
};
use rusqlite::Connection;

use super::beside::{self, Kept};
use super::rows::{Bad, Found, Outcome, allow, device, device_request, pairing_token, request};
use super::tables::{Table, Tables};
use crate::digest::Digest;
use crate::stored::{self, DecodeError};

/// How the entries of an allowlist are written that are not in the normal form.
pub(super) type Spellings = Arc<Vec<(SenderId, String)>>;

/// What reading needs, within one transaction.
pub(super) struct Loader<'l> {
    pub(super) connection: &'l Connection,
    pub(super) tables: &'l Tables,
    pub(super) channels: &'l Channels,
    /// The database, for errors.
    pub(super) name: &'l str,
    /// The spellings that were found before, where they still hold.
    pub(super) spellings: &'l dyn Fn(&ChannelId, &str) -> Option<Spellings>,
    /// Keeps the spellings that were found.
    pub(super) keep: &'l dyn Fn(&ChannelId, &str, &Spellings),
}

/// A failure to read.
#[derive(Debug, thiserror::Error)]
pub(super) enum LoadError {
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A whole range.
#[derive(Default)]
pub(super) struct Loaded {
    /// By their paths, which is the order of pages.
    pub(super) records: BTreeMap<String, Record>,
    pub(super) problems: Vec<Problem>,
}

impl Loaded {
    pub(super) fn version(&self) -> Version {
        let mut digest = Digest::default();
        for (path, record) in &self.records {
            digest.add(path.as_bytes());
            digest.add(&beside::version(record).to_le_bytes());
        }
        Version::new(digest.finish())
    }
}

/// Returns an account as OpenClaw's tables have it.
pub(super) fn written(account: &AccountId) -> String {
    account
        .as_str()
        .replace([':', '*', '?', '"', '<', '>', '|'], "_")
}

impl Loader<'_> {
    pub(super) fn rules(&self, channel: &ChannelId) -> Arc<ChannelRules> {
        let rules = self.channels.get(channel).cloned();
        rules.unwrap_or_else(|| Arc::new(ChannelRules::new(channel.clone())))
    }

    /// Returns the columns to select from a table, or an error that says what is missing.
    pub(super) fn selected(&self, table: Table) -> Result<String, StoreError> {
        self.tables
            .selected(table)
            .map_err(|reason| StoreError::Unreadable {
                resource: self.name.to_owned(),
                source: reason.into(),
            })
    }

    /// Returns the account's name in the tables; `None` if that name stands for another account.
    pub(super) fn name_of(
        &self,
        channel: &ChannelId,
        account: &AccountId,
    ) -> rusqlite::Result<Option<String>> {
        let written = written(account);
        if !written.contains('_') {
            return Ok(Some(written));
        }
        let owner = beside::account(self.connection, channel, &written)?;
        let is_other = owner.is_some_and(|owner| owner != *account);
        Ok((!is_other).then_some(written))
    }

    /// Returns the account that a name in the tables stands for.
    fn account_of(
        &self,
        channel: &ChannelId,
        written: &str,
    ) -> rusqlite::Result<Result<AccountId, Bad>> {
        if written.contains('_')
            && let Some(owner) = beside::account(self.connection, channel, written)?
        {
            return Ok(Ok(owner));
        }
        let bad = |reason: &str| Bad {
            row: channel.to_string(),
            reason: format!("an account is passed over: {reason}"),
        };
        Ok(match AccountId::parse(written) {
            // Nobody would find its rows by that name.
            Ok(account) if self::written(&account) != written => {
                Err(bad("its name is not in the form that names have there"))
            }
            Ok(account) => Ok(account),
            Err(error) => Err(bad(&error.to_string())),
        })
    }

    pub(super) fn read(&self, key: &Key) -> Result<Read, LoadError> {
        let path = key.path();
        match key {
            Key::Code { channel, code } => {
                let taken = self.code(channel, code.as_str())?;
                Ok(taken.map_or_else(absent, |taken| present(Record::Code(taken))))
            }
            Key::PairingToken { hash } => {
                let kept = self.alone(&path)?;
                if kept.record.is_some() || !self.tables.has(Table::PairingTokens) {
                    return Ok(kept);
                }
                let selected = self.selected(Table::PairingTokens)?;
                let rows = pairing_token::rows(self.connection, &selected)?;
                let mut found = rows.into_iter().filter_map(|row| row.outcome.ok());
                let found = found.find(|found| {
                    let token = found.record.as_pairing_token();
                    token.is_some_and(|token| token.hash == *hash)
                });
                Ok(found.map_or_else(absent, |found| present(found.record)))
            }
            Key::Request { .. }
            | Key::Allow { .. }
            | Key::DeviceRequest { .. }
            | Key::Device { .. } => {
                let Some(found) = self.row(key)? else {
                    return Ok(absent());
                };
                let kept = beside::get(self.connection, &path)?;
                Ok(present(combined(found, kept.as_ref())))
            }
            _ => self.alone(&path),
        }
    }

    /// Returns the row of a record of a kind that has rows, as far as it goes.
    pub(super) fn row(&self, key: &Key) -> Result<Option<Found>, LoadError> {
        match key {
            Key::Request {
                channel,
                account,
                sender,
            } => {
                let row = self.request(channel, account, sender)?;
                Ok(row.and_then(|row| row.read(&self.rules(channel), account).ok()))
            }
            Key::Allow {
                channel,
                account,
                entry,
            } => self.allow(channel, account, entry),
            Key::DeviceRequest { device } => {
                let selected = self.selected(Table::DeviceRequests)?;
                let rows = device_request::rows(self.connection, &selected, Some(*device))?;
                let mut found = rows.into_iter().map(device_request::Row::into_outcome);
                Ok(found.find_map(Result::ok))
            }
            Key::Device { device } => {
                let selected = self.selected(Table::Devices)?;
                let row = device::get(self.connection, &selected, *device)?;
                // Another device must not take the place of one that is there and not understood.
                let row = row.map(|row| self.sound(row.into_outcome()));
                Ok(row.transpose()?)
            }
            _ => Ok(None),
        }
    }

    fn sound(&self, outcome: Outcome) -> Result<Found, StoreError> {
        outcome.map_err(|bad| StoreError::Unreadable {
            resource: format!("{}: {}", self.name, bad.row),
            source: bad.reason.into(),
        })
    }

    /// Returns a record that is kept beside only.
    fn alone(&self, path: &str) -> Result<Read, LoadError> {
        match beside::get(self.connection, path)? {
            Some(Ok(kept)) => Ok(present(kept.record)),
            Some(Err(error)) => Err(self.unreadable(path, error).into()),
            None => Ok(absent()),
        }
    }

    fn unreadable(&self, path: &str, error: DecodeError) -> StoreError {
        StoreError::Unreadable {
            resource: format!("what is kept beside {}: {}", self.name, stored::shown(path)),
            source: error.into(),
        }
    }

    /// Returns the row of a sender's request.
    pub(super) fn request(
        &self,
        channel: &ChannelId,
        account: &AccountId,
        sender: &SenderId,
    ) -> Result<Option<request::Row>, LoadError> {
        let selected = self.selected(Table::Requests)?;
        let Some(name) = self.name_of(channel, account)? else {
            return Ok(None);
        };
        let rules = self.rules(channel);
        let rows = request::rows(self.connection, &selected, &rules, Some(&name), None)?;
        Ok(rows
            .into_iter()
            .find(|row| row.sender.as_ref() == Some(sender)))
    }

    fn code(&self, channel: &ChannelId, code: &str) -> Result<Option<TakenCode>, LoadError> {
        let selected = self.selected(Table::Requests)?;
        let rules = self.rules(channel);
        let rows = request::rows(self.connection, &selected, &rules, None, Some(code))?;
        let mut holders = Vec::new();
        let mut taken = None;
        for row in rows {
            let Ok(account) = self.account_of(channel, &row.account)? else {
                continue;
            };
            let Ok(found) = row.read(&rules, &account) else {
                continue;
            };
            if let Record::Request(request) = found.record {
                taken = Some(request.code);
                holders.push(Holder {
                    account,
                    sender: request.sender,
                });
            }
        }
        Ok(taken.map(|code| TakenCode {
            channel: channel.clone(),
            code,
            holders,
        }))
    }

    fn allow(
        &self,
        channel: &ChannelId,
        account: &AccountId,
        entry: &SenderId,
    ) -> Result<Option<Found>, LoadError> {
        self.selected(Table::Allowed)?;
        let Some(name) = self.name_of(channel, account)? else {
            return Ok(None);
        };
        let rules = self.rules(channel);
        let raw = entry.as_str();
        if allow::has(self.connection, channel.as_str(), &name, raw)?
            && rules.sender(raw).as_ref() == Ok(entry)
        {
            return Ok(allow::read(&rules, account, raw).ok());
        }
        let spellings = self.spellings_of(channel, &name)?;
        let raw = allow::spellings(&spellings, entry).next();
        Ok(raw.and_then(|raw| allow::read(&rules, account, raw).ok()))
    }

    /// Returns how an account's entries are written that are not in the normal form.
    pub(super) fn spellings_of(
        &self,
        channel: &ChannelId,
        account: &str,
    ) -> Result<Spellings, LoadError> {
        if let Some(known) = (self.spellings)(channel, account) {
            return Ok(known);
        }
        let rules = self.rules(channel);
        let mut found = Vec::new();
        allow::each(
            self.connection,
            channel.as_str(),
            Some(account),
            |_, raw| {
                if let Some(raw) = raw
                    && let Ok(sender) = rules.sender(raw)
                    && sender.as_str() != raw
                {
                    found.push((sender, raw.to_owned()));
                }
            },
        )?;
        let found = Arc::new(found);
        (self.keep)(channel, account, &found);
        Ok(found)
    }

    pub(super) fn range(&self, range: &Range) -> Result<Loaded, LoadError> {
        let mut kept = beside::all(self.connection, &range.prefix())?;
        let mut loaded = Loaded::default();
        match range {
            Range::Requests { channel, account } => {
                self.requests(channel, account.as_ref(), &kept, &mut loaded)?;
            }
            Range::Allowed { channel, account } => {
                self.allowed(channel, account.as_ref(), &kept, &mut loaded)?;
            }
            Range::DeviceRequests => {
                let selected = self.selected(Table::DeviceRequests)?;
                let rows = device_request::rows(self.connection, &selected, None)?;
                // The latest of each device comes first.
                for row in rows {
                    self.add(row.into_outcome(), &kept, &mut loaded);
                }
            }
            Range::Devices => {
                let selected = self.selected(Table::Devices)?;
                device::each(self.connection, &selected, None, |row| {
                    self.add(row.into_outcome(), &kept, &mut loaded);
                })?;
            }
            _ => {
                if *range == Range::PairingTokens && self.tables.has(Table::PairingTokens) {
                    let selected = self.selected(Table::PairingTokens)?;
                    for row in pairing_token::rows(self.connection, &selected)? {
                        self.add(row.outcome, &HashMap::new(), &mut loaded);
                    }
                }
                for (path, kept) in kept.drain() {
                    match kept {
                        Ok(kept) => {
                            loaded.records.insert(path, kept.record);
                        }
                        Err(error) => loaded.problems.push(Problem {
                            resource: format!("what is kept beside {}", self.name),
                            detail: format!("{} is passed over: {error}", stored::shown(&path)),
                        }),
                    }
                }
            }
        }
        Ok(loaded)
    }

    fn requests(
        &self,
        channel: &ChannelId,
        account: Option<&AccountId>,
        kept: &beside::All,
        loaded: &mut Loaded,
    ) -> Result<(), LoadError> {
        let selected = self.selected(Table::Requests)?;
        let rules = self.rules(channel);
        let name = match account {
            Some(account) => match self.name_of(channel, account)? {
                Some(name) => Some(name),
                None => return Ok(()),
            },
            None => None,
        };
        let rows = request::rows(self.connection, &selected, &rules, name.as_deref(), None)?;
        for row in rows {
            let owner = match account {
                Some(account) => Ok(account.clone()),
                None => self.account_of(channel, &row.account)?,
            };
            let outcome = owner.and_then(|owner| row.read(&rules, &owner));
            self.add(outcome, kept, loaded);
        }
        Ok(())
    }

    fn allowed(
        &self,
        channel: &ChannelId,
        account: Option<&AccountId>,
        kept: &beside::All,
        loaded: &mut Loaded,
    ) -> Result<(), LoadError> {
        self.selected(Table::Allowed)?;
        let rules = self.rules(channel);
        let name = match account {
            Some(account) => match self.name_of(channel, account)? {
                Some(name) => Some(name),
                None => return Ok(()),
            },
            None => None,
        };
        let mut names = BTreeSet::new();
        let mut rows = Vec::new();
        allow::each(
            self.connection,
            channel.as_str(),
            name.as_deref(),
            |name, raw| {
                if !names.contains(name) {
                    names.insert(name.to_owned());
                }
                rows.push((name.to_owned(), raw.map(str::to_owned)));
            },
        )?;
        let mut owners = HashMap::new();
        for name in names {
            let owner = match account {
                Some(account) => Ok(account.clone()),
                None => self.account_of(channel, &name)?,
            };
            owners.insert(name, owner);
        }
        for (name, raw) in rows {
            match owners.get(&name) {
                Some(Ok(owner)) => {
                    let outcome = raw.map_or_else(
                        || Err(allow::no_text(channel)),
                        |raw| allow::read(&rules, owner, &raw),
                    );
                    self.add(outcome, kept, loaded);
                }
                Some(Err(bad)) => loaded.problems.push(self.problem(bad)),
                None => {}
            }
        }
        Ok(())
    }

    /// Adds a row to a range; of two with the same key the first counts, or the normal spelling.
    fn add(&self, outcome: Outcome, kept: &beside::All, loaded: &mut Loaded) {
        let found = match outcome {
            Ok(found) => found,
            Err(bad) => {
                loaded.problems.push(self.problem(&bad));
                return;
            }
        };
        let path = found.record.key().path();
        let is_normal = matches!(&found.record, Record::Allow(allow) if allow.written.is_none());
        if loaded.records.contains_key(&path) && !is_normal {
            return;
        }
        let record = combined(found, kept.get(&path));
        loaded.records.insert(path, record);
    }

    fn problem(&self, bad: &Bad) -> Problem {
        Problem {
            resource: format!("{}: {}", self.name, bad.row),
            detail: bad.reason.clone(),
        }
    }
}

/// Returns a row with what is kept beside of it.
fn combined(found: Found, kept: Option<&Result<Kept, DecodeError>>) -> Record {
    // What cannot be understood there costs what only it knew.
    let Some(Ok(kept)) = kept else {
        return found.record;
    };
    if kept.mark == found.mark {
        let mut record = kept.record.clone();
        if let (Record::Device(device), Record::Device(row)) = (&mut record, &found.record)
            && device.surface.is_none()
        {
            // Kept before this was read from the row.
            device.surface.clone_from(&row.surface);
        }
        return record;
    }
    match (found.record, &kept.record) {
        (Record::Device(device), Record::Device(kept)) => {
            Record::from(device::with_kept(*device, kept))
        }
        // The row was written by the other program since.
        (record, _) => record,
    }
}

fn present(record: Record) -> Read {
    Read {
        version: Version::new(beside::version(&record)),
        record: Some(Arc::new(record)),
    }
}

fn absent() -> Read {
    Read {
        version: Version::ABSENT,
        record: None,
    }
}
