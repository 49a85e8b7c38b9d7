//! A real state directory in which one file holds anything at all. The first byte chooses the file.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use pairing_core::{
    Approver, Channels, Entropy, EntropyError, Limits, ManualClock, Pairing, Requested, Timestamp,
};
use pairing_fs::{FsStore, StateDir, doctor};
use tempfile::TempDir;

const FILES: [&str; 8] = [
    "telegram-pairing.json",
    "telegram-allowFrom.json",
    "telegram-work-allowFrom.json",
    "pairing-meta/telegram.json",
    "pairing-meta/telegram.counters.json",
    "pairing-meta/names.json",
    "telegram-pairing.json.lock",
    "telegram-allowFrom.json.lock",
];

const PENDING: &str = r#"{
  "version": 1,
  "requests": [
    {
      "id": "67890",
      "code": "M8NGT2AA",
      "createdAt": "2026-11-22T13:27:57.013Z",
      "lastSeenAt": "2026-11-22T13:27:57.013Z"
    }
  ]
}
"#;
const ALLOWED: &str = "{\n  \"version\": 1,\n  \"allowFrom\": [\n    \"tg:555\"\n  ]\n}\n";

target!(|input: (u8, &[u8])| {
    let dir = in_memory().expect("a temporary directory");
    let state = StateDir::at(dir.path());
    let at = state.credentials();
    fs::create_dir_all(at.join("pairing-meta")).expect("a directory");
    fs::write(at.join(FILES[0]), PENDING).expect("a file");
    fs::write(at.join(FILES[1]), ALLOWED).expect("a file");
    let fuzzed = at.join(FILES[usize::from(input.0) % FILES.len()]);
    fs::write(&fuzzed, input.1).expect("a file");

    reading_writes_nothing(&state);
    an_error_leaves_the_file(&state, &fuzzed, input.1);
    other_channels_go_on(&state);
});

/// A directory where syncing costs nothing, if there is such a place.
fn in_memory() -> std::io::Result<TempDir> {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir())
}

fn reading_writes_nothing(state: &StateDir) {
    let before = files(state.credentials());
    let pairing = open(state);
    for account in ["default", "work"] {
        let gate = pairing.channel("telegram").expect("built in");
        let gate = gate.account(account).expect("an account");
        let _ = (gate.pending(), gate.allowed(), gate.channel().turned_away());
        for sender in ["555", "67890"] {
            // Allowed is who is listed, and nobody is allowed by an error.
            let listed = gate.allowed().map(|allowed| {
                let mut entries = allowed.entries.iter();
                entries.any(|entry| entry.entry.as_str() == sender)
            });
            if let Ok(is_allowed) = gate.is_allowed(sender) {
                assert!(listed.is_ok_and(|listed| listed == is_allowed));
            }
        }
    }
    let channels = Channels::builtin();
    let _ = doctor::examine(state, &channels, &Limits::default(), pairing.now());
    assert_eq!(files(state.credentials()), before);
}

fn an_error_leaves_the_file(state: &StateDir, fuzzed: &Path, bytes: &[u8]) {
    let owner = Approver::terminal("ann");
    let gate = open(state).channel("telegram").expect("built in");
    let gate = gate.account("default").expect("an account");
    match gate.approve("M8NGT2AA", &owner) {
        Ok(approved) => {
            let afresh = open(state).channel("telegram").expect("built in");
            let afresh = afresh.account("default").expect("an account");
            let sender = approved.request.sender.as_str();
            assert!(afresh.is_allowed(sender).expect("what was just written"));
            assert!(afresh.approve("M8NGT2AA", &owner).is_err());
            assert!(
                !state
                    .credentials()
                    .join("telegram-pairing.json.lock")
                    .exists()
            );
        }
        Err(_) => assert_eq!(fs::read(fuzzed).expect("the file"), bytes),
    }
    // A lock of the dead is gone by now.
    let before = fs::read(fuzzed).ok();
    if gate.request_or_reuse("424242").is_err() {
        assert_eq!(fs::read(fuzzed).ok(), before);
    }
}

fn other_channels_go_on(state: &StateDir) {
    let gate = open(state).channel("discord").expect("built in");
    let gate = gate.account("default").expect("an account");
    let asked = gate
        .request_or_reuse("42")
        .expect("nothing of it is broken");
    let Requested::Created(created) = asked else {
        panic!("42 is a stranger");
    };
    let owner = Approver::terminal("ann");
    gate.approve(created.request.code.as_str(), &owner)
        .expect("nothing of it is broken");
    assert!(gate.is_allowed("42").expect("nothing of it is broken"));
}

fn open(state: &StateDir) -> Pairing {
    let now = Timestamp::parse("2026-11-22T13:28:57.013Z").expect("a time");
    let store = FsStore::new(state, Channels::builtin()).lock_wait(Duration::ZERO);
    Pairing::new(store, ManualClock::new(now), Sevens)
}

fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            all.extend(files(&path));
        } else {
            let bytes = fs::read(&path).expect("a file");
            all.insert(path.display().to_string(), bytes);
        }
    }
    all
}

/// Randomness enough for one code.
struct Sevens;

impl Entropy for Sevens {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        bytes.fill(7);
        Ok(())
    }
}
