//! What a database may hold, for the fuzz target: whatever another program has written into its rows.

use std::cell::RefCell;

use pairing_core::store::Change;
use pairing_core::{ChannelId, Channels, Range, Timestamp};
use rusqlite::Connection;
use rusqlite::types::Value;

use crate::openclaw::fuzzing::{Opened, open};

/// A device that exists nowhere; rows that name no other are its.
const DEVICE: &str = "8110e45971ac4b5c1d46390656f99136ffb66be14f0d1f53fa8b81b224f0c7e3";
const KEY: &str = "ugeFQ2bPD0Zv5Y20k795hGhN093E03hgfDrcD_cnpsg";

/// The columns that each table has, with what is in them unless told otherwise.
const TABLES: [(&str, &[(&str, &str)]); 5] = [
    (
        "device_pairing_paired",
        &[
            ("device_id", DEVICE),
            ("public_key", KEY),
            ("roles_json", r#"["node","operator"]"#),
            ("scopes_json", r#"["operator.read"]"#),
            ("tokens_json", "{}"),
            ("created_at_ms", "#1"),
            ("approved_at_ms", "#2"),
        ],
    ),
    (
        "device_pairing_pending",
        &[
            ("request_id", "93b1afe0-7ad6-4e0d-ab42-2e0773b05e47"),
            ("device_id", DEVICE),
            ("public_key", KEY),
            ("roles_json", r#"["node"]"#),
            ("ts", "#1"),
        ],
    ),
    (
        "device_bootstrap_tokens",
        &[
            ("token_key", "k"),
            ("token", "nyamNy2SRZe-4upZnDhsMRk89WLYQU90IzvDEuCcloU"),
            ("profile_json", r#"{"roles":["node"],"scopes":[]}"#),
            ("ts", "#1"),
            ("issued_at_ms", "#1"),
        ],
    ),
    (
        "channel_pairing_requests",
        &[
            ("channel_key", "telegram"),
            ("account_id", "default"),
            ("request_id", "1001"),
            ("code", "M8NGT2AA"),
            ("created_at", "2026-11-26T17:34:13.000Z"),
            ("last_seen_at", "2026-11-26T17:34:13.000Z"),
        ],
    ),
    (
        "channel_pairing_allow_entries",
        &[
            ("channel_key", "telegram"),
            ("account_id", "default"),
            ("entry", "1001"),
            ("sort_order", "#0"),
            ("updated_at", "#0"),
        ],
    ),
];

thread_local! {
    static OPENED: RefCell<Opened> = RefCell::new(open(&TABLES.map(|(table, _)| table)));
}

/// Makes a row of lines `column=value` after a first line that chooses the table by its number (`#7` is a
/// number), reads it, and writes what was read: it is then read as it was.
///
/// # Panics
///
/// Where that does not hold.
pub fn rows(text: &str) {
    let mut lines = text.lines();
    let table = lines.next().and_then(|line| line.parse::<usize>().ok());
    let (table, usual) = TABLES[table.unwrap_or_default() % TABLES.len()];
    let mut cells: Vec<(&str, &str)> = usual.to_vec();
    for (name, value) in lines.filter_map(|line| line.split_once('=')) {
        match cells.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value,
            None => cells.push((name, value)),
        }
    }
    OPENED.with_borrow(|opened| {
        if insert(&opened.connection, table, &cells).is_ok() {
            check(opened);
        }
        opened.clear(&TABLES.map(|(table, _)| table));
    });
}

fn insert(connection: &Connection, table: &str, cells: &[(&str, &str)]) -> rusqlite::Result<()> {
    let is_name = |name: &str| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    let cells: Vec<_> = cells
        .iter()
        .filter(|(name, _)| !name.is_empty() && is_name(name))
        .collect();
    let names: Vec<_> = cells.iter().map(|(name, _)| *name).collect();
    let places = vec!["?"; cells.len()].join(", ");
    let values = cells
        .iter()
        .map(|(_, value)| match value.strip_prefix('#') {
            Some(number) => number.parse().map_or(Value::Null, Value::Integer),
            None => Value::Text((*value).to_owned()),
        });
    let sql = format!(
        "INSERT INTO main.{table} ({}) VALUES ({places})",
        names.join(", ")
    );
    connection.execute(&sql, rusqlite::params_from_iter(values))?;
    Ok(())
}

fn check(opened: &Opened) {
    let telegram = ChannelId::parse("telegram").ok();
    let of_channel = telegram.into_iter().flat_map(|channel| {
        let also = channel.clone();
        [
            Range::Requests {
                channel,
                account: None,
            },
            Range::Allowed {
                channel: also,
                account: None,
            },
        ]
    });
    let ranges = [
        Range::Devices,
        Range::DeviceRequests,
        Range::PairingTokens,
        Range::BearerClients,
    ];
    let channels = Channels::builtin();
    for range in ranges.into_iter().chain(of_channel) {
        for record in opened.range(&channels, &range) {
            let read = opened.read(&channels, &record.key());
            assert_eq!(read.as_ref(), Some(&record), "what is listed is read");
            let put = Change::Put(record.clone());
            if opened
                .apply(&channels, &put, Timestamp::from_millis(3))
                .is_ok()
            {
                let read = opened.read(&channels, &record.key());
                assert_eq!(read, Some(record), "what is written is read");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Pieces of what rows hold, in the wrong places as well.
    const PIECES: [&str; 24] = [
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "null",
        "1",
        "-1",
        "true",
        "\"token\"",
        "\"tokenHash\"",
        "\"node\"",
        "\"operator\"",
        "\"scopes\"",
        "\"operator.admin\"",
        "\"hashed.x\"",
        "\"revokedAtMs\"",
        "\"commands\"",
        "\"system.run\"",
        "\"sha256:",
        "\"",
        "#",
        "silent",
    ];

    fn cell() -> impl Strategy<Value = String> {
        let columns: Vec<&str> = ALL_COLUMNS.to_vec();
        let pieces = proptest::collection::vec(proptest::sample::select(PIECES.to_vec()), 0..12);
        let whole = proptest::sample::select(vec![
            "{\"node\":{\"token\":\"kuDJaf2V_I_8VsIHrnbK1QUDl7AqbfWT2NkGUo1Bgn0\",\"scopes\":[1]}}",
            "{\"node\":{\"token\":\"a\",\"tokenHash\":\"b\"},\"operator\":{\"x\":1.5}}",
            "{\"commands\":[\"a\",\"system.run\",\"\"]}",
            "[\"operator\",\"node\",\"other\"]",
            "[]",
            "{}",
            "#5",
            "#9223372036854775807",
            "2026-01-01T00:00:00Z",
            "telegram:7",
            " 7 ",
            "ops_eu",
            "é",
        ]);
        let value = prop_oneof![
            pieces.prop_map(|pieces| pieces.concat()),
            whole.prop_map(str::to_owned)
        ];
        (proptest::sample::select(columns), value)
            .prop_map(|(column, value)| format!("{column}={value}"))
    }

    const ALL_COLUMNS: [&str; 25] = [
        "device_id",
        "public_key",
        "roles_json",
        "role",
        "scopes_json",
        "approved_scopes_json",
        "tokens_json",
        "created_at_ms",
        "approved_at_ms",
        "approved_via",
        "node_surface_json",
        "pending_node_surface_json",
        "display_name",
        "remote_ip",
        "silent",
        "ts",
        "refreshed_at_ms",
        "profile_json",
        "issued_at_ms",
        "account_id",
        "request_id",
        "code",
        "created_at",
        "meta_json",
        "entry",
    ];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn whatever_a_row_holds(table in 0..5u8, cells in proptest::collection::vec(cell(), 0..6)) {
            rows(&format!("{table}\n{}", cells.join("\n")));
        }
    }

    #[test]
    fn rows_of_all_tables() {
        for text in [
            "",
            "0\ntokens_json={\"node\":{\"token\":\"kuDJaf2V_I_8VsIHrnbK1QUDl7AqbfWT2NkGUo1Bgn0\"}}",
            "0\ntokens_json={\"node\":{\"tokenHash\":null,\"token\":\"hashed.x\",\"revokedAtMs\":1}}",
            "0\nnode_surface_json={\"commands\":[\"a.b\",\"a.b\"]}\napproved_via=silent",
            "0\ntokens_json=[]",
            "0\ncreated_at_ms=x",
            "1\nscopes_json={}\nsilent=#1",
            "2\nprofile_json={\"roles\":[\"node\",\"operator\"],\"scopes\":[\"operator.admin\"]}",
            "3\nmeta_json={\"a\":1,\"accountId\":\"x\"}\naccount_id=a_b",
            "4\nentry=telegram:1",
            "4\nentry=*",
            "4\nno such column=1",
        ] {
            rows(text);
        }
    }
}
