//! The file of a database: made for its owner only, and recognised if it is replaced.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::Path;

use crate::error::Unfit;

/// The identity of a file: its device and inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity(u64, u64);

impl Identity {
    /// Returns the identity of the file at a path.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        let found = fs::metadata(path)?;
        Ok(Self(found.dev(), found.ino()))
    }

    /// Checks that the file at the path is still this one.
    pub(crate) fn check(self, path: &Path) -> Result<(), Unfit> {
        match Self::of(path) {
            Ok(found) if found == self => Ok(()),
            _ => Err(Unfit::Replaced),
        }
    }
}

/// Makes the file and its directory, if they are missing: modes 0600 and 0700 whatever the umask. SQLite
/// gives the files that it makes beside it the same mode.
pub(crate) fn make(path: &Path) -> io::Result<()> {
    if let Some(dir) = path.parent()
        && !dir.exists()
    {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        fs::set_permissions(dir, Permissions::from_mode(0o700))?;
    }
    let made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    match made {
        Ok(file) => file.set_permissions(Permissions::from_mode(0o600)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}
