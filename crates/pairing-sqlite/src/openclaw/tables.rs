//! The tables of OpenClaw's database that concern pairing, as far as they are there.

use std::collections::BTreeSet;

use pairing_core::StoreError;
use rusqlite::Connection;

/// The newest `schema_version` whose tables are known.
pub(crate) const KNOWN_VERSION: i64 = 18;

/// A table, with its columns as they are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Table {
    Requests,
    Allowed,
    DeviceRequests,
    Devices,
    PairingTokens,
}

pub(crate) const ALL: [Table; 5] = [
    Table::Requests,
    Table::Allowed,
    Table::DeviceRequests,
    Table::Devices,
    Table::PairingTokens,
];

impl Table {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Requests => "channel_pairing_requests",
            Self::Allowed => "channel_pairing_allow_entries",
            Self::DeviceRequests => "device_pairing_pending",
            Self::Devices => "device_pairing_paired",
            Self::PairingTokens => "device_bootstrap_tokens",
        }
    }

    /// The columns that are read and written; without the first few, nothing in the table can be read.
    pub(crate) fn columns(self) -> (&'static [&'static str], usize) {
        match self {
            Self::Requests => (
                &[
                    "channel_key",
                    "account_id",
                    "request_id",
                    "code",
                    "created_at",
                    "last_seen_at",
                    "meta_json",
                ],
                5,
            ),
            Self::Allowed => (
                &[
                    "channel_key",
                    "account_id",
                    "entry",
                    "sort_order",
                    "updated_at",
                ],
                3,
            ),
            Self::DeviceRequests => (
                &[
                    "request_id",
                    "device_id",
                    "public_key",
                    "ts",
                    "roles_json",
                    "role",
                    "scopes_json",
                    "refreshed_at_ms",
                    "display_name",
                    "platform",
                    "device_family",
                    "client_id",
                    "client_mode",
                    "remote_ip",
                    "browser_origin",
                    "silent",
                    "is_repair",
                ],
                5,
            ),
            Self::Devices => (
                &[
                    "device_id",
                    "public_key",
                    "roles_json",
                    "tokens_json",
                    "scopes_json",
                    "approved_scopes_json",
                    "created_at_ms",
                    "approved_at_ms",
                    "role",
                    "display_name",
                    LABEL,
                    "platform",
                    "device_family",
                    "client_id",
                    "client_mode",
                    "remote_ip",
                    "approved_via",
                    "node_surface_json",
                    "pending_node_surface_json",
                ],
                8,
            ),
            Self::PairingTokens => (
                &[
                    "token_key",
                    "token",
                    "profile_json",
                    "issued_at_ms",
                    "device_id",
                ],
                4,
            ),
        }
    }
}

/// The owner's name for a device, in [`Table::Devices`].
pub(crate) const LABEL: &str = "operator_label";

/// What was found of one table.
#[derive(Debug, Clone, Default)]
struct Found {
    columns: BTreeSet<String>,
    /// A column that is not known and must be given a value in every row.
    demanding: Option<String>,
}

/// What was found of all of them, and of the schema's version.
#[derive(Debug, Clone)]
pub(crate) struct Tables {
    found: [Found; 5],
    pub(crate) schema_version: Option<i64>,
    pub(crate) release: Option<String>,
    /// Changes whenever the schema does.
    pub(crate) cookie: i64,
}

impl Tables {
    pub(crate) fn read(connection: &Connection) -> rusqlite::Result<Self> {
        let mut found: [Found; 5] = Default::default();
        for (table, found) in ALL.iter().zip(&mut found) {
            *found = columns(connection, *table)?;
        }
        let (schema_version, release) = versions(connection);
        Ok(Self {
            found,
            schema_version,
            release,
            cookie: cookie(connection)?,
        })
    }

    pub(crate) fn has(&self, table: Table) -> bool {
        !self.found(table).columns.is_empty()
    }

    fn found(&self, table: Table) -> &Found {
        let at = ALL.iter().position(|known| *known == table);
        &self.found[at.unwrap_or_default()]
    }

    /// Returns the first of these columns that is not there, of those that have to be.
    fn missing(&self, table: Table, columns: &[&'static str]) -> Option<&'static str> {
        let found = &self.found(table).columns;
        let mut needed = columns.iter().filter(|column| **column != LABEL);
        needed.find(|column| !found.contains(**column)).copied()
    }

    /// Whether devices have a column for the owner's name of them: the first releases with this table have not.
    pub(crate) fn has_labels(&self) -> bool {
        self.found(Table::Devices).columns.contains(LABEL)
    }

    /// Returns the columns to select, with null for those that are not there; in words, why the table
    /// cannot be read.
    pub(crate) fn selected(&self, table: Table) -> Result<String, String> {
        let (columns, needed) = table.columns();
        let name = table.name();
        if !self.has(table) {
            return Err(format!("there is no table `{name}`"));
        }
        if let Some(column) = self.missing(table, &columns[..needed]) {
            return Err(format!("`{name}` has no column `{column}`"));
        }
        let found = &self.found(table).columns;
        let selected = columns.iter().map(|column| {
            if found.contains(*column) {
                (*column).to_owned()
            } else {
                format!("NULL AS {column}")
            }
        });
        Ok(selected.collect::<Vec<_>>().join(", "))
    }

    /// Checks that a table is as it is known, so that it may be written to.
    pub(crate) fn check_writable(&self, table: Table) -> Result<(), StoreError> {
        let name = table.name();
        let (columns, _) = table.columns();
        let reason = if !self.has(table) {
            format!("the database has no table `{name}`")
        } else if let Some(column) = self.missing(table, columns) {
            format!("`{name}` has no column `{column}`")
        } else if let Some(column) = &self.found(table).demanding {
            format!("`{name}` has a column `{column}` that has to be filled and is not known here")
        } else {
            return Ok(());
        };
        let made_by = match (self.schema_version, &self.release) {
            (Some(version), Some(release)) => {
                format!(
                    "; OpenClaw {release} made it, with schema {version}, and {KNOWN_VERSION} is known"
                )
            }
            _ => String::new(),
        };
        Err(StoreError::Refused {
            reason: format!("{reason}{made_by}: it is read, but not written to"),
        })
    }
}

/// Returns a number that changes whenever the schema does.
pub(crate) fn cookie(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA main.schema_version", [], |row| row.get(0))
}

fn columns(connection: &Connection, table: Table) -> rusqlite::Result<Found> {
    let mut statement = connection.prepare(
        "SELECT name, \"notnull\", dflt_value IS NULL FROM pragma_table_info(?1, 'main')",
    )?;
    let (known, _) = table.columns();
    let mut found = Found::default();
    let mut rows = statement.query([table.name()])?;
    while let Some(row) = rows.next()? {
        let (name, must, bare): (String, bool, bool) = (row.get(0)?, row.get(1)?, row.get(2)?);
        // Tokens of the other program have more columns; ours are not written there.
        let is_filled = known.contains(&name.as_str()) || table == Table::PairingTokens;
        if must && bare && !is_filled {
            found.demanding = Some(name.clone());
        }
        found.columns.insert(name);
    }
    Ok(found)
}

/// Returns the version of the schema, and the release that last wrote it, if they are recorded.
fn versions(connection: &Connection) -> (Option<i64>, Option<String>) {
    let recorded = connection.query_row(
        "SELECT schema_version, app_version FROM schema_meta WHERE meta_key = 'primary'",
        [],
        |row| Ok((row.get(0)?, row.get(1)?)),
    );
    let (version, release): (Option<i64>, Option<String>) = recorded.unwrap_or_default();
    let release = release.map(|text| text.lines().next().unwrap_or_default().trim().to_owned());
    let version = version.or_else(|| {
        connection
            .query_row("PRAGMA main.user_version", [], |row| row.get(0))
            .ok()
    });
    (version, release.filter(|release| release.len() <= 64))
}
