//! `openclaw pairing allowed`.

use std::sync::Arc;

use pairing_core::store::AllowEntry;
use pairing_core::{AccountId, AllowlistError, ChannelId, ChannelRules, escape};

use super::{Call, Place};
use crate::args::AllowedCommand;
use crate::backend::written;
use crate::console::{Rows, Screen};
use crate::{Exit, Failure, json, text};

impl Call {
    pub(super) fn allowed(
        &self,
        channel: &ChannelId,
        account: &AccountId,
        command: &AllowedCommand,
        screen: &mut Screen<'_, '_>,
    ) -> Result<Exit, Failure> {
        let list = List {
            rules: self.backend.rules(channel)?,
            account,
        };
        match command {
            AllowedCommand::List => self.list_allowed(&list, screen),
            AllowedCommand::Add(entry) => self.add(&list, entry, screen),
            AllowedCommand::Remove(entry) => self.remove(&list, entry, screen),
        }
    }

    fn list_allowed(&self, list: &List<'_>, screen: &mut Screen<'_, '_>) -> Result<Exit, Failure> {
        let (channel, account) = (list.rules.id(), list.account);
        let allowed = self.backend.allowed(channel, account)?;
        screen.problems(&allowed.problems);
        if self.json {
            screen.json(&json::Allowlist {
                channel,
                account,
                allow_from: allowed.entries.iter().map(written).collect(),
            })?;
        } else if allowed.entries.is_empty() {
            let place = Place(channel, account);
            screen.remark(format_args!("Nobody is on the allowlist of {place}."))?;
        } else {
            let header = [list.rules.id_label(), "Allowed by", "Allowed"];
            let rows = Rows {
                header,
                breakable: &[0, 1],
                cells: allowed
                    .entries
                    .iter()
                    .map(|entry| self.entry_row(entry))
                    .collect(),
            };
            screen.rows(channel.as_str(), rows)?;
        }
        Ok(Exit::Done)
    }

    fn entry_row(&self, entry: &AllowEntry) -> [String; 3] {
        let now = self.backend.now();
        let by = entry
            .grant
            .as_ref()
            .map(|grant| escape(grant.by.as_str()).to_string());
        let at = entry.grant.as_ref().map(|grant| text::ago(now, grant.at));
        [
            escape(written(entry)).to_string(),
            by.unwrap_or_default(),
            at.unwrap_or_default(),
        ]
    }

    fn add(
        &self,
        list: &List<'_>,
        entry: &str,
        screen: &mut Screen<'_, '_>,
    ) -> Result<Exit, Failure> {
        let (channel, account) = (list.rules.id(), list.account);
        let added = self.backend.allow(channel, account, entry)?;
        let spelled = list.spelling(entry)?;
        if self.json {
            let status = if added { "added" } else { "present" };
            list.answer(status, &spelled, screen)?;
        } else {
            let place = Place(channel, account);
            let spelled = escape(&spelled);
            if added {
                screen.line(format_args!("Allowed {place}: {spelled}"))?;
            } else {
                screen.line(format_args!("Allowed already, {place}: {spelled}"))?;
            }
        }
        Ok(Exit::Done)
    }

    fn remove(
        &self,
        list: &List<'_>,
        entry: &str,
        screen: &mut Screen<'_, '_>,
    ) -> Result<Exit, Failure> {
        let (channel, account) = (list.rules.id(), list.account);
        let place = Place(channel, account);
        let Some(removed) = self.backend.disallow(channel, account, entry)? else {
            let mut see = format!("openclaw pairing allowed list {channel}");
            if !account.is_default() {
                see = format!("{see} --account {account}");
            }
            return Err(Failure::NotAllowed {
                entry: list.spelling(entry)?,
                list: place.to_string(),
                see,
            });
        };
        if self.json {
            list.answer("removed", &removed, screen)?;
        } else {
            let entry = escape(&removed);
            screen.line(format_args!("Removed {place}: {entry}"))?;
        }
        Ok(Exit::Done)
    }
}

/// Names the channel and account of a list.
struct List<'a> {
    rules: Arc<ChannelRules>,
    account: &'a AccountId,
}

impl List<'_> {
    /// The entry in its canonical spelling.
    fn spelling(&self, entry: &str) -> Result<String, Failure> {
        let sender = self.rules.sender(entry).map_err(AllowlistError::from)?;
        Ok(sender.as_str().to_owned())
    }

    fn answer(
        &self,
        status: &'static str,
        entry: &str,
        screen: &mut Screen<'_, '_>,
    ) -> Result<(), Failure> {
        screen.json(&json::Listed {
            channel: self.rules.id(),
            account: self.account,
            status,
            entry,
        })?;
        Ok(())
    }
}
