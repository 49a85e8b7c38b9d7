//! `pairing-meta/<channel>.counters.json`: wrong codes, and senders turned away.
//!
//! Kept apart from the grants, so that the size of a write that a stranger can cause does not grow with them.

use std::borrow::Cow;
use std::collections::HashMap;

use pairing_core::store::{Attempts, SeenSender, TurnedAway};
use pairing_core::{
    AccountId, ApproverId, ChannelId, ChannelRules, Key, Problem, Record, SenderId, Timestamp,
};
use serde::{Deserialize, Serialize};

use super::{Document, Lists, digest, list};
use crate::error::FileError;
use crate::json;

const ATTEMPTS: &str = "attempts";
const TURNED_AWAY: &str = "turnedAway";

/// The counters of a channel. There are few: one per approver who mistyped, one per account that was full.
#[derive(Default)]
pub(crate) struct CountersDoc {
    lists: Lists,
    attempts: Vec<(String, Attempts)>,
    turned_away: Vec<(String, TurnedAway)>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AttemptsOnFile {
    approver: ApproverId,
    failed_at: Vec<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    locked_until: Option<Timestamp>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct TurnedAwayOnFile {
    account: AccountId,
    count: u64,
    since: Timestamp,
    recent: Vec<SeenOnFile>,
}

#[derive(Serialize, Deserialize)]
struct SeenOnFile {
    sender: SenderId,
    at: Timestamp,
}

impl Document for CountersDoc {
    type Rules = ChannelRules;

    fn parse(text: &str, rules: &ChannelRules) -> Result<Self, FileError> {
        let (lists, members) = Lists::parse(text)?;
        // A counter that cannot be read counts as absent; the next write drops it.
        let attempts = list(text, &members, ATTEMPTS)?
            .into_iter()
            .filter_map(|raw| {
                let said: AttemptsOnFile = serde_json::from_str(raw).ok()?;
                Some((raw.to_owned(), said.into_record(rules.id())))
            });
        let turned_away = list(text, &members, TURNED_AWAY)?
            .into_iter()
            .filter_map(|raw| {
                let said: TurnedAwayOnFile = serde_json::from_str(raw).ok()?;
                Some((raw.to_owned(), said.into_record(rules.id())))
            });
        Ok(Self {
            attempts: attempts.collect(),
            turned_away: turned_away.collect(),
            lists,
        })
    }

    fn problems(&self, _: &str) -> Vec<Problem> {
        Vec::new()
    }
}

impl CountersDoc {
    /// Returns the wrong codes of an approver, and their digest.
    pub(crate) fn attempts(&self, approver: &ApproverId) -> Option<(&Attempts, u64)> {
        let mut all = self.all_attempts();
        all.find(|(attempts, _)| attempts.approver == *approver)
    }

    /// Returns the wrong codes of each approver, and their digests.
    pub(crate) fn all_attempts(&self) -> impl Iterator<Item = (&Attempts, u64)> {
        self.attempts.iter().map(|(raw, a)| (a, digest(raw)))
    }

    /// Returns the senders that an account turned away, and their digest.
    pub(crate) fn turned_away(&self, account: &AccountId) -> Option<(&TurnedAway, u64)> {
        let mut all = self.all_turned_away();
        all.find(|(turned, _)| turned.account == *account)
    }

    /// Returns the senders turned away by each account, and their digests.
    pub(crate) fn all_turned_away(&self) -> impl Iterator<Item = (&TurnedAway, u64)> {
        self.turned_away.iter().map(|(raw, t)| (t, digest(raw)))
    }

    /// Returns all counters.
    pub(crate) fn records(&self) -> Vec<Record> {
        let attempts = self.attempts.iter();
        let attempts = attempts.map(|(_, attempts)| Record::Attempts(attempts.clone()));
        let turned_away = self.turned_away.iter();
        let turned_away = turned_away.map(|(_, turned)| Record::TurnedAway(turned.clone()));
        attempts.chain(turned_away).collect()
    }

    /// Returns the keys of all records, and their digests.
    pub(crate) fn keys(&self, channel: &ChannelId) -> HashMap<Key, u64> {
        let attempts = self.attempts.iter().map(|(raw, attempts)| {
            let key = Key::Attempts {
                channel: channel.clone(),
                approver: attempts.approver.clone(),
            };
            (key, digest(raw))
        });
        let turned_away = self.turned_away.iter().map(|(raw, turned)| {
            let key = Key::TurnedAway {
                channel: channel.clone(),
                account: turned.account.clone(),
            };
            (key, digest(raw))
        });
        attempts.chain(turned_away).collect()
    }

    /// Returns the text after some counters were put or deleted.
    pub(crate) fn edited(
        &self,
        attempts: &[(&ApproverId, Option<&Attempts>)],
        turned_away: &[(&AccountId, Option<&TurnedAway>)],
    ) -> Result<String, serde_json::Error> {
        let kept = |id: &ApproverId| !attempts.iter().any(|(changed, _)| *changed == id);
        let mut attempt_lines = lines(&self.attempts, |old| kept(&old.approver));
        for new in attempts.iter().filter_map(|(_, new)| *new) {
            attempt_lines.push(json::pretty(&AttemptsOnFile::from(new), 2)?.into());
        }
        let kept = |id: &AccountId| !turned_away.iter().any(|(changed, _)| *changed == id);
        let mut turned_lines = lines(&self.turned_away, |old| kept(&old.account));
        for new in turned_away.iter().filter_map(|(_, new)| *new) {
            turned_lines.push(json::pretty(&TurnedAwayOnFile::from(new), 2)?.into());
        }
        Ok(self
            .lists
            .render(&[(ATTEMPTS, attempt_lines), (TURNED_AWAY, turned_lines)]))
    }
}

fn lines<T>(all: &[(String, T)], kept: impl Fn(&T) -> bool) -> Vec<Cow<'_, str>> {
    let kept = all.iter().filter(|(_, old)| kept(old));
    kept.map(|(raw, _)| raw.as_str().into()).collect()
}

impl AttemptsOnFile {
    fn from(attempts: &Attempts) -> Self {
        Self {
            approver: attempts.approver.clone(),
            failed_at: attempts.failed_at.clone(),
            locked_until: attempts.locked_until,
        }
    }

    fn into_record(self, channel: &ChannelId) -> Attempts {
        Attempts {
            channel: channel.clone(),
            approver: self.approver,
            failed_at: self.failed_at,
            locked_until: self.locked_until,
        }
    }
}

impl TurnedAwayOnFile {
    fn from(turned: &TurnedAway) -> Self {
        let recent = turned.recent.iter().map(|seen| SeenOnFile {
            sender: seen.sender.clone(),
            at: seen.at,
        });
        Self {
            account: turned.account.clone(),
            count: turned.count,
            since: turned.since,
            recent: recent.collect(),
        }
    }

    fn into_record(self, channel: &ChannelId) -> TurnedAway {
        let recent = self.recent.into_iter().map(|seen| SeenSender {
            sender: seen.sender,
            at: seen.at,
        });
        TurnedAway {
            channel: channel.clone(),
            account: self.account,
            count: self.count,
            since: self.since,
            recent: recent.collect(),
        }
    }
}
