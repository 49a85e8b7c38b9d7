//! The audit log: one line for each decision, with its approver.

mod backwards;
mod chain;
mod pace;
pub(crate) mod read;

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pairing_core::{AuditEvent, AuditSink, Chain};

pub use chain::{AuditCheck, AuditGap, AuditGapKind};
pub use read::AuditPage;

use pace::{Due, Pace};

use crate::StateDir;
use crate::lock::{OurLock, Patience};
use crate::trust::no_follow;

/// Size from which the log is rotated, in bytes.
const MAX_BYTES: u64 = 10 * 1024 * 1024;

/// Number of older files that are kept.
const GENERATIONS: usize = 9;

/// Time for which an older file is kept.
const KEPT_FOR: Duration = Duration::from_secs(400 * 24 * 60 * 60);

/// Time to wait for another process that is writing; each write takes only a moment.
const LOCK_WAIT: Duration = Duration::from_secs(1);

type Complaint = dyn Fn(&io::Error) + Send + Sync;

/// The file `pairing-audit.jsonl` in the state directory: one JSON object per line, appended to by
/// every process that decides.
///
/// - Readable by the owner only, and only ever appended to; a line is written whole or, after a power
///   failure, cut off at the end of the file.
/// - From 10 MiB on it is renamed to `pairing-audit.jsonl.1`, that one to `.2`, and so on up to `.9`. Older ones are
///   removed, and so are those that are older than 400 days.
/// - [`newest`](Self::newest) reads all of them, from the end.
/// - Each line has a hash over itself and the line before it; [`verify`](Self::verify) finds what was changed or taken
///   away.
/// - Of one remote approver, 60 decisions a minute are lines of their own. The rest of the minute becomes one line, of the
///   last of them, with their number in `leftOut`.
/// - An error does not undo a decision: it is passed to the callback of [`on_error`](Self::on_error), if set. The latest
///   256 lines that could not be written are kept in memory, and written first as soon as that is possible.
#[derive(Clone)]
pub struct AuditLog {
    path: PathBuf,
    max_bytes: u64,
    complaint: Option<Arc<Complaint>>,
    pace: Arc<Mutex<Pace>>,
    late: Arc<Mutex<Late>>,
}

/// Number of lines that are kept while the log cannot be written.
const MOST_LATE: usize = 256;

/// The lines that could not be written yet.
#[derive(Default)]
struct Late {
    lines: VecDeque<String>,
    /// Number of lines that were dropped because there were too many.
    lost: u64,
    /// Why they could not be written.
    why: Option<String>,
}

impl AuditLog {
    /// Returns the log of an install. Touches no file.
    pub fn new(state: &StateDir) -> Self {
        Self {
            path: state.root().join("pairing-audit.jsonl"),
            max_bytes: MAX_BYTES,
            complaint: None,
            pace: Arc::default(),
            late: Arc::default(),
        }
    }

    /// Sets a callback for errors.
    pub fn on_error(mut self, complaint: impl Fn(&io::Error) + Send + Sync + 'static) -> Self {
        self.complaint = Some(Arc::new(complaint));
        self
    }

    /// Sets the size from which the log is rotated; for tests.
    #[doc(hidden)]
    pub fn rotated_at(mut self, max_bytes: u64) -> Self {
        self.max_bytes = max_bytes;
        self
    }

    /// Path of the log.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends a line: a JSON object, without line breaks.
    pub fn append(&self, line: &str) -> io::Result<()> {
        self.append_line(line)?
    }

    /// Returns why decisions are missing from the log, escaped; `None` if none is.
    pub fn fault(&self) -> Option<String> {
        let late = self.late();
        let why = late.why.as_ref()?;
        let (waiting, lost) = (late.lines.len(), late.lost);
        Some(format!(
            "{waiting} lines wait to be written, and {lost} are lost: {why}"
        ))
    }

    /// Writes the lines that could not be written before, if there are any. Blocks, at most for a moment.
    pub fn write_late(&self) {
        let is_late = self.late().why.is_some();
        if is_late {
            self.write(Vec::new());
        }
    }

    /// Appends a line. The outer error says that the log does not have it; the inner one says that the log has it, and
    /// that the head of the chain does not tell of it.
    fn append_line(&self, line: &str) -> io::Result<io::Result<()>> {
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
            self.rotate()?;
            file = self.open()?;
        }
        let link = self.end_of_chain()?.next(line);
        let line = link.mark(line).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidInput,
                "an audit line that is no object",
            )
        })?;
        // A partial line left by a full disk or a crash must not corrupt the next one.
        let begin = if ends_a_line(&mut file)? { "" } else { "\n" };
        // In one call, so that readers do not see half a line.
        file.write_all(format!("{begin}{line}\n").as_bytes())?;
        Ok(self.set_head(&link))
    }

    /// Path of an older log; number 1 is the one before this.
    fn older(&self, number: usize) -> PathBuf {
        let mut older = self.path.clone().into_os_string();
        older.push(format!(".{number}"));
        older.into()
    }

    fn write(&self, due: Vec<Due>) {
        let mut late = self.late();
        for (event, left_out) in due {
            let line = serde_json::to_string(&event).map_err(io::Error::other);
            let line = line.map(|line| match (left_out, line.strip_suffix('}')) {
                (Some(count), Some(open)) => format!(r#"{open},"leftOut":{count}}}"#),
                _ => line,
            });
            match line {
                Ok(line) => late.lines.push_back(line),
                Err(error) => self.complain(&error),
            }
        }
        let written = self.write_lines(&mut late);
        late.why = written.as_ref().err().map(|error| Chain(error).to_string());
        while late.lines.len() > MOST_LATE {
            late.lines.pop_front();
            late.lost += 1;
        }
        drop(late);
        if let Err(error) = written {
            self.complain(&error);
        }
    }

    /// Writes lines in their order. Those that are not written stay.
    fn write_lines(&self, late: &mut Late) -> io::Result<()> {
        while let Some(line) = late.lines.front() {
            let appended = self.append_line(line);
            let is_unfit = |error: &io::Error| error.kind() == io::ErrorKind::InvalidInput;
            // What is in the log is not written again, nor what never can be.
            if appended.as_ref().err().is_none_or(is_unfit) {
                late.lines.pop_front();
            }
            appended??;
        }
        Ok(())
    }

    fn complain(&self, error: &io::Error) {
        if let Some(complaint) = &self.complaint {
            complaint(error);
        }
    }

    fn late(&self) -> MutexGuard<'_, Late> {
        self.late.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pace(&self) -> std::sync::MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self) -> io::Result<File> {
        OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .custom_flags(no_follow())
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
        let due = self.pace().take(event);
        self.write(due);
    }
}

impl Drop for AuditLog {
    fn drop(&mut self) {
        // The last one to be dropped records what was left out.
        if Arc::strong_count(&self.pace) == 1 {
            let due = self.pace().end();
            self.write(due);
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
