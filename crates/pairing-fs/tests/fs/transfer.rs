//! Exports a whole install and imports it again.

use std::fs;
use std::path::Path;

use pairing_conformance::{Fault, Faulty, seeded};
use pairing_core::device::SetupProfile;
use pairing_core::store::{Attempts, SeenSender, TurnedAway};
use pairing_core::transfer::{self, Outcome, Terms};
use pairing_core::{
    AccountId, Approver, ChannelId, Channels, Limits, ManualClock, MemoryStore, Pairing,
    PairingStore, Record, ScopeSet, StoreError, Timestamp,
};
use pairing_fs::export::{self, ExportError};
use pairing_fs::{FsStore, StateDir, fuzzing};
use tempfile::TempDir;

/// Three minutes after the recorded requests were made.
fn now() -> Timestamp {
    Timestamp::parse("2026-11-22T13:30:57.000Z").unwrap()
}

fn open(dir: &Path) -> FsStore {
    FsStore::new(&StateDir::at(dir), Channels::builtin())
}

/// Returns everything that the recorded install has stored, and one record of every other kind.
fn whole() -> (TempDir, Vec<Record>) {
    let dir = tempfile::tempdir().unwrap();
    let recorded = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/openclaw-2026.2.17");
    for folder in ["credentials", "devices", "nodes"] {
        fs::create_dir(dir.path().join(folder)).unwrap();
        for file in fs::read_dir(recorded.join(folder)).unwrap() {
            let file = file.unwrap();
            let copy = dir.path().join(folder).join(file.file_name());
            fs::write(copy, fs::read(file.path()).unwrap()).unwrap();
        }
    }
    let store = open(dir.path());
    let ann = Approver::terminal("ann");
    let pairing = Pairing::new(store.clone(), ManualClock::new(now()), seeded(7));
    let devices = pairing.devices();
    devices
        .issue_pairing_token(SetupProfile::Limited, None, &ann)
        .unwrap();
    let telegram = ChannelId::parse("telegram").unwrap();
    let account = pairing
        .channel("telegram")
        .unwrap()
        .account("home")
        .unwrap();
    account.allow("4711", &ann).unwrap();
    let channels = Channels::builtin();
    let counters = [
        Record::Attempts(Attempts {
            channel: telegram.clone(),
            approver: Approver::operator("phone", ScopeSet::admin()).id().clone(),
            failed_at: vec![now()],
            locked_until: Some(now()),
        }),
        Record::TurnedAway(TurnedAway {
            channel: telegram.clone(),
            account: AccountId::parse("work").unwrap(),
            count: 3,
            since: now(),
            recent: vec![SeenSender {
                sender: channels.get(&telegram).unwrap().sender("99").unwrap(),
                at: now(),
            }],
        }),
    ];
    assert_eq!(put(&store, &counters).unwrap().written, 2);
    let records = all(&store);
    let mut kinds: Vec<_> = records.iter().map(std::mem::discriminant).collect();
    kinds.dedup();
    assert!(kinds.len() >= 7, "{kinds:?}");
    (dir, records)
}

fn put(to: &dyn PairingStore, records: &[Record]) -> Result<Outcome, StoreError> {
    let limits = Limits::default();
    let terms = Terms {
        limits: &limits,
        now: now(),
        replace: false,
        dry_run: false,
    };
    transfer::write(to, records, &terms)
}

/// Returns all records, sorted, without the spelling of allowlist entries, which is not compared.
fn all(store: &dyn PairingStore) -> Vec<Record> {
    let held = transfer::read(store, &Channels::builtin()).unwrap();
    let records = held.records.iter().map(|record| {
        let mut record = (**record).clone();
        if let Record::Allow(allow) = &mut record {
            allow.written = None;
        }
        record
    });
    let mut records: Vec<_> = records.collect();
    records.sort_by_key(Record::key);
    records
}

#[test]
fn from_files_by_memory_to_files() {
    let (source, records) = whole();
    let before = snapshot(source.path());
    let memory = MemoryStore::new();
    let outcome = put(&memory, &records).unwrap();
    assert_eq!(outcome.written + outcome.expired, records.len());
    assert!(
        outcome.expired <= 1,
        "only the device's request may be over"
    );
    let target = tempfile::tempdir().unwrap();
    put(&open(target.path()), &all(&memory)).unwrap();
    assert_eq!(all(&open(target.path())), records);
    assert_eq!(snapshot(source.path()), before, "the source stays as it is");
}

fn snapshot(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for folder in ["credentials", "devices", "nodes"] {
        for file in fs::read_dir(dir.join(folder)).unwrap() {
            let path = file.unwrap().path();
            if path.is_file() {
                files.push((path.display().to_string(), fs::read(&path).unwrap()));
            }
        }
    }
    files.sort();
    files
}

#[test]
fn an_interruption_at_any_commit_is_made_good() {
    let (_source, records) = whole();
    for fault in [Fault::Before, Fault::After] {
        let mut interrupted = 0;
        loop {
            let target = tempfile::tempdir().unwrap();
            let store = Faulty::new(open(target.path()));
            store.commit_after(interrupted, fault);
            let first = put(&store, &records);
            if first.is_ok() {
                break;
            }
            let again = put(&store, &records).unwrap();
            assert_eq!(again.written + again.same, records.len());
            assert_eq!((again.lost, again.differing), (vec![], vec![]));
            assert_eq!(
                all(&open(target.path())),
                records,
                "{fault:?} {interrupted}"
            );
            interrupted += 1;
        }
        assert!(interrupted > 7, "{interrupted} commits");
    }
}

#[test]
fn a_file_holds_it_all() {
    let (_source, records) = whole();
    let text = export::write(&records, now()).unwrap();
    let channels = Channels::builtin();
    let read = export::read(&text, &channels).unwrap();
    assert_eq!((read.exported_at, &read.records), (now(), &records));
    // A cut anywhere in the text is noticed.
    for (end, _) in text.char_indices() {
        assert!(export::read(&text[..end], &channels).is_err(), "{end}");
    }
}

#[test]
fn what_no_export_says_is_refused() {
    let channels = Channels::builtin();
    let allow = |channel: &str, entry: &str| {
        format!(r#"{{"kind":"allow","channel":"{channel}","account":"default","entry":"{entry}"}}"#)
    };
    let good = allow("telegram", "1");
    let read = |lines: &[&str]| {
        let lines = lines.join("\n") + "\n";
        export::read(&fuzzing::exported(&lines).unwrap(), &channels)
    };
    assert_eq!(read(&[&good]).unwrap().records.len(), 1);
    assert_eq!(
        read(&[&allow("matrix", "@ann:x")]).unwrap().records.len(),
        1
    );
    assert_eq!(
        read(&[&good, &good]).unwrap_err(),
        ExportError::Twice { line: 3 }
    );
    let telegram = ChannelId::parse("telegram").unwrap();
    assert_eq!(
        read(&[&allow("telegram", "tg:1")]).unwrap_err(),
        ExportError::Sender {
            line: 2,
            channel: telegram
        }
    );
    for bad in [
        "",
        "{}",
        "[]",
        r#"{"kind":"hat"}"#,
        &allow("../x", "1"),
        &allow("telegram", "*"),
        &allow("telegram", ""),
    ] {
        let error = read(&[&good, bad]).unwrap_err();
        let is_told = matches!(
            error,
            ExportError::Record { line: 3, .. } | ExportError::Sender { line: 3, .. }
        );
        assert!(is_told, "{bad}: {error}");
    }
}
