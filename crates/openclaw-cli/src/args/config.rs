//! `openclaw config`.

use clap::{Args, Subcommand};
use openclaw_config::KeyPath;

use super::{Command, UsageError};

/// The commands of `openclaw config`.
pub(crate) enum ConfigCommand {
    Get(KeyPath),
    Set {
        key: KeyPath,
        /// `None` for standard input.
        value: Option<String>,
    },
    Unset(KeyPath),
}

#[derive(Debug, Subcommand)]
pub(super) enum RawConfig {
    /// Print the value of a key, as it is written in openclaw.json; secrets are hidden
    Get(RawKey),
    /// Set a key; comments and the order of keys stay as they are
    Set(RawSet),
    /// Take a key away
    Unset(RawKey),
}

#[derive(Debug, Args)]
pub(super) struct RawKey {
    /// The key, such as channels.telegram.dmPolicy
    key: String,
}

#[derive(Debug, Args)]
pub(super) struct RawSet {
    /// The key, such as channels.telegram.dmPolicy
    key: String,
    /// The value: JSON5, or else a text
    #[arg(required_unless_present = "stdin")]
    value: Option<String>,
    /// Read the value from standard input, as for a secret
    #[arg(long, conflicts_with = "value")]
    stdin: bool,
}

impl RawConfig {
    pub(super) fn meaning(self) -> Result<Command, UsageError> {
        let path = |key: &str| key.parse().map_err(UsageError::Key);
        Ok(Command::Config(match self {
            Self::Get(raw) => ConfigCommand::Get(path(&raw.key)?),
            Self::Set(RawSet { key, value, .. }) => ConfigCommand::Set {
                key: path(&key)?,
                value,
            },
            Self::Unset(raw) => ConfigCommand::Unset(path(&raw.key)?),
        }))
    }
}
