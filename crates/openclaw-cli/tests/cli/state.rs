//! State that cannot be used: the error names it, and its bytes stay.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use openclaw_cli::Exit;
use pairing_core::{Clock as _, Timestamp};
use pairing_fs::{Probe, Step, SystemClock};

use crate::session::{Session, set_mode, settings};

/// A state file, and the commands that cannot do without it.
const NEEDED: [(&str, &[&str]); 3] = [
    (
        "telegram-pairing.json",
        &[
            "pairing list telegram",
            "pairing list telegram --json",
            "pairing approve telegram M8NGT2AA",
            "pairing reject telegram M8NGT2AA",
            "pairing request telegram 4242",
        ],
    ),
    (
        "telegram-allowFrom.json",
        &[
            "pairing allowed list telegram",
            "pairing allowed add telegram 4242",
            "pairing allowed remove telegram 12345",
            "pairing approve telegram M8NGT2AA",
            "pairing request telegram 4242",
        ],
    ),
    (
        "pairing-meta/telegram.counters.json",
        &["pairing list telegram"],
    ),
];

/// Puts something unusable in place of a file; `false` where this machine lets it be used all the same.
type Damage = fn(&Path) -> bool;

const DAMAGES: [(&str, Damage); 8] = [
    ("an open brace", |path| bytes(path, b"{")),
    ("an empty list", |path| bytes(path, b"[]")),
    ("nothing", |path| bytes(path, b"")),
    ("invalid UTF-8", |path| {
        bytes(path, b"{ \"version\": \"\xff\" }")
    }),
    ("another shape", |path| {
        bytes(
            path,
            b"{ \"requests\": 1, \"allowFrom\": 1, \"attempts\": 1 }",
        )
    }),
    ("a directory", |path| fs::create_dir(path).is_ok()),
    ("a dangling link", |path| {
        std::os::unix::fs::symlink("nowhere", path).is_ok()
    }),
    ("no permission", |path| {
        bytes(path, b"{}");
        set_mode(path, 0o000);
        // Some users are asked for no permission.
        File::open(path).is_err()
    }),
];

fn bytes(path: &Path, bytes: &[u8]) -> bool {
    fs::write(path, bytes).is_ok()
}

#[test]
fn what_cannot_be_read_is_named_and_left() {
    let mut found = String::new();
    for (name, commands) in NEEDED {
        for (damage, put) in DAMAGES {
            let session = Session::recorded();
            let path = session.file(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let _ = fs::remove_file(&path);
            if !put(&path) {
                continue;
            }
            let before = fingerprint(&path);
            for command in commands {
                let args: Vec<_> = command.split(' ').collect();
                let ran = session.run(&args);
                assert_eq!(ran.exit, Exit::State, "{damage}: {command}: {}", ran.stderr);
                assert!(ran.stderr.contains(name), "{damage}: {command}");
                assert_eq!(fingerprint(&path), before, "{damage}: {command}");
                let text = format!("{name}: {damage}\n{}\n", ran.stderr);
                if damage != "no permission" && !found.contains(&text) {
                    found.push_str(&text);
                }
            }
            // Nobody was let in behind the error.
            let others = session.run(&["pairing", "list", "whatsapp"]);
            assert_eq!(others.exit, Exit::Done);
        }
    }
    settings().bind(|| insta::assert_snapshot!("unreadable", found));
}

/// What is at a path, without following it.
fn fingerprint(path: &Path) -> (bool, Option<PathBuf>, Option<Vec<u8>>) {
    let meta = fs::symlink_metadata(path).unwrap();
    (meta.is_dir(), fs::read_link(path).ok(), fs::read(path).ok())
}

#[test]
fn t116_a_directory_that_is_not_the_owners_alone_is_refused_and_named() {
    let session = Session::recorded();
    let state = session.state();
    let before = session.run(&["pairing", "list", "telegram"]);
    assert_eq!(before.exit, Exit::Done);
    set_mode(&state, 0o777);
    for command in [
        "pairing list telegram",
        "pairing approve telegram M8NGT2AA",
        "devices list",
    ] {
        let args: Vec<_> = command.split(' ').collect();
        let ran = session.run(&args);
        assert_ne!(ran.exit, Exit::Done, "{command}");
        assert!(ran.stdout.is_empty(), "{command}: {}", ran.stdout);
        assert!(
            ran.stderr
                .contains("is writable for everybody, with mode 0777"),
            "{}",
            ran.stderr
        );
        assert!(ran.stderr.contains("chmod o-w"), "{}", ran.stderr);
    }
    let doctor = session.run(&["doctor"]);
    assert!(
        doctor.stdout.contains("not-the-owners"),
        "{}",
        doctor.stdout
    );
    set_mode(&state, 0o700);
    let after = session.run(&["pairing", "list", "telegram"]);
    assert_eq!(after.stdout, before.stdout);
}

#[test]
fn t115_the_audit_log_is_verified() {
    let session = Session::recorded();
    let none = session.run(&["audit", "verify"]);
    assert_eq!(none.exit, Exit::Done);
    for sender in ["1", "2", "3"] {
        let ran = session.run(&["pairing", "allowed", "add", "telegram", sender]);
        assert_eq!(ran.exit, Exit::Done, "{}", ran.stderr);
    }
    let whole = session.run(&["audit", "verify"]);
    assert_eq!(whole.exit, Exit::Done, "{}", whole.stderr);
    assert!(
        whole.stdout.starts_with("3 decisions in the chain"),
        "{}",
        whole.stdout
    );
    let log = session.state().join("pairing-audit.jsonl");
    let text = fs::read_to_string(&log).unwrap();
    fs::write(&log, text.replace("\"2\"", "\"7\"")).unwrap();
    let broken = session.run(&["audit", "verify"]);
    assert_eq!(broken.exit, Exit::Refused);
    assert!(
        broken.stdout.contains("pairing-audit.jsonl, line 2: "),
        "{}",
        broken.stdout
    );
    let broken = session.run(&["audit", "verify", "--json"]);
    let answer: serde_json::Value = serde_json::from_str(&broken.stdout).unwrap();
    assert_eq!(
        (&answer["ok"], &answer["gaps"][0]["line"]),
        (&false.into(), &2.into())
    );
    let doctor = session.run(&["doctor"]);
    assert!(doctor.stdout.contains("audit-gap"), "{}", doctor.stdout);
}

#[test]
fn a_lock_that_somebody_holds_is_named_with_its_holder() {
    let mut session = Session::recorded();
    let lock = File::create(session.file(".telegram.oslock")).unwrap();
    lock.lock().unwrap();
    fs::write(session.file(".telegram.oslock"), "4242").unwrap();
    session.set_lock_wait(Duration::ZERO);
    session.person("pairing approve telegram M8NGT2AA");
    session.set_lock_wait(Duration::from_secs(60));
    // Reading waits for nobody, and other channels are not locked.
    session.pipe("pairing list telegram");
    session.person("pairing approve whatsapp ARZJQWV8");
    drop(lock);
    session.person("pairing approve telegram M8NGT2AA");
    session
        .masked(r"waited \d+ ms", "waited [n] ms")
        .finish("busy");
}

#[test]
fn the_lock_of_the_other_program_is_respected() {
    let mut session = Session::recorded();
    let lock = session.file("telegram-pairing.json.lock");
    let held_by = |pid: u32, at: Timestamp| {
        let text = format!(r#"{{ "pid": {pid}, "createdAt": "{at}" }}"#);
        fs::write(&lock, text).unwrap();
    };
    held_by(std::process::id(), SystemClock.now());
    session.set_lock_wait(Duration::ZERO);
    session.person("pairing reject telegram M8NGT2AA");
    assert!(lock.exists());
    session.set_lock_wait(Duration::from_secs(60));
    // Older than 30 seconds, it is nobody's.
    held_by(std::process::id(), Timestamp::from_millis(0));
    session.person("pairing reject telegram M8NGT2AA");
    assert!(!lock.exists());
    session
        .masked(r"waited \d+ ms", "waited [n] ms")
        .masked(r"process \d+", "process [n]")
        .finish("busy-other");
}

#[test]
fn accounts_whose_files_would_have_one_name() {
    let mut session = Session::new();
    session.person("pairing allowed add telegram 1 --account x:y");
    session.person("pairing allowed add telegram 2 --account x_y");
    session.person("pairing allowed list telegram --account x:y");
    session.finish("collision");
}

/// A disk that is full.
struct Full;

impl Probe for Full {
    fn before(&self, step: Step, _: &Path) -> io::Result<()> {
        match step {
            Step::Write => Err(io::ErrorKind::StorageFull.into()),
            _ => Ok(()),
        }
    }
}

#[test]
fn a_full_disk_loses_nothing() {
    let mut session = Session::recorded();
    let names = ["telegram-pairing.json", "telegram-allowFrom.json"];
    let read = |session: &Session| names.map(|name| fs::read(session.file(name)).unwrap());
    let before = read(&session);
    session.set_probe(Some(Arc::new(Full)));
    session.person("pairing approve telegram M8NGT2AA");
    session.person("pairing allowed add telegram 4242");
    session.person("pairing request telegram 4242");
    assert_eq!(read(&session), before);
    session.set_probe(None);
    session.person("pairing approve telegram M8NGT2AA");
    session.finish("full-disk");
}

#[test]
fn t77_reading_writes_nothing() {
    let session = Session::recorded();
    // Something to tidy up, if a reader were so inclined.
    session.write("telegram-pairing.json.lock", "{}");
    let before = tree(&session);
    for command in ["list", "list telegram --json", "allowed list telegram"] {
        let args: Vec<_> = ["pairing"].into_iter().chain(command.split(' ')).collect();
        session.done(&args);
    }
    session.run(&["doctor"]);
    assert_eq!(tree(&session), before);
}

fn tree(session: &Session) -> Vec<(PathBuf, SystemTime)> {
    let dir = session.file("");
    let entries = fs::read_dir(&dir)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut tree: Vec<_> = entries.chain([dir.clone(), session.state()]).collect();
    tree.sort();
    let modified = |path: PathBuf| {
        let at = fs::metadata(&path).unwrap().modified().unwrap();
        (path, at)
    };
    tree.into_iter().map(modified).collect()
}

/// The three kinds of state that a newer release may have left: each is refused by its version, and stays as it is.
#[test]
fn state_of_a_newer_release_is_refused_by_name() {
    let session = Session::recorded();
    let newer = r#"{ "version": 2, "requests": [] }"#;
    session.write("telegram-pairing.json", newer);
    let file = session.file("telegram-pairing.json");
    for args in [
        &["pairing", "list", "telegram"][..],
        &["pairing", "approve", "telegram", "M8NGT2AA"],
        &["pairing", "request", "telegram", "1"],
        &["doctor", "--fix"],
    ] {
        let ran = session.run(args);
        assert_ne!(ran.exit, Exit::Done, "{args:?}");
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert!(
            said.contains("version 2 of the format, only 1 is known"),
            "{args:?}: {said}"
        );
        assert_eq!(fs::read_to_string(&file).unwrap(), newer, "{args:?}");
    }
    let exported = session.outside("exported");
    let other = Session::recorded();
    other.done(&["state", "export", "--to", &exported]);
    let text = fs::read_to_string(&exported).unwrap();
    let later = text.replacen("\"openclawState\":1", "\"openclawState\":2", 1);
    assert_ne!(later, text);
    fs::write(&exported, later).unwrap();
    let refused = session.run(&["state", "import", &exported]);
    assert_eq!(refused.exit, Exit::State);
    assert!(
        refused
            .stderr
            .contains("version 2, version 1 is understood"),
        "{}",
        refused.stderr
    );
}
