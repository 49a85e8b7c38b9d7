//! OpenClaw's lock: a lock file beside the file it protects, taken, judged and released by OpenClaw's
//! rules.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pairing_core::{Clock, StoreError, Timestamp};
use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};
use serde::{Deserialize, Serialize};

use super::Patience;
use crate::SystemClock;
use crate::disk::Disk;
use crate::error::unwritable;

/// Age above which a lock is stale. A lock that is dated further than this in the future is stale too: no age would
/// ever end it.
const STALE_AFTER: Duration = Duration::from_secs(30);

/// Content of a lock file. OpenClaw ignores `by`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Said {
    pid: i32,
    created_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    by: Option<String>,
}

const US: &str = "pairing-fs";

/// The state of a lock file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// No longer held by any process.
    Stale,
    /// Held by the process described here.
    Held(String),
    /// There is no lock file.
    Free,
}

/// `F.lock`, held until dropped.
pub(crate) struct OtherLock<'d> {
    path: PathBuf,
    inode: u64,
    disk: &'d Disk,
}

impl<'d> OtherLock<'d> {
    /// Takes the lock of `file`. The caller holds our own lock on the same group of files, so a lock file
    /// that this store left behind is stale, even if its process id is in use again.
    pub(crate) fn take(
        file: &Path,
        disk: &'d Disk,
        patience: &mut Patience,
    ) -> Result<Self, StoreError> {
        let mut name = file.file_name().unwrap_or_default().to_owned();
        name.push(".lock");
        let path = file.with_file_name(name);
        let failed = |error| unwritable(&path, error);
        loop {
            let said = Said {
                pid: i32::try_from(std::process::id()).unwrap_or(i32::MAX),
                created_at: SystemClock.now(),
                by: Some(US.to_owned()),
            };
            let text = serde_json::to_string_pretty(&said).map_err(|e| failed(e.into()))?;
            match disk.create_new(&path, &text) {
                Ok(created) => {
                    let inode = created.metadata().map_err(failed)?.ino();
                    return Ok(Self { path, inode, disk });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(failed(error)),
            }
            match judge(&path, true) {
                Verdict::Free => {}
                Verdict::Stale => match disk.remove(&path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => {
                        return Err(failed(error));
                    }
                    _ => {}
                },
                Verdict::Held(holder) => patience.wait(&path, || holder)?,
            }
        }
    }
}

impl Drop for OtherLock<'_> {
    fn drop(&mut self) {
        // A process that judged this lock stale has replaced it: the new lock is not ours to remove.
        if fs::symlink_metadata(&self.path).is_ok_and(|meta| meta.ino() == self.inode) {
            let _ = self.disk.remove(&self.path);
        }
    }
}

/// Judges a lock file by OpenClaw's rules: stale if its process is dead, or if it is older
/// than 30 seconds; and, beyond these rules, if it is dated more than 30 seconds in the future. Pass `ours_is_stale` if
/// the caller holds our own lock.
pub(crate) fn judge(path: &Path, ours_is_stale: bool) -> Verdict {
    let Ok(meta) = fs::symlink_metadata(path) else {
        return Verdict::Free;
    };
    // Whatever is no file says nothing: a link is not followed, and a pipe not waited for.
    let bytes = meta.is_file().then(|| fs::read(path).ok()).flatten();
    let said: Option<Said> = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let now = SystemClock.now();
    let made = Timestamp::from_millis(meta.mtime() * 1000 + meta.mtime_nsec() / 1_000_000);
    let is_old = |at| {
        now.since_about(at, STALE_AFTER)
            .is_none_or(|age| age > STALE_AFTER)
    };
    match said {
        Some(said) if ours_is_stale && said.by.as_deref() == Some(US) => Verdict::Stale,
        Some(said) if !is_alive(said.pid) || is_old(said.created_at) => Verdict::Stale,
        Some(said) => Verdict::Held(format!("process {}", said.pid)),
        None if is_old(made) => Verdict::Stale,
        None => Verdict::Held("another process".to_owned()),
    }
}

fn is_alive(pid: i32) -> bool {
    match Pid::from_raw(pid).filter(|_| pid > 0) {
        // A process of another user (`EPERM`) is alive too.
        Some(pid) => !matches!(test_kill_process(pid), Err(Errno::SRCH)),
        None => false,
    }
}
