//! The machine, as far as it runs programs as services.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Output};

/// A service manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Manager {
    /// Of most Linux systems.
    Systemd,
    /// Of macOS.
    Launchd,
}

/// The machine, as far as services are concerned.
pub trait Machine {
    /// The service manager that runs here.
    fn manager(&self) -> Option<Manager>;

    /// The release of systemd.
    fn systemd_version(&self) -> Option<u32> {
        let output = self.run("systemctl", &["--version"]).ok()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let number = text.split_whitespace().nth(1)?;
        let digits = number.split(|c: char| !c.is_ascii_digit()).next()?;
        digits.parse().ok()
    }

    /// Whether this process is root's.
    fn is_root(&self) -> bool;

    /// The user id of this process.
    fn user_id(&self) -> u32;

    /// Whether there is a user of this name.
    fn has_user(&self, name: &str) -> bool {
        let output = self.run("id", &["-u", "--", name]);
        output.is_ok_and(|output| output.status.success())
    }

    /// The path of this program.
    fn program(&self) -> io::Result<PathBuf>;

    /// The directory below which the system's files are.
    fn root(&self) -> &Path {
        Path::new("/")
    }

    /// Runs a program, and returns what it said.
    fn run(&self, program: &str, args: &[&str]) -> io::Result<Output>;

    /// Runs a program on this program's own terminal.
    fn show(&self, program: &str, args: &[&str]) -> io::Result<ExitStatus>;
}
