//! Which `openclaw` a shell would find. The other program's command has the same name.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use pairing_fs::doctor::{Finding, Severity};

use crate::Environment;

/// The name that shells look for.
const NAME: &str = "openclaw";

/// A note, if a shell would find another program than this one.
pub(super) fn of_command(environment: &Environment<'_>) -> Option<Finding> {
    let path = (environment.var)("PATH")?;
    let this = environment.machine.program().ok()?;
    let this = fs::canonicalize(&this).unwrap_or(this);
    let dirs = std::env::split_paths(&path);
    let found = dirs
        .map(|dir| dir.join(NAME))
        .filter(|file| is_program(file));
    let found: Vec<PathBuf> = found.collect();
    let first = found.first()?;
    let is_this = |file: &Path| fs::canonicalize(file).is_ok_and(|file| file == this);
    if is_this(first) {
        return None;
    }
    let own = found.iter().find(|file| is_this(file));
    let advice = match own {
        Some(own) => {
            let dir = own.parent().unwrap_or(Path::new("/"));
            format!(
                "give this one's path in full, or have {} come first in PATH",
                dir.display()
            )
        }
        None => format!("give this one's path in full: {}", this.display()),
    };
    Some(Finding {
        severity: Severity::Note,
        kind: "other-command",
        path: first.clone(),
        detail: format!(
            "`{NAME}` in a shell is this program, and not {}",
            this.display()
        ),
        advice,
        fixable: false,
        fixed: false,
    })
}

fn is_program(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}
