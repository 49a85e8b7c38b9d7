//! What can only be seen from within: plans of statements, the file's settings, rows of others.

use std::os::unix::fs::PermissionsExt as _;

use pairing_core::store::{AllowEntry, Change};
use pairing_core::{AccountId, Record, SenderId};

use super::*;

fn install() -> (tempfile::TempDir, OwnStore) {
    let dir = tempfile::tempdir().unwrap();
    let store = OwnStore::open(&dir.path().join("pairing/pairing.sqlite")).unwrap();
    (dir, store)
}

fn allow(entry: &str) -> Record {
    Record::Allow(AllowEntry {
        channel: ChannelId::parse("telegram").unwrap(),
        account: AccountId::default(),
        entry: SenderId::try_from(entry.to_owned()).unwrap(),
        written: None,
        grant: None,
    })
}

fn put(store: &OwnStore, records: impl IntoIterator<Item = Record>) {
    let batch = Batch {
        conditions: Vec::new(),
        changes: records.into_iter().map(Change::Put).collect(),
    };
    store.commit(&batch).unwrap();
}

/// The number of records does not matter to a statement that looks its rows up by an index.
#[test]
fn every_statement_finds_its_rows_by_a_key() {
    let (_dir, store) = install();
    let writer = store.inner.database.writer();
    let all = commit::STATEMENTS
        .iter()
        .chain(&[READ, SPAN, PAGE, CHANGED]);
    for statement in all {
        let mut plan = writer
            .prepare(&format!("EXPLAIN QUERY PLAN {statement}"))
            .unwrap();
        let count = plan.parameter_count();
        let details: Vec<String> = plan
            .query_map(rusqlite::params_from_iter(vec!["1"; count]), |row| {
                row.get(3)
            })
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        for detail in details {
            // `head` has one row.
            let is_bounded = !detail.starts_with("SCAN") || detail == "SCAN head";
            assert!(is_bounded, "{statement}: {detail}");
            assert!(!detail.contains("ORDER BY"), "{statement}: {detail}");
        }
    }
}

#[test]
fn commits_are_on_the_disk_and_for_the_owner_only() {
    let (dir, store) = install();
    put(&store, [allow("1")]);
    let settings = |name: &str| -> (String, String) {
        let read = |connection: &Connection| {
            connection
                .pragma_query_value(None, name, |row| row.get_ref(0).map(|v| format!("{v:?}")))
                .unwrap()
        };
        (
            read(&store.inner.database.reader()),
            read(&store.inner.database.writer()),
        )
    };
    let full = format!("{:?}", rusqlite::types::ValueRef::Integer(2));
    assert_eq!(settings("synchronous"), (full.clone(), full));
    let (reader, _) = settings("journal_mode");
    assert_eq!(
        reader,
        format!("{:?}", rusqlite::types::ValueRef::Text(b"wal"))
    );
    for (name, mode) in [
        ("pairing", 0o700),
        ("pairing/pairing.sqlite", 0o600),
        ("pairing/pairing.sqlite-wal", 0o600),
    ] {
        let found = std::fs::metadata(dir.path().join(name)).unwrap();
        assert_eq!(found.permissions().mode() & 0o777, mode, "{name}");
    }
}

#[test]
fn the_log_of_changes_is_bounded() {
    let (_dir, store) = install();
    {
        let writer = store.inner.database.writer();
        writer.execute_batch("PRAGMA synchronous = OFF").unwrap();
    }
    let start = store.changes(None, Duration::ZERO).unwrap().position;
    for _ in 0..REMEMBERED + 10 {
        put(&store, [allow("1")]);
    }
    let writer = store.inner.database.writer();
    let rows: u64 = writer
        .query_row("SELECT count(*) FROM change", [], |row| {
            row.get(0).map(unsigned)
        })
        .unwrap();
    assert_eq!(rows, REMEMBERED);
    drop(writer);
    let changes = store.changes(Some(start), Duration::ZERO).unwrap();
    assert_eq!(changes.changed, Changed::Everything);
    let recent = Position::new(changes.position.number() - 5);
    let changes = store.changes(Some(recent), Duration::ZERO).unwrap();
    assert_eq!(changes.changed, Changed::Keys(vec![allow("1").key()]));
}

#[test]
fn a_bad_row_costs_that_row() {
    let (_dir, store) = install();
    put(&store, ["1", "2", "3"].map(allow));
    {
        let writer = store.inner.database.writer();
        let path = allow("2").key().path();
        writer
            .execute(
                "UPDATE record SET value = '{\"secret\":1}' WHERE path = ?1",
                [path],
            )
            .unwrap();
    }
    store.inner.cache().advance(1, 1, None);
    let error = store.read(&allow("2").key()).unwrap_err();
    assert!(matches!(error, StoreError::Unreadable { .. }), "{error:?}");
    assert!(!format!("{error:?}").contains("secret"));
    assert!(store.read(&allow("3").key()).unwrap().record.is_some());
    let range = Range::Allowed {
        channel: ChannelId::parse("telegram").unwrap(),
        account: None,
    };
    let page = store.range(&range, &PageRequest::first(2)).unwrap();
    assert_eq!(
        (page.records.len(), page.problems.len(), page.next),
        (2, 1, None)
    );
    // It can be replaced and deleted like any other.
    put(&store, [allow("2")]);
    assert!(store.read(&allow("2").key()).unwrap().record.is_some());
}

#[test]
fn who_is_in_the_way_is_named() {
    let (_dir, store) = install();
    let path = store.inner.database.path();
    let other = OwnStore::open_with(path, Duration::from_millis(20)).unwrap();
    let mut writer = store.inner.database.writer();
    let held = writer
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .unwrap();
    let batch = Batch {
        conditions: Vec::new(),
        changes: vec![Change::Put(allow("1"))],
    };
    let error = other.commit(&batch).unwrap_err();
    let StoreError::Busy { holder, waited, .. } = &error else {
        panic!("{error:?}");
    };
    assert!(*waited >= Duration::from_millis(20), "{waited:?}");
    assert_eq!(holder, "another thread of this process");
    // Reading goes on.
    assert!(other.read(&allow("1").key()).unwrap().record.is_none());
    drop(held);
    other.commit(&batch).unwrap();
}

#[test]
fn what_is_no_database_of_ours_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("other.sqlite");
    let other = Connection::open(&path).unwrap();
    other.execute_batch("CREATE TABLE t (a)").unwrap();
    let error = OwnStore::open(&path).unwrap_err();
    assert!(matches!(error, StoreError::Unreadable { .. }), "{error:?}");

    let newer = dir.path().join("newer.sqlite");
    drop(OwnStore::open(&newer).unwrap());
    let connection = Connection::open(&newer).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    let error = OwnStore::open(&newer).unwrap_err();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("99"), "{source}");

    let garbage = dir.path().join("garbage.sqlite");
    std::fs::write(
        &garbage,
        "not a database, but long enough to be one".repeat(100),
    )
    .unwrap();
    let error = OwnStore::open(&garbage).unwrap_err();
    let source = std::error::Error::source(&error).unwrap();
    assert_eq!(source.to_string(), "file is not a database");
}

#[test]
fn a_file_that_was_replaced_is_not_written_to() {
    let (_dir, store) = install();
    put(&store, [allow("1")]);
    let path = store.inner.database.path();
    std::fs::remove_file(path).unwrap();
    let batch = Batch {
        conditions: Vec::new(),
        changes: vec![Change::Put(allow("2"))],
    };
    let error = store.commit(&batch).unwrap_err();
    assert!(matches!(error, StoreError::Unwritable { .. }), "{error:?}");
    store.inner.cache().expire();
    assert!(store.read(&allow("1").key()).is_err());
}

#[test]
fn who_never_waits_is_told_at_once() {
    let (_dir, store) = install();
    let path = store.inner.database.path();
    let other = OwnStore::open(path).unwrap();
    let batch = Batch {
        conditions: Vec::new(),
        changes: vec![Change::Put(allow("1"))],
    };
    {
        let mut writer = store.inner.database.writer();
        let held = writer
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .unwrap();
        // Another connection holds the lock; in the other handle, another thread.
        for busy in [&other, &store].map(|store| store.commit_at_once(&batch)) {
            let Err(StoreError::Busy { waited, .. }) = busy else {
                panic!("{busy:?}");
            };
            assert!(waited < Duration::from_secs(5), "{waited:?}");
        }
        held.rollback().unwrap();
    }
    other.commit_at_once(&batch).unwrap();
    assert!(store.read(&allow("1").key()).unwrap().record.is_some());
}
