//! The chain of hashes through the audit log: what was recorded cannot be changed or taken away without a trace.
//!
//! Each line ends with its number and a hash over the line before it and itself:
//! `{…,"seq":7,"chain":"<SHA-256>"}`. The last of them is in a file of its own, the head, so that a log whose end was cut
//! off is not taken for a whole one. Whoever can write both files can make a chain of their own: it shows damage and
//! clumsiness, not an owner who lies to themselves.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::AuditLog;
use super::backwards::{Backwards, Line};
use super::read::{LONGEST, open};
use crate::MAX_FILE_BYTES;
use crate::disk;
use crate::hex::hex;

/// Number of bytes read at a time to find the last line.
const BLOCK: usize = 4096;

/// Maximum number of gaps that are described.
const MOST_GAPS: usize = 16;

/// A line's place in the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Link {
    pub(super) seq: u64,
    chain: String,
}

/// The result of [`AuditLog::verify`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuditCheck {
    /// Number of lines before the chain begins: an earlier release wrote them.
    pub before: u64,
    /// Number of lines in the chain.
    pub chained: u64,
    /// Number of the oldest line that is kept; greater than 1 once old files have been removed.
    pub first: Option<u64>,
    /// The first gaps, oldest first.
    pub gaps: Vec<AuditGap>,
    /// Number of gaps in all.
    pub all_gaps: u64,
}

/// A place where the log is not what was written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuditGap {
    /// The file.
    pub path: PathBuf,
    /// The line, from 1; `None` if it is missing.
    pub line: Option<u64>,
    /// What is wrong there.
    pub kind: AuditGapKind,
}

/// What is wrong with the audit log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuditGapKind {
    /// A line within the chain that does not belong to it.
    Foreign,
    /// A line that does not follow the one before it: one of them was changed, or others between them taken away.
    Broken,
    /// The newest lines are gone.
    CutOff,
    /// The file that names the newest line is gone.
    NoHead,
}

impl AuditGapKind {
    /// Describes it for a person.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Foreign => "a line that was not recorded here",
            Self::Broken => {
                "a line does not follow the one before it: lines were changed or taken away"
            }
            Self::CutOff => "the newest lines are gone",
            Self::NoHead => "the file that names the newest line is gone",
        }
    }
}

impl Link {
    /// The place before the first line.
    fn start() -> Self {
        Self {
            seq: 0,
            chain: "0".repeat(64),
        }
    }

    /// The place of a line after this one.
    pub(super) fn next(&self, line: &str) -> Self {
        let seq = self.seq.saturating_add(1);
        let mut hash = Sha256::new();
        hash.update(&self.chain);
        hash.update(seq.to_be_bytes());
        hash.update(line);
        let chain = hex(&hash.finalize());
        Self { seq, chain }
    }

    /// The line with its place; `None` if it is no JSON object with members.
    pub(super) fn mark(&self, line: &str) -> Option<String> {
        let open = line
            .strip_suffix('}')
            .filter(|open| open.starts_with("{\""))?;
        let Self { seq, chain } = self;
        Some(format!(r#"{open},"seq":{seq},"chain":"{chain}"}}"#))
    }

    /// What was recorded, and its place; `None` if the line has none.
    fn read(line: &str) -> Option<(String, Self)> {
        // No text within the line contains this: its quotes would be escaped.
        let (open, own) = line.split_at(line.rfind(r#","seq":"#)?);
        let own = format!("{{{}", own.strip_prefix(',')?);
        let link = serde_json::from_str(&own).ok()?;
        Some((format!("{open}}}"), link))
    }
}

impl AuditLog {
    /// Returns the place after which the next line goes.
    ///
    /// If the log does not end where the head says, the next line follows the head, so that the gap stays visible;
    /// except for one line after it, which a crash may leave.
    pub(super) fn end_of_chain(&self) -> io::Result<Link> {
        let last = match last_line(&self.path)? {
            Some(last) => Some(last),
            None => last_line(&self.older(1))?,
        };
        Ok(match (self.head()?, last) {
            (Some(head), Some((line, link))) if head.next(&line) == link => link,
            (Some(head), _) => head,
            (None, Some((_, link))) => link,
            (None, None) => Link::start(),
        })
    }

    fn head_path(&self) -> PathBuf {
        self.path.with_file_name(".pairing-audit.head")
    }

    fn head(&self) -> io::Result<Option<Link>> {
        let found = disk::read(&self.head_path()).map_err(io::Error::other)?;
        Ok(found.and_then(|(_, bytes)| serde_json::from_slice(&bytes).ok()))
    }

    /// Replaces the head. It is not synced, no more than the log itself is.
    pub(super) fn set_head(&self, link: &Link) -> io::Result<()> {
        let dir = self.path.parent().unwrap_or(Path::new("."));
        let mut file = tempfile::Builder::new()
            .prefix(".pairing-audit.head.")
            .suffix(disk::TEMPORARY_SUFFIX)
            .tempfile_in(dir)?;
        file.write_all(serde_json::to_string(link)?.as_bytes())?;
        file.persist(self.head_path())?;
        Ok(())
    }

    /// Checks the whole log: that nothing in it was changed, and nothing taken away but the oldest files.
    ///
    /// - Lines before the first one of the chain are accepted: earlier releases wrote none.
    /// - Reads all of it, and takes no lock.
    pub fn verify(&self) -> io::Result<AuditCheck> {
        let mut check = AuditCheck::default();
        // Read first: lines that are added meanwhile come after it.
        let head = self.head()?;
        let mut is_head_seen = false;
        let mut before: Option<Link> = None;
        for (path, file) in self.kept().into_iter().zip(self.files()?).rev() {
            let Some(file) = file else { continue };
            let mut bytes = Vec::new();
            if file.take(MAX_FILE_BYTES).read_to_end(&mut bytes)? as u64 == MAX_FILE_BYTES {
                return Err(io::Error::other("the audit log is too large to read"));
            }
            let text = String::from_utf8_lossy(&bytes);
            let ended = text.rfind('\n').map_or(0, |at| at + 1);
            let lines = text.get(..ended).unwrap_or_default().lines();
            for (line, number) in lines.zip(1..).filter(|(line, _)| !line.is_empty()) {
                let Some((recorded, link)) = Link::read(line) else {
                    if before.is_none() {
                        check.before += 1;
                    } else {
                        check.add(&path, Some(number), AuditGapKind::Foreign);
                    }
                    continue;
                };
                let start = (link.seq == 1).then(Link::start);
                let is_next = |before: &Link| before.next(&recorded) == link;
                if !before.as_ref().or(start.as_ref()).is_none_or(is_next) {
                    check.add(&path, Some(number), AuditGapKind::Broken);
                }
                check.chained += 1;
                check.first.get_or_insert(link.seq);
                is_head_seen |= head.as_ref() == Some(&link);
                before = Some(link);
            }
        }
        match head {
            Some(_) if !is_head_seen => check.add(&self.path, None, AuditGapKind::CutOff),
            // The head is written after the first line, and perhaps since it was looked for.
            None if before.is_some_and(|last| last.seq > 1) && self.head()?.is_none() => {
                check.add(&self.head_path(), None, AuditGapKind::NoHead);
            }
            _ => {}
        }
        Ok(check)
    }

    /// The files of the log that exist, newest first.
    pub(crate) fn files_kept(&self) -> impl Iterator<Item = PathBuf> {
        self.kept().into_iter().filter(|path| path.exists())
    }

    /// The files of the log that may exist, newest first.
    pub(super) fn kept(&self) -> Vec<PathBuf> {
        let older = (1..=super::GENERATIONS).map(|number| self.older(number));
        std::iter::once(self.path.clone()).chain(older).collect()
    }

    /// Makes room for a new log: each file becomes the next older one. The oldest goes, and so do those that nothing was
    /// added to for longer than they are kept.
    pub(super) fn rotate(&self) -> io::Result<()> {
        let files = self.kept();
        for (newer, older) in files.iter().zip(files.iter().skip(1)).rev() {
            let Ok(found) = fs::symlink_metadata(newer) else {
                continue;
            };
            let age = found.modified()?.elapsed().unwrap_or_default();
            if age > super::KEPT_FOR && newer != &self.path {
                fs::remove_file(newer)?;
            } else {
                fs::rename(newer, older)?;
            }
        }
        Ok(())
    }
}

/// The last line that was written whole, if it is in the chain.
fn last_line(path: &Path) -> io::Result<Option<(String, Link)>> {
    let Some(file) = open(path)? else {
        return Ok(None);
    };
    for line in Backwards::new(file, BLOCK, LONGEST)? {
        if let Line::Whole(text) = line? {
            let text = String::from_utf8(text).ok();
            return Ok(text.and_then(|text| Link::read(&text)));
        }
    }
    Ok(None)
}

impl AuditCheck {
    /// Whether the log is as it was written.
    pub fn is_whole(&self) -> bool {
        self.all_gaps == 0
    }

    fn add(&mut self, path: &Path, line: Option<u64>, kind: AuditGapKind) {
        self.all_gaps += 1;
        if self.gaps.len() < MOST_GAPS {
            self.gaps.push(AuditGap {
                path: path.to_owned(),
                line,
                kind,
            });
        }
    }
}
