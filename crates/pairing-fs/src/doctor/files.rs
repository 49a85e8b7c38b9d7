//! Checks that apply to any state file or directory.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::mend::{MARK, Mend, trimmed};
use super::{Found, Severity, loose_mode, push};
use crate::cache::utf8;
use crate::disk;
use crate::docs::Document;
use crate::error::FileError;

/// Age below which a staged file may belong to a process that is still writing it.
const LEFT_OVER_AFTER: Duration = Duration::from_secs(60);

/// Checks whether the directory can be read; reports why not, or which other users can.
pub(super) fn listed(found: &mut Found, dir: &Path) -> bool {
    if let Err(error) = readable_dir(dir) {
        let detail = format!("cannot be listed: {error}");
        let advice = "check its owner and permissions";
        push(
            found,
            Severity::Error,
            "unreadable",
            dir,
            detail,
            advice,
            None,
        );
        return false;
    }
    loose_mode(found, dir);
    true
}

/// Checks that a directory can be listed. A missing directory is fine: there is no state yet.
fn readable_dir(dir: &Path) -> std::io::Result<()> {
    match fs::read_dir(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !dir.is_symlink() => Ok(()),
        listed => listed.map(drop),
    }
}

pub(super) fn left_over(found: &mut Found, path: &Path) {
    let modified = fs::symlink_metadata(path).and_then(|meta| meta.modified());
    let age = modified.map(|at| SystemTime::now().duration_since(at).unwrap_or_default());
    if age.is_ok_and(|age| age >= LEFT_OVER_AFTER) {
        push(
            found,
            Severity::Note,
            "left-over",
            path,
            "a write that did not come to its end has left it",
            "nothing to do; `openclaw doctor --fix` removes it",
            Some(Mend::Remove),
        );
    }
}

/// Returns the document in a file, or `None` after reporting why it cannot be read.
pub(super) fn understood<D: Document>(
    found: &mut Found,
    path: &Path,
    rules: &D::Rules,
) -> Option<D> {
    let bytes = disk::read(path).map(|contents| contents.map(|(_, bytes)| bytes));
    if let Ok(Some(bytes)) = &bytes
        && let Some(doc) = stray::<D>(found, path, bytes, rules)
    {
        return Some(doc);
    }
    let said = bytes.and_then(|bytes| match bytes {
        Some(bytes) => D::parse(utf8(&bytes)?, rules),
        None => Ok(D::default()),
    });
    match said {
        Ok(doc) => Some(doc),
        Err(
            error @ (FileError::Empty
            | FileError::NotUtf8 { .. }
            | FileError::Malformed { .. }
            | FileError::TooLarge { .. }),
        ) => {
            let advice = "restore it from a backup or mend it by hand; `openclaw doctor --fix \
                          --set-aside` moves it aside, and what it holds starts afresh";
            let mend = Some(Mend::SetAside);
            push(
                found,
                Severity::Error,
                "malformed",
                path,
                error.to_string(),
                advice,
                mend,
            );
            None
        }
        Err(error) => {
            let advice = "make it a file that this user can read, or remove it";
            push(
                found,
                Severity::Error,
                "unreadable",
                path,
                error.to_string(),
                advice,
                None,
            );
            None
        }
    }
}

/// Reports a byte order mark before, or NUL bytes after, what is a document otherwise: some editors add the one, and a
/// power failure the others. Returns the document within.
fn stray<D: Document>(found: &mut Found, path: &Path, bytes: &[u8], rules: &D::Rules) -> Option<D> {
    let within = trimmed(bytes)?;
    let doc = D::parse(utf8(within).ok()?, rules).ok()?;
    let has_mark = bytes.starts_with(MARK);
    let nuls = bytes.len() - within.len() - if has_mark { MARK.len() } else { 0 };
    let detail = match (has_mark, nuls) {
        (true, 0) => "begins with a byte order mark, and cannot be read for it".to_owned(),
        (false, nuls) => format!("ends with NUL bytes ({nuls}), and cannot be read for them"),
        (true, nuls) => format!(
            "begins with a byte order mark and ends with NUL bytes ({nuls}), and cannot be read for them"
        ),
    };
    push(
        found,
        Severity::Error,
        "stray-bytes",
        path,
        detail,
        "`openclaw doctor --fix` takes exactly these bytes away, and keeps a copy of the file as it was",
        Some(Mend::Trim),
    );
    Some(doc)
}

pub(super) fn problems(
    found: &mut Found,
    path: &Path,
    kind: &'static str,
    doc: &impl Document,
    advice: &str,
) {
    for problem in doc.problems("") {
        push(
            found,
            Severity::Warning,
            kind,
            path,
            problem.detail,
            advice,
            None,
        );
    }
}
