//! `openclaw setup` and `openclaw status`.

use clap::Args;

use super::Command;
use super::target::RawTarget;
use crate::failure::UsageError;

/// The answers that the command line gives already.
#[derive(Debug)]
pub(crate) struct FirstRunOptions {
    pub(crate) owner: Option<String>,
    pub(crate) channel: Option<String>,
    /// Whether the command line says where the state is.
    pub(crate) state_dir_is_named: bool,
    pub(crate) wait: bool,
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct RawSetup {
    /// The owner's id on the channel, such as telegram:12345; none to name the owner later
    #[arg(long, value_name = "ID")]
    owner: Option<String>,
    /// The chat channel, such as telegram; none to have no bot yet
    #[arg(long, value_name = "CHANNEL")]
    channel: Option<String>,
    /// Wait until the first sender is approved
    #[arg(long)]
    wait: bool,
    /// Print JSON
    #[arg(long, conflicts_with = "wait")]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct RawStatus {
    #[command(flatten)]
    target: RawTarget,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl RawSetup {
    pub(super) fn meaning(self, state_dir_is_named: bool) -> Command {
        Command::FirstRun(FirstRunOptions {
            owner: self.owner,
            channel: self.channel,
            state_dir_is_named,
            wait: self.wait,
            json: self.json,
        })
    }
}

impl RawStatus {
    pub(super) fn meaning(self) -> Result<Command, UsageError> {
        Ok(Command::Overview {
            target: self.target.meaning()?,
            json: self.json,
        })
    }
}
