//! The file operations: how files are read whole, and how they are replaced.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pairing_core::StoreError;

use crate::MAX_FILE_BYTES;
use crate::error::{FileError, unwritable};

/// A step that changes the disk, as a [`Probe`] sees it.
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

/// Asked before every step that changes the disk; an error takes the step's place.
///
/// For tests that stop the store between any two steps: one that has said no has to go on saying no,
/// as a process that has died does nothing more.
#[doc(hidden)]
pub trait Probe: Send + Sync {
    fn before(&self, step: Step, path: &Path) -> io::Result<()>;
}

/// Changes to the disk; the one way they are made.
#[derive(Clone, Default)]
pub(crate) struct Disk {
    probe: Option<Arc<dyn Probe>>,
}

/// A file to be replaced, and what it shall hold.
pub(crate) struct Publication {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

/// What tells one state of a file from another without reading it.
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

    /// Whether the file was changed within the tick of the kernel's clock in which it was read. Then it
    /// could change again and keep its identity.
    fn is_racy(&self) -> bool {
        const TICK_NANOS: i128 = 20_000_000;
        let changed = i128::from(self.changed.0) * 1_000_000_000 + i128::from(self.changed.1);
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |now| i128::try_from(now.as_nanos()).unwrap_or(0));
        now - changed < TICK_NANOS
    }
}

/// A file as it was read: `None` where there is none.
pub(crate) type Contents = Option<(Identity, Vec<u8>)>;

/// The identity of a file now; `None` where there is none, and where looking fails: reading says why.
pub(crate) fn identify(path: &Path) -> Option<Identity> {
    Some(Identity::of(&fs::metadata(path).ok()?))
}

/// An identity that will be another one after any change; `None` for a file that was changed only just.
pub(crate) fn settled(identity: Identity) -> Option<Identity> {
    Some(identity).filter(|identity| !identity.is_racy())
}

/// Reads a file whole. Missing is `None`; anything else that is no readable file is an error.
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
    // Looked at before opening: opening a pipe would wait for a writer.
    if !meta.is_file() {
        return Err(FileError::NotAFile);
    }
    let mut file = match File::open(path) {
        Ok(file) => file,
        // Removed since it was looked at.
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
        // Somebody writes in place instead of renaming: read what they make of it.
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

    /// Makes a directory and those above it, readable by the owner alone whatever the umask.
    pub(crate) fn create_dir(&self, dir: &Path) -> Result<(), StoreError> {
        if dir.is_dir() {
            return Ok(());
        }
        if let Some(above) = dir.parent().filter(|above| !above.as_os_str().is_empty()) {
            self.create_dir(above)?;
        }
        let made = self.step(Step::CreateDir, dir).and_then(|()| {
            DirBuilder::new().mode(0o700).create(dir)?;
            // The umask may have taken something away from the owner.
            fs::set_permissions(dir, owner_only(0o700))
        });
        match made {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && dir.is_dir() => Ok(()),
            made => made.map_err(|error| unwritable(dir, error)),
        }
    }

    /// Creates a file that must not exist yet, with `text` in it.
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

    /// Replaces files, one after the other in the order given, so that each is at any time either the
    /// old one or the new one, whole, also after the power has failed.
    ///
    /// All of them are staged first: where there is no room, nothing has been replaced.
    pub(crate) fn publish(&self, files: &[Publication]) -> Result<(), StoreError> {
        let mut staged: Vec<(PathBuf, PathBuf)> = Vec::with_capacity(files.len());
        for file in files {
            // A link stays a link: what it points to is replaced.
            let target = fs::canonicalize(&file.path).unwrap_or_else(|_| file.path.clone());
            match self.stage(&target, &file.text) {
                Ok(temporary) => staged.push((temporary, target)),
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

    /// Makes a file that must not exist yet, so that at any time it is either missing or whole, also
    /// after the power has failed. `false` where there is one already, which is left alone.
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

    /// Writes a temporary file beside the target: mode 0600, on disk, under a name that nobody takes
    /// for a state file.
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

    /// The directory that a file is in.
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

fn owner_only(mode: u32) -> Permissions {
    Permissions::from_mode(mode)
}

/// What the names of staged files end in.
pub(crate) const TEMPORARY_SUFFIX: &str = ".tmp";
