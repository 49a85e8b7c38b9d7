//! File operations: reading files whole, and replacing them atomically.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pairing_core::StoreError;

use crate::MAX_FILE_BYTES;
use crate::error::{FileError, unwritable};
use crate::trust;

/// A step that changes the disk, as reported to a [`Probe`].
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    CreateDir,
    CreateLock,
    Stage,
    Write,
    SyncFile,
    Rename,
    SyncDir,
    Remove,
}

/// Called before every step that changes the disk; if it returns an error, the step is skipped and fails
/// with that error.
///
/// For tests that stop the store between any two steps. A probe that has failed once must keep failing,
/// because a process that has died does nothing more.
#[doc(hidden)]
pub trait Probe: Send + Sync {
    fn before(&self, step: Step, path: &Path) -> io::Result<()>;
}

/// Performs all changes to the disk.
#[derive(Clone, Default)]
pub(crate) struct Disk {
    probe: Option<Arc<dyn Probe>>,
}

/// A file to be replaced, and its new content.
pub(crate) struct Publication {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

/// Metadata that tells one state of a file from another without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Identity {
    fn of(meta: &fs::Metadata) -> Self {
        Self {
            device: meta.dev(),
            inode: meta.ino(),
            size: meta.size(),
            modified: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
        }
    }

    /// Whether the file was changed within one tick of the kernel's clock before it was read. It could then
    /// change again and keep its identity.
    fn is_racy(&self) -> bool {
        const TICK_NANOS: i128 = 20_000_000;
        let changed = i128::from(self.changed.0) * 1_000_000_000 + i128::from(self.changed.1);
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |now| i128::try_from(now.as_nanos()).unwrap_or(0));
        now - changed < TICK_NANOS
    }
}

/// Identity and bytes of a file as it was read; `None` if there is no file.
pub(crate) type Contents = Option<(Identity, Vec<u8>)>;

/// Returns the current identity of a file; `None` if it is missing or cannot be examined, in which
/// case reading it tells why.
pub(crate) fn identify(path: &Path) -> Option<Identity> {
    Some(Identity::of(&fs::metadata(path).ok()?))
}

/// Returns an identity that any later change will alter; `None` if the file was changed only just now.
pub(crate) fn settled(identity: Identity) -> Option<Identity> {
    Some(identity).filter(|identity| !identity.is_racy())
}

/// Reads a whole file. A missing file is `None`; anything else that cannot be read as a file is an error.
pub(crate) fn read(path: &Path) -> Result<Contents, FileError> {
    let meta = match fs::metadata(path) {
        Ok(meta) => meta,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return match fs::read_link(path) {
                Ok(to) => Err(FileError::DanglingLink { to }),
                Err(_) => Ok(None),
            };
        }
        Err(error) => return Err(error.into()),
    };
    // Checked before opening: opening a pipe would wait for a writer.
    if !meta.is_file() {
        return Err(FileError::NotAFile);
    }
    let mut file = match File::open(path) {
        Ok(file) => file,
        // Removed since the check.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let mut identity = Identity::of(&file.metadata()?);
    loop {
        if identity.size > MAX_FILE_BYTES {
            return Err(FileError::TooLarge {
                found: identity.size,
            });
        }
        let mut bytes = Vec::with_capacity(usize::try_from(identity.size).unwrap_or(0) + 1);
        (&file).take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
        let after = Identity::of(&file.metadata()?);
        if after == identity {
            return Ok(Some((identity, bytes)));
        }
        // Another program is writing in place instead of renaming: read again until the file is stable.
        identity = after;
        io::Seek::rewind(&mut file)?;
    }
}

impl Disk {
    pub(crate) fn probed(probe: Arc<dyn Probe>) -> Self {
        Self { probe: Some(probe) }
    }

    fn step(&self, step: Step, path: &Path) -> io::Result<()> {
        self.probe
            .as_ref()
            .map_or(Ok(()), |probe| probe.before(step, path))
    }

    /// Creates a directory and its missing parents, accessible to the owner only, whatever the umask. Refuses one that
    /// is not the owner's alone, whether it exists or would be made: see [`trust`].
    pub(crate) fn create_dir(&self, dir: &Path) -> Result<(), StoreError> {
        trust::check(dir).map_err(|error| unwritable(dir, error.into()))?;
        self.create_missing(dir)
    }

    fn create_missing(&self, dir: &Path) -> Result<(), StoreError> {
        if dir.is_dir() {
            return Ok(());
        }
        if let Some(above) = dir.parent().filter(|above| !above.as_os_str().is_empty()) {
            self.create_missing(above)?;
        }
        let made = self.step(Step::CreateDir, dir).and_then(|()| {
            DirBuilder::new().mode(0o700).create(dir)?;
            // The umask may have removed some of the owner's rights.
            fs::set_permissions(dir, owner_only(0o700))
        });
        match made {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && dir.is_dir() => Ok(()),
            made => made.map_err(|error| unwritable(dir, error)),
        }
    }

    /// Creates a file that must not exist yet, and writes `text` to it.
    pub(crate) fn create_new(&self, path: &Path, text: &str) -> io::Result<File> {
        self.step(Step::CreateLock, path)?;
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        if let Err(error) = file.write_all(text.as_bytes()) {
            let _ = self.remove(path);
            return Err(error);
        }
        Ok(file)
    }

    pub(crate) fn remove(&self, path: &Path) -> io::Result<()> {
        self.step(Step::Remove, path)?;
        fs::remove_file(path)
    }

    /// Replaces files one after the other in the given order. Each is always either the old one or the new
    /// one, complete, even after a power failure.
    ///
    /// All of them are staged first: if the disk is full, none has been replaced.
    pub(crate) fn publish(&self, files: &[Publication]) -> Result<(), StoreError> {
        let mut staged: Vec<(PathBuf, PathBuf)> = Vec::with_capacity(files.len());
        for file in files {
            let staged_one = target_of(&file.path).and_then(|target| {
                let temporary = self.stage(&target, &file.text)?;
                Ok((temporary, target))
            });
            match staged_one {
                Ok((temporary, target)) => staged.push((temporary, target)),
                Err(error) => {
                    self.discard(&staged);
                    return Err(unwritable(&file.path, error));
                }
            }
        }
        for (done, (temporary, target)) in staged.iter().enumerate() {
            if let Err(error) = self.replace(temporary, target) {
                self.discard(&staged[done..]);
                return Err(unwritable(target, error));
            }
        }
        Ok(())
    }

    /// Creates a file that must not exist yet, so that it is always either missing or complete, even after a
    /// power failure. Returns `false` if one already exists, which is left unchanged.
    pub(crate) fn publish_new(&self, path: &Path, text: &str) -> Result<bool, StoreError> {
        let made = || {
            let temporary = self.stage(path, text)?;
            let moved = self.step(Step::Rename, path).and_then(|()| {
                let staged = tempfile::TempPath::try_from_path(&temporary)?;
                Ok(staged.persist_noclobber(path)?)
            });
            match moved {
                Ok(()) => self.sync_dir(path).map(|()| true),
                Err(error) => {
                    let _ = self.remove(&temporary);
                    let taken = error.kind() == io::ErrorKind::AlreadyExists;
                    if taken { Ok(false) } else { Err(error) }
                }
            }
        };
        made().map_err(|error| unwritable(path, error))
    }

    /// Writes a temporary file of a size into a directory and removes it. Where the directory is missing, it would be made in
    /// the nearest one that is there, so that one is written to.
    pub(crate) fn try_write(&self, dir: &Path, size: u64) -> Result<(), StoreError> {
        trust::check(dir).map_err(|error| unwritable(dir, error.into()))?;
        let present = dir.ancestors().find(|dir| dir.is_dir()).unwrap_or(dir);
        let text = " ".repeat(usize::try_from(size).unwrap_or_default());
        let tried = self.stage(&present.join("probe"), &text);
        let tried = tried.and_then(|temporary| self.remove(&temporary));
        tried.map_err(|error| unwritable(dir, error))
    }

    /// Writes a temporary file beside the target: mode 0600, synced to disk, under a name that no program
    /// takes for a state file.
    fn stage(&self, target: &Path, text: &str) -> io::Result<PathBuf> {
        self.step(Step::Stage, target)?;
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        let temporary = tempfile::Builder::new()
            .prefix(&format!(".{name}."))
            .suffix(TEMPORARY_SUFFIX)
            .disable_cleanup(true)
            .tempfile_in(target.parent().unwrap_or(Path::new(".")))?;
        let path = temporary.path().to_path_buf();
        let written = self
            .step(Step::Write, &path)
            .and_then(|()| temporary.as_file().set_permissions(owner_only(0o600)))
            .and_then(|()| temporary.as_file().write_all(text.as_bytes()))
            .and_then(|()| self.step(Step::SyncFile, &path))
            .and_then(|()| temporary.as_file().sync_all());
        if written.is_err() {
            let _ = self.remove(&path);
        }
        written.map(|()| path)
    }

    fn replace(&self, temporary: &Path, target: &Path) -> io::Result<()> {
        self.step(Step::Rename, target)?;
        fs::rename(temporary, target)?;
        self.sync_dir(target)
    }

    /// Syncs the directory that contains `file`.
    fn sync_dir(&self, file: &Path) -> io::Result<()> {
        let dir = file.parent().unwrap_or(Path::new("."));
        self.step(Step::SyncDir, dir)?;
        File::open(dir)?.sync_all()
    }

    fn discard(&self, staged: &[(PathBuf, PathBuf)]) {
        for (temporary, _) in staged {
            let _ = self.remove(temporary);
        }
    }
}

/// The file to replace. A symbolic link stays a link, and its target is replaced: owners keep files elsewhere that way.
/// Only where the target's directory is theirs alone, as the directory of the link has to be.
pub(crate) fn target_of(path: &Path) -> io::Result<PathBuf> {
    if !path.is_symlink() {
        return Ok(path.to_owned());
    }
    let Ok(target) = fs::canonicalize(path) else {
        return Ok(path.to_owned());
    };
    if let Some(dir) = target.parent() {
        trust::check(dir)?;
    }
    Ok(target)
}

fn owner_only(mode: u32) -> Permissions {
    Permissions::from_mode(mode)
}

/// Suffix of the names of staged files.
pub(crate) const TEMPORARY_SUFFIX: &str = ".tmp";
