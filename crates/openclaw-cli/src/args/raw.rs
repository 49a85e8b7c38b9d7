//! The command line as it is written: strings, and which of them may go together.

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use pairing_core::Principal;

use super::channels::RawChannels;
use super::config::RawConfig;
use super::devices::{RawAll, RawDevices};
use super::first_run::{RawSetup, RawStatus};
use super::gateway::RawGateway;
use super::node::{RawConnect, RawNode};
use super::nodes::RawNodes;
use super::options::RawOptions;
use super::setup::RawQr;
use super::state::RawState;
use super::target::RawPlace;

/// OpenClaw's owner approval: who may talk to the bot, and which devices may join
#[derive(Debug, Parser)]
#[command(
    name = "openclaw",
    version,
    disable_help_subcommand = true,
    disable_version_flag = true
)]
pub(super) struct Raw {
    /// State directory, instead of what the environment says
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) state_dir: Option<PathBuf>,
    #[arg(long, global = true, help = "No colour; so does the variable NO_COLOR")]
    pub(super) no_color: bool,
    #[arg(
        short = 'V', long, action = ArgAction::Version,
        help = "Print the version; with --verbose also the commit, the features and the compiler"
    )]
    pub(super) version: Option<bool>,
    #[command(subcommand)]
    pub(super) command: RawCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum RawCommand {
    /// Set this machine up: three questions, and the way to the first approved message
    Setup(RawSetup),
    /// Show what runs, who waits, what is wrong and what to do next
    Status(RawStatus),
    /// Decide who may talk to the bot in direct messages
    Pairing {
        #[command(flatten)]
        place: RawPlace,
        #[command(subcommand)]
        command: RawPairing,
    },
    /// Decide which devices may join the gateway
    Devices {
        #[command(flatten)]
        place: RawPlace,
        #[command(subcommand)]
        command: RawDevices,
    },
    /// Decide about nodes that pair by request, without a key of their own
    Nodes {
        #[command(flatten)]
        place: RawPlace,
        #[command(subcommand)]
        command: RawNodes,
    },
    /// Run the gateway, and look at it
    Gateway {
        #[command(subcommand)]
        command: RawGateway,
    },
    /// Look at the chat channels
    Channels {
        #[command(subcommand)]
        command: RawChannels,
    },
    /// Print the link that signs a browser in on the gateway's page
    Dashboard {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Be a node of a gateway
    Node {
        #[command(subcommand)]
        command: RawNode,
    },
    /// Join a gateway as a node, with a join code that was made there
    Connect(RawConnect),
    /// Make a setup code, with which a phone finds the gateway and asks to join
    Qr(RawQr),
    /// Keep the whole state in a file, or take it from one store to another
    State {
        #[command(subcommand)]
        command: RawState,
    },
    /// Read and change single keys of openclaw.json
    Config {
        #[command(subcommand)]
        command: RawConfig,
    },
    /// The log of who decided what
    Audit {
        #[command(subcommand)]
        command: RawAudit,
    },
    /// Look for what is wrong with the state, and mend it
    Doctor(RawDoctor),
    /// Print completions for a shell
    Completions {
        #[arg(value_name = "SHELL")]
        shell: Shell,
        /// The name that the command is installed under
        #[arg(long, value_enum, default_value_t, hide = true)]
        name: InstalledName,
    },
    /// Write the manual pages of all commands into a directory, for packages
    #[command(hide = true)]
    Man {
        #[arg(value_name = "DIR")]
        dir: PathBuf,
        /// The name that the command is installed under
        #[arg(long, value_enum, default_value_t, hide = true)]
        name: InstalledName,
    },
}

/// The names that packages install the command under. The second one leaves the command of the other program, which
/// has the first name too, where it is.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub(crate) enum InstalledName {
    #[default]
    Openclaw,
    OpenclawRs,
}

impl InstalledName {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Openclaw => "openclaw",
            Self::OpenclawRs => "openclaw-rs",
        }
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum RawPairing {
    /// List pending requests, of all channels when none is named
    List(RawList),
    /// Show senders that ask as they come, and decide about them by a key
    Watch(RawAll),
    /// Let the sender with this code in
    Approve(RawApprove),
    /// End a request without letting the sender in
    Reject(RawReject),
    /// The allowlist: who was let in
    Allowed {
        #[command(subcommand)]
        command: RawAllowed,
    },
    /// Issue a code that lets in the sender who gives it to the bot, once; or end one
    Invite(RawInvite),
    /// List the codes that were issued and are good still, without the codes themselves
    Invites(RawInvites),
    /// Ask as a sender would, and print the reply that they would get
    Request(RawRequest),
}

#[derive(Debug, Subcommand)]
pub(super) enum RawAllowed {
    /// List who may talk to the bot
    List(RawAllowedList),
    /// Let a sender in who need not have asked
    Add(RawAllowedEntry),
    /// Take a sender off the list
    Remove(RawAllowedEntry),
}

#[derive(Debug, Args)]
pub(super) struct RawList {
    /// Channel, such as telegram
    pub(super) channel: Option<String>,
    #[command(flatten)]
    pub(super) options: RawOptions,
}

#[derive(Debug, Args)]
#[command(allow_missing_positional = true)]
pub(super) struct RawApprove {
    /// Channel, such as telegram; may be left out while only one has the code
    pub(super) channel: Option<String>,
    /// The code that the sender received; the request or the sender, at gateways that list no codes
    #[arg(required = true)]
    pub(super) code: String,
    /// Tell the sender, through the gateway
    #[arg(long)]
    pub(super) notify: bool,
    /// Make them the first owner too, who may give the bot commands and decide as you do
    #[arg(long)]
    pub(super) make_owner: bool,
    #[command(flatten)]
    pub(super) options: RawOptions,
}

#[derive(Debug, Args)]
#[command(allow_missing_positional = true)]
pub(super) struct RawReject {
    /// Channel, such as telegram; may be left out while only one has the request
    pub(super) channel: Option<String>,
    /// The code that the sender received, or the sender's id
    #[arg(value_name = "CODE|SENDER", required = true)]
    pub(super) request: String,
    #[command(flatten)]
    pub(super) options: RawOptions,
}

#[derive(Debug, Args)]
pub(super) struct RawInvite {
    /// Channel, such as telegram
    #[arg(required_unless_present = "channel_option")]
    pub(super) channel: Option<String>,
    /// The user of your program that the sender will be; the bot's owner when left out
    #[arg(long, value_name = "PRINCIPAL", value_parser = Principal::parse)]
    pub(super) principal: Option<Principal>,
    /// End the code with this id instead, before anybody gives it to the bot
    #[arg(long, value_name = "ID", conflicts_with = "principal")]
    pub(super) end: Option<String>,
    #[command(flatten)]
    pub(super) options: RawOptions,
}

#[derive(Debug, Args)]
pub(super) struct RawInvites {
    /// Channel, such as telegram
    #[arg(required_unless_present = "channel_option")]
    pub(super) channel: Option<String>,
    #[command(flatten)]
    pub(super) options: RawOptions,
}

#[derive(Debug, Args)]
pub(super) struct RawAllowedList {
    /// Channel, such as telegram
    #[arg(required_unless_present = "channel_option")]
    pub(super) channel: Option<String>,
    #[command(flatten)]
    pub(super) options: RawOptions,
}

#[derive(Debug, Args)]
#[command(allow_missing_positional = true)]
pub(super) struct RawAllowedEntry {
    /// Channel, such as telegram
    #[arg(required_unless_present = "channel_option")]
    pub(super) channel: Option<String>,
    /// The sender's id on that channel
    #[arg(required = true)]
    pub(super) entry: String,
    #[command(flatten)]
    pub(super) options: RawOptions,
}

#[derive(Debug, Args)]
#[command(allow_missing_positional = true)]
pub(super) struct RawRequest {
    /// Channel, such as telegram
    #[arg(required_unless_present = "channel_option")]
    pub(super) channel: Option<String>,
    /// The sender's id on that channel
    #[arg(required = true)]
    pub(super) sender: String,
    /// What else is known of the sender, such as username=ann
    #[arg(long, value_name = "KEY=VALUE")]
    pub(super) meta: Vec<String>,
    #[command(flatten)]
    pub(super) options: RawOptions,
}

#[derive(Debug, Subcommand)]
pub(super) enum RawAudit {
    /// Check that nothing in this machine's audit log was changed or taken away
    Verify {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
pub(super) struct RawDoctor {
    /// Mend what can be mended without losing anything
    #[arg(long)]
    pub(super) fix: bool,
    /// With --fix: move files that cannot be parsed aside, under a new name
    #[arg(long, requires = "fix")]
    pub(super) set_aside: bool,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}
