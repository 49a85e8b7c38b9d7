//! `channel_pairing_requests`: the pending requests of senders.

use pairing_core::store::PendingRequest;
use pairing_core::{
    AccountId, ChannelRules, Metadata, MetadataValue, PairingCode, Record, SenderId, Timestamp,
};
use rusqlite::{Connection, params};

use super::{Bad, Columns, Found, Outcome};
use crate::json::{self, Object};

const COLUMNS: [&str; 6] = [
    "account_id",
    "request_id",
    "code",
    "created_at",
    "last_seen_at",
    "meta_json",
];

/// A row: the account and the sender as they are written, and what it says.
pub(crate) struct Row {
    pub(crate) account: String,
    pub(crate) written: String,
    /// The sender, where the id is one.
    pub(crate) sender: Option<SenderId>,
    columns: Columns,
}

impl Row {
    /// Returns the record of the row, which is `account`'s.
    pub(crate) fn read(&self, rules: &ChannelRules, account: &AccountId) -> Outcome {
        match self.understand(rules, account) {
            Ok(request) => Ok(Found {
                record: Record::Request(request),
                mark: self.columns.mark(),
            }),
            Err(reason) => Err(Bad {
                row: format!("channel_pairing_requests ({})", rules.id()),
                reason: format!("a request is passed over: {reason}"),
            }),
        }
    }

    fn understand(
        &self,
        rules: &ChannelRules,
        account: &AccountId,
    ) -> Result<PendingRequest, String> {
        let columns = &self.columns;
        let sender = rules
            .sender(&self.written)
            .map_err(|error| error.to_string())?;
        let code =
            PairingCode::parse(columns.needed("code")?).map_err(|error| error.to_string())?;
        let time = |name| {
            let text = columns.text(name).ok().flatten();
            text.and_then(|at| Timestamp::parse(at).ok())
        };
        Ok(PendingRequest {
            channel: rules.id().clone(),
            account: account.clone(),
            sender,
            code,
            created_at: time("created_at"),
            last_seen_at: time("last_seen_at"),
            meta: metadata(columns.text("meta_json")?),
        })
    }
}

/// Returns the names and similar data in `meta_json`; anything but an object has none.
fn metadata(raw: Option<&str>) -> Metadata {
    let object = raw.and_then(Object::parse).unwrap_or_default();
    let mut meta = Metadata::default();
    for name in object.names() {
        let raw = object.raw(name);
        let value = raw.and_then(|raw| serde_json::from_str::<MetadataValue>(raw).ok());
        if let Some(value) = value {
            meta.insert(name, value);
        }
    }
    meta
}

/// Returns the rows of a channel, of one of its accounts, or with a code.
pub(crate) fn rows(
    connection: &Connection,
    selected: &str,
    rules: &ChannelRules,
    account: Option<&str>,
    code: Option<&str>,
) -> rusqlite::Result<Vec<Row>> {
    // The columns are selected in the order in which they are known: the channel comes first.
    let filter = match (account, code) {
        (Some(_), None) => "AND account_id = ?2 AND ?3 IS NULL",
        (None, Some(_)) => "AND ?2 IS NULL AND code = ?3",
        _ => "AND ?2 IS ?2 AND ?3 IS ?3",
    };
    let sql = format!(
        "SELECT {selected} FROM main.channel_pairing_requests WHERE channel_key = ?1 {filter}
        ORDER BY account_id, request_id"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params![rules.id().as_str(), account, code])?;
    let mut found = Vec::new();
    let names = ["channel_key"]
        .into_iter()
        .chain(COLUMNS)
        .collect::<Vec<_>>();
    while let Some(row) = rows.next()? {
        let columns = Columns::read(row, &names)?;
        let text = |name| {
            columns
                .text(name)
                .ok()
                .flatten()
                .unwrap_or_default()
                .to_owned()
        };
        let written = text("request_id");
        found.push(Row {
            account: text("account_id"),
            sender: rules.sender(&written).ok(),
            written,
            columns,
        });
    }
    Ok(found)
}

/// Writes a request over the row of the same sender, or into a new one.
pub(crate) fn put(
    connection: &Connection,
    account: &str,
    request: &PendingRequest,
    old: Option<&Row>,
) -> rusqlite::Result<()> {
    let time = |at: Option<Timestamp>| at.map(|at| at.to_string()).unwrap_or_default();
    let stored_meta = old.and_then(|old| old.columns.text("meta_json").ok().flatten());
    let meta = if old.is_some() && metadata(stored_meta) == request.meta {
        stored_meta.map(str::to_owned)
    } else {
        written_meta(request)
    };
    let written = old.map_or(request.sender.as_str(), |old| &old.written);
    // A time that is the same stays as it is written.
    let text = |name, at: Option<Timestamp>| {
        let stored = old.and_then(|old| old.columns.text(name).ok().flatten());
        let same = stored.filter(|stored| Timestamp::parse(stored).ok() == at);
        same.map_or_else(|| time(at), str::to_owned)
    };
    connection
        .prepare_cached(
            "INSERT INTO main.channel_pairing_requests
            (channel_key, account_id, request_id, code, created_at, last_seen_at, meta_json)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
            ON CONFLICT (channel_key, account_id, request_id) DO UPDATE
            SET code = ?4, created_at = ?5, last_seen_at = ?6, meta_json = ?7",
        )?
        .execute(params![
            request.channel.as_str(),
            account,
            written,
            request.code.as_str(),
            text("created_at", request.created_at),
            text("last_seen_at", request.last_seen_at),
            meta,
        ])?;
    Ok(())
}

/// Returns `meta_json`, which repeats the account; `None` if it would be empty.
fn written_meta(request: &PendingRequest) -> Option<String> {
    let mut object = Object::default();
    for (name, value) in request.meta.iter() {
        let text = value.as_str().map(json::quoted);
        object.set(name, text.unwrap_or_else(|| value.to_string()));
    }
    if !request.account.is_default() {
        object.set(
            Metadata::ACCOUNT_KEY,
            json::quoted(request.account.as_str()),
        );
    }
    let is_empty = object.names().next().is_none();
    (!is_empty).then(|| object.render().to_string())
}

pub(crate) fn delete(
    connection: &Connection,
    channel: &str,
    account: &str,
    written: &str,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "DELETE FROM main.channel_pairing_requests
            WHERE channel_key = ?1 AND account_id = ?2 AND request_id = ?3",
        )?
        .execute([channel, account, written])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_any_json_within_bounds() {
        let meta = metadata(Some(
            r#"{"username":"ann","tags":["a"],"level":[[[[[1]]]]],"no":null,"accountId":"x"}"#,
        ));
        let shown: Vec<_> = meta
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        assert_eq!(shown, ["username=ann", r#"tags=["a"]"#, "level=[[[[]]]]"]);
        for none in [None, Some(""), Some("[1]"), Some("{")] {
            assert!(metadata(none).is_empty());
        }
    }
}
