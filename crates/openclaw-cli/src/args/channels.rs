//! `openclaw channels`.

use clap::Subcommand;
use pairing_core::{AccountId, ChannelId, Scope};

use super::Command;
use super::devices::RawAll;
use super::options::RawOptions;
use super::target::{RawPlace, RawTarget};
use crate::failure::UsageError;
use crate::purpose::Purpose;

/// The commands of `openclaw channels`.
#[derive(Clone)]
pub(crate) enum ChannelsCommand {
    /// What the configuration says.
    List,
    /// What the gateway says.
    Status {
        /// Whether each chat system is asked now.
        probe: bool,
    },
    /// Links an account by a code that is scanned.
    Login {
        channel: ChannelId,
        account: AccountId,
    },
    /// Logs an account out that was linked by a code.
    Logout {
        channel: ChannelId,
        account: AccountId,
    },
}

impl ChannelsCommand {
    /// What the status needs of a gateway.
    pub(crate) const PURPOSE: Purpose = Purpose {
        scopes: &[Scope::READ],
        needs: &["pairing.channels"],
        decides: false,
    };

    /// What linking an account needs of a gateway.
    pub(crate) const LOGIN: Purpose = Purpose {
        scopes: &[Scope::ADMIN],
        needs: &["channels.login.start", "channels.login.wait"],
        decides: true,
    };

    /// What logging an account out needs of a gateway.
    pub(crate) const LOGOUT: Purpose = Purpose {
        scopes: &[Scope::ADMIN],
        needs: &["channels.logout"],
        decides: true,
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
    /// Link an account of a channel that is linked by scanning a code, such as signal
    Login {
        /// Channel, such as signal
        #[arg(required_unless_present = "channel_option")]
        channel: Option<String>,
        #[command(flatten)]
        options: RawOptions,
        #[command(flatten)]
        place: Box<RawPlace>,
    },
    /// Log an account out that was linked by scanning a code, and delete its keys here
    Logout {
        /// Channel, such as signal
        #[arg(required_unless_present = "channel_option")]
        channel: Option<String>,
        #[command(flatten)]
        options: RawOptions,
        #[command(flatten)]
        place: Box<RawPlace>,
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
            Self::Login {
                channel,
                options,
                place,
            } => {
                let (channel, account, json) = options.place(channel)?.one()?;
                let command = ChannelsCommand::Login { channel, account };
                (command, place.meaning()?, json)
            }
            Self::Logout {
                channel,
                options,
                place,
            } => {
                let (channel, account, json) = options.place(channel)?.one()?;
                let command = ChannelsCommand::Logout { channel, account };
                (command, place.meaning()?, json)
            }
        };
        Ok(Command::Channels {
            command,
            target,
            json,
        })
    }
}
