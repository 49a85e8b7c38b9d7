//! `device_bootstrap_tokens`: pairing tokens that the other program issued, in clear.
//!
//! Ours are kept beside, by their hash; one of these is, too, as soon as anything about it changes.

use std::collections::BTreeSet;
use std::time::Duration;

use pairing_core::device::{PairingToken, Role, SetupProfile};
use pairing_core::{DeviceId, Record, ScopeSet, SecretToken, Timestamp, TokenHash};
use rusqlite::Connection;

use super::{Bad, Columns, Found, Outcome};
use crate::json::{self, Object};
use crate::openclaw::tables::Table;

/// How long such a token may be used.
const LIFETIME: Duration = Duration::from_secs(600);

/// A row: its key, and the token in it.
pub(crate) struct Row {
    key: String,
    pub(crate) outcome: Outcome,
}

fn understand(columns: &Columns) -> Result<PairingToken, String> {
    let token = SecretToken::parse(columns.needed("token")?).map_err(|error| error.to_string())?;
    let issued_at = columns.number("issued_at_ms")?.ok_or("no `issued_at_ms`")?;
    let issued_at = Timestamp::from_millis(issued_at);
    let device = columns.text("device_id")?.map(DeviceId::parse).transpose();
    Ok(PairingToken {
        hash: TokenHash::of(&token),
        profile: profile(columns.text("profile_json")?)?,
        issued_at,
        expires_at: issued_at + LIFETIME,
        chat: None,
        device: device.map_err(|error| error.to_string())?,
        unclaimed: BTreeSet::new(),
    })
}

/// Returns the widest profile that asks for no more than the stored one.
fn profile(raw: Option<&str>) -> Result<SetupProfile, String> {
    let object = raw.and_then(Object::parse).ok_or("no `profile_json`")?;
    let roles = object
        .raw("roles")
        .and_then(json::texts)
        .unwrap_or_default();
    let has = |role: Role| roles.iter().any(|name| name == role.as_str());
    if !has(Role::Node) {
        return Err("a profile without the role node".to_owned());
    }
    let scopes: ScopeSet = object
        .raw("scopes")
        .and_then(json::scopes)
        .unwrap_or_default();
    let covers =
        |profile: SetupProfile| has(Role::Operator) && scopes.covers(&profile.ask().scopes);
    let profiles = [
        SetupProfile::Full,
        SetupProfile::Limited,
        SetupProfile::Voice,
    ];
    let widest = profiles.into_iter().find(|profile| covers(*profile));
    Ok(widest.unwrap_or(SetupProfile::Node))
}

/// Returns all rows: there are few, for they live for ten minutes.
pub(crate) fn rows(connection: &Connection, selected: &str) -> rusqlite::Result<Vec<Row>> {
    let sql = format!("SELECT {selected} FROM main.device_bootstrap_tokens ORDER BY token_key");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([])?;
    let (names, _) = Table::PairingTokens.columns();
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let columns = Columns::read(row, names)?;
        let outcome = match understand(&columns) {
            Ok(token) => Ok(Found {
                record: Record::from(token),
                mark: columns.mark(),
            }),
            Err(reason) => Err(Bad {
                row: "device_bootstrap_tokens".to_owned(),
                reason: format!("a token is passed over: {reason}"),
            }),
        };
        let key = columns.text("token_key").ok().flatten();
        found.push(Row {
            key: key.unwrap_or_default().to_owned(),
            outcome,
        });
    }
    Ok(found)
}

/// Deletes the row of a token, if there is one.
pub(crate) fn delete(
    connection: &Connection,
    selected: &str,
    hash: TokenHash,
) -> rusqlite::Result<bool> {
    let mut any = false;
    for row in rows(connection, selected)? {
        let Ok(found) = &row.outcome else { continue };
        if found
            .record
            .as_pairing_token()
            .is_some_and(|token| token.hash == hash)
        {
            connection
                .prepare_cached("DELETE FROM main.device_bootstrap_tokens WHERE token_key = ?1")?
                .execute([&row.key])?;
            any = true;
        }
    }
    Ok(any)
}
