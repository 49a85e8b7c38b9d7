//! `openclaw pairing allowed`.

use pairing_core::store::AllowEntry;
use pairing_core::{Account, AllowlistError, escape};

use super::{Call, Place};
use crate::args::AllowedCommand;
use crate::console::{Rows, Screen};
use crate::{Exit, Failure, json, text};

impl Call {
    pub(super) fn allowed(
        &self,
        account: &Account,
        command: &AllowedCommand,
        screen: &mut Screen<'_, '_>,
    ) -> Result<Exit, Failure> {
        match command {
            AllowedCommand::List => self.list_allowed(account, screen),
            AllowedCommand::Add(entry) => self.add(account, entry, screen),
            AllowedCommand::Remove(entry) => self.remove(account, entry, screen),
        }
    }

    fn list_allowed(
        &self,
        account: &Account,
        screen: &mut Screen<'_, '_>,
    ) -> Result<Exit, Failure> {
        let allowed = account.allowed()?;
        let channel = account.channel();
        screen.problems(&allowed.problems);
        if self.json {
            screen.json(&json::Allowlist {
                channel: channel.id(),
                account: account.id(),
                allow_from: allowed.entries.iter().map(written).collect(),
            })?;
        } else if allowed.entries.is_empty() {
            let place = Place(channel.id(), account.id());
            screen.remark(format_args!("Nobody is on the allowlist of {place}."))?;
        } else {
            let header = [channel.rules().id_label(), "Allowed by", "Allowed"];
            let rows = Rows {
                header,
                breakable: &[0, 1],
                cells: allowed
                    .entries
                    .iter()
                    .map(|entry| self.entry_row(entry))
                    .collect(),
            };
            screen.rows(channel.id().as_str(), rows)?;
        }
        Ok(Exit::Done)
    }

    fn entry_row(&self, entry: &AllowEntry) -> [String; 3] {
        let now = self.service.now();
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
        account: &Account,
        entry: &str,
        screen: &mut Screen<'_, '_>,
    ) -> Result<Exit, Failure> {
        let added = account.allow(entry, &self.approver)?;
        let spelled = spelling(account, entry)?;
        if self.json {
            let status = if added { "added" } else { "present" };
            listed(account, status, &spelled, screen)?;
        } else {
            let place = Place(account.channel().id(), account.id());
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
        account: &Account,
        entry: &str,
        screen: &mut Screen<'_, '_>,
    ) -> Result<Exit, Failure> {
        let place = Place(account.channel().id(), account.id());
        let Some(removed) = account.revoke(entry, &self.approver)? else {
            let mut see = format!("openclaw pairing allowed list {}", account.channel().id());
            if !account.id().is_default() {
                see = format!("{see} --account {}", account.id());
            }
            return Err(Failure::NotAllowed {
                entry: spelling(account, entry)?,
                list: place.to_string(),
                see,
            });
        };
        if self.json {
            listed(account, "removed", written(&removed), screen)?;
        } else {
            let entry = escape(written(&removed));
            screen.line(format_args!("Removed {place}: {entry}"))?;
        }
        Ok(Exit::Done)
    }
}

fn listed(
    account: &Account,
    status: &'static str,
    entry: &str,
    screen: &mut Screen<'_, '_>,
) -> Result<(), Failure> {
    screen.json(&json::Listed {
        channel: account.channel().id(),
        account: account.id(),
        status,
        entry,
    })?;
    Ok(())
}

/// The entry as it is stored.
fn written(entry: &AllowEntry) -> &str {
    entry.written.as_deref().unwrap_or(entry.entry.as_str())
}

/// The entry in its one spelling.
fn spelling(account: &Account, entry: &str) -> Result<String, Failure> {
    let sender = account.channel().rules().sender(entry);
    Ok(sender.map_err(AllowlistError::from)?.as_str().to_owned())
}
