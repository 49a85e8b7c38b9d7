//! One gateway for each state directory.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use gateway_protocol::Advise as _;
use pairing_core::{StoreError, Timestamp};
use pairing_fs::trust::no_follow;
use pairing_fs::{StateDir, owned};
use serde::{Deserialize, Serialize};

/// The right to be the gateway of a state directory. It is held until this is dropped.
///
/// - An OS lock, on `.gateway.oslock`, which dies with its process: what a crash leaves behind locks
///   nobody out. What the file says (`{ "pid", "port", "startedAt" }`) is for people only.
/// - OpenClaw's own gateway takes no such lock, and is not seen: not running both is up to the owner.
#[derive(Debug)]
pub struct Instance {
    file: File,
    path: PathBuf,
    holder: Holder,
}

/// Looks after the lock of a gateway: whether another one would still find it.
#[derive(Debug, Clone)]
pub struct InstanceWatch {
    path: PathBuf,
    /// The device and number of the file; `None` if they are not known.
    file: Option<(u64, u64)>,
}

impl InstanceWatch {
    /// Why another gateway could start on the same state directory.
    pub fn fault(&self) -> Option<String> {
        let file = self.file?;
        match std::fs::symlink_metadata(&self.path) {
            Ok(found) if (found.dev(), found.ino()) == file => None,
            Ok(_) => Some("its file has been replaced".to_owned()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Some("its file is gone".to_owned())
            }
            Err(error) => Some(format!("its file cannot be looked at: {}", error.kind())),
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Holder {
    pid: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
    started_at: Timestamp,
}

/// No gateway can run on this state directory now.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InstanceError {
    /// Another gateway runs on it.
    #[error("a gateway is running on {} already: {holder}", state.display())]
    Running {
        /// The state directory.
        state: PathBuf,
        /// The process, its port and its start, as far as they are known.
        holder: String,
    },
    /// The directory cannot be created.
    #[error(transparent)]
    State(#[from] StoreError),
    /// The lock file cannot be used.
    #[error("cannot lock {}", path.display())]
    Lock {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl InstanceError {
    /// A line that says what to do next, for a person.
    pub fn advice(&self) -> String {
        match self {
            Self::Running { .. } => {
                "stop that one first, or give this one another directory with --state-dir or \
                 OPENCLAW_STATE_DIR"
                    .to_owned()
            }
            Self::State(error) => error.advice().unwrap_or_default(),
            Self::Lock { .. } => "check free space and permissions, then try again".to_owned(),
        }
    }
}

impl Instance {
    /// Becomes the gateway of a state directory, which is created if it is missing. Does not wait.
    pub fn acquire(state: &StateDir, now: Timestamp) -> Result<Self, InstanceError> {
        owned::create_dir(state.root())?;
        let path = state.root().join(".gateway.oslock");
        let failed = |source| InstanceError::Lock {
            path: path.clone(),
            source,
        };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            // What a link leads to would be emptied.
            .custom_flags(no_follow())
            .open(&path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(InstanceError::Running {
                    state: state.root().to_owned(),
                    holder: holder(&mut file),
                });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        let holder = Holder {
            pid: std::process::id(),
            port: None,
            started_at: now,
        };
        let mut instance = Self { file, path, holder };
        instance.say();
        Ok(instance)
    }

    /// Records the port, for people.
    pub fn listens_on(&mut self, port: u16) {
        self.holder.port = Some(port);
        self.say();
    }

    /// What looks after the lock while the gateway runs.
    pub fn watch(&self) -> InstanceWatch {
        let file = self.file.metadata().ok();
        InstanceWatch {
            path: self.path.clone(),
            file: file.map(|file| (file.dev(), file.ino())),
        }
    }

    /// The path of the lock file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The lock does not depend on the file's text, so a full disk stops no gateway.
    fn say(&mut self) {
        let write = || -> io::Result<()> {
            let text = serde_json::to_string(&self.holder)? + "\n";
            self.file.set_len(0)?;
            self.file.rewind()?;
            self.file.write_all(text.as_bytes())
        };
        let mut write = write;
        if let Err(error) = write() {
            tracing::debug!(%error, "cannot write down who holds the lock");
        }
    }
}

/// Describes the holder of the lock.
fn holder(file: &mut File) -> String {
    let mut text = String::new();
    let read = file.take(4096).read_to_string(&mut text);
    let holder: Option<Holder> = read.ok().and_then(|_| serde_json::from_str(&text).ok());
    let Some(Holder {
        pid,
        port,
        started_at,
    }) = holder
    else {
        return "another process".to_owned();
    };
    match port {
        Some(port) => format!("process {pid} on port {port}, since {started_at}"),
        None => format!("process {pid}, since {started_at}"),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn now() -> Timestamp {
        Timestamp::parse("2026-11-22T13:27:57.013Z").unwrap()
    }

    #[test]
    fn t116_a_lock_that_is_a_link_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::at(dir.path().join("state"));
        std::fs::create_dir(state.root()).unwrap();
        let precious = dir.path().join("precious");
        std::fs::write(&precious, "kept").unwrap();
        std::os::unix::fs::symlink(&precious, state.root().join(".gateway.oslock")).unwrap();
        let error = Instance::acquire(&state, Timestamp::from_millis(0)).unwrap_err();
        assert!(matches!(error, InstanceError::Lock { .. }), "{error}");
        assert_eq!(std::fs::read_to_string(&precious).unwrap(), "kept");
    }

    #[test]
    fn the_second_one_is_told_of_the_first() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::at(dir.path().join("state"));
        let mut first = Instance::acquire(&state, now()).unwrap();
        let refused = || Instance::acquire(&state, now()).unwrap_err();
        let pid = std::process::id();
        let holder = format!("process {pid}, since 2026-11-22T13:27:57.013Z");
        assert!(refused().to_string().ends_with(&holder), "{}", refused());
        first.listens_on(18789);
        let holder = format!("process {pid} on port 18789, since 2026-11-22T13:27:57.013Z");
        assert!(refused().to_string().ends_with(&holder), "{}", refused());
        assert!(refused().advice().contains("OPENCLAW_STATE_DIR"));
        let mode = std::fs::metadata(first.path())
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);

        let elsewhere = StateDir::at(dir.path().join("other"));
        assert!(Instance::acquire(&elsewhere, now()).is_ok());
        drop(first);
        assert!(Instance::acquire(&state, now()).is_ok());
    }

    #[test]
    fn what_the_file_says_decides_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::at(dir.path());
        let file = dir.path().join(".gateway.oslock");
        for text in [
            "",
            "{",
            &"x".repeat(5000),
            "\u{0}",
            r#"{"pid":1,"port":1,"startedAt":"2026-11-22T13:27:57.013Z"}"#,
        ] {
            std::fs::write(&file, text).unwrap();
            let held = Instance::acquire(&state, now()).unwrap();
            let error = Instance::acquire(&state, now()).unwrap_err().to_string();
            assert!(
                error.contains(&format!("process {}", std::process::id())),
                "{error}"
            );
            // Another program overwrites the file while the lock is held.
            std::fs::write(&file, "\u{1b}[2J").unwrap();
            let error = Instance::acquire(&state, now()).unwrap_err().to_string();
            assert!(error.ends_with("already: another process"), "{error}");
            drop(held);
        }
    }

    #[test]
    fn a_lock_that_cannot_be_had_is_no_gateway() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join(".gateway.oslock")).unwrap();
        let error = Instance::acquire(&StateDir::at(dir.path()), now()).unwrap_err();
        assert!(matches!(error, InstanceError::Lock { .. }), "{error}");
        assert!(error.to_string().contains(".gateway.oslock"));
    }
}
