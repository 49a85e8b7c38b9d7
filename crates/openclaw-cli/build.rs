//! Tells the program which commit and compiler it was built from and for, for `openclaw --version --verbose`.
//!
//! Nothing of it is needed to build: without git, and without a checkout, the commit is `unknown`.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=OPENCLAW_COMMIT");
    let dir = env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    let dir = Path::new(&dir);
    let named = env::var("OPENCLAW_COMMIT").ok();
    let commit = named
        .filter(|commit| is_commit(commit))
        .or_else(|| packaged(dir))
        .or_else(|| checked_out(dir))
        .unwrap_or_else(|| "unknown".to_owned());
    let rustc = env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let rustc = said(Command::new(rustc).arg("--version"));
    let target = env::var("TARGET").unwrap_or_default();
    println!("cargo::rustc-env=OPENCLAW_COMMIT={commit}");
    println!(
        "cargo::rustc-env=OPENCLAW_RUSTC={}",
        rustc.as_deref().unwrap_or("unknown")
    );
    println!("cargo::rustc-env=OPENCLAW_TARGET={target}");
}

/// Returns the commit that `cargo package` notes in what it packs.
fn packaged(dir: &Path) -> Option<String> {
    let info = fs::read_to_string(dir.join(".cargo_vcs_info.json")).ok()?;
    let (_, after) = info.split_once("\"sha1\"")?;
    let commit = after.split('"').nth(1)?;
    is_commit(commit).then(|| commit.to_owned())
}

/// Returns the commit of the checkout that this crate is a part of. A copy of the crate inside of another repository
/// is not of that repository's commit.
fn checked_out(dir: &Path) -> Option<String> {
    let git = |args: &[&str]| {
        let mut command = Command::new("git");
        // The checkout may belong to another user, as in a container.
        command.args(["-c", "safe.directory=*"]).args(args);
        said(command.current_dir(dir))
    };
    git(&["ls-files", "--error-unmatch", "Cargo.toml"])?;
    if git(&["rev-parse", "--show-prefix"])? != "crates/openclaw-cli/" {
        return None;
    }
    // Both change with the commit: the first where another branch is checked out, the second with each commit.
    for name in ["HEAD", "logs/HEAD"] {
        if let Some(path) = git(&["rev-parse", "--git-path", name])
            && dir.join(&path).exists()
        {
            println!("cargo::rerun-if-changed={}", dir.join(path).display());
        }
    }
    git(&["rev-parse", "HEAD"]).filter(|commit| is_commit(commit))
}

fn is_commit(text: &str) -> bool {
    (7..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Returns what a command says, if it succeeds.
fn said(command: &mut Command) -> Option<String> {
    let output = command.output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
