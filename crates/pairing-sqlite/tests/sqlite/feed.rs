//! What another program writes to the database is told.

use std::time::Duration;

use pairing_core::store::{Changed, Group};
use pairing_core::{Key, PairingCode, PairingStore};
use rusqlite::Connection;

use crate::install::Install;
use crate::real::channel;

const LONG: Duration = Duration::from_secs(10);

#[test]
fn what_the_other_program_commits_is_told() {
    let install = Install::recorded();
    let store = install.open();
    let start = store.changes(None, LONG).unwrap().position;
    std::thread::scope(|threads| {
        let told = threads.spawn(|| store.changes(Some(start), LONG).unwrap());
        install.sql("DELETE FROM channel_pairing_requests WHERE request_id = '777'");
        let told = told.join().unwrap();
        let Changed::Keys(keys) = told.changed else {
            panic!("{told:?}");
        };
        let code = Key::Code {
            channel: channel("telegram"),
            code: PairingCode::parse("UMKSKDC8").unwrap(),
        };
        assert!(keys.contains(&code) && keys.len() == 2, "{keys:?}");
    });
}

#[test]
fn what_does_not_concern_pairing_is_not_told() {
    let install = Install::recorded();
    let store = install.open();
    let start = store.changes(None, LONG).unwrap().position;
    install.sql("UPDATE schema_meta SET updated_at = 1");
    let told = store
        .changes(Some(start), Duration::from_millis(300))
        .unwrap();
    assert_eq!(told.changed, Changed::Keys(Vec::new()));
    assert_eq!(told.position, start);
}

#[test]
fn whether_it_can_be_written_is_tried_with_both_databases() {
    let install = Install::recorded();
    let store = install.open();
    let paths = [install.database(), install.beside()];
    let others = paths.map(|path| Connection::open(path).unwrap());
    let versions = || {
        others.each_ref().map(|other| {
            let version =
                other.pragma_query_value(None, "data_version", |row| row.get::<_, i64>(0));
            version.unwrap()
        })
    };
    let before = versions();
    store.probe_write(Group::Nodes).unwrap();
    let after = versions();
    assert!(
        before[0] != after[0] && before[1] != after[1],
        "{before:?} {after:?}"
    );
}
