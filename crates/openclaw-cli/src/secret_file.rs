//! Secrets in files that the command line names.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use gateway_protocol::Secret;
use zeroize::Zeroizing;

use crate::Failure;
use crate::console::Screen;

/// Maximum size of a secret, in bytes.
const LONGEST: u64 = 4096;

/// Reads a secret, and warns if other users can read the file.
pub(crate) fn read(path: &Path, screen: &mut Screen<'_, '_>) -> Result<Secret, Failure> {
    let secret = load(path)?;
    if is_open_to_others(path) {
        screen.caution(&format!(
            "others on this machine can read the secret in {0}: `chmod 600 {0}`",
            path.display()
        ));
    }
    Ok(secret)
}

/// Reads a secret: the only line of the file.
pub(crate) fn load(path: &Path) -> Result<Secret, Failure> {
    let failed = |source| Failure::SecretFile {
        path: path.display().to_string(),
        source,
    };
    let file = File::open(path).map_err(failed)?;
    let mut text = Zeroizing::new(String::new());
    file.take(LONGEST + 1)
        .read_to_string(&mut text)
        .map_err(failed)?;
    let secret = text.trim_end_matches(['\n', '\r']);
    let wrong = |reason| Failure::NoSecret {
        path: path.display().to_string(),
        reason,
    };
    if secret.trim().is_empty() {
        Err(wrong("it is empty"))
    } else if text.len() as u64 > LONGEST {
        Err(wrong("it is too long for a secret"))
    } else if secret.contains(char::is_control) {
        Err(wrong("it has several lines, or holds control characters"))
    } else if openclaw_config::Secret::parse(secret).is_none() {
        Err(wrong(
            "it is what some program put in place of the real one",
        ))
    } else {
        Ok(secret.into())
    }
}

#[cfg(unix)]
fn is_open_to_others(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata = path.metadata().ok().filter(std::fs::Metadata::is_file);
    metadata.is_some_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn is_open_to_others(_: &Path) -> bool {
    false
}
