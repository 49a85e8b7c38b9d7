//! Whether a directory is its owner's alone, so that nobody else decides what is in it.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

/// Somebody else could replace what is in a directory, or has made it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Untrusted {
    /// A directory that belongs to somebody else.
    #[error("{} belongs to user {owner}, and this is run by user {user}", path.display())]
    Foreign {
        /// The directory.
        path: PathBuf,
        /// The user id of its owner.
        owner: u32,
        /// The user id of this process.
        user: u32,
    },
    /// A directory in which everybody may put, rename and remove whatever they like.
    #[error("{} is writable for everybody, with mode {mode:04o}", path.display())]
    Open {
        /// The directory.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
}

impl Untrusted {
    /// The directory in question.
    pub fn path(&self) -> &Path {
        match self {
            Self::Foreign { path, .. } | Self::Open { path, .. } => path,
        }
    }

    /// A line that says what to do next, for a person.
    pub fn advice(&self) -> String {
        match self {
            Self::Foreign { path, owner, user } => format!(
                "run this as user {owner}, or name a directory of your own with --state-dir or \
                 OPENCLAW_STATE_DIR; if the directory ought to be yours, `chown {user} {}` as root",
                path.display()
            ),
            Self::Open { path, .. } => format!(
                "`chmod o-w {}`, and look first at what others may have put there",
                path.display()
            ),
        }
    }
}

/// Checks a directory and all those above it, as far as they exist.
///
/// - The directory itself has to belong to the user of this process; those above it to that user or to root. That
///   counts for root, too: state that root uses in somebody else's directory is that somebody's.
/// - None of them may be writable for everybody, except with the sticky bit, as `/tmp` is.
/// - Links are followed, and what they lead to is checked as well as the directories in which they are.
///
/// It costs a few calls of the operating system, and reads no file.
pub fn check(dir: &Path) -> Result<(), Untrusted> {
    let user = geteuid().as_raw();
    let Ok(named) = std::path::absolute(dir) else {
        return Ok(());
    };
    checked(&named, user)?;
    let existing = named.ancestors().find(|above| above.exists());
    match existing.map(fs::canonicalize) {
        Some(Ok(real)) if real != named => checked_from(&real, &named, user),
        _ => Ok(()),
    }
}

/// Checks where a link leads: as [`check`], beginning with an ancestor if the directory is missing.
fn checked_from(real: &Path, named: &Path, user: u32) -> Result<(), Untrusted> {
    if named.exists() {
        return checked(real, user);
    }
    real.ancestors()
        .try_for_each(|above| one(above, user, false))
}

fn checked(dir: &Path, user: u32) -> Result<(), Untrusted> {
    dir.ancestors()
        .try_for_each(|above| one(above, user, above == dir))
}

fn one(dir: &Path, user: u32, is_own: bool) -> Result<(), Untrusted> {
    // What is missing is made later, by this user. What cannot be looked at cannot be used either, and the attempt
    // says why.
    let Ok(found) = fs::metadata(dir) else {
        return Ok(());
    };
    if !found.is_dir() {
        return Ok(());
    }
    let owner = found.uid();
    let is_roots = owner == 0 || (owner == UNMAPPED && !has_all_users());
    if owner != user && (is_own || !is_roots) {
        return Err(Untrusted::Foreign {
            path: dir.to_owned(),
            owner,
            user,
        });
    }
    let mode = found.mode() & 0o7777;
    if mode & 0o002 != 0 && mode & 0o1000 == 0 {
        return Err(Untrusted::Open {
            path: dir.to_owned(),
            mode,
        });
    }
    Ok(())
}

/// The user that stands for all those outside of a user namespace, root among them: in many sandboxes `/` is theirs.
const UNMAPPED: u32 = 65_534;

/// Whether this process sees every user as who they are.
fn has_all_users() -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    map.is_empty() || map.split_whitespace().eq(["0", "0", "4294967295"])
}

/// The flag that makes opening a symbolic link an error, for
/// [`custom_flags`](std::os::unix::fs::OpenOptionsExt::custom_flags).
pub fn no_follow() -> i32 {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::CLOEXEC;
    i32::try_from(flags.bits()).unwrap_or_default()
}

impl From<Untrusted> for io::Error {
    fn from(untrusted: Untrusted) -> Self {
        Self::new(io::ErrorKind::PermissionDenied, untrusted)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, chown, symlink};

    use super::*;

    fn mode(dir: &Path, mode: u32) {
        fs::set_permissions(dir, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn t116_a_directory_of_somebody_else_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        fs::create_dir(&state).unwrap();
        assert_eq!(check(&state), Ok(()));
        assert_eq!(check(&state.join("not/there/yet")), Ok(()));
        let user = geteuid().as_raw();
        // Only root can give a directory away; everybody else has those of root.
        let foreign = if user == 0 {
            chown(&state, Some(4711), None).unwrap();
            state.clone()
        } else {
            PathBuf::from("/usr")
        };
        let error = check(&foreign).unwrap_err();
        let owner = fs::metadata(&foreign).unwrap().uid();
        let expected = Untrusted::Foreign {
            path: foreign.clone(),
            owner,
            user,
        };
        assert_eq!(error, expected);
        assert!(error.advice().contains(&format!("as user {owner}")));
        // By a link, too; and where it is above.
        let link = dir.path().join("link");
        symlink(&foreign, &link).unwrap();
        assert!(check(&link).is_err());
        if user == 0 {
            assert!(check(&state.join("below")).is_err());
            assert!(check(&link.join("below")).is_err());
        }
    }

    #[test]
    fn t116_where_everybody_may_write_nothing_is_used() {
        let dir = tempfile::tempdir().unwrap();
        let above = dir.path().join("above");
        let state = above.join("state");
        fs::create_dir_all(&state).unwrap();
        for (path, bad) in [(&above, 0o777), (&above, 0o702), (&state, 0o777)] {
            mode(path, bad);
            let error = check(&state).unwrap_err();
            assert!(
                matches!(&error, Untrusted::Open { path: found, mode } if found == path && *mode == bad),
                "{error}"
            );
            mode(path, 0o755);
        }
        // The sticky bit keeps others from what is not theirs.
        mode(&above, 0o1777);
        assert_eq!(check(&state), Ok(()));
        // Whoever may change a link decides where it leads.
        let (open, link) = (dir.path().join("open"), dir.path().join("open/link"));
        fs::create_dir(&open).unwrap();
        symlink(&state, &link).unwrap();
        assert_eq!(check(&link), Ok(()));
        mode(&open, 0o777);
        assert!(check(&link).is_err());
    }
}
