//! What is wrong with a state directory, and what can be done about it.

mod dm;
mod files;
mod identity;
mod mend;
mod registry;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use pairing_core::{Channels, Limits, Timestamp};

use crate::StateDir;
use mend::Mend;

/// Something that a person should know about the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What it is, in kebab case: `loose-mode`, `malformed`, …; stable for programs to go by.
    pub kind: &'static str,
    /// The file or directory.
    pub path: PathBuf,
    /// What is wrong, for a person. May quote what was found: escape it before showing.
    pub detail: String,
    /// What to do about it.
    pub advice: String,
    /// Whether [`fix`] can mend it.
    pub fixable: bool,
    /// Whether it has just been mended.
    pub fixed: bool,
}

/// How bad a [`Finding`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Good to know.
    Note,
    /// Works, but not as somebody meant it to.
    Warning,
    /// Something does not work.
    Error,
}

/// How far [`fix`] goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fix {
    /// Move files that cannot be understood aside, under a name that ends in `.broken-<time>`, so that
    /// their channel starts afresh. Nothing else is ever done to such a file.
    pub set_aside: bool,
}

/// Looks at a state directory without changing anything.
pub fn examine(
    state: &StateDir,
    channels: &Channels,
    limits: &Limits,
    now: Timestamp,
) -> Vec<Finding> {
    let found = found(state, channels, limits, now);
    found.into_iter().map(|(finding, _)| finding).collect()
}

/// Looks at a state directory and mends what can be mended without losing anything: modes, stale
/// locks, left-over files, expired requests.
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
    loose_mode(&mut found, state.root());
    // Elsewhere it is somebody's who may mean others to read it.
    if state.config().starts_with(state.root()) {
        loose_mode(&mut found, state.config());
    }
    for log in ["pairing-audit.jsonl", "pairing-audit.jsonl.1"] {
        loose_mode(&mut found, &state.root().join(log));
    }
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

/// Directories are for the owner alone (0700), and so are files (0600).
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
