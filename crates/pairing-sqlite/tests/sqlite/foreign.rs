//! Rows, columns and tables that are not as they are known.

use pairing_core::store::{Batch, Change, PageRequest};
use pairing_core::{Key, PairingStore, Range, Record, StoreError};

use crate::install::Install;
use crate::real::{channel, range};

const DEVICE: &str = "70e9e7d0c68055896eecaf71dce68342db6649e5c1d407ca05e0dbc08a2afde1";

fn put(store: &impl PairingStore, record: Record) -> Result<(), StoreError> {
    let changes = vec![Change::Put(record)];
    let conditions = Vec::new();
    store.commit(&Batch {
        conditions,
        changes,
    })
}

fn devices(install: &Install) -> Vec<Record> {
    range(&install.open(), &Range::Devices)
}

#[test]
fn what_is_not_ours_stays_as_it_is() {
    let install = Install::recorded();
    install.sql("ALTER TABLE device_pairing_paired ADD COLUMN mood TEXT");
    install.sql(&format!(
        "UPDATE device_pairing_paired SET mood = 'fine', operator_label = 'Mine', last_seen_reason = 'x',
        tokens_json = replace(tokens_json, '\"role\"', '\"extra\":1.50,\"role\"') WHERE device_id = '{DEVICE}'"
    ));
    let others = format!("SELECT * FROM device_pairing_paired WHERE device_id <> '{DEVICE}'");
    let before = install.rows(&others);
    let store = install.open();
    let mut device = devices(&install)
        .iter()
        .find_map(|record| {
            record
                .as_device()
                .filter(|d| d.id.to_string() == DEVICE)
                .cloned()
        })
        .unwrap();
    device.info.platform = Some("linux 7".to_owned());
    put(&store, Record::from(device)).unwrap();
    assert_eq!(install.rows(&others), before);
    let kept = format!(
        "SELECT mood, operator_label, last_seen_reason, platform, tokens_json LIKE '%\"extra\":1.50,%'
        FROM device_pairing_paired WHERE device_id = '{DEVICE}'"
    );
    assert_eq!(install.rows(&kept), ["fine|Mine|x|linux 7|1"]);
}

#[test]
fn a_bad_row_costs_that_row_and_is_carried_along() {
    let install = Install::recorded();
    let bad = [
        format!("UPDATE device_pairing_paired SET tokens_json = '[1' WHERE device_id = '{DEVICE}'"),
        "UPDATE channel_pairing_requests SET code = '!' WHERE request_id = '777'".to_owned(),
        "INSERT INTO channel_pairing_allow_entries VALUES ('telegram', 'default', '*', 7, 0)"
            .to_owned(),
    ];
    install.sql(&bad.join(";"));
    let store = install.open();
    let ranges = [
        (Range::Devices, 4),
        (
            Range::Requests {
                channel: channel("telegram"),
                account: None,
            },
            1,
        ),
        (
            Range::Allowed {
                channel: channel("telegram"),
                account: None,
            },
            2,
        ),
    ];
    for (of, left) in &ranges {
        let page = store.range(of, &PageRequest::first(100)).unwrap();
        assert_eq!(
            (page.records.len(), page.problems.len()),
            (*left, 1),
            "{of:?}"
        );
    }
    // Its place is not taken by what is put under the same key.
    let device = pairing_core::DeviceId::parse(DEVICE).unwrap();
    let error = store.read(&Key::Device { device }).unwrap_err();
    assert!(matches!(error, StoreError::Unreadable { .. }), "{error:?}");
    // Others of the same tables are written, and these stay.
    for (of, _) in &ranges {
        let page = store.range(of, &PageRequest::first(1)).unwrap();
        put(&store, (*page.records[0]).clone()).unwrap();
    }
    assert_eq!(
        install.rows(&format!(
            "SELECT (SELECT tokens_json FROM device_pairing_paired WHERE device_id = '{DEVICE}'),
            (SELECT code FROM channel_pairing_requests WHERE request_id = '777'),
            (SELECT count(*) FROM channel_pairing_allow_entries WHERE entry = '*')"
        )),
        ["[1|!|1"]
    );
}

#[test]
fn text_that_is_none_costs_that_row() {
    let install = Install::recorded();
    // A strict table takes any bytes for text.
    install.sql(
        "INSERT INTO channel_pairing_allow_entries VALUES
            ('telegram', 'default', CAST(x'fffe' AS TEXT), 7, 0),
            ('telegram', CAST(x'ff' AS TEXT), '8', 8, 0),
            (CAST(x'ff' AS TEXT), 'default', '9', 9, 0);
        INSERT INTO channel_pairing_requests VALUES
            ('telegram', 'default', CAST(x'ff' AS TEXT), CAST(x'ff' AS TEXT), 'x', CAST(x'ff' AS TEXT), NULL);
        UPDATE device_pairing_paired SET display_name = CAST(x'ff' AS TEXT), pending_node_surface_json = CAST(x'ff' AS TEXT)
            WHERE display_name = 'NodeA'",
    );
    let store = install.open();
    assert!(store.channels().unwrap().contains(&channel("telegram")));
    let allowed = Range::Allowed {
        channel: channel("telegram"),
        account: None,
    };
    let requests = Range::Requests {
        channel: channel("telegram"),
        account: None,
    };
    for (of, left, problems) in [(allowed, 2, 2), (requests, 2, 1), (Range::Devices, 4, 1)] {
        let page = store.range(&of, &PageRequest::first(100)).unwrap();
        let found = (page.records.len(), page.problems.len());
        assert_eq!(found, (left, problems), "{of:?}: {:?}", page.problems);
        put(&store, (*page.records[0]).clone()).unwrap();
    }
}

#[test]
fn a_missing_column_costs_what_depends_on_it() {
    let install = Install::recorded();
    install.sql("ALTER TABLE device_pairing_paired DROP COLUMN pending_node_surface_json");
    let store = install.open();
    let devices = range(&store, &Range::Devices);
    assert_eq!(devices.len(), 5);
    let error = put(&store, devices[0].clone()).unwrap_err();
    let StoreError::Refused { reason } = &error else {
        panic!("{error:?}");
    };
    assert!(reason.contains("pending_node_surface_json"), "{reason}");
    // Another table is as it should be.
    let senders = range(
        &store,
        &Range::Allowed {
            channel: channel("telegram"),
            account: None,
        },
    );
    put(&store, senders[0].clone()).unwrap();

    install.sql("ALTER TABLE device_pairing_paired DROP COLUMN tokens_json");
    let error = install
        .open()
        .range(&Range::Devices, &PageRequest::first(1))
        .unwrap_err();
    assert!(matches!(error, StoreError::Unreadable { .. }), "{error:?}");
}

#[test]
fn a_newer_schema_is_written_only_where_the_columns_are_known() {
    let install = Install::recorded();
    install.sql("UPDATE schema_meta SET schema_version = 40, app_version = '2027.1.0' WHERE meta_key = 'primary'");
    let store = install.open();
    let telegram = Range::Allowed {
        channel: channel("telegram"),
        account: None,
    };
    let senders = range(&store, &telegram);
    put(&store, senders[0].clone()).unwrap();
    // The schema changes while the database is open.
    install.sql(
        "CREATE TABLE t AS SELECT * FROM channel_pairing_allow_entries;
        DROP TABLE channel_pairing_allow_entries;
        CREATE TABLE channel_pairing_allow_entries (channel_key TEXT NOT NULL, account_id TEXT NOT NULL,
            entry TEXT NOT NULL, sort_order INTEGER NOT NULL, updated_at INTEGER NOT NULL,
            group_id TEXT NOT NULL, PRIMARY KEY (channel_key, account_id, entry)) STRICT;
        INSERT INTO channel_pairing_allow_entries SELECT *, 'g' FROM t",
    );
    assert_eq!(range(&store, &telegram), senders);
    let error = put(&store, senders[0].clone()).unwrap_err();
    let StoreError::Refused { reason } = &error else {
        panic!("{error:?}");
    };
    assert!(
        reason.contains("group_id") && reason.contains("2027.1.0"),
        "{reason}"
    );
}

#[test]
fn accounts_that_differ_in_punctuation_are_not_mixed_up() {
    let install = Install::recorded();
    let store = install.open();
    let entry = |account: &str| {
        let mut allow = range(
            &store,
            &Range::Allowed {
                channel: channel("telegram"),
                account: None,
            },
        )[0]
        .as_allow()
        .unwrap()
        .clone();
        allow.account = pairing_core::AccountId::parse(account).unwrap();
        Record::Allow(allow)
    };
    put(&store, entry("ops:eu")).unwrap();
    assert!(store.read(&entry("ops:eu").key()).unwrap().record.is_some());
    assert!(store.read(&entry("ops_eu").key()).unwrap().record.is_none());
    let error = put(&store, entry("ops_eu")).unwrap_err();
    assert!(matches!(error, StoreError::Refused { .. }), "{error:?}");
}

#[test]
fn entries_in_another_spelling_are_put_once() {
    let install = Install::empty();
    let store = install.open();
    let entry = |number: usize| {
        let recorded = Install::recorded();
        let senders = range(
            &recorded.open(),
            &Range::Allowed {
                channel: channel("discord"),
                account: None,
            },
        );
        let mut allow = senders[0].as_allow().unwrap().clone();
        allow.entry = pairing_core::SenderId::try_from(format!("10{number}")).unwrap();
        allow.written = Some(format!("discord:10{number}"));
        Record::Allow(allow)
    };
    let records: Vec<_> = (0..3).map(entry).collect();
    for _ in 0..2 {
        let changes = records.iter().cloned().map(Change::Put).collect();
        store
            .commit(&Batch {
                conditions: Vec::new(),
                changes,
            })
            .unwrap();
    }
    assert_eq!(
        install.rows("SELECT entry FROM channel_pairing_allow_entries ORDER BY entry"),
        ["discord:100", "discord:101", "discord:102"]
    );
    let changes = records
        .iter()
        .map(|record| Change::Delete(record.key()))
        .collect();
    store
        .commit(&Batch {
            conditions: Vec::new(),
            changes,
        })
        .unwrap();
    assert_eq!(
        install.rows("SELECT count(*) FROM channel_pairing_allow_entries"),
        ["0"]
    );
}

#[test]
fn the_owners_name_for_a_device_is_a_column_of_its_own() {
    let install = Install::recorded();
    install.sql(&format!(
        "UPDATE device_pairing_paired SET operator_label = 'Theirs' WHERE device_id = '{DEVICE}'"
    ));
    let store = install.open();
    let find = || {
        let all = devices(&install);
        let mut all = all.iter().filter_map(Record::as_device);
        all.find(|d| d.id.to_string() == DEVICE).cloned().unwrap()
    };
    let mut device = find();
    assert_eq!(device.name(), Some("Theirs"));
    let own = device.info.display_name.clone();
    device.label = Some("Ours".to_owned());
    put(&store, Record::from(device)).unwrap();
    assert_eq!(
        install.rows(&format!(
            "SELECT operator_label, coalesce(display_name, '-') FROM device_pairing_paired WHERE device_id = '{DEVICE}'"
        )),
        [format!("Ours|{}", own.as_deref().unwrap_or("-"))]
    );
}

#[test]
fn a_database_without_names_of_the_owners_is_written_to_nevertheless() {
    let install = Install::recorded();
    install.sql("ALTER TABLE device_pairing_paired DROP COLUMN operator_label");
    let store = install.open();
    let all = devices(&install);
    let mut device = all
        .iter()
        .find_map(|record| record.as_device().cloned())
        .unwrap();
    device.label = Some("Ours".to_owned());
    let record = Record::from(device);
    put(&store, record.clone()).unwrap();
    assert_eq!(
        install
            .open()
            .read(&record.key())
            .unwrap()
            .record
            .as_deref(),
        Some(&record),
        "it is kept beside"
    );
}
