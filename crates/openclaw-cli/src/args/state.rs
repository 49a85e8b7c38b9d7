//! `openclaw state`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Command;
use crate::failure::UsageError;

/// The commands of `openclaw state`.
pub(crate) enum StateCommand {
    /// Into a file, or to standard output.
    Export { to: Option<PathBuf>, json: bool },
    /// Out of a file, or of standard input.
    Import {
        from: Option<PathBuf>,
        writing: Writing,
    },
    Migrate {
        from: StorePlace,
        to: StorePlace,
        writing: Writing,
    },
}

/// How records are written, and told of.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Writing {
    /// Let it take the place of what is there and differs
    #[arg(long)]
    pub(crate) replace: bool,
    /// Only say what would be done
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Where a state is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StorePlace {
    /// In files: of the state directory, or of another.
    Files(Option<PathBuf>),
    /// In OpenClaw's database: of the state directory, or of another.
    OpenClaw(Option<PathBuf>),
    /// In a database of ours: of the state directory, or of another.
    Sqlite(Option<PathBuf>),
    /// On the cluster that is configured.
    Etcd,
}

#[derive(Debug, Subcommand)]
pub(super) enum RawState {
    /// Write all of the state into one file, to keep or to take elsewhere
    Export(RawExport),
    /// Put a state that was exported into the store
    Import(RawImport),
    /// Copy the state from one store into another
    Migrate(RawMigrate),
}

#[derive(Debug, Args)]
pub(super) struct RawExport {
    /// The new file, instead of standard output
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    /// Print JSON about the file
    #[arg(long, requires = "to")]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct RawImport {
    /// The file; `-` is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    writing: Writing,
}

#[derive(Debug, Args)]
pub(super) struct RawMigrate {
    /// Where the state is: files, openclaw, sqlite (each also with :DIR, another state directory) or etcd
    #[arg(long, value_name = "STORE")]
    from: String,
    /// Where it is to be
    #[arg(long, value_name = "STORE")]
    to: String,
    #[command(flatten)]
    writing: Writing,
}

impl RawState {
    pub(super) fn meaning(self) -> Result<Command, UsageError> {
        let named = |path: PathBuf| Some(path).filter(|path| path.as_os_str() != "-");
        Ok(Command::State(match self {
            Self::Export(RawExport { to, json }) => StateCommand::Export {
                to: to.and_then(named),
                json,
            },
            Self::Import(RawImport { file, writing }) => StateCommand::Import {
                from: named(file),
                writing,
            },
            Self::Migrate(RawMigrate { from, to, writing }) => StateCommand::Migrate {
                from: place(from)?,
                to: place(to)?,
                writing,
            },
        }))
    }
}

fn place(text: String) -> Result<StorePlace, UsageError> {
    let (kind, dir) = match text.split_once(':') {
        Some((kind, dir)) => (kind, Some(dir)),
        None => (text.as_str(), None),
    };
    let is_given = dir.is_none_or(|dir| !dir.is_empty());
    let dir = dir.map(PathBuf::from);
    match kind {
        "files" if is_given => Ok(StorePlace::Files(dir)),
        "openclaw" if is_given => Ok(StorePlace::OpenClaw(dir)),
        "sqlite" if is_given => Ok(StorePlace::Sqlite(dir)),
        "etcd" if dir.is_none() => Ok(StorePlace::Etcd),
        _ => Err(UsageError::Store(text)),
    }
}
