//! The audit log contains every decision and nothing secret, and its errors undo no decision.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, Mutex};

use pairing_core::{AuditEvent, AuditSink as _};
use pairing_core::{ManualClock, PairingBuilder, Timestamp};
use pairing_fs::{AuditLog, AuditPage, FsStore, StateDir};

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

/// Returns the entry of a node with this name.
fn entry(node: &str) -> String {
    format!(
        r#"{{"at":"2026-11-22T13:30:57.000Z","action":"renamed","by":"terminal:ann","via":"terminal","node":"{node}"}}"#
    )
}

fn nodes(page: &AuditPage) -> Vec<String> {
    let node = |event: &AuditEvent| match &event.subject {
        pairing_core::AuditSubject::Node { node } => node.to_string(),
        subject => panic!("{subject:?}"),
    };
    page.events.iter().map(node).collect()
}

#[test]
fn the_newest_are_read_first_and_across_rotation() {
    let dir = tempfile::tempdir().unwrap();
    let log = AuditLog::new(&StateDir::at(dir.path())).rotated_at(1000);
    assert_eq!(log.newest(10, |_| true).unwrap(), AuditPage::default());
    // About eight lines are 1000 bytes, so both files contain entries.
    for n in 0..12 {
        let event: AuditEvent = serde_json::from_str(&entry(&format!("n{n}"))).unwrap();
        log.record(&event);
    }
    assert!(dir.path().join("pairing-audit.jsonl.1").exists());
    let all = log.newest(100, |_| true).unwrap();
    let expected: Vec<_> = (0..12).rev().map(|n| format!("n{n}")).collect();
    assert_eq!((nodes(&all), all.more, all.problems), (expected, false, 0));
    for limit in 0..=12 {
        let page = log.newest(limit, |_| true).unwrap();
        assert_eq!(nodes(&page), nodes(&all)[..limit]);
        assert_eq!(page.more, limit < 12);
    }
    let even = |event: &AuditEvent| event.subject == all.events[2].subject;
    let one = log.newest(1, even).unwrap();
    assert_eq!((nodes(&one), one.more), (vec!["n9".to_owned()], false));
}

#[test]
fn what_cannot_be_understood_is_counted_and_half_a_last_line_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let log = AuditLog::new(&StateDir::at(dir.path()));
    let long = entry(&"x".repeat(300_000));
    let text = [
        &entry("küche"),
        "",
        "no json",
        "{\"cut",
        &long,
        &entry("b"),
        "[]",
        "\u{0}",
    ];
    let text = text.join("\n") + "\n";
    fs::write(log.path(), format!("{text}{{\"at\":\"2026-1")).unwrap();
    let page = log.newest(10, |_| true).unwrap();
    assert_eq!(
        (nodes(&page), page.problems),
        (vec!["b".to_owned(), "küche".to_owned()], 5)
    );
    // The next write ends the incomplete line.
    log.append(&entry("c")).unwrap();
    let page = log.newest(10, |_| true).unwrap();
    assert_eq!((nodes(&page).len(), page.problems), (3, 6));
    fs::write(log.path(), entry("whole")).unwrap();
    assert_eq!(nodes(&log.newest(10, |_| true).unwrap()), ["whole"]);
}

#[test]
fn what_is_no_file_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let log = AuditLog::new(&StateDir::at(dir.path()));
    fs::create_dir(log.path()).unwrap();
    log.newest(10, |_| true).unwrap_err();
}

#[test]
fn reading_and_setting_aside_at_once_shows_nothing_twice_or_out_of_order() {
    let dir = tempfile::tempdir().unwrap();
    let log = AuditLog::new(&StateDir::at(dir.path())).rotated_at(2000);
    let writer = log.clone();
    std::thread::scope(|threads| {
        let writing = threads.spawn(move || {
            for n in 0..600 {
                writer.append(&entry(&format!("{n:03}"))).unwrap();
            }
        });
        while !writing.is_finished() {
            // Rotated again and again while being opened: an error is returned instead of a wrong page.
            let Ok(page) = log.newest(1000, |_| true) else {
                continue;
            };
            let seen: Vec<u32> = nodes(&page).iter().map(|n| n.parse().unwrap()).collect();
            assert!(seen.windows(2).all(|two| two[0] == two[1] + 1), "{seen:?}");
            assert_eq!(page.problems, 0);
        }
    });
}
