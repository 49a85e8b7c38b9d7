//! An install for tests: a copy of a recorded one, with its own clock.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use pairing_conformance::seeded;
use pairing_core::{Account, Approver, Channels, Clock, Limits, ManualClock, Pairing, Timestamp};
use pairing_fs::{FsStore, StateDir};
use tempfile::TempDir;

pub(crate) struct Install {
    pub(crate) dir: TempDir,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) pairing: Pairing,
}

pub(crate) fn owner() -> Approver {
    Approver::terminal("ann")
}

pub(crate) fn recorded() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/openclaw-2026.2.17/credentials")
}

impl Install {
    /// Returns an empty install.
    pub(crate) fn empty() -> Self {
        let dir = tempfile::tempdir().unwrap();
        // Three minutes after the recorded requests were made.
        let clock = Arc::new(ManualClock::new(
            Timestamp::parse("2026-11-22T13:30:57.000Z").unwrap(),
        ));
        let pairing = service(
            &FsStore::new(&StateDir::at(dir.path()), Channels::builtin()),
            &clock,
        );
        Self {
            dir,
            clock,
            pairing,
        }
    }

    /// Returns an install with the files that OpenClaw 2026.2.17 wrote.
    pub(crate) fn recorded() -> Self {
        let install = Self::empty();
        fs::create_dir(install.credentials()).unwrap();
        fs::set_permissions(install.credentials(), fs::Permissions::from_mode(0o700)).unwrap();
        for file in fs::read_dir(recorded()).unwrap() {
            let file = file.unwrap();
            let text = fs::read_to_string(file.path()).unwrap();
            install.write(file.file_name().to_str().unwrap(), &text);
        }
        install
    }

    pub(crate) fn state(&self) -> StateDir {
        StateDir::at(self.dir.path())
    }

    pub(crate) fn credentials(&self) -> PathBuf {
        self.dir.path().join("credentials")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.credentials().join(name)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::create_dir_all(self.credentials()).unwrap();
        fs::write(self.path(name), text).unwrap();
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o600)).unwrap();
    }

    pub(crate) fn account(&self, channel: &str, account: &str) -> Account {
        let channel = self.pairing.channel(channel).unwrap();
        channel.account(account).unwrap()
    }

    /// Returns a service like that of another process, which waits for locks only briefly.
    pub(crate) fn impatient(&self) -> Pairing {
        let store = FsStore::new(&self.state(), Channels::builtin());
        service(&store.lock_wait(Duration::from_millis(30)), &self.clock)
    }

    /// Returns the lock files and staged files in the credentials directory.
    pub(crate) fn debris(&self) -> Vec<String> {
        let names = fs::read_dir(self.credentials()).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut debris: Vec<_> = names
            .filter(|name| name.ends_with(".lock") || name.ends_with(".tmp"))
            .collect();
        debris.sort();
        debris
    }
}

pub(crate) fn service(store: &FsStore, clock: &Arc<ManualClock>) -> Pairing {
    let seed = u64::try_from(clock.now().as_millis()).unwrap();
    Pairing::with(
        store.clone(),
        clock.clone(),
        seeded(seed),
        Channels::builtin(),
        Limits::default(),
    )
}
