//! `openclaw pairing list`.

use std::collections::BTreeSet;

use pairing_core::store::TurnedAway;
use pairing_core::{AccountId, ChannelId, escape};

use super::{Call, Place};
use crate::backend::{InChannel, Waiting};
use crate::console::{Rows, Screen};
use crate::{Exit, Failure, json, text};

/// The pending requests of a channel, and the senders who were turned away.
struct Read {
    channel: InChannel,
    turned_away: Vec<TurnedAway>,
}

impl Call {
    /// Lists pending requests. A channel that cannot be read does not hide the others.
    pub(super) fn list(
        &self,
        channel: Option<&ChannelId>,
        account: Option<&AccountId>,
        screen: &mut Screen<'_, '_>,
    ) -> Result<Exit, Failure> {
        let mut exit = Exit::Done;
        let mut waiting = Vec::new();
        for channel in self.backend.waiting(channel, account)? {
            match channel {
                Ok(channel) => waiting.push(self.read(channel, account, screen, &mut exit)),
                Err(failure) => {
                    screen.failure(&failure);
                    exit = failure.exit();
                }
            }
        }
        if self.json {
            let lists: Vec<_> = waiting.iter().map(of_channel).collect();
            match (channel, lists.as_slice()) {
                (None, all) => screen.json(&all)?,
                (Some(_), [one]) => screen.json(one)?,
                // The channel could not be read; nothing is known of it.
                (Some(_), _) => {}
            }
        } else {
            self.show(&waiting, channel, screen)?;
        }
        for waiting in &waiting {
            self.remarks(waiting, screen)?;
        }
        for waiting in &waiting {
            let id = waiting.channel.id();
            let default = AccountId::default();
            let named = channel.map(|_| account.unwrap_or(&default));
            let requests = waiting.channel.requests.iter();
            let accounts = requests.map(|waiting| &waiting.request.account);
            let accounts: BTreeSet<_> = accounts.chain(named).collect();
            for account in accounts {
                self.mind_policy(id, account, screen);
            }
        }
        Ok(exit)
    }

    /// Reports problems of a channel. If the senders who were turned away cannot be read, the pending
    /// requests are still shown.
    fn read(
        &self,
        channel: InChannel,
        account: Option<&AccountId>,
        screen: &mut Screen<'_, '_>,
        exit: &mut Exit,
    ) -> Read {
        screen.problems(&channel.problems);
        let turned_away = self.backend.turned_away(&channel);
        let mut turned_away = turned_away.unwrap_or_else(|failure| {
            screen.failure(&failure);
            *exit = failure.exit();
            Vec::new()
        });
        turned_away.retain(|turned| account.is_none_or(|account| turned.account == *account));
        Read {
            channel,
            turned_away,
        }
    }

    fn show(
        &self,
        waiting: &[Read],
        named: Option<&ChannelId>,
        screen: &mut Screen<'_, '_>,
    ) -> Result<(), Failure> {
        let some = waiting.iter().map(|read| &read.channel);
        let some = some.filter(|channel| !channel.requests.is_empty());
        let mut nothing = true;
        for channel in some {
            if named.is_none() {
                screen.title(channel.id())?;
            }
            let rows = channel.requests.iter().map(|waiting| self.row(waiting));
            let handle = if self.backend.hides_codes() {
                "Request"
            } else {
                "Code"
            };
            let rows = Rows {
                header: [
                    handle,
                    channel.rules.id_label(),
                    "Account",
                    "Meta",
                    "Requested",
                    "Expires in",
                ],
                cells: rows.collect(),
                breakable: &[1, 2, 3],
            };
            screen.rows(channel.id().as_str(), rows)?;
            nothing = false;
        }
        if nothing && !waiting.is_empty() {
            match named {
                Some(channel) => screen.remark(format_args!("No pending {channel} requests."))?,
                None => screen.remark("No pending requests.")?,
            }
        }
        Ok(())
    }

    pub(crate) fn row(&self, waiting: &Waiting) -> [String; 6] {
        let now = self.backend.now();
        let Waiting {
            request,
            expires_at,
        } = waiting;
        [
            escape(&request.handle.to_string()).to_string(),
            escape(request.sender.as_str()).to_string(),
            escape(request.account.as_str()).to_string(),
            text::meta(&request.meta),
            request
                .created_at
                .map_or_else(String::new, |at| text::ago(now, at)),
            expires_at.map_or_else(String::new, |at| text::left(now, at)),
        ]
    }

    /// Senders who were turned away are shown to the owner, and are not part of the answer for programs.
    fn remarks(&self, waiting: &Read, screen: &mut Screen<'_, '_>) -> Result<(), Failure> {
        let now = self.backend.now();
        for turned in &waiting.turned_away {
            let Some(last) = turned.recent.last() else {
                continue;
            };
            let senders = turned.recent.iter().rev();
            let senders: Vec<_> = senders
                .map(|seen| escape(seen.sender.as_str()).to_string())
                .collect();
            let (times, since) = match turned.count {
                0 | 1 => (String::new(), String::new()),
                count => (
                    format!(" {count} times"),
                    format!("since {}, last ", text::ago(now, turned.since)),
                ),
            };
            let remark = format!(
                "{}: turned away{times} at the cap of {} {since}{}: {}",
                Place(&turned.channel, &turned.account),
                self.backend.max_pending(),
                text::ago(now, last.at),
                senders.join(", "),
            );
            if self.json {
                screen.note(remark);
            } else {
                screen.remark(remark)?;
            }
        }
        Ok(())
    }
}

fn of_channel(read: &Read) -> json::Requests<'_> {
    let requests = read.channel.requests.iter();
    json::Requests {
        channel: read.channel.id(),
        requests: requests.map(|waiting| (&waiting.request).into()).collect(),
    }
}
