//! Real processes on one directory: nothing is lost or torn, and dead processes block nobody.
//!
//! The workers are this test binary, started again for one test with an environment that names the directory.

use std::collections::BTreeSet;
use std::env;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use pairing_conformance::seeded;
use pairing_core::{AllowlistError, Approver, Channels, Limits, Pairing, RequestError, Requested};
use pairing_fs::{FsStore, Probe, StateDir, Step, SystemClock};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

const OPERATIONS: usize = 200;
const ACCOUNTS: [&str; 3] = ["default", "work", "home"];

fn service(state: &Path, seed: u64, probe: Option<Arc<dyn Probe>>) -> Pairing {
    let store = FsStore::new(&StateDir::at(state), Channels::builtin());
    // Eight processes and the disk share one lock, so this limit is generous: it is not under test here.
    let store = store.lock_wait(Duration::from_secs(60));
    let store = match probe {
        Some(probe) => store.probed(probe),
        None => store,
    };
    let (channels, limits) = (Channels::builtin(), Limits::default());
    Pairing::with(store, SystemClock, seeded(seed), channels, limits)
}

/// The output of a worker: the operation it begins, and its completion.
enum Line {
    Begin { grant: bool, place: String },
    Done,
}

/// One worker: mixed operations on shared accounts, and grants for its own senders.
///
/// If started without a directory, it works in one of its own and checks the result.
#[test]
fn worker() {
    let given = env::var_os("PAIRING_TEST_STATE").map(PathBuf::from);
    let number: u64 = env::var("PAIRING_TEST_WORKER").map_or(0, |n| n.parse().unwrap());
    let own = tempfile::tempdir().unwrap();
    let state = given.as_deref().unwrap_or(own.path());
    let granted = work(state, number, if given.is_some() { OPERATIONS } else { 20 });
    let pairing = service(state, 99, None);
    for place in granted {
        assert!(is_allowed(&pairing, &place), "{place} was granted");
    }
}

fn work(state: &Path, number: u64, operations: usize) -> BTreeSet<String> {
    let mut random = ChaCha20Rng::seed_from_u64(number);
    let pairing = service(state, number, None);
    let telegram = pairing.channel("telegram").unwrap();
    let owner = Approver::terminal("worker");
    let mut granted = BTreeSet::new();
    for _ in 0..operations {
        let name = ACCOUNTS[random.next_u32() as usize % ACCOUNTS.len()];
        let account = telegram.account(name).unwrap();
        let own = format!("{number}00{}", random.next_u32() % 10);
        let place = format!("{name}/{own}");
        match random.next_u32() % 5 {
            0 => {
                say(&format!("+ {place}"));
                account.allow(&own, &owner).unwrap();
                granted.insert(place);
                say("done");
            }
            1 => {
                say(&format!("- {place}"));
                account.revoke(&own, &owner).unwrap();
                granted.remove(&place);
                say("done");
            }
            2 => {
                // A sender with this worker's number is approved by it at once.
                say(&format!("+ {place}"));
                match account.request_or_reuse(&*own).unwrap() {
                    Requested::Created(created) => {
                        account
                            .approve(created.request.code.as_str(), &owner)
                            .unwrap();
                        granted.insert(place);
                        say("done");
                    }
                    Requested::Allowed(_) => say("done"),
                    _ => say("undone"),
                }
            }
            3 => {
                let stranger = format!("9{}", random.next_u32() % 50);
                let asked = account.request_or_reuse(&*stranger);
                assert!(!matches!(asked, Err(RequestError::Sender(_))));
                asked.unwrap();
            }
            _ => {
                for request in account.pending().unwrap().requests {
                    if request.sender.as_str().starts_with('9') {
                        // Another worker may have been faster.
                        let _ = account.reject(request.sender.as_str(), &owner);
                    }
                }
            }
        }
    }
    granted
}

fn say(line: &str) {
    if env::var_os("PAIRING_TEST_STATE").is_none() {
        return;
    }
    let mut out = std::io::stdout().lock();
    writeln!(out, "worker: {line}").unwrap();
    out.flush().unwrap();
}

fn is_allowed(pairing: &Pairing, place: &str) -> bool {
    let (account, sender) = place.split_once('/').unwrap();
    let telegram = pairing.channel("telegram").unwrap();
    telegram
        .account(account)
        .unwrap()
        .is_allowed(sender)
        .unwrap()
}

pub(crate) fn start(test: &str, state: &Path, number: u64) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env("PAIRING_TEST_STATE", state)
        .env("PAIRING_TEST_WORKER", number.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The grants and revocations a worker acknowledged, and the operation it was in when its output ended.
#[derive(Default)]
struct Heard {
    granted: BTreeSet<String>,
    revoked: BTreeSet<String>,
    unclear: BTreeSet<String>,
}

/// Follows a worker's output; kills the worker after line `kill_after`.
fn follow(mut child: Child, kill_after: Option<usize>) -> Heard {
    let mut heard = Heard::default();
    let mut doing: Option<Line> = None;
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for (count, line) in lines.map_while(Result::ok).enumerate() {
        // The first line may follow output of the test runner.
        let Some((_, line)) = line.split_once("worker: ") else {
            continue;
        };
        match (line.split_once(' '), doing.take()) {
            (Some((sign, place)), _) => {
                let place = place.to_owned();
                doing = Some(Line::Begin {
                    grant: sign == "+",
                    place,
                });
            }
            (None, Some(Line::Begin { grant, place })) if line == "done" => {
                heard.unclear.remove(&place);
                let (now, before) = if grant {
                    (&mut heard.granted, &mut heard.revoked)
                } else {
                    (&mut heard.revoked, &mut heard.granted)
                };
                before.remove(&place);
                now.insert(place);
                doing = Some(Line::Done);
            }
            _ => {}
        }
        if kill_after == Some(count) {
            // The worker is now in the middle of the operation after this line.
            child.kill().unwrap();
        }
    }
    if let Some(Line::Begin { place, .. }) = doing {
        heard.unclear.insert(place);
    }
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() || kill_after.is_some(), "{errors}");
    heard
}

fn assert_sound(state: &Path, all: &[Heard]) {
    let pairing = service(state, 99, None);
    let telegram = pairing.channel("telegram").unwrap();
    for heard in all {
        for place in heard.granted.difference(&heard.unclear) {
            assert!(is_allowed(&pairing, place), "lost the grant of {place}");
        }
        for place in heard.revoked.difference(&heard.unclear) {
            assert!(!is_allowed(&pairing, place), "{place} was revoked");
        }
    }
    let mut codes = BTreeSet::new();
    for name in ACCOUNTS {
        let pending = telegram.account(name).unwrap().pending().unwrap();
        assert!(pending.problems.is_empty() && pending.requests.len() <= 3);
        for request in pending.requests {
            assert!(codes.insert(request.code), "a code twice");
        }
        assert!(
            telegram
                .account(name)
                .unwrap()
                .allowed()
                .unwrap()
                .problems
                .is_empty()
        );
    }
}

#[test]
fn t76_eight_processes_at_once_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let workers: Vec<_> = (1..=8)
        .map(|number| {
            let child = start("processes::worker", dir.path(), number);
            std::thread::spawn(move || follow(child, None))
        })
        .collect();
    let heard: Vec<_> = workers.into_iter().map(|w| w.join().unwrap()).collect();
    assert!(heard.iter().all(|heard| !heard.granted.is_empty()));
    assert_sound(dir.path(), &heard);
}

#[test]
fn t78_processes_killed_at_random_lose_nothing_they_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let mut random = ChaCha20Rng::seed_from_u64(4);
    let workers: Vec<_> = (1..=8)
        .map(|number| {
            let child = start("processes::worker", dir.path(), number);
            let lines = 10 + random.next_u32() as usize % 60;
            std::thread::spawn(move || follow(child, Some(lines)))
        })
        .collect();
    let heard: Vec<_> = workers.into_iter().map(|w| w.join().unwrap()).collect();
    assert_sound(dir.path(), &heard);
    // Locks left by dead processes must not hold up the next one.
    let store = FsStore::new(&StateDir::at(dir.path()), Channels::builtin());
    let pairing = Pairing::new(
        store.lock_wait(Duration::from_secs(1)),
        SystemClock,
        seeded(1),
    );
    let account = pairing
        .channel("telegram")
        .unwrap()
        .account("home")
        .unwrap();
    assert!(account.allow("4711", &Approver::terminal("ann")).unwrap());
}

/// A process that dies while holding both locks, between a grant and the removal of its request.
#[test]
fn dying_writer() {
    struct Die;
    impl Probe for Die {
        fn before(&self, step: Step, path: &Path) -> std::io::Result<()> {
            if step == Step::Rename && path.ends_with("telegram-pairing.json") {
                std::process::abort();
            }
            Ok(())
        }
    }
    let Some(state) = env::var_os("PAIRING_TEST_STATE").map(PathBuf::from) else {
        // Started alone: start another process, watch it die, and continue in its place.
        return watch_it_die();
    };
    let pairing = service(&state, 1, Some(Arc::new(Die)));
    let account = pairing
        .channel("telegram")
        .unwrap()
        .account("default")
        .unwrap();
    let pending = account.pending().unwrap().requests;
    let _ = account.approve(pending[0].code.as_str(), &Approver::terminal("worker"));
}

fn watch_it_die() {
    let dir = tempfile::tempdir().unwrap();
    let store = FsStore::new(&StateDir::at(dir.path()), Channels::builtin());
    let pairing = Pairing::new(
        store.lock_wait(Duration::from_secs(1)),
        SystemClock,
        seeded(1),
    );
    let account = pairing
        .channel("telegram")
        .unwrap()
        .account("default")
        .unwrap();
    let owner = Approver::terminal("ann");
    account.request_or_reuse("12345").unwrap();

    let died = start("processes::dying_writer", dir.path(), 1)
        .wait_with_output()
        .unwrap();
    assert!(!died.status.success());
    let credentials = dir.path().join("credentials");
    assert!(
        credentials.join("telegram-allowFrom.json.lock").exists(),
        "it held the lock"
    );
    let requests = || std::fs::read_to_string(credentials.join("telegram-pairing.json")).unwrap();
    assert!(requests().contains("12345"), "the request was not consumed");

    let pairing = service(dir.path(), 2, None);
    let account_again = pairing
        .channel("telegram")
        .unwrap()
        .account("default")
        .unwrap();
    assert!(account_again.is_allowed("12345").unwrap());
    assert!(
        account_again.pending().unwrap().requests.is_empty(),
        "readers see it done"
    );
    let allowed: Result<bool, AllowlistError> = account.allow("1", &owner);
    assert!(
        allowed.unwrap(),
        "and the next one waits less than a second"
    );
    assert!(
        !requests().contains("12345"),
        "the next holder of the lock finishes it"
    );
}
