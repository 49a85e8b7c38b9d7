//! Random commands over several stores on one directory, each interrupted between any two file
//! operations.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pairing_conformance::model::{self, Setting, World};
use pairing_core::{Channels, Pairing};
use pairing_fs::{FsStore, Probe, StateDir, Step};
use tempfile::TempDir;

struct Files {
    dir: TempDir,
    setting: Setting,
    handles: Vec<Option<Pairing>>,
    fate: Arc<Fate>,
}

/// Number of changes to the disk left before all further ones fail; `None` means no limit.
#[derive(Default)]
struct Fate(Mutex<Option<usize>>);

impl Probe for Fate {
    fn before(&self, _: Step, _: &Path) -> io::Result<()> {
        match &mut *self.0.lock().unwrap() {
            Some(0) => Err(io::Error::other("dead")),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

impl Files {
    fn new(setting: Setting) -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            setting,
            handles: Vec::new(),
            fate: Arc::default(),
        }
    }

    fn open(&self) -> Pairing {
        let store = FsStore::new(&StateDir::at(self.dir.path()), Channels::builtin());
        let store = store
            .recheck_after(Duration::ZERO)
            .probed(self.fate.clone());
        self.setting.pairing(store)
    }
}

impl World for Files {
    fn pairing(&mut self, handle: usize) -> Pairing {
        if self.handles.len() <= handle {
            self.handles.resize(handle + 1, None);
        }
        let pairing = self.handles[handle].take().unwrap_or_else(|| self.open());
        self.handles[handle].insert(pairing).clone()
    }

    fn crash_after(&mut self, steps: usize) {
        *self.fate.0.lock().unwrap() = Some(steps);
    }

    fn recover(&mut self) -> bool {
        let crashed = self.fate.0.lock().unwrap().take() == Some(0);
        if crashed {
            self.handles.clear();
        }
        crashed
    }
}

#[test]
fn t75_whatever_is_cut_off_has_happened_entirely_or_not_at_all() {
    model::check(64, Files::new);
}
