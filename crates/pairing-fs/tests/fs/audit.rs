//! The audit log: every decision is in it, nothing secret is, and nothing that goes wrong with it undoes
//! anything.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, Mutex};

use pairing_core::{ManualClock, PairingBuilder, Timestamp};
use pairing_fs::{AuditLog, FsStore, StateDir};

use crate::install::{Install, owner};

fn lines(log: &AuditLog) -> Vec<String> {
    let text = fs::read_to_string(log.path()).unwrap();
    assert!(text.ends_with('\n'));
    text.lines().map(str::to_owned).collect()
}

#[test]
fn a_decision_is_a_line_without_its_code() {
    let install = Install::recorded();
    let log = AuditLog::new(&install.state());
    let at = Timestamp::parse("2026-11-22T13:30:57.000Z").unwrap();
    let channels = pairing_core::Channels::builtin();
    let pairing = PairingBuilder::new(
        FsStore::new(&install.state(), channels),
        ManualClock::new(at),
        pairing_conformance::seeded(1),
    );
    let pairing = pairing.audit(log.clone()).build();
    let telegram = pairing.channel("telegram").unwrap();
    telegram.approve("M8NGT2AA", &owner()).unwrap();
    let [line] = &lines(&log)[..] else {
        panic!("not one line");
    };
    for said in [
        "approved",
        "67890",
        "terminal:ann",
        "2026-11-22T13:30:57.000Z",
    ] {
        assert!(line.contains(said), "{line}");
    }
    assert!(!line.contains("M8NGT2AA"), "{line}");
    assert_eq!(fs::metadata(log.path()).unwrap().mode() & 0o777, 0o600);
}

#[test]
fn a_large_log_becomes_the_older_one() {
    let dir = tempfile::tempdir().unwrap();
    let log = AuditLog::new(&StateDir::at(dir.path())).rotated_at(20);
    for n in 0..5 {
        log.append(&format!("{{\"line\":{n}}}")).unwrap();
    }
    assert_eq!(lines(&log), ["{\"line\":4}"]);
    let older = fs::read_to_string(dir.path().join("pairing-audit.jsonl.1")).unwrap();
    assert_eq!(older, "{\"line\":2}\n{\"line\":3}\n");
}

#[test]
fn lines_of_many_writers_stay_whole() {
    let dir = tempfile::tempdir().unwrap();
    let log = || AuditLog::new(&StateDir::at(dir.path()));
    std::thread::scope(|threads| {
        for writer in 0..4 {
            let log = log();
            let line = format!("{{\"writer\":\"{}\"}}", writer.to_string().repeat(9000));
            threads.spawn(move || {
                for _ in 0..10 {
                    log.append(&line).unwrap();
                }
            });
        }
    });
    let lines = lines(&log());
    assert_eq!(lines.len(), 40);
    assert!(lines.iter().all(|line| line.len() == 9013));
}

#[test]
fn half_a_line_does_not_spoil_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let log = AuditLog::new(&StateDir::at(dir.path()));
    fs::write(log.path(), "{\"cut").unwrap();
    log.append("{}").unwrap();
    assert_eq!(lines(&log), ["{\"cut", "{}"]);
    log.append("{}\n{}").unwrap_err();
}

#[test]
fn a_log_that_cannot_be_written_undoes_nothing_and_says_so() {
    let install = Install::recorded();
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = told.clone();
    let log = AuditLog::new(&install.state())
        .on_error(move |error| tell.lock().unwrap().push(error.to_string()));
    fs::create_dir(log.path()).unwrap();
    let channels = pairing_core::Channels::builtin();
    let pairing = PairingBuilder::new(
        FsStore::new(&install.state(), channels),
        ManualClock::new(Timestamp::parse("2026-11-22T13:30:57.000Z").unwrap()),
        pairing_conformance::seeded(1),
    );
    let pairing = pairing.audit(log).build();
    let telegram = pairing.channel("telegram").unwrap();
    telegram.approve("M8NGT2AA", &owner()).unwrap();
    let account = telegram.account("default").unwrap();
    assert!(account.is_allowed("67890").unwrap());
    assert_eq!(told.lock().unwrap().len(), 1);
}
