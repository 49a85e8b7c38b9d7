//! `device_pairing_pending`: the pending requests of devices.

use std::collections::BTreeSet;

use pairing_core::device::{Ask, DeviceRequest, RequestId, Role};
use pairing_core::{DeviceId, Record, Scope, Timestamp};
use rusqlite::{Connection, params};

use super::info::{
    identity, read_info, role_names, write_info, write_key, write_number, write_roles, write_text,
};
use super::{Bad, Columns, Found, Outcome, Update, Value};
use crate::json;
use crate::openclaw::tables::Table;

/// A row, and the request in it.
pub(crate) struct Row {
    columns: Columns,
    pub(crate) outcome: Result<DeviceRequest, Bad>,
}

impl Row {
    fn new(columns: Columns) -> Self {
        let outcome = understand(&columns).map_err(|reason| Bad {
            row: "device_pairing_pending".to_owned(),
            reason: format!("a request is passed over: {reason}"),
        });
        Self { columns, outcome }
    }

    pub(crate) fn into_outcome(self) -> Outcome {
        let mark = self.columns.mark();
        self.outcome.map(|request| Found {
            record: Record::from(request),
            mark,
        })
    }
}

fn understand(columns: &Columns) -> Result<DeviceRequest, String> {
    let id = RequestId::parse(columns.needed("request_id")?).map_err(|error| error.to_string())?;
    let (device, key) = identity(columns)?;
    let names = role_names(columns)?;
    let roles: BTreeSet<Role> = names
        .iter()
        .filter_map(|name| Role::parse(name).ok())
        .collect();
    let scopes = columns.text("scopes_json")?.and_then(json::scopes);
    // Only an operator has scopes.
    let scopes = scopes.filter(|_| roles.contains(&Role::Operator));
    let time = |name| Ok::<_, String>(columns.number(name)?.map(Timestamp::from_millis));
    let asked_at = time("ts")?.ok_or("no `ts`")?;
    Ok(DeviceRequest {
        id,
        device,
        key,
        info: read_info(columns)?,
        ask: Ask {
            roles,
            scopes: scopes.unwrap_or_default(),
            commands: BTreeSet::new(),
        },
        origin: columns.text("browser_origin")?.map(str::to_owned),
        silent: columns.flag("silent"),
        is_repair: columns.flag("is_repair"),
        asked_at,
        refreshed_at: time("refreshed_at_ms")?.unwrap_or(asked_at),
        pairing_token: None,
    })
}

/// Returns the rows of one device, or of all; the latest of each device first.
pub(crate) fn rows(
    connection: &Connection,
    selected: &str,
    device: Option<DeviceId>,
) -> rusqlite::Result<Vec<Row>> {
    let filter = match device {
        Some(_) => "device_id = ?1",
        None => "?1 IS NULL",
    };
    let sql = format!(
        "SELECT {selected} FROM main.device_pairing_pending WHERE {filter}
        ORDER BY device_id, ts DESC, request_id"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params![device.map(|device| device.to_string())])?;
    let (names, _) = Table::DeviceRequests.columns();
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(Row::new(Columns::read(row, names)?));
    }
    Ok(found)
}

/// Writes a request over the row with its id, or into a new one; the device's other requests end. Rows
/// that are not understood stay.
pub(crate) fn put(
    connection: &Connection,
    selected: &str,
    request: &DeviceRequest,
) -> rusqlite::Result<()> {
    let mut old = None;
    for row in rows(connection, selected, Some(request.device))? {
        match &row.outcome {
            Ok(known) if known.id == request.id => old = Some(row),
            Ok(known) => delete_row(connection, known.id.as_str())?,
            Err(_) => {}
        }
    }
    let columns = old.as_ref().map(|row| &row.columns);
    let mut update = Update::new();
    write_key(columns, request.key, &mut update);
    write_info(columns, &request.info, &mut update);
    let seen = old.as_ref().and_then(|row| row.outcome.as_ref().ok());
    let seen = seen.map(|seen| seen.ask.clone()).unwrap_or_default();
    write_roles(columns, &seen.roles, &request.ask.roles, &mut update);
    if columns.is_none() || seen.scopes != request.ask.scopes {
        let scopes = json::list(request.ask.scopes.iter().map(Scope::as_str));
        update.set("scopes_json", Value::text(Some(&scopes)));
    }
    write_text(
        columns,
        "browser_origin",
        request.origin.as_deref(),
        &mut update,
    );
    for (column, flag) in [("silent", request.silent), ("is_repair", request.is_repair)] {
        if columns.is_none_or(|old| old.flag(column) != flag) {
            update.set(column, if flag { Value::Number(1) } else { Value::Null });
        }
    }
    write_number(
        columns,
        "ts",
        Some(request.asked_at.as_millis()),
        &mut update,
    );
    let refreshed = Some(request.refreshed_at.as_millis());
    write_number(columns, "refreshed_at_ms", refreshed, &mut update);
    let table = Table::DeviceRequests.name();
    if columns.is_some() {
        return update.run(connection, table, ("request_id", request.id.as_str()));
    }
    update.set("request_id", Value::text(Some(request.id.as_str())));
    update.set("device_id", Value::text(Some(&request.device.to_string())));
    update.insert(connection, table)
}

/// Ends the requests of a device. Rows that are not understood stay.
pub(crate) fn delete(
    connection: &Connection,
    selected: &str,
    device: DeviceId,
) -> rusqlite::Result<()> {
    for row in rows(connection, selected, Some(device))? {
        if let Ok(request) = row.outcome {
            delete_row(connection, request.id.as_str())?;
        }
    }
    Ok(())
}

fn delete_row(connection: &Connection, id: &str) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM main.device_pairing_pending WHERE request_id = ?1")?
        .execute([id])?;
    Ok(())
}
