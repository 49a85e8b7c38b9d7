//! What a crash may leave: a log that ends anywhere, and a database beside that is behind the other.

use std::fs;

use pairing_core::store::{AllowEntry, Batch, Change, PageRequest};
use pairing_core::{
    AccountId, Approver, ChannelId, Channels, ManualClock, PairingBuilder, PairingStore, Range,
    Record, SenderId, Timestamp,
};
use pairing_sqlite::OwnStore;
use proptest::prelude::*;

use crate::install::{Install, NOW, Sevens};

fn allow(entry: String) -> Record {
    Record::Allow(AllowEntry {
        channel: ChannelId::parse("telegram").unwrap(),
        account: AccountId::default(),
        entry: SenderId::try_from(entry).unwrap(),
        written: None,
        grant: None,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever part of the log has reached the disk, it holds whole commits, from the first on, and the
    /// store goes on from there.
    #[test]
    fn a_log_that_ends_anywhere_holds_whole_commits(cut in 0.0..1.0f64) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pairing.sqlite");
        let store = OwnStore::open(&path).unwrap();
        for number in 0..10 {
            let records = ["a", "b"].map(|part| Change::Put(allow(format!("{number}{part}"))));
            let batch = Batch { conditions: Vec::new(), changes: records.into() };
            store.commit(&batch).unwrap();
        }
        // The files as they would be found, while the process is gone.
        let crashed = tempfile::tempdir().unwrap();
        let there = crashed.path().join("pairing.sqlite");
        fs::copy(&path, &there).unwrap();
        let log = fs::read(dir.path().join("pairing.sqlite-wal")).unwrap();
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
        let end = (log.len() as f64 * cut) as usize;
        fs::write(crashed.path().join("pairing.sqlite-wal"), &log[..end]).unwrap();

        let store = OwnStore::open(&there).unwrap();
        let range = Range::Allowed {
            channel: ChannelId::parse("telegram").unwrap(),
            account: None,
        };
        let page = store.range(&range, &PageRequest::first(100)).unwrap();
        prop_assert!(page.problems.is_empty());
        let count = page.records.len();
        prop_assert_eq!(count % 2, 0);
        for (at, record) in page.records.iter().enumerate() {
            let part = if at % 2 == 0 { "a" } else { "b" };
            prop_assert_eq!(&**record, &allow(format!("{}{part}", at / 2)));
        }
        let batch = Batch {
            conditions: vec![pairing_core::store::Condition::Range(range.clone(), page.version)],
            changes: vec![Change::Put(allow("new".to_owned()))],
        };
        store.commit(&batch).unwrap();
        let page = store.range(&range, &PageRequest::first(100)).unwrap();
        prop_assert_eq!(page.records.len(), count + 1);
    }
}

/// OpenClaw's database is committed first. What is beside it may then be older, and gives way.
#[test]
fn what_is_beside_and_older_gives_way() {
    let install = Install::recorded();
    let service = || {
        let clock = ManualClock::new(Timestamp::from_millis(NOW));
        PairingBuilder::new(install.open(), clock, Sevens)
            .channels(Channels::builtin())
            .build()
    };
    let owner = Approver::terminal("ann");
    {
        let account = service()
            .channel("telegram")
            .unwrap()
            .account("default")
            .unwrap();
        account.allow("111", &owner).unwrap();
        account.allow("222", &owner).unwrap();
    }
    // All handles are closed, so each database is one file.
    let older = fs::read(install.beside()).unwrap();
    {
        let account = service()
            .channel("telegram")
            .unwrap()
            .account("default")
            .unwrap();
        account.allow("333", &owner).unwrap();
        account.revoke("111", &owner).unwrap();
    }
    fs::write(install.beside(), older).unwrap();

    let account = service()
        .channel("telegram")
        .unwrap()
        .account("default")
        .unwrap();
    assert!(account.is_allowed("333").unwrap(), "a grant is never lost");
    assert!(
        !account.is_allowed("111").unwrap(),
        "nor does a revoked one come back"
    );
    let allowed = account.allowed().unwrap();
    assert_eq!(allowed.problems, []);
    let grant = |name: &str| {
        let mut entries = allowed.entries.iter();
        let entry = entries.find(|entry| entry.entry.as_str() == name).unwrap();
        entry.grant.is_some()
    };
    assert!(grant("222") && !grant("333"));
}
