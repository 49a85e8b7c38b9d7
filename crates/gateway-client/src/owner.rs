//! The owner's socket: how a program reaches the gateway of the same user on the same machine.
//!
//! It is in the state directory. No secret is sent over it: both ends ask the kernel whose process the other
//! one is.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use rustix::process::geteuid;
use tokio::net::UnixStream;

/// The name of the owner's socket in the state directory.
pub const OWNER_SOCKET: &str = "gateway.sock";

/// A directory that belongs to this process's user, and in which nobody else may write.
///
/// It is held open: what becomes of its path afterwards makes no difference to [`entry`](Self::entry) on
/// Linux.
#[derive(Debug)]
pub struct OwnDirectory {
    dir: File,
    path: PathBuf,
}

/// The owner's socket cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OwnerSocketError {
    /// There is none, or no gateway listens on it.
    #[error("no gateway listens on {}", path.display())]
    Nobody {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The directory is not only this user's.
    #[error(
        "{} belongs to user {owner}, with mode {mode:o}: only the user who runs this may own it and write \
         in it",
        path.display()
    )]
    Directory {
        /// The directory.
        path: PathBuf,
        /// The user id of its owner.
        owner: u32,
        /// Its permissions.
        mode: u32,
    },
    /// The other end is a process of another user.
    #[error("what listens on {} is a process of user {user}", path.display())]
    OtherUser {
        /// Its path.
        path: PathBuf,
        /// The user id of the other process.
        user: u32,
    },
    /// Something cannot be read.
    #[error("cannot use {}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl OwnDirectory {
    /// Opens a directory. Its path may go through links; what counts is the directory that they lead to.
    pub fn open(path: &Path) -> Result<Self, OwnerSocketError> {
        let failed = |source| OwnerSocketError::Io {
            path: path.to_owned(),
            source,
        };
        let path = path.canonicalize().map_err(failed)?;
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let flags = i32::try_from(flags.bits()).unwrap_or_default();
        let dir = OpenOptions::new()
            .read(true)
            .custom_flags(flags)
            .open(&path);
        let dir = dir.map_err(failed)?;
        let found = dir.metadata().map_err(failed)?;
        let mode = found.mode() & 0o7777;
        if found.uid() != geteuid().as_raw() || mode & 0o022 != 0 {
            return Err(OwnerSocketError::Directory {
                owner: found.uid(),
                path,
                mode,
            });
        }
        Ok(Self { dir, path })
    }

    /// A path to an entry of this very directory. On Linux it is short, however long the directory's own path:
    /// the address of a socket may have 107 bytes only.
    pub fn entry(&self, name: &str) -> PathBuf {
        if cfg!(target_os = "linux") {
            format!("/proc/self/fd/{}/{name}", self.dir.as_raw_fd()).into()
        } else {
            self.path.join(name)
        }
    }
}

/// Whether the process at the other end is one of this process's user, as the kernel says.
pub fn is_own(stream: &UnixStream) -> io::Result<Result<(), u32>> {
    let user = stream.peer_cred()?.uid();
    let is_own = user == geteuid().as_raw();
    Ok(is_own.then_some(()).ok_or(user))
}

/// Connects to the gateway of this user on a state directory.
pub(crate) async fn connect(state: &Path) -> Result<UnixStream, OwnerSocketError> {
    let path = state.join(OWNER_SOCKET);
    let dir = OwnDirectory::open(state)?;
    let stream = UnixStream::connect(dir.entry(OWNER_SOCKET)).await;
    let stream = stream.map_err(|source| OwnerSocketError::Nobody {
        path: path.clone(),
        source,
    })?;
    match is_own(&stream) {
        Ok(Ok(())) => Ok(stream),
        Ok(Err(user)) => Err(OwnerSocketError::OtherUser { path, user }),
        Err(source) => Err(OwnerSocketError::Io { path, source }),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn t103_only_a_directory_of_this_user_in_which_nobody_else_writes_is_used() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        fs::create_dir(&state).unwrap();
        let with = |mode| {
            fs::set_permissions(&state, fs::Permissions::from_mode(mode)).unwrap();
            OwnDirectory::open(&state)
        };
        for mode in [0o700, 0o755] {
            assert!(with(mode).is_ok());
        }
        for mode in [0o777, 0o770, 0o1777, 0o702] {
            let error = with(mode).unwrap_err();
            assert!(
                matches!(error, OwnerSocketError::Directory { mode: found, .. } if found == mode),
                "{error}"
            );
        }
        with(0o700).unwrap();
        let link = dir.path().join("link");
        symlink(&state, &link).unwrap();
        let opened = OwnDirectory::open(&link).unwrap();
        // Whoever replaces the path afterwards replaces nothing.
        fs::rename(&state, dir.path().join("moved")).unwrap();
        fs::create_dir(&state).unwrap();
        fs::write(opened.entry("file"), "text").unwrap();
        if cfg!(target_os = "linux") {
            assert!(dir.path().join("moved/file").exists());
        }
    }

    #[tokio::test]
    async fn where_nobody_listens_it_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let error = connect(dir.path()).await.unwrap_err();
        assert!(matches!(error, OwnerSocketError::Nobody { .. }), "{error}");
        let missing = connect(&dir.path().join("missing")).await.unwrap_err();
        assert!(matches!(missing, OwnerSocketError::Io { .. }), "{missing}");
    }
}
