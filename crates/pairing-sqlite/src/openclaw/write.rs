//! Writing: records as rows of OpenClaw's, and beside them what the rows cannot hold.

use std::sync::Arc;

use pairing_core::store::{AllowEntry, Change};
use pairing_core::{AccountId, ChannelId, Key, Record, SenderId, StoreError, Timestamp};

use super::beside;
use super::load::{LoadError, Loader, Spellings};
use super::rows::{WriteError, allow, device, device_request, pairing_token, request};
use super::tables::Table;

/// What writing needs beyond reading.
pub(super) struct Writer<'w> {
    pub(super) loader: Loader<'w>,
    pub(super) how: device::How<'w>,
    pub(super) now: Timestamp,
}

impl From<WriteError> for LoadError {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Sqlite(error) => Self::Sqlite(error),
            WriteError::Store(error) => Self::Store(error),
        }
    }
}

impl Writer<'_> {
    pub(super) fn apply(&self, change: &Change) -> Result<(), LoadError> {
        match change {
            Change::Put(record) => self.put(record),
            Change::Delete(key) => self.delete(key),
        }
    }

    fn check(&self, table: Table) -> Result<(), StoreError> {
        self.loader.tables.check_writable(table)
    }

    /// Returns the account's name in the tables, and takes it for this account.
    fn name(&self, channel: &ChannelId, account: &AccountId) -> Result<String, LoadError> {
        let loader = &self.loader;
        let Some(name) = loader.name_of(channel, account)? else {
            let reason = format!(
                "OpenClaw's database cannot tell the account {account:?} of {channel} from another \
                 that differs in punctuation only"
            );
            return Err(StoreError::Refused { reason }.into());
        };
        if name.contains('_') {
            beside::put_account(loader.connection, channel, &name, account)?;
        }
        Ok(name)
    }

    fn put(&self, record: &Record) -> Result<(), LoadError> {
        let connection = self.loader.connection;
        match record {
            // Requests have their codes in their rows.
            Record::Code(_) => return Ok(()),
            Record::Request(request) => {
                self.check(Table::Requests)?;
                let name = self.name(&request.channel, &request.account)?;
                let old =
                    self.loader
                        .request(&request.channel, &request.account, &request.sender)?;
                request::put(connection, &name, request, old.as_ref())?;
            }
            Record::Allow(allow) => {
                self.check(Table::Allowed)?;
                let name = self.name(&allow.channel, &allow.account)?;
                if self.loader.read(&record.key())?.record.is_none() {
                    allow::insert(connection, &name, allow, self.now)?;
                    self.note_spelling(&name, allow)?;
                }
            }
            Record::DeviceRequest(request) => {
                self.check(Table::DeviceRequests)?;
                let selected = self.loader.selected(Table::DeviceRequests)?;
                device_request::put(connection, &selected, request)?;
            }
            Record::Device(wanted) => {
                self.check(Table::Devices)?;
                let selected = self.loader.selected(Table::Devices)?;
                let old = device::get(connection, &selected, wanted.id)?;
                device::put(connection, wanted, old.as_ref(), &self.how)?;
            }
            Record::PairingToken(token) => {
                self.end_clear_token(token.hash)?;
                beside::put_alone(connection, record)?;
                return Ok(());
            }
            _ => {
                beside::put_alone(connection, record)?;
                return Ok(());
            }
        }
        self.keep(record)
    }

    /// Adds a new entry's spelling to what is known of its account, if it is not the normal form.
    fn note_spelling(&self, name: &str, allow: &AllowEntry) -> Result<(), LoadError> {
        if let Some(raw) = &allow.written {
            let known = self.loader.spellings_of(&allow.channel, name)?;
            let mut more = (*known).clone();
            more.push((allow.entry.clone(), raw.clone()));
            (self.loader.keep)(&allow.channel, name, &Arc::new(more));
        }
        Ok(())
    }

    /// Takes an entry's spellings away from what is known of its account.
    fn forget_spellings(
        &self,
        channel: &ChannelId,
        name: &str,
        known: &Spellings,
        gone: &SenderId,
    ) {
        if known.iter().any(|(sender, _)| sender == gone) {
            let rest = known.iter().filter(|(sender, _)| sender != gone);
            (self.loader.keep)(channel, name, &Arc::new(rest.cloned().collect()));
        }
    }

    /// Keeps a record beside, unless its row says all of it.
    fn keep(&self, record: &Record) -> Result<(), LoadError> {
        let connection = self.loader.connection;
        let path = record.key().path();
        beside::delete(connection, &path)?;
        match self.loader.row(&record.key())? {
            Some(found) if found.record != *record => {
                beside::put_with(connection, record, found.mark)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Deletes the row of a pairing token in clear: what is kept beside takes its place.
    fn end_clear_token(&self, hash: pairing_core::TokenHash) -> Result<(), LoadError> {
        if self.loader.tables.has(Table::PairingTokens) {
            let selected = self.loader.selected(Table::PairingTokens)?;
            pairing_token::delete(self.loader.connection, &selected, hash)?;
        }
        Ok(())
    }

    fn delete(&self, key: &Key) -> Result<(), LoadError> {
        let connection = self.loader.connection;
        match key {
            Key::Code { .. } => return Ok(()),
            Key::Request {
                channel,
                account,
                sender,
            } => {
                self.check(Table::Requests)?;
                while let Some(row) = self.loader.request(channel, account, sender)? {
                    request::delete(connection, channel.as_str(), &row.account, &row.written)?;
                }
            }
            Key::Allow {
                channel,
                account,
                entry,
            } => {
                self.check(Table::Allowed)?;
                if let Some(name) = self.loader.name_of(channel, account)? {
                    let spellings = self.loader.spellings_of(channel, &name)?;
                    let others = allow::spellings(&spellings, entry);
                    for raw in others.chain([entry.as_str()]) {
                        allow::delete(connection, channel.as_str(), &name, raw)?;
                    }
                    self.forget_spellings(channel, &name, &spellings, entry);
                }
            }
            Key::DeviceRequest { device } => {
                self.check(Table::DeviceRequests)?;
                let selected = self.loader.selected(Table::DeviceRequests)?;
                device_request::delete(connection, &selected, *device)?;
            }
            Key::Device { device } => {
                self.check(Table::Devices)?;
                device::delete(connection, *device)?;
            }
            Key::PairingToken { hash } => self.end_clear_token(*hash)?,
            _ => {}
        }
        beside::delete(connection, &key.path())?;
        Ok(())
    }
}
