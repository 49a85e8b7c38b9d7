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

    /// Opens this log and the previous ones, as they were at one moment.
    fn files(&self) -> io::Result<Vec<Option<File>>> {
        for _ in 0..ATTEMPTS {
            let files: Vec<_> = self
                .kept()
                .iter()
                .map(|path| open(path))
                .collect::<Result<_, _>>()?;
            // With a rotation in between, these could be the same log twice, or miss one.
            let opened = files.first().and_then(Option::as_ref);
            let opened = opened.map(File::metadata).transpose()?;
            if opened.as_ref().map(id) == look(&self.path)?.as_ref().map(id) {
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
