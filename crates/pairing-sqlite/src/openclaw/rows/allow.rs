//! `channel_pairing_allow_entries`: the allowed senders.

use pairing_core::store::AllowEntry;
use pairing_core::{AccountId, ChannelId, ChannelRules, Record, SenderId, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{Bad, Found, Outcome};
use crate::digest;

/// Returns the record of an entry as it is written.
pub(crate) fn read(rules: &ChannelRules, account: &AccountId, raw: &str) -> Outcome {
    let entry = rules.sender(raw).map_err(|error| Bad {
        row: format!("channel_pairing_allow_entries ({})", rules.id()),
        reason: format!("an entry matches nobody: {error}"),
    })?;
    Ok(Found {
        record: Record::Allow(AllowEntry {
            channel: rules.id().clone(),
            account: account.clone(),
            written: (raw != entry.as_str()).then(|| raw.to_owned()),
            entry,
            grant: None,
        }),
        mark: digest::of([raw.as_bytes()]),
    })
}

/// Returns what is said of an entry that is no text.
pub(crate) fn no_text(channel: &ChannelId) -> Bad {
    Bad {
        row: format!("channel_pairing_allow_entries ({channel})"),
        reason: "an entry is passed over: it is no text".to_owned(),
    }
}

/// Whether an account has an entry that is written like this.
pub(crate) fn has(
    connection: &Connection,
    channel: &str,
    account: &str,
    raw: &str,
) -> rusqlite::Result<bool> {
    let found = connection
        .prepare_cached(
            "SELECT 1 FROM main.channel_pairing_allow_entries
            WHERE channel_key = ?1 AND account_id = ?2 AND entry = ?3",
        )?
        .query_row([channel, account, raw], |_| Ok(()))
        .optional()?;
    Ok(found.is_some())
}

/// Calls `each` with every entry of a channel, or of one of its accounts: the account and the entry as they
/// are written; `None` for an entry that is no text. An account that is no text is an empty one.
pub(crate) fn each(
    connection: &Connection,
    channel: &str,
    account: Option<&str>,
    mut each: impl FnMut(&str, Option<&str>),
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(match account {
        Some(_) => {
            "SELECT account_id, entry FROM main.channel_pairing_allow_entries
            WHERE channel_key = ?1 AND account_id = ?2 ORDER BY account_id, entry"
        }
        None => {
            "SELECT account_id, entry FROM main.channel_pairing_allow_entries
            WHERE channel_key = ?1 AND ?2 IS NULL ORDER BY account_id, entry"
        }
    })?;
    let mut rows = statement.query(params![channel, account])?;
    while let Some(row) = rows.next()? {
        let (account, entry) = (row.get_ref(0)?, row.get_ref(1)?);
        each(account.as_str().unwrap_or_default(), entry.as_str().ok());
    }
    Ok(())
}

/// Adds an entry behind the others of its account.
pub(crate) fn insert(
    connection: &Connection,
    account: &str,
    allow: &AllowEntry,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let raw = allow.written.as_deref().unwrap_or(allow.entry.as_str());
    let at = allow.grant.as_ref().map_or(now, |grant| grant.at);
    connection
        .prepare_cached(
            "INSERT INTO main.channel_pairing_allow_entries
            (channel_key, account_id, entry, sort_order, updated_at)
            SELECT ?1, ?2, ?3, coalesce(max(sort_order), -1) + 1, ?4
            FROM main.channel_pairing_allow_entries WHERE channel_key = ?1 AND account_id = ?2",
        )?
        .execute(params![
            allow.channel.as_str(),
            account,
            raw,
            at.as_millis()
        ])?;
    Ok(())
}

/// Deletes an entry, by how it is written.
pub(crate) fn delete(
    connection: &Connection,
    channel: &str,
    account: &str,
    raw: &str,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "DELETE FROM main.channel_pairing_allow_entries
            WHERE channel_key = ?1 AND account_id = ?2 AND entry = ?3",
        )?
        .execute([channel, account, raw])?;
    Ok(())
}

/// Returns how the entries that match a sender are written, other than in the normal form.
pub(crate) fn spellings<'s>(
    spellings: &'s [(SenderId, String)],
    entry: &SenderId,
) -> impl Iterator<Item = &'s str> {
    let entry = entry.clone();
    spellings
        .iter()
        .filter(move |(sender, _)| *sender == entry)
        .map(|(_, raw)| raw.as_str())
}
