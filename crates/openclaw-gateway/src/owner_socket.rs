//! The owner's socket in the state directory, by which commands reach the gateway without a secret.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use gateway_client::{OWNER_SOCKET, OwnDirectory, OwnerSocketError};
use pairing_fs::StateDir;
use tokio::net::UnixListener;

use crate::Instance;

/// A socket that only processes of this user can use. It is removed when this is dropped.
///
/// - It is made only while the directory's lock is held, so that whatever is at its path then is left over.
/// - The directory has to be this user's alone. It is held open, and the socket is made, limited to mode 0600
///   and put in its place within it: no link is followed, and nobody finds it half made.
#[derive(Debug)]
pub struct OwnerSocket {
    listener: UnixListener,
    dir: OwnDirectory,
    path: PathBuf,
    /// Which file it is, so that no other gateway's is removed.
    inode: u64,
}

impl OwnerSocket {
    /// Listens in the state directory whose lock is held. Needs tokio's I/O driver.
    pub fn bind(state: &StateDir, _lock: &Instance) -> Result<Self, OwnerSocketError> {
        let path = state.root().join(OWNER_SOCKET);
        let dir = OwnDirectory::open(state.root())?;
        let made = make(&dir);
        let (listener, inode) = made.map_err(|source| OwnerSocketError::Io {
            path: path.clone(),
            source,
        })?;
        Ok(Self {
            listener,
            dir,
            path,
            inode,
        })
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn listener(&self) -> &UnixListener {
        &self.listener
    }
}

fn make(dir: &OwnDirectory) -> io::Result<(UnixListener, u64)> {
    let (new, place) = (
        dir.entry(&format!("{OWNER_SOCKET}.new")),
        dir.entry(OWNER_SOCKET),
    );
    for path in [&new, &place] {
        match fs::symlink_metadata(path) {
            // It is left over from a gateway that was ended.
            Ok(found) if found.file_type().is_socket() => fs::remove_file(path)?,
            Ok(_) => {
                return Err(io::Error::new(
                    io::ErrorKind::AlreadyExists,
                    "something that is no socket is there: remove it",
                ));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    let listener = UnixListener::bind(&new)?;
    fs::set_permissions(&new, fs::Permissions::from_mode(0o600))?;
    let inode = fs::symlink_metadata(&new)?.ino();
    fs::rename(&new, &place)?;
    Ok((listener, inode))
}

impl Drop for OwnerSocket {
    fn drop(&mut self) {
        let place = self.dir.entry(OWNER_SOCKET);
        if fs::symlink_metadata(&place).is_ok_and(|found| found.ino() == self.inode) {
            let _ = fs::remove_file(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use pairing_core::Timestamp;

    use super::*;

    fn held(dir: &Path) -> (StateDir, Instance) {
        let state = StateDir::at(dir.join("state"));
        let lock = Instance::acquire(&state, Timestamp::from_millis(0)).unwrap();
        (state, lock)
    }

    #[tokio::test]
    async fn t103_the_socket_is_the_owners_alone_and_goes_with_the_gateway() {
        let dir = tempfile::tempdir().unwrap();
        let (state, lock) = held(dir.path());
        let socket = OwnerSocket::bind(&state, &lock).unwrap();
        let found = fs::symlink_metadata(socket.path()).unwrap();
        assert!(found.file_type().is_socket());
        assert_eq!(found.permissions().mode() & 0o777, 0o600);
        let path = socket.path().to_owned();
        // What was left over by a gateway that was killed is in nobody's way.
        std::mem::forget(socket);
        let socket = OwnerSocket::bind(&state, &lock).unwrap();
        drop(socket);
        assert!(fs::symlink_metadata(path).is_err());
        let names = fs::read_dir(state.root()).unwrap();
        let names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, [".gateway.oslock"]);
    }

    #[tokio::test]
    async fn t103_no_link_is_followed_and_no_file_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let (state, lock) = held(dir.path());
        let elsewhere = dir.path().join("elsewhere");
        for name in [OWNER_SOCKET, "gateway.sock.new"] {
            let place = state.root().join(name);
            for target in [dir.path().join("nothing"), elsewhere.clone()] {
                fs::write(&elsewhere, "kept").unwrap();
                symlink(&target, &place).unwrap();
                assert!(OwnerSocket::bind(&state, &lock).is_err());
                assert!(fs::symlink_metadata(&place).unwrap().is_symlink());
                assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "kept");
                fs::remove_file(&place).unwrap();
            }
            fs::write(&place, "kept").unwrap();
            assert!(OwnerSocket::bind(&state, &lock).is_err());
            assert_eq!(fs::read_to_string(&place).unwrap(), "kept");
            fs::remove_file(&place).unwrap();
        }
        assert!(fs::symlink_metadata(dir.path().join("nothing")).is_err());
    }

    #[tokio::test]
    async fn t103_where_others_may_write_no_socket_is_made() {
        let dir = tempfile::tempdir().unwrap();
        let (state, lock) = held(dir.path());
        fs::set_permissions(state.root(), fs::Permissions::from_mode(0o777)).unwrap();
        let error = OwnerSocket::bind(&state, &lock).unwrap_err();
        assert!(
            matches!(error, OwnerSocketError::Directory { .. }),
            "{error}"
        );
    }
}
