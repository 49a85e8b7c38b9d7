//! Finds problems in a state directory, and fixes those that can be fixed.

mod audit;
mod dm;
mod files;
mod identity;
mod mend;
mod registry;

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use pairing_core::{Channels, Limits, Timestamp};

use rustix::fs::Access;

use crate::{StateDir, trust};
use mend::Mend;

/// A problem in the state that its owner should know about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Severity of the problem.
    pub severity: Severity,
    /// Kind of problem, in kebab case: `loose-mode`, `malformed`, …; stable, so that programs can rely on it.
    pub kind: &'static str,
    /// File or directory with the problem.
    pub path: PathBuf,
    /// Description for a person. May quote text found in the file: escape it before showing it.
    pub detail: String,
    /// Advice for fixing it.
    pub advice: String,
    /// Whether [`fix`] can fix it.
    pub fixable: bool,
    /// Whether it has just been fixed.
    pub fixed: bool,
}

/// Severity of a [`Finding`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// For information only.
    Note,
    /// It works, but not as intended.
    Warning,
    /// Something does not work.
    Error,
}

/// Limits on the repairs that [`fix`] makes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fix {
    /// Move files that cannot be parsed aside, under a name that ends in `.broken-<time>`, so that
    /// their channel starts afresh. The content of such a file is never changed.
    pub set_aside: bool,
}

/// Checks a state directory without changing anything.
pub fn examine(
    state: &StateDir,
    channels: &Channels,
    limits: &Limits,
    now: Timestamp,
) -> Vec<Finding> {
    let found = found(state, channels, limits, now);
    found.into_iter().map(|(finding, _)| finding).collect()
}

/// Checks a state directory and fixes everything that can be fixed without losing anything: modes, stale
/// locks, left-over files, expired requests, stray bytes around a document (after a copy).
pub fn fix(
    state: &StateDir,
    channels: &Channels,
    limits: &Limits,
    now: Timestamp,
    how: &Fix,
) -> Vec<Finding> {
    let found = found(state, channels, limits, now);
    found
        .into_iter()
        .map(|(mut finding, mend)| {
            let mended =
                mend.map(|mend| mend.apply(&finding.path, state, channels, limits, now, *how));
            match mended {
                Some(Ok(fixed)) => finding.fixed = fixed,
                Some(Err(error)) => finding.advice = format!("could not be mended: {error}"),
                None => {}
            }
            finding
        })
        .collect()
}

type Found = Vec<(Finding, Option<Mend>)>;

fn found(state: &StateDir, channels: &Channels, limits: &Limits, now: Timestamp) -> Found {
    let mut found = Found::new();
    if !state.root().exists() {
        note(
            &mut found,
            "no-state",
            state.root(),
            "the state directory does not exist",
            "it is made with the first request; check OPENCLAW_STATE_DIR if you expected one",
        );
        return found;
    }
    if let Err(untrusted) = trust::check(state.root()) {
        push(
            &mut found,
            Severity::Error,
            "not-the-owners",
            untrusted.path(),
            untrusted.to_string(),
            untrusted.advice(),
            None,
        );
    }
    let dirs = [
        state.root().to_owned(),
        state.credentials().to_owned(),
        state.devices(),
        state.nodes(),
    ];
    unwritable(&mut found, &dirs, |dir| {
        let wanted = Access::WRITE_OK | Access::EXEC_OK;
        Ok(rustix::fs::access(dir, wanted)?)
    });
    loose_mode(&mut found, state.root());
    // A configuration outside the state directory may be readable by others on purpose.
    if state.config().starts_with(state.root()) {
        loose_mode(&mut found, state.config());
    }
    audit::examine(&mut found, state);
    dm::examine(&mut found, state.credentials(), channels, limits, now);
    registry::devices(&mut found, &state.devices(), now);
    registry::nodes(&mut found, &state.nodes(), now);
    identity::examine(&mut found, state);
    found
}

fn note(found: &mut Found, kind: &'static str, path: &Path, detail: &str, advice: &str) {
    push(found, Severity::Note, kind, path, detail, advice, None);
}

fn push(
    found: &mut Found,
    severity: Severity,
    kind: &'static str,
    path: &Path,
    detail: impl Into<String>,
    advice: impl Into<String>,
    mend: Option<Mend>,
) {
    let finding = Finding {
        severity,
        kind,
        path: path.to_owned(),
        detail: detail.into(),
        advice: advice.into(),
        fixable: mend
            .as_ref()
            .is_some_and(|mend| !matches!(mend, Mend::SetAside)),
        fixed: false,
    };
    found.push((finding, mend));
}

/// Reports directories in which nothing can be written: the gateway could not start, and no approval be kept.
fn unwritable(found: &mut Found, dirs: &[PathBuf], may_write: impl Fn(&Path) -> io::Result<()>) {
    for dir in dirs.iter().filter(|dir| dir.is_dir()) {
        if let Err(error) = may_write(dir) {
            push(
                found,
                Severity::Error,
                "not-writable",
                dir,
                format!("nothing can be written there: {error}"),
                "check its owner and mode, and whether its file system is mounted read-only",
                None,
            );
        }
    }
}

/// Reports a mode that gives rights to others: directories should be 0700, files 0600.
fn loose_mode(found: &mut Found, path: &Path) {
    let Ok(meta) = fs::metadata(path) else { return };
    let mode = meta.permissions().mode() & 0o777;
    let for_others = mode & 0o077;
    if for_others == 0 {
        return;
    }
    let wanted = if meta.is_dir() { 0o700 } else { 0o600 };
    push(
        found,
        Severity::Warning,
        "loose-mode",
        path,
        format!("mode {mode:04o} lets other users in, {wanted:04o} is enough"),
        format!("run `openclaw doctor --fix`, or `chmod {wanted:o}` it"),
        Some(Mend::Chmod(wanted)),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t144_a_directory_that_cannot_be_written_is_an_error_once_for_each() {
        let dir = tempfile::tempdir().unwrap();
        let (root, inner, missing) = (
            dir.path().to_owned(),
            dir.path().join("credentials"),
            dir.path().join("devices"),
        );
        fs::create_dir(&inner).unwrap();
        let dirs = [root.clone(), inner, missing];
        let mut found = Found::new();
        unwritable(&mut found, &dirs, |_| Ok(()));
        assert!(found.is_empty());
        unwritable(&mut found, &dirs, |dir| {
            let is_writable = dir != root;
            is_writable
                .then_some(())
                .ok_or(io::ErrorKind::ReadOnlyFilesystem.into())
        });
        let found: Vec<_> = found.into_iter().map(|(finding, _)| finding).collect();
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].kind, &found[0].path), ("not-writable", &root));
        assert_eq!(found[0].severity, Severity::Error);
    }
}
