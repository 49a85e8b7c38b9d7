//! `openclaw channels`.

use clap::Subcommand;
use pairing_core::Scope;

use super::Command;
use super::devices::RawAll;
use super::target::RawTarget;
use crate::failure::UsageError;
use crate::purpose::Purpose;

/// The commands of `openclaw channels`.
#[derive(Clone, Copy)]
pub(crate) enum ChannelsCommand {
    /// What the configuration says.
    List,
    /// What the gateway says.
    Status {
        /// Whether each chat system is asked now.
        probe: bool,
    },
}

impl ChannelsCommand {
    /// What the status needs of a gateway.
    pub(crate) const PURPOSE: Purpose = Purpose {
        scopes: &[Scope::READ],
        needs: &["pairing.channels"],
        decides: false,
    };
}

#[derive(Debug, Subcommand)]
pub(super) enum RawChannels {
    /// List the chat channels that are configured, and their accounts
    List(RawAll),
    /// Say which bots are connected, since when, and what went wrong last
    Status {
        /// Ask each chat service now whether it accepts the bot
        #[arg(long)]
        probe: bool,
        #[command(flatten)]
        target: Box<RawTarget>,
        #[command(flatten)]
        all: RawAll,
    },
}

impl RawChannels {
    pub(super) fn meaning(self) -> Result<Command, UsageError> {
        let (command, target, json) = match self {
            Self::List(RawAll { json }) => {
                (ChannelsCommand::List, super::TargetOptions::default(), json)
            }
            Self::Status { probe, target, all } => {
                let command = ChannelsCommand::Status { probe };
                (command, target.meaning()?, all.json)
            }
        };
        Ok(Command::Channels {
            command,
            target,
            json,
        })
    }
}
