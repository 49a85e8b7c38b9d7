//! Reasons why a command about the gateway's service failed.

use std::io;
use std::path::PathBuf;

use gateway_protocol::Advise as _;
use pairing_core::{StoreError, escape};

use crate::Exit;

/// The command cannot be carried out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServiceError {
    #[error("no service manager that this command knows runs here: neither systemd nor launchd")]
    NoManager,
    #[error("launchd has no `--system` here")]
    NoSystemJobs,
    #[error("`--socket` is for systemd")]
    NoSockets,
    #[error("a service of the system is installed by root")]
    NotRoot,
    #[error("root has no service of a user: it would not start with the machine")]
    RootsOwn,
    #[error("there is no user {}", escape(.0).limit(64))]
    NoUser(String),
    #[error("HOME is not set")]
    NoHome,
    #[error("the gateway is not installed as a service")]
    NotInstalled,
    #[error("{} was not written by this program", .0.display())]
    Foreign(PathBuf),
    #[error("{what} has a character that {file} cannot hold")]
    Unfit {
        what: &'static str,
        file: &'static str,
    },
    #[error("cannot tell where this program is")]
    Program(#[source] io::Error),
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot change {}", path.display())]
    Change { path: PathBuf, source: io::Error },
    #[error("the definition of the service cannot be written")]
    Write(#[from] StoreError),
    #[error("cannot run `{command}`")]
    Run { command: String, source: io::Error },
    #[error("`{command}` failed: {}", escape(.said).limit(400))]
    Failed { command: String, said: String },
}

impl ServiceError {
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::NoManager
            | Self::NoSystemJobs
            | Self::NoSockets
            | Self::NotRoot
            | Self::RootsOwn
            | Self::NoUser(_)
            | Self::NotInstalled
            | Self::Foreign(_)
            | Self::Failed { .. } => Exit::Refused,
            _ => Exit::State,
        }
    }

    pub(crate) fn advice(&self) -> Option<String> {
        Some(match self {
            Self::NoManager => "have `openclaw gateway run` started by what starts programs here; \
                 `openclaw gateway install --print` shows how systemd would run it"
                .to_owned(),
            Self::NoSystemJobs => "leave out `--system`: the job starts when you log in".to_owned(),
            Self::NoSockets => "leave it out: the gateway listens itself".to_owned(),
            Self::NotRoot => "run it with sudo, or leave out `--system`".to_owned(),
            Self::RootsOwn => "add `--system`, or run it as the user whose state it is".to_owned(),
            Self::NoUser(user) => format!(
                "`useradd --system --home-dir /var/lib/openclaw --shell /usr/sbin/nologin {}` makes one",
                escape(user).limit(64)
            ),
            Self::NotInstalled => "`openclaw gateway install` installs it".to_owned(),
            Self::Foreign(_) => {
                "look at it first; `--force` keeps it beside the new one, as *.before".to_owned()
            }
            Self::Write(error) => return error.advice(),
            Self::Failed { said, .. } if said.contains("bus") => {
                "log in as that user on a terminal of its own, not by su or sudo; or, as root: \
                 `loginctl enable-linger USER`"
                    .to_owned()
            }
            _ => return None,
        })
    }
}
