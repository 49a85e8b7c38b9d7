//! Reads the audit log, newest event first.

use std::fs::{self, File, Metadata};
use std::io::{self, Read, Seek};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use pairing_core::AuditEvent;

use super::AuditLog;
use super::backwards::{Backwards, Line};

/// Number of bytes read at a time: more than one page of the newest events takes.
const BLOCK: usize = 64 * 1024;

/// Maximum length of a line: more than the approval of a node with the maximum number of commands.
pub(super) const LONGEST: usize = 256 * 1024;

/// Attempts to open the log while it is being rotated.
const ATTEMPTS: usize = 4;

/// A page of audit events, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditPage {
    /// The requested events.
    pub events: Vec<AuditEvent>,
    /// Whether older entries remain.
    pub more: bool,
    /// Number of lines that were read but could not be parsed.
    pub problems: u64,
}

impl AuditLog {
    /// Returns the newest events that `is_wanted` accepts, up to `limit`; from this log, then from the
    /// previous ones. Reads no more of them than necessary.
    ///
    /// - Takes no lock: lines are only ever added after the data opened here, and a rotation in the
    ///   meantime is noticed.
    /// - A line that is still being written, or was cut off by a crash at the very end, is skipped;
    ///   other lines that cannot be parsed are counted.
    pub fn newest(
        &self,
        limit: usize,
        mut is_wanted: impl FnMut(&AuditEvent) -> bool,
    ) -> io::Result<AuditPage> {
        let mut page = AuditPage::default();
        for file in self.files()?.into_iter().flatten() {
            let lines = Backwards::new(file, BLOCK, LONGEST)?;
            if page.add(lines, limit, &mut is_wanted)? {
                break;
            }
        }
        Ok(page)
    }

    /// Opens this log and the previous ones, newest first, as they were at one moment.
    ///
    /// A rotation renames the files one by one, and this log last. So each path is looked at twice: where nothing changed
    /// between the two, the files are those of the moment between them.
    pub(super) fn files(&self) -> io::Result<Vec<Option<File>>> {
        let paths = self.kept();
        for _ in 0..ATTEMPTS {
            let files = paths.iter().map(|path| open(path));
            let files: Vec<_> = files.collect::<Result<_, _>>()?;
            let mut is_same = true;
            for (path, file) in paths.iter().zip(&files) {
                let opened = file.as_ref().map(File::metadata).transpose()?;
                is_same &= opened.as_ref().map(id) == look(path)?.as_ref().map(id);
            }
            if is_same {
                return Ok(files);
            }
        }
        Err(io::Error::other("the log is set aside again and again"))
    }
}

impl AuditPage {
    /// Adds events from the lines; returns true once there are enough.
    fn add<R: Read + Seek>(
        &mut self,
        lines: Backwards<R>,
        limit: usize,
        is_wanted: &mut impl FnMut(&AuditEvent) -> bool,
    ) -> io::Result<bool> {
        for line in lines {
            let (text, is_whole) = match line? {
                Line::Whole(text) => (text, true),
                Line::Unended(text) => (text, false),
                Line::Long => {
                    self.problems += 1;
                    continue;
                }
            };
            match serde_json::from_slice(&text) {
                Ok(event) if !is_wanted(&event) => {}
                Ok(_) if self.events.len() == limit => {
                    self.more = true;
                    return Ok(true);
                }
                Ok(event) => self.events.push(event),
                Err(_) => self.problems += u64::from(is_whole),
            }
        }
        Ok(false)
    }
}

/// Parses a log from its text, read in blocks of `block` bytes; for the fuzz target.
pub(crate) fn parsed(text: &[u8], block: usize) -> AuditPage {
    let mut page = AuditPage::default();
    if let Ok(lines) = Backwards::new(io::Cursor::new(text), block, LONGEST) {
        // Reading from memory does not fail.
        let _ = page.add(lines, usize::MAX, &mut |_| true);
    }
    page
}

pub(super) fn open(path: &Path) -> io::Result<Option<File>> {
    // Checked before opening: opening a pipe would wait for a writer.
    if look(path)?.is_some_and(|meta| !meta.is_file()) {
        return Err(io::Error::other("the audit log is not a file"));
    }
    missing_is_none(File::open(path))
}

fn look(path: &Path) -> io::Result<Option<Metadata>> {
    missing_is_none(fs::metadata(path))
}

fn missing_is_none<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Returns the device and inode, which identify a file while it is open.
fn id(meta: &Metadata) -> (u64, u64) {
    (meta.dev(), meta.ino())
}
