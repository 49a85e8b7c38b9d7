//! Claim codes on files: the format, and commits that are cut off.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pairing_core::{
    Account, Approver, Channels, ClaimError, Limits, ManualClock, Pairing, Principal, Timestamp,
};
use pairing_fs::doctor::examine;
use pairing_fs::{FsStore, Probe, StateDir, Step};

/// Returns all files under a directory.
fn files_under(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path());
    let (dirs, mut files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    files.extend(dirs.iter().flat_map(|dir| files_under(dir)));
    files
}

fn account(dir: &Path, probe: Option<Arc<Fate>>) -> Account {
    let store = FsStore::new(&StateDir::at(dir), Channels::builtin());
    let store = store.recheck_after(Duration::ZERO);
    let store = match probe {
        Some(probe) => store.probed(probe),
        None => store,
    };
    let clock = ManualClock::new(Timestamp::from_millis(1_795_354_077_013));
    let (channels, limits) = (Channels::builtin(), Limits::default());
    let entropy = pairing_conformance::seeded(1);
    let pairing = Pairing::with(store, clock, entropy, channels, limits);
    pairing
        .channel("telegram")
        .unwrap()
        .account("default")
        .unwrap()
}

/// Number of changes to the disk after which all further ones fail.
struct Fate(Mutex<usize>);

impl Probe for Fate {
    fn before(&self, _: Step, _: &Path) -> io::Result<()> {
        let mut left = self.0.lock().unwrap();
        *left = left
            .checked_sub(1)
            .ok_or_else(|| io::Error::other("dead"))?;
        Ok(())
    }
}

const EXPECTED: &str = r#"{
  "version": 1,
  "claims": [
    {
      "account": "default",
      "hash": "HASH",
      "by": "terminal:ann",
      "via": "terminal",
      "principal": "user-7",
      "issuedAt": "2026-11-22T13:27:57.013Z",
      "expiresAt": "2026-11-22T13:37:57.013Z"
    }
  ]
}
"#;

#[test]
fn t146_the_file_holds_hashes_and_only_the_owner_reads_it() {
    let dir = tempfile::tempdir().unwrap();
    let account = account(dir.path(), None);
    let ann = Approver::terminal("ann").for_principal(Principal::parse("user-7").unwrap());
    let invited = account.invite(&ann).unwrap();
    let path = dir
        .path()
        .join("credentials/pairing-meta/telegram.claims.json");
    let expected = EXPECTED.replace("HASH", &invited.claim.hash.to_string());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), expected);
    for file in files_under(dir.path()) {
        let bytes = std::fs::read(&file).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains(invited.code.expose()), "{}", file.display());
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    account.claim("12345", invited.code.expose()).unwrap();
    let empty = "{\n  \"version\": 1,\n  \"claims\": []\n}\n";
    assert_eq!(std::fs::read_to_string(&path).unwrap(), empty);
}

#[test]
fn what_is_no_claim_is_reported_and_kept() {
    let dir = tempfile::tempdir().unwrap();
    let meta = dir.path().join("credentials/pairing-meta");
    std::fs::create_dir_all(&meta).unwrap();
    let path = meta.join("telegram.claims.json");
    let text = "{\"version\": 1, \"claims\": [{\"hash\": \"x\"}], \"later\": 7}\n";
    std::fs::write(&path, text).unwrap();
    let account = account(dir.path(), None);
    assert!(account.channel().claims().unwrap().is_empty());
    account.invite(&Approver::terminal("ann")).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    for kept in ["{\"hash\": \"x\"}", "\"later\": 7"] {
        assert!(text.contains(kept), "{text}");
    }
    let state = StateDir::at(dir.path());
    let now = Timestamp::from_millis(1_795_354_077_013);
    let findings = examine(&state, &Channels::builtin(), &Limits::default(), now);
    let found = findings.iter().filter(|found| found.kind == "bad-record");
    assert_eq!(found.count(), 1, "{findings:?}");
}

/// The program dies before any one of the steps by which a claim is written.
#[test]
fn t146_a_claim_that_is_cut_off_admits_nobody_else() {
    let mut completed = false;
    for steps in 0.. {
        let dir = tempfile::tempdir().unwrap();
        let code = {
            let account = account(dir.path(), None);
            let invited = account.invite(&Approver::terminal("ann")).unwrap();
            account.request_or_reuse("12345").unwrap();
            invited.code.expose().to_owned()
        };
        let dying = account(dir.path(), Some(Arc::new(Fate(Mutex::new(steps)))));
        let first = dying.claim("12345", &code);
        let after = account(dir.path(), None);
        let was_admitted = after.is_allowed("12345").unwrap();
        let second = after.claim("777", &code);
        assert!(
            !(was_admitted && second.is_ok()),
            "after {steps} steps, two senders are in"
        );
        if first.is_ok() {
            assert!(was_admitted);
            let is_spent = matches!(second, Err(ClaimError::NotFound { .. }));
            assert!(is_spent, "{second:?}");
            completed = true;
            break;
        }
        assert!(steps < 200, "never completed");
    }
    assert!(completed);
}
