//! Our lock: one per group of files, held by the operating system and released when its process ends.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use fs4::TryLockError;
use pairing_core::StoreError;

use super::Patience;
use crate::error::unwritable;
use crate::trust::no_follow;

/// The lock, held until dropped. A symbolic link in its place is not followed: the process id would be written to
/// whatever it leads to. The lock file stays and is never renamed, because the lock is on its inode.
pub(crate) struct OurLock {
    _file: File,
}

impl OurLock {
    /// Takes the lock, which excludes other threads as well as other processes.
    pub(crate) fn take(path: &Path, patience: &mut Patience) -> Result<Self, StoreError> {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(no_follow())
            .open(path)
            .map_err(|error| unwritable(path, error))?;
        loop {
            match fs4::FileExt::try_lock(&file) {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) => patience.wait(path, || holder(&file))?,
                Err(TryLockError::Error(error)) => return Err(unwritable(path, error)),
            }
        }
        // For the error message of those that wait in vain; the lock itself does not depend on it. Usually it
        // is already there; it is never shorter than before, so nothing has to be truncated.
        let me = format!("{:<10}", std::process::id());
        let mut before = String::new();
        let read = file.read_to_string(&mut before);
        if read.is_err() || before != me {
            let _ = file.rewind().and_then(|()| file.write_all(me.as_bytes()));
        }
        Ok(Self { _file: file })
    }
}

fn holder(mut file: &File) -> String {
    let mut text = String::new();
    let read = file.rewind().and_then(|()| file.read_to_string(&mut text));
    match (read, text.trim().parse::<u32>()) {
        (Ok(_), Ok(pid)) => format!("process {pid}"),
        _ => "another process".to_owned(),
    }
}
