//! The audit log: one line for each decision, with its approver.

mod backwards;
pub(crate) mod read;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use pairing_core::{AuditEvent, AuditSink};

pub use read::AuditPage;

use crate::StateDir;
use crate::lock::{OurLock, Patience};

/// Size from which the log is rotated, in bytes.
const MAX_BYTES: u64 = 10 * 1024 * 1024;

/// Time to wait for another process that is writing; each write takes only a moment.
const LOCK_WAIT: Duration = Duration::from_secs(1);

type Complaint = dyn Fn(&io::Error) + Send + Sync;

/// The file `pairing-audit.jsonl` in the state directory: one JSON object per line, appended to by
/// every process that decides.
///
/// - Readable by the owner only, and only ever appended to; a line is written whole or, after a power
///   failure, cut off at the end of the file.
/// - From 10 MiB on it is renamed to `pairing-audit.jsonl.1`, which replaces the previous file of that name.
/// - [`newest`](Self::newest) reads both, from the end.
/// - An error does not undo a decision: it is passed to the callback of [`on_error`](Self::on_error), if set.
#[derive(Clone)]
pub struct AuditLog {
    path: PathBuf,
    max_bytes: u64,
    complaint: Option<Arc<Complaint>>,
}

impl AuditLog {
    /// Returns the log of an install. Touches no file.
    pub fn new(state: &StateDir) -> Self {
        Self {
            path: state.root().join("pairing-audit.jsonl"),
            max_bytes: MAX_BYTES,
            complaint: None,
        }
    }

    /// Sets a callback for errors.
    pub fn on_error(self, complaint: impl Fn(&io::Error) + Send + Sync + 'static) -> Self {
        Self {
            complaint: Some(Arc::new(complaint)),
            ..self
        }
    }

    /// Sets the size from which the log is rotated; for tests.
    #[doc(hidden)]
    pub fn rotated_at(self, max_bytes: u64) -> Self {
        Self { max_bytes, ..self }
    }

    /// Path of the log.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends a line, which must not contain a line break.
    pub fn append(&self, line: &str) -> io::Result<()> {
        if line.contains(['\n', '\r']) {
            let reason = "an audit line with a line break";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
        }
        // Without the lock, a line could be appended to the log after it was renamed.
        let lock = self.path.with_file_name(".pairing-audit.oslock");
        let _lock =
            OurLock::take(&lock, &mut Patience::new(LOCK_WAIT)).map_err(io::Error::other)?;
        let mut file = self.open()?;
        if file.metadata()?.len() >= self.max_bytes {
            fs::rename(&self.path, self.older())?;
            file = self.open()?;
        }
        // A partial line left by a full disk or a crash must not corrupt the next one.
        let begin = if ends_a_line(&mut file)? { "" } else { "\n" };
        // In one call, so that readers do not see half a line.
        file.write_all(format!("{begin}{line}\n").as_bytes())
    }

    /// Path of the previous log.
    fn older(&self) -> PathBuf {
        let mut older = self.path.clone().into_os_string();
        older.push(".1");
        older.into()
    }

    fn open(&self) -> io::Result<File> {
        OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&self.path)
    }
}

fn ends_a_line(file: &mut File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(true);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

impl AuditSink for AuditLog {
    fn record(&self, event: &AuditEvent) {
        let line = serde_json::to_string(event).map_err(io::Error::other);
        if let Err(error) = line.and_then(|line| self.append(&line))
            && let Some(complaint) = &self.complaint
        {
            complaint(&error);
        }
    }
}

impl std::fmt::Debug for AuditLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuditLog")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}
