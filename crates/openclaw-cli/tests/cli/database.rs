//! Installs whose records are in a database: OpenClaw's own, which is found, and one of ours.

use std::path::PathBuf;
use std::time::Duration;

use openclaw_cli::Exit;
use rusqlite::Connection;

use crate::run::{gateway, node_comes_back, output};
use crate::session::Session;
use crate::transfer::records;

/// The tables of pairing as release 2026.9.6 made and filled them.
const RECORDED: &str =
    include_str!("../../../pairing-sqlite/tests/sqlite/openclaw-2026.9.6/pairing.sql");

fn database(session: &Session) -> PathBuf {
    session.state().join("state/openclaw.sqlite")
}

/// An install of that release, three minutes after the requests in it were made.
fn recorded() -> Session {
    let mut session = Session::new();
    session.wait(Duration::from_secs(4 * 86_400 + 4 * 3600 + 6 * 60));
    session.write_in("state", "openclaw.sqlite", "");
    let connection = Connection::open(database(&session)).unwrap();
    connection.execute_batch(RECORDED).unwrap();
    session
}

fn count(session: &Session, of: &str) -> i64 {
    let connection = Connection::open(database(session)).unwrap();
    connection
        .query_row(&format!("SELECT count(*) FROM {of}"), [], |row| row.get(0))
        .unwrap()
}

fn stdout(session: &Session, line: &str) -> String {
    let ran = session.run(&line.split(' ').collect::<Vec<_>>());
    assert_eq!(ran.exit, Exit::Done, "{line}: {}", ran.stderr);
    ran.stdout
}

#[test]
fn t123_the_records_of_a_database_are_found() {
    let session = recorded();
    let pending = stdout(&session, "pairing list --json");
    for code in ["M8NGT2AA", "UMKSKDC8", "ARZJQWV8", "R8M42HK4"] {
        assert!(pending.contains(code), "{pending}");
    }
    let devices = stdout(&session, "devices list --json");
    assert_eq!(devices.matches("\"deviceId\"").count(), 5, "{devices}");
    session.done(&["pairing", "approve", "telegram", "M8NGT2AA"]);
    session.done(&["pairing", "allowed", "add", "telegram", "999"]);
    session.done(&["pairing", "allowed", "remove", "telegram", "555"]);
    assert_eq!(
        count(
            &session,
            "channel_pairing_allow_entries WHERE channel_key = 'telegram'"
        ),
        3
    );
    assert!(!session.file("telegram-allowFrom.json").exists());
}

#[test]
fn t123_doctor_names_the_database_and_what_is_left_over() {
    let session = recorded();
    session.write(
        "telegram-allowFrom.json",
        r#"{"version":1,"allowFrom":["1"]}"#,
    );
    session.write_in(
        "devices",
        "paired.json.migrated",
        r#"{"x":{"token":"secret-1"}}"#,
    );
    let ran = session.run(&["doctor", "--json"]);
    let found = ran.stdout;
    assert!(found.contains("\"store\": \"openclaw\""), "{found}");
    for text in [
        "2026.9.6, schema 18",
        "telegram-allowFrom.json",
        "may hold tokens in clear",
        "5 devices have tokens in clear",
    ] {
        assert!(found.contains(text), "{text}: {found}");
    }
    assert!(!found.contains("secret-1"), "{found}");
    // Where the files are used on purpose, it is the database that is left over.
    session.write_in(".", "openclaw.json", "{ state: { store: 'files' } }");
    let found = session.run(&["doctor", "--json"]).stdout;
    assert!(
        found.contains("is a database with records, and is not read"),
        "{found}"
    );
}

#[test]
fn t123_a_database_that_cannot_be_used_is_not_taken_for_an_empty_install() {
    let session = recorded();
    let connection = Connection::open(database(&session)).unwrap();
    connection
        .execute_batch("DROP TABLE channel_pairing_requests")
        .unwrap();
    for line in [
        "pairing list",
        "devices list",
        "pairing allowed add telegram 1",
    ] {
        let ran = session.run(&line.split(' ').collect::<Vec<_>>());
        assert_ne!(ran.exit, Exit::Done, "{line}: {}", ran.stdout);
        assert!(ran.stderr.contains("openclaw.sqlite"), "{}", ran.stderr);
        assert!(
            ran.stderr.contains("channel_pairing_requests"),
            "{}",
            ran.stderr
        );
    }
    let ran = session.run(&["doctor"]);
    assert_eq!(ran.exit, Exit::Refused);
    // Told otherwise, it does as it is told.
    session.write_in(".", "openclaw.json", "{ state: { store: 'files' } }");
    stdout(&session, "pairing list");
}

#[test]
fn from_their_database_to_files_and_to_ours_and_back() {
    let session = recorded();
    let export = |name: &str, session: &Session| {
        let file = session.outside(name);
        session.done(&["state", "export", "--to", &file]);
        records(&file)
    };
    let theirs = export("theirs", &session);
    assert!(theirs.len() > 20, "{theirs:?}");
    session.done(&["state", "migrate", "--from", "openclaw", "--to", "sqlite"]);
    session.done(&["state", "migrate", "--from", "openclaw", "--to", "files"]);
    for store in ["sqlite", "files"] {
        let text = format!("{{ state: {{ store: '{store}' }} }}");
        session.write_in(".", "openclaw.json", text);
        assert_eq!(export(store, &session), theirs, "{store}");
    }
    // And back, into a database without rows.
    let connection = Connection::open(database(&session)).unwrap();
    for table in [
        "channel_pairing_requests",
        "channel_pairing_allow_entries",
        "device_pairing_paired",
    ] {
        connection
            .execute(&format!("DELETE FROM {table}"), [])
            .unwrap();
    }
    session.done(&["state", "migrate", "--from", "sqlite", "--to", "openclaw"]);
    session.write_in(".", "openclaw.json", "{}");
    assert_eq!(export("back", &session), theirs);
    let clear = "device_pairing_paired WHERE tokens_json LIKE '%kuDJaf2V_I_8VsIHrnbK1QUDl7AqbfWT2NkGUo1Bgn0%'";
    assert_eq!(count(&session, clear), 0);
}

#[test]
fn what_nodes_wait_for_is_listed_and_decided() {
    let session = recorded();
    let pending = stdout(&session, "nodes pending --json");
    assert_eq!(pending.matches("\"requestId\"").count(), 2, "{pending}");
    let status = stdout(&session, "nodes status");
    assert!(
        status.contains("openclaw nodes approve 93b1afe0-"),
        "{status}"
    );
    let status = stdout(&session, "nodes status --json");
    assert!(
        status.contains("\"approvalState\": \"pending-approval\""),
        "{status}"
    );
    let said = stdout(
        &session,
        "nodes approve 93b1afe0 --commands ollama.chat,ollama.models",
    );
    assert!(
        said.contains("carries out: ollama.chat, ollama.models"),
        "{said}"
    );
    assert!(!said.contains("Token"), "{said}");
    stdout(&session, "nodes reject a25a7fad");
    let left = stdout(&session, "nodes pending --json");
    assert!(!left.contains("requestId"), "{left}");
    let approved = "device_pairing_paired WHERE pending_node_surface_json IS NULL
        AND node_surface_json LIKE '%\"commands\":[\"ollama.chat\",\"ollama.models\"]%'";
    assert_eq!(count(&session, approved), 1);
}

#[test]
fn a_gateway_lists_and_decides_what_nodes_wait_for() {
    let session = recorded();
    let state = session.state();
    session.write_in(".", "openclaw.json", "{ gateway: { localAdmin: true } }");
    let (gateway, port) = gateway(&state);
    let token = output(&state, "gateway token --show").1;
    session.write_in(".", "token", token);
    let at = |line: &str| {
        let token = state.join("token");
        let line = format!(
            "{line} --url ws://127.0.0.1:{port} --token-file {}",
            token.display()
        );
        let (code, said, stderr) = output(&state, &line);
        assert_eq!(code, Some(0), "{line}: {stderr}");
        said
    };
    assert!(at("nodes pending").contains("system.run"));
    assert!(at("nodes status").contains("openclaw nodes approve 93b1afe0-"));
    let said = at("nodes approve 93b1afe0 --commands ollama.chat");
    assert!(said.contains("carries out: ollama.chat"), "{said}");
    at("nodes reject a25a7fad");
    assert_eq!(
        count(
            &session,
            "device_pairing_paired WHERE pending_node_surface_json IS NOT NULL"
        ),
        0
    );
    assert_eq!(gateway.stop(), Some(0));
}

#[test]
fn a_gateway_on_either_database_pairs_a_node() {
    let ours = Session::new();
    ours.write_in(".", "openclaw.json", "{ state: { store: 'sqlite' } }");
    node_comes_back(&ours);
    assert!(ours.state().join("pairing/pairing.sqlite").exists());
    assert!(!ours.state().join("devices").exists());

    let theirs = recorded();
    node_comes_back(&theirs);
    let node = "device_pairing_paired WHERE display_name = 'Desk' AND node_surface_json LIKE '%device.info%'";
    assert_eq!(count(&theirs, node), 1);
    assert!(!theirs.state().join("devices").exists());
}

#[test]
fn t123_a_gateway_names_its_database() {
    let session = recorded();
    let state = session.state();
    let (gateway, port) = gateway(&state);
    let token = output(&state, "gateway token --show").1;
    session.write_in(".", "token", token);
    let named = format!(
        "gateway status --url ws://127.0.0.1:{port} --token-file {}",
        state.join("token").display()
    );
    let (code, said, stderr) = output(&state, &named);
    assert_eq!(code, Some(0), "{stderr}");
    let line = format!("openclaw {} 2026.9.6", database(&session).display());
    assert!(said.contains(&line), "{said}");
    assert_eq!(gateway.stop(), Some(0));
}
