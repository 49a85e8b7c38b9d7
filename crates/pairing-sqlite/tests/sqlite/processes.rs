//! Real processes on one database: nothing is lost or torn, and dead processes block nobody.
//!
//! The workers are this test binary, started again for one test with an environment that names the directory.

use std::collections::BTreeSet;
use std::env;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use pairing_conformance::seeded;
use pairing_core::{
    Approver, Channels, ManualClock, Pairing, PairingBuilder, PairingStore, Requested, Timestamp,
};
use pairing_sqlite::{OpenClawStore, OwnStore, Paths};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use rusqlite::{Connection, TransactionBehavior};

use crate::install::{Install, NOW, settings};

const OPERATIONS: usize = 60;
const ACCOUNTS: [&str; 2] = ["default", "work"];
const KINDS: [&str; 2] = ["own", "openclaw"];

/// Generous: all processes and the disk share one lock.
const WAIT: Duration = Duration::from_secs(60);

fn service(state: &Path, kind: &str, seed: u64) -> Pairing {
    let paths = Paths::of(state);
    let store: Box<dyn PairingStore> = if kind == "own" {
        Box::new(OwnStore::open_with(&paths.own, WAIT).unwrap())
    } else {
        let settings = settings().busy_wait(WAIT);
        Box::new(OpenClawStore::open(&paths.openclaw, &paths.beside, settings).unwrap())
    };
    let store: std::sync::Arc<dyn PairingStore> = store.into();
    let clock = ManualClock::new(Timestamp::from_millis(NOW));
    PairingBuilder::new(store, clock, seeded(seed))
        .channels(Channels::builtin())
        .build()
}

/// One worker: mixed operations on shared accounts, and grants for its own senders. Does nothing unless it
/// was started with a directory.
#[test]
fn worker() {
    let Some(state) = env::var_os("PAIRING_TEST_STATE") else {
        return;
    };
    let number: u64 = env::var("PAIRING_TEST_WORKER").unwrap().parse().unwrap();
    let kind = env::var("PAIRING_TEST_KIND").unwrap();
    let mut random = ChaCha20Rng::seed_from_u64(number);
    let pairing = service(Path::new(&state), &kind, number);
    let telegram = pairing.channel("telegram").unwrap();
    let owner = Approver::terminal("worker");
    for _ in 0..OPERATIONS {
        let name = ACCOUNTS[random.next_u32() as usize % ACCOUNTS.len()];
        let account = telegram.account(name).unwrap();
        let own = format!("{number}00{}", random.next_u32() % 10);
        let place = format!("{name}/{own}");
        match random.next_u32() % 3 {
            0 => {
                say(&format!("+ {place}"));
                account.allow(&own, &owner).unwrap();
                say("done");
            }
            1 => {
                say(&format!("- {place}"));
                account.revoke(&own, &owner).unwrap();
                say("done");
            }
            _ => {
                say(&format!("+ {place}"));
                match account.request_or_reuse(&*own).unwrap() {
                    Requested::Created(created) => {
                        let code = created.request.code;
                        account.approve(code.as_str(), &owner).unwrap();
                        say("done");
                    }
                    Requested::Allowed(_) => say("done"),
                    _ => say("undone"),
                }
            }
        }
    }
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "worker: {line}").unwrap();
    out.flush().unwrap();
}

fn start(state: &Path, kind: &str, number: u64) -> Child {
    Command::new(env::current_exe().unwrap())
        .args([
            "--exact",
            "processes::worker",
            "--nocapture",
            "--test-threads=1",
        ])
        .env("PAIRING_TEST_STATE", state)
        .env("PAIRING_TEST_WORKER", number.to_string())
        .env("PAIRING_TEST_KIND", kind)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The grants and revocations that a worker acknowledged, and what it was doing when its output ended.
#[derive(Default)]
struct Heard {
    granted: BTreeSet<String>,
    revoked: BTreeSet<String>,
    unclear: BTreeSet<String>,
}

/// Follows a worker's output; kills the worker after line `kill_after`.
fn follow(child: Child, kill_after: Option<usize>) -> Heard {
    follow_by(child, kill_after, || ())
}

/// The same; `told` is called for each line.
fn follow_by(mut child: Child, kill_after: Option<usize>, told: impl Fn()) -> Heard {
    let mut heard = Heard::default();
    let mut doing: Option<(bool, String)> = None;
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for (count, line) in lines.map_while(Result::ok).enumerate() {
        told();
        // The first line may follow output of the test runner.
        let Some((_, line)) = line.split_once("worker: ") else {
            continue;
        };
        match (line.split_once(' '), doing.take()) {
            (Some((sign, place)), _) => doing = Some((sign == "+", place.to_owned())),
            (None, Some((grant, place))) if line == "done" => {
                let (now, before) = if grant {
                    (&mut heard.granted, &mut heard.revoked)
                } else {
                    (&mut heard.revoked, &mut heard.granted)
                };
                before.remove(&place);
                now.insert(place);
            }
            _ => {}
        }
        if kill_after == Some(count) {
            // The worker is now in the middle of the operation after this line.
            child.kill().unwrap();
        }
    }
    heard.unclear.extend(doing.map(|(_, place)| place));
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() || kill_after.is_some(), "{errors}");
    heard
}

fn is_allowed(pairing: &Pairing, place: &str) -> bool {
    let (account, sender) = place.split_once('/').unwrap();
    let telegram = pairing.channel("telegram").unwrap();
    let account = telegram.account(account).unwrap();
    account.is_allowed(sender).unwrap()
}

fn assert_sound(state: &Path, kind: &str, all: &[Heard]) {
    let pairing = service(state, kind, 99);
    for heard in all {
        for place in heard.granted.difference(&heard.unclear) {
            assert!(is_allowed(&pairing, place), "lost the grant of {place}");
        }
        for place in heard.revoked.difference(&heard.unclear) {
            assert!(!is_allowed(&pairing, place), "{place} was revoked");
        }
    }
    for name in ACCOUNTS {
        let telegram = pairing.channel("telegram").unwrap();
        let pending = telegram.account(name).unwrap().pending().unwrap();
        assert!(pending.problems.is_empty() && pending.requests.len() <= 3);
    }
    let paths = Paths::of(state);
    for path in [paths.own, paths.openclaw, paths.beside] {
        if path.exists() {
            let connection = Connection::open(&path).unwrap();
            let found: String = connection
                .query_row("PRAGMA integrity_check", [], |row| row.get(0))
                .unwrap();
            assert_eq!(found, "ok", "{}", path.display());
        }
    }
}

fn install() -> Install {
    Install::empty()
}

#[test]
fn t76_four_processes_at_once_lose_nothing() {
    for kind in KINDS {
        let install = install();
        let workers: Vec<_> = (1..=4)
            .map(|number| {
                let child = start(install.state(), kind, number);
                std::thread::spawn(move || follow(child, None))
            })
            .collect();
        let heard: Vec<_> = workers.into_iter().map(|w| w.join().unwrap()).collect();
        assert!(heard.iter().all(|heard| !heard.granted.is_empty()));
        assert_sound(install.state(), kind, &heard);
    }
}

#[test]
fn t78_processes_killed_at_random_lose_nothing_they_acknowledged() {
    for kind in KINDS {
        let install = install();
        let mut random = ChaCha20Rng::seed_from_u64(4);
        let workers: Vec<_> = (1..=6)
            .map(|number| {
                let child = start(install.state(), kind, number);
                let lines = 5 + random.next_u32() as usize % 60;
                std::thread::spawn(move || follow(child, Some(lines)))
            })
            .collect();
        let heard: Vec<_> = workers.into_iter().map(|w| w.join().unwrap()).collect();
        assert_sound(install.state(), kind, &heard);
        // Dead processes hold up nobody.
        let pairing = service(install.state(), kind, 1);
        let account = pairing
            .channel("telegram")
            .unwrap()
            .account("default")
            .unwrap();
        account.allow("31337", &Approver::terminal("ann")).unwrap();
    }
}

/// Rewrites a channel's senders as the other program does: all rows out, all rows in, in one transaction.
fn rewrite(connection: &mut Connection, round: i64) {
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .unwrap();
    let rows: Vec<(String, String)> = {
        let mut statement = transaction
            .prepare(
                "SELECT account_id, entry FROM channel_pairing_allow_entries
                WHERE channel_key = 'telegram' ORDER BY account_id, sort_order",
            )
            .unwrap();
        let rows = statement
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    };
    transaction
        .execute(
            "DELETE FROM channel_pairing_allow_entries WHERE channel_key = 'telegram'",
            [],
        )
        .unwrap();
    let theirs = ("default".to_owned(), format!("77{round}"));
    for (at, (account, entry)) in rows.iter().chain([&theirs]).enumerate() {
        transaction
            .execute(
                "INSERT OR IGNORE INTO channel_pairing_allow_entries VALUES ('telegram', ?1, ?2, ?3, ?4)",
                rusqlite::params![account, entry, i64::try_from(at).unwrap(), NOW + round],
            )
            .unwrap();
    }
    transaction.commit().unwrap();
}

#[test]
fn both_programs_at_once_lose_nothing_of_each_other() {
    let install = install();
    let (progress, told) = std::sync::mpsc::channel();
    let workers: Vec<_> = (1..=2)
        .map(|number| {
            let child = start(install.state(), "openclaw", number);
            let progress = progress.clone();
            let told = move || {
                let _ = progress.send(());
            };
            std::thread::spawn(move || follow_by(child, None, told))
        })
        .collect();
    drop(progress);
    let mut connection = Connection::open(install.database()).unwrap();
    connection.busy_timeout(WAIT).unwrap();
    let mut rounds = 0;
    // A program that did nothing else than rewrite would hold the lock nearly all the time, and more so the slower
    // the machine is: each round waits until a worker has got on.
    while told.recv().is_ok() || rounds < 100 {
        rewrite(&mut connection, rounds);
        rounds += 1;
    }
    let heard: Vec<_> = workers.into_iter().map(|w| w.join().unwrap()).collect();
    assert_sound(install.state(), "openclaw", &heard);
    let theirs = "SELECT count(*) FROM channel_pairing_allow_entries WHERE entry LIKE '77%'";
    assert_eq!(install.rows(theirs), [rounds.to_string()]);
    // Who granted them is known still, though the rows were written anew.
    let pairing = service(install.state(), "openclaw", 7);
    let telegram = pairing.channel("telegram").unwrap();
    for name in ACCOUNTS {
        let allowed = telegram.account(name).unwrap().allowed().unwrap();
        let ours = allowed
            .entries
            .iter()
            .filter(|entry| !entry.entry.as_str().starts_with("77"));
        for entry in ours {
            assert!(entry.grant.is_some(), "{entry:?}");
        }
    }
}
