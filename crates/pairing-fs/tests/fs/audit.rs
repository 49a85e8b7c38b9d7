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
    let log = AuditLog::new(&StateDir::at(dir.path())).rotated_at(100);
    for n in 0..5 {
        log.append(&format!("{{\"line\":{n}}}")).unwrap();
    }
    let recorded = |name: &str| -> Vec<String> {
        let text = fs::read_to_string(dir.path().join(name)).unwrap();
        text.lines()
            .map(|line| line.split(",\"seq\"").next().unwrap().to_owned())
            .collect()
    };
    assert_eq!(recorded("pairing-audit.jsonl"), ["{\"line\":4"]);
    assert_eq!(
        recorded("pairing-audit.jsonl.1"),
        ["{\"line\":2", "{\"line\":3"]
    );
    assert_eq!(
        recorded("pairing-audit.jsonl.2"),
        ["{\"line\":0", "{\"line\":1"]
    );
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
    let recorded = |line: &String| line.find(",\"seq\"") == Some(9012);
    assert!(lines.iter().all(recorded));
    assert!(log().verify().unwrap().is_whole());
}

#[test]
fn half_a_line_does_not_spoil_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let log = AuditLog::new(&StateDir::at(dir.path()));
    fs::write(log.path(), "{\"cut").unwrap();
    log.append("{\"a\":1}").unwrap();
    let all = lines(&log);
    assert_eq!(all[0], "{\"cut");
    assert!(all[1].starts_with("{\"a\":1,\"seq\":1,"), "{all:?}");
    for bad in ["{\"a\":1}\n{\"a\":1}", "{}", "[1]", ""] {
        log.append(bad).unwrap_err();
    }
}

/// A log of this many lines in several files, after two lines of a release without a chain.
fn chained(dir: &std::path::Path, lines: usize) -> AuditLog {
    let log = AuditLog::new(&StateDir::at(dir)).rotated_at(1000);
    fs::write(
        log.path(),
        format!("{}\n{}\n", entry("old0"), entry("old1")),
    )
    .unwrap();
    for n in 0..lines {
        log.append(&entry(&format!("n{n}"))).unwrap();
    }
    log
}

#[test]
fn t115_the_log_is_a_chain_from_where_it_begins() {
    let dir = tempfile::tempdir().unwrap();
    let log = chained(dir.path(), 12);
    let check = log.verify().unwrap();
    assert_eq!((check.before, check.chained, check.first), (2, 12, Some(1)));
    assert!(check.is_whole(), "{check:?}");
    // Another process goes on with it, and the events are read as before.
    let other = AuditLog::new(&StateDir::at(dir.path()));
    other.append(&entry("other")).unwrap();
    assert!(other.verify().unwrap().is_whole());
    let page = other.newest(100, |_| true).unwrap();
    assert_eq!((page.events.len(), page.problems), (15, 0));
    // A crash between a line and the head leaves a line more than the head knows.
    let head = dir.path().join(".pairing-audit.head");
    let before = fs::read(&head).unwrap();
    other.append(&entry("crash")).unwrap();
    fs::write(&head, before).unwrap();
    assert!(other.verify().unwrap().is_whole());
    other.append(&entry("after")).unwrap();
    assert!(other.verify().unwrap().is_whole());
}

#[test]
fn t115_what_was_changed_or_taken_away_is_a_gap_for_good() {
    use pairing_fs::AuditGapKind::{Broken, CutOff, Foreign, NoHead};
    type Harm = fn(&mut Vec<String>);
    let harms: [(Harm, _); 5] = [
        (|lines| lines[1] = lines[1].replace("n9", "x9"), Broken),
        (|lines| drop(lines.remove(1)), Broken),
        (|lines| lines.swap(1, 2), Broken),
        (|lines| lines.insert(2, entry("forged")), Foreign),
        (|lines| drop(lines.pop()), CutOff),
    ];
    for (harm, kind) in harms {
        let dir = tempfile::tempdir().unwrap();
        let log = AuditLog::new(&StateDir::at(dir.path()));
        for n in 8..13 {
            log.append(&entry(&format!("n{n}"))).unwrap();
        }
        let mut all = lines(&log);
        harm(&mut all);
        fs::write(log.path(), all.join("\n") + "\n").unwrap();
        let kinds = |log: &AuditLog| -> Vec<_> {
            log.verify()
                .unwrap()
                .gaps
                .iter()
                .map(|gap| gap.kind)
                .collect()
        };
        assert_eq!(kinds(&log)[0], kind);
        // Going on does not hide it.
        for n in 0..3 {
            log.append(&entry(&format!("m{n}"))).unwrap();
        }
        assert!(!log.verify().unwrap().is_whole(), "{kind:?}");
        let found = pairing_fs::doctor::examine(
            &StateDir::at(dir.path()),
            &pairing_core::Channels::builtin(),
            &pairing_core::Limits::default(),
            Timestamp::from_millis(0),
        );
        assert!(
            found.iter().any(|finding| finding.kind == "audit-gap"),
            "{kind:?}"
        );
    }
    let dir = tempfile::tempdir().unwrap();
    let log = chained(dir.path(), 3);
    fs::remove_file(dir.path().join(".pairing-audit.head")).unwrap();
    assert_eq!(log.verify().unwrap().gaps[0].kind, NoHead);
    // A whole file out of the middle.
    let dir = tempfile::tempdir().unwrap();
    let log = chained(dir.path(), 20);
    fs::remove_file(dir.path().join("pairing-audit.jsonl.1")).unwrap();
    assert_eq!(log.verify().unwrap().gaps[0].kind, Broken);
}

#[test]
fn t115_history_is_kept_by_size_and_age() {
    let dir = tempfile::tempdir().unwrap();
    let log = AuditLog::new(&StateDir::at(dir.path())).rotated_at(1);
    for n in 0..15 {
        log.append(&entry(&format!("n{n}"))).unwrap();
    }
    let check = log.verify().unwrap();
    assert_eq!((check.chained, check.first), (10, Some(6)));
    assert!(check.is_whole(), "the oldest files may go: {check:?}");
    let old = fs::File::options()
        .append(true)
        .open(dir.path().join("pairing-audit.jsonl.5"))
        .unwrap();
    let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(401 * 86400);
    old.set_modified(long_ago).unwrap();
    log.append(&entry("last")).unwrap();
    assert!(!dir.path().join("pairing-audit.jsonl.6").exists());
}

#[test]
fn t115_one_device_does_not_push_the_history_of_others_out() {
    let dir = tempfile::tempdir().unwrap();
    let log = AuditLog::new(&StateDir::at(dir.path()));
    let event = |by: &str, via: &str, second: usize| -> AuditEvent {
        let (minute, second) = (second / 60, second % 60);
        let line = format!(
            r#"{{"at":"2026-11-22T13:{minute:02}:{second:02}.000Z","action":"rotated","by":"{by}","via":"{via}","node":"n"}}"#
        );
        serde_json::from_str(&line).unwrap()
    };
    for n in 0..2169 {
        log.record(&event("device:5f", "gateway", n / 200));
    }
    assert_eq!(lines(&log).len(), 60);
    // The owner's are all there, and so are another device's.
    for _ in 0..100 {
        log.record(&event("terminal:ann", "terminal", 12));
    }
    log.record(&event("device:6a", "gateway", 12));
    assert_eq!(lines(&log).len(), 161);
    // In the next minute it is said how many there were.
    log.record(&event("device:5f", "gateway", 90));
    let all = lines(&log);
    assert_eq!(all.len(), 163);
    assert!(all[161].contains(r#""leftOut":2109,"seq""#), "{}", all[161]);
    // And at the latest when the process ends.
    for _ in 0..70 {
        log.record(&event("device:5f", "gateway", 91));
    }
    let again = log.clone();
    drop(log);
    assert_eq!(lines(&again).len(), 163 + 59);
    drop(again);
    let log = AuditLog::new(&StateDir::at(dir.path()));
    let all = lines(&log);
    assert!(all.last().unwrap().contains(r#""leftOut":11,"#), "{all:?}");
    assert!(log.verify().unwrap().is_whole());
    assert_eq!(log.newest(1000, |_| true).unwrap().problems, 0);
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
            // Rotated again and again while being opened: an error is returned instead of a wrong answer.
            if let Ok(check) = log.verify() {
                assert_eq!(check.gaps, []);
            }
            let Ok(page) = log.newest(1000, |_| true) else {
                continue;
            };
            let seen: Vec<u32> = nodes(&page).iter().map(|n| n.parse().unwrap()).collect();
            assert!(seen.windows(2).all(|two| two[0] == two[1] + 1), "{seen:?}");
            assert_eq!(page.problems, 0);
        }
    });
}

#[test]
fn t139_decisions_that_could_not_be_recorded_are_recorded_later_in_their_order() {
    let dir = tempfile::tempdir().unwrap();
    let complaints = Arc::new(Mutex::new(Vec::new()));
    let heard = complaints.clone();
    let log = AuditLog::new(&StateDir::at(dir.path()))
        .on_error(move |error| heard.lock().unwrap().push(error.to_string()));
    // A directory stands where the log should be.
    fs::create_dir(log.path()).unwrap();
    let decide = |number: i64| {
        let event = serde_json::json!({
            "at": Timestamp::from_millis(number), "action": "approved", "by": "terminal:ann", "via": "terminal",
            "channel": "telegram", "account": "default", "sender": number.to_string(),
        });
        let event: AuditEvent = serde_json::from_value(event).unwrap();
        log.record(&event);
    };
    (0..300).for_each(decide);
    let fault = log.fault().unwrap();
    assert!(
        fault.starts_with("256 lines wait to be written, and 44 are lost: "),
        "{fault}"
    );
    assert_eq!(complaints.lock().unwrap().len(), 300);
    log.write_late();
    assert!(log.fault().is_some());

    fs::remove_dir(log.path()).unwrap();
    log.write_late();
    assert_eq!(log.fault(), None);
    decide(300);
    let lines = lines(&log);
    assert_eq!(lines.len(), 257);
    for (line, number) in lines.iter().zip(44..) {
        assert!(line.contains(&format!("\"{number}\"")), "{line}");
    }
    assert!(log.verify().unwrap().gaps.is_empty());
}
