//! The audit log, read: the newest first.

use std::fs::{self, File, Metadata};
use std::io::{self, Read, Seek};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use pairing_core::AuditEvent;

use super::AuditLog;
use super::backwards::{Backwards, Line};

/// Read at once: more than a page of the newest takes.
const BLOCK: usize = 64 * 1024;

/// The longest line that counts: more than an approval of a node with all the commands that one may name.
const LONGEST: usize = 256 * 1024;

/// How often the log may be set aside while it is being opened.
const ATTEMPTS: usize = 4;

/// Some of what was decided, the newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditPage {
    /// What was asked for.
    pub events: Vec<AuditEvent>,
    /// Whether older entries remain.
    pub more: bool,
    /// How many of the lines looked at could not be understood.
    pub problems: u64,
}

impl AuditLog {
    /// The newest events that are wanted, up to `limit`; from this log, and then from the one that was set
    /// aside. Reads no more of them than that takes.
    ///
    /// - Takes no lock: lines are only ever added after what has been opened here, and one that
    ///   is set aside meanwhile is noticed.
    /// - A line that is still being written, or was cut off by a crash at the very end, is passed over;
    ///   others that cannot be understood are counted.
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

    /// This log and the older one, as they were at one moment.
    fn files(&self) -> io::Result<[Option<File>; 2]> {
        for _ in 0..ATTEMPTS {
            let files = [open(&self.path)?, open(&self.older())?];
            // Set aside in between, it might be both of them, or neither.
            let opened = files[0].as_ref().map(File::metadata).transpose()?;
            if opened.as_ref().map(id) == look(&self.path)?.as_ref().map(id) {
                return Ok(files);
            }
        }
        Err(io::Error::other("the log is set aside again and again"))
    }
}

impl AuditPage {
    /// Adds from lines; true once there is enough.
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

/// Reads a log out of its text, however it is cut into blocks: for the fuzz target.
pub(crate) fn parsed(text: &[u8], block: usize) -> AuditPage {
    let mut page = AuditPage::default();
    if let Ok(lines) = Backwards::new(io::Cursor::new(text), block, LONGEST) {
        // Memory does not fail.
        let _ = page.add(lines, usize::MAX, &mut |_| true);
    }
    page
}

fn open(path: &Path) -> io::Result<Option<File>> {
    // Looked at before opening: opening a pipe would wait for a writer.
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

/// What tells a file from any other while it is open.
fn id(meta: &Metadata) -> (u64, u64) {
    (meta.dev(), meta.ino())
}
