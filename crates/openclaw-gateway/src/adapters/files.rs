//! Files of bots: those that hold a token, and those in which an adapter saves something.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use openclaw_config::Secret;
use pairing_core::AccountId;

use crate::{TokenFileError, read_token};

/// Reads a token file. Warns where others on this machine can read it, too. It blocks.
pub(super) fn token(path: &str, home: Option<OsString>) -> Result<Secret, TokenFileError> {
    let path = in_home(path, home);
    warn_if_open(&path);
    read_token(&path)
}

/// A path in which `~/` at the beginning stands for the home directory.
pub(super) fn in_home(path: &str, home: Option<OsString>) -> PathBuf {
    match (path.strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => PathBuf::from(home).join(rest),
        _ => path.into(),
    }
}

#[cfg(unix)]
fn warn_if_open(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = path.metadata().map(|found| found.permissions().mode());
    if mode.is_ok_and(|mode| mode & 0o077 != 0) {
        tracing::warn!(
            path = %pairing_core::quoted(&path.to_string_lossy()).limit(512),
            advice = "others on this machine may read the bot's token: chmod 600 the file",
            "the token file is open to others"
        );
    }
}

#[cfg(not(unix))]
fn warn_if_open(_: &Path) {}

/// The name of an account's file.
pub(super) fn of_account(prefix: &str, account: &AccountId) -> String {
    format!("{prefix}{}.json", name(account))
}

/// The name of an account's directory, which is never hidden, and never the directory above.
#[cfg(feature = "whatsapp-web")]
pub(super) fn directory(account: &AccountId) -> String {
    let name = name(account);
    match name.as_bytes().first() {
        None | Some(b'.') => format!("_{name}"),
        Some(_) => name,
    }
}

/// The name of an account as a part of a file name, as OpenClaw writes it: a run of characters that may not stand there is
/// one `_`.
fn name(account: &AccountId) -> String {
    let is_kept = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let kept = account.as_str().split(|c| !is_kept(c));
    let mut name = String::new();
    let mut is_gap = false;
    for (at, part) in kept.enumerate() {
        if at > 0 && !is_gap {
            name.push('_');
        }
        is_gap = part.is_empty();
        name.push_str(part);
    }
    name
}
