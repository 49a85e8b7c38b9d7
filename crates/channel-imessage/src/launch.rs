//! How `imsg` is started: here, or on a Mac elsewhere.

use std::fmt;
use std::path::PathBuf;
use std::process::Stdio;

use tokio::process::Command;

/// The program `imsg`, and the way to it.
#[derive(Debug, Clone)]
pub struct Imsg {
    way: Way,
    database: Option<String>,
}

#[derive(Debug, Clone)]
enum Way {
    Here(PathBuf),
    There(RemoteHost),
}

/// A Mac that is reached by ssh: `host` or `user@host`.
///
/// Has no space, and no option of ssh can be taken for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteHost(String);

/// A text is no host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is neither host nor user@host")]
pub struct RemoteHostError;

impl RemoteHost {
    /// Checks a host.
    pub fn parse(text: &str) -> Result<Self, RemoteHostError> {
        let text = text.trim();
        let (user, host) = match text.split_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, text),
        };
        let is_name = |name: &str| {
            let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
            !name.is_empty() && !name.starts_with('-') && name.bytes().all(is_plain)
        };
        (user.is_none_or(is_name) && is_name(host) && text.len() <= 255)
            .then(|| Self(text.to_owned()))
            .ok_or(RemoteHostError)
    }
}

impl fmt::Display for RemoteHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Imsg {
    /// A program on this machine: `imsg` itself, or one that passes everything on to it. A name without a slash is looked for
    /// in `PATH`.
    pub fn here(program: impl Into<PathBuf>) -> Self {
        Self {
            way: Way::Here(program.into()),
            database: None,
        }
    }

    /// `imsg` on a Mac elsewhere, by ssh. The keys have to be there already: nobody is asked for a password.
    pub fn there(host: RemoteHost) -> Self {
        Self {
            way: Way::There(host),
            database: None,
        }
    }

    /// The same, with another database of Messages.
    pub fn database(self, database: Option<String>) -> Self {
        Self { database, ..self }
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = match &self.way {
            Way::Here(program) => {
                let mut command = Command::new(program);
                command.arg("rpc");
                if let Some(database) = &self.database {
                    command.arg("--db").arg(database);
                }
                command
            }
            Way::There(host) => {
                let mut command = Command::new("ssh");
                // A connection that is dead is noticed within a minute, and nothing waits for a person's answer.
                command
                    .args(["-T", "-o", "BatchMode=yes"])
                    .args([
                        "-o",
                        "ServerAliveInterval=15",
                        "-o",
                        "ServerAliveCountMax=3",
                    ])
                    .args(["--", &host.0]);
                command.arg(self.remote());
                command
            }
        };
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// The line that the shell of the other machine reads.
    fn remote(&self) -> String {
        match &self.database {
            None => "imsg rpc".to_owned(),
            Some(path) => format!("imsg rpc --db {}", quoted(path)),
        }
    }
}

/// A path as one word of a shell, with `~/` as its home directory.
fn quoted(path: &str) -> String {
    let (home, rest) = match path.strip_prefix("~/") {
        Some(rest) => ("~/", rest),
        None => ("", path),
    };
    format!("{home}'{}'", rest.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(imsg: &Imsg) -> Vec<String> {
        let command = imsg.command();
        let arguments = command.as_std().get_args();
        arguments
            .map(|text| text.to_str().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn hosts_are_no_options_and_no_commands() {
        for text in ["mac", "ann@mac.local", " 10.0.0.7 "] {
            assert_eq!(RemoteHost::parse(text).unwrap().to_string(), text.trim());
        }
        for none in [
            "",
            "@mac",
            "ann@",
            "-oProxyCommand=x",
            "ann@-x",
            "a b",
            "mac;x",
            "a@b@c",
        ] {
            assert_eq!(RemoteHost::parse(none), Err(RemoteHostError), "{none}");
        }
    }

    #[test]
    fn a_database_is_one_word_here_and_there() {
        let database = || Some("~/a 'b'; rm -r $HOME".to_owned());
        let here = Imsg::here("imsg").database(database());
        assert_eq!(arguments(&here), ["rpc", "--db", "~/a 'b'; rm -r $HOME"]);
        let there = Imsg::there(RemoteHost::parse("ann@mac").unwrap()).database(database());
        let arguments = arguments(&there);
        assert_eq!(
            arguments[arguments.len() - 3..arguments.len() - 1],
            ["--", "ann@mac"]
        );
        assert_eq!(
            arguments.last().unwrap(),
            r"imsg rpc --db ~/'a '\''b'\''; rm -r $HOME'"
        );
    }
}
