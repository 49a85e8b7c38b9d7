//! The command line as it is meant: parsed once more, so that nothing after this sees raw text
//! where a type can hold it.

mod channels;
mod config;
mod devices;
mod first_run;
mod gateway;
mod invoke;
mod node;
mod nodes;
mod options;
mod raw;
mod setup;
mod state;
mod target;

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use clap::builder::StyledStr;
use clap::{CommandFactory as _, Parser as _};
use clap_complete::Shell;

use pairing_core::{
    AccountId, ChannelId, Channels, Metadata, NameError, PairingCode, ParseCodeError, Principal,
    Scope,
};

pub(crate) use channels::ChannelsCommand;
pub(crate) use config::ConfigCommand;
pub(crate) use devices::{Clear, DevicesCommand};
pub(crate) use first_run::FirstRunOptions;
pub(crate) use gateway::{
    GatewayCommand, InstallOptions, LogFormat, LogOptions, LogsOptions, RunOptions, ServiceCommand,
    ServiceScope, TokenOptions,
};
pub(crate) use invoke::{Invoking, Notice};
pub(crate) use node::{NodeOptions, Pair};
pub(crate) use nodes::NodesCommand;
pub(crate) use setup::SetupOptions;
pub(crate) use state::{StateCommand, StorePlace, Writing};
pub(crate) use target::TargetOptions;

use crate::failure::UsageError;
use crate::purpose::Purpose;
use crate::version;
use devices::RawAll;
use options::RawOptions;
pub(crate) use raw::InstalledName;
use raw::{
    Raw, RawAllowed, RawAllowedEntry, RawAllowedList, RawApprove, RawAudit, RawCommand, RawDoctor,
    RawInvite, RawInvites, RawList, RawPairing, RawReject, RawRequest,
};

/// What a command line asks for.
#[expect(clippy::large_enum_variant, reason = "there is one")]
pub(crate) enum Parsed {
    /// A command.
    Run(Invocation),
    /// Help or the version.
    Show(StyledStr),
}

/// A command, and what goes for all of them.
pub(crate) struct Invocation {
    pub(crate) state_dir: Option<PathBuf>,
    pub(crate) no_color: bool,
    pub(crate) command: Command,
}

pub(crate) enum Command {
    Pairing {
        command: PairingCommand,
        target: TargetOptions,
        json: bool,
    },
    Devices {
        command: DevicesCommand,
        target: TargetOptions,
        json: bool,
    },
    Nodes {
        command: NodesCommand,
        target: TargetOptions,
        json: bool,
    },
    Gateway {
        command: GatewayCommand,
        target: TargetOptions,
        json: bool,
    },
    Channels {
        command: ChannelsCommand,
        target: TargetOptions,
        json: bool,
    },
    Dashboard {
        json: bool,
    },
    Node(NodeOptions),
    Setup(SetupOptions),
    FirstRun(FirstRunOptions),
    Overview {
        target: TargetOptions,
        json: bool,
    },
    State(StateCommand),
    Config(ConfigCommand),
    VerifyAudit {
        json: bool,
    },
    Doctor(DoctorOptions),
    Completions(Shell, InstalledName),
    Man(PathBuf, InstalledName),
}

/// The commands of `openclaw pairing`.
///
/// Whether a text can be a sender is for the channel's rules to say; those stay text.
pub(crate) enum PairingCommand {
    List(Option<ChannelId>, Option<AccountId>),
    Watch,
    Approve(Option<ChannelId>, Option<AccountId>, Approving),
    Reject(Option<ChannelId>, Option<AccountId>, String),
    Allowed(ChannelId, AccountId, AllowedCommand),
    Invite(ChannelId, AccountId, Option<Principal>),
    Invites(ChannelId, Option<AccountId>),
    EndInvite(ChannelId, String),
    Request(ChannelId, AccountId, Asking),
}

impl PairingCommand {
    /// What it needs of a gateway.
    pub(crate) fn purpose(&self, by_key: bool) -> Purpose {
        let (needs, decides): (&[_], _) = match self {
            Self::Watch if by_key => (&["pairing.list", "pairing.approve", "pairing.reject"], true),
            Self::List(..) | Self::Watch | Self::Request(..) => (&["pairing.list"], false),
            Self::Approve(..) => (&["pairing.list", "pairing.approve"], true),
            Self::Reject(..) => (&["pairing.list", "pairing.reject"], true),
            Self::Invite(..) => (&["pairing.invite"], true),
            Self::Invites(..) => (&["pairing.invite.list"], false),
            Self::EndInvite(..) => (&["pairing.invite.end"], true),
            Self::Allowed(_, _, AllowedCommand::List) => (&["pairing.allowed"], false),
            Self::Allowed(_, _, AllowedCommand::Add(_)) => (&["pairing.allow"], true),
            Self::Allowed(_, _, AllowedCommand::Remove(_)) => (&["pairing.revoke"], true),
        };
        Purpose {
            scopes: &[Scope::PAIRING],
            needs,
            decides,
        }
    }

    /// Whether it would decide wrongly under another configuration than the owner's.
    pub(crate) fn needs_config(&self) -> bool {
        matches!(self, Self::Request(..))
    }
}

pub(crate) enum AllowedCommand {
    List,
    Add(String),
    Remove(String),
}

/// Whom to let in, and what goes with it.
#[derive(Clone)]
pub(crate) struct Approving {
    /// The code; at gateways of the other program, the request's public id or its sender.
    pub(crate) subject: String,
    /// Why the subject is no code.
    pub(crate) no_code: Option<ParseCodeError>,
    /// Whether to notify the sender.
    pub(crate) notify: bool,
    /// Whether to make the sender the first owner.
    pub(crate) make_owner: bool,
}

/// The sender that asks.
pub(crate) struct Asking {
    pub(crate) sender: String,
    pub(crate) meta: Vec<(String, String)>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct DoctorOptions {
    pub(crate) fix: bool,
    pub(crate) set_aside: bool,
    pub(crate) json: bool,
}

/// Reads a command line, the program's name included.
pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Parsed, crate::Failure> {
    let args: Vec<OsString> = args.into_iter().collect();
    if asks_for_all_of_the_version(&args) {
        return Ok(Parsed::Show(version::verbose().into()));
    }
    let raw = match Raw::try_parse_from(args) {
        Ok(raw) => raw,
        Err(asked) if !asked.use_stderr() => return Ok(Parsed::Show(asked.render())),
        Err(wrong) => return Err(UsageError::Form(wrong).into()),
    };
    Ok(Parsed::Run(raw.meaning()?))
}

/// Whether the two options are all that there is, in either order. `--verbose` alone means something to other commands
/// only.
fn asks_for_all_of_the_version(args: &[OsString]) -> bool {
    let [_, options @ ..] = args else {
        return false;
    };
    let is_version = |option: &OsString| option == "--version" || option == "-V";
    match options {
        [one, other] if is_version(one) => other == "--verbose",
        [one, other] => one == "--verbose" && is_version(other),
        _ => false,
    }
}

/// Writes the completions of a shell.
pub(crate) fn completions(
    shell: Shell,
    name: InstalledName,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    // Written to memory first: the generator panics where a write fails.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Raw::command(), name.as_str(), &mut script);
    out.write_all(&script)
}

/// Writes a manual page for each command into a directory, which has to exist.
pub(crate) fn manual(dir: &Path, name: InstalledName) -> io::Result<()> {
    let command = Raw::command()
        .name(name.as_str())
        .bin_name(name.as_str())
        .display_name(name.as_str());
    clap_mangen::generate_to(command, dir)
}

impl Raw {
    fn meaning(self) -> Result<Invocation, UsageError> {
        let command = match self.command {
            RawCommand::Setup(raw) => raw.meaning(self.state_dir.is_some()),
            RawCommand::Status(raw) => raw.meaning()?,
            RawCommand::Pairing { place, command } => command.meaning(place.meaning()?)?,
            RawCommand::Devices { place, command } => command.meaning(place.meaning()?)?,
            RawCommand::Nodes { place, command } => command.meaning(place.meaning()?)?,
            RawCommand::Gateway { command } => command.meaning(self.state_dir.is_some())?,
            RawCommand::Channels { command } => command.meaning()?,
            RawCommand::Dashboard { json } => Command::Dashboard { json },
            RawCommand::Node { command } => command.meaning()?,
            RawCommand::Connect(connect) => connect.meaning()?,
            RawCommand::Qr(qr) => qr.meaning()?,
            RawCommand::State { command } => command.meaning()?,
            RawCommand::Config { command } => command.meaning()?,
            RawCommand::Audit {
                command: RawAudit::Verify { json },
            } => Command::VerifyAudit { json },
            RawCommand::Doctor(RawDoctor {
                fix,
                set_aside,
                json,
            }) => Command::Doctor(DoctorOptions {
                fix,
                set_aside,
                json,
            }),
            RawCommand::Completions { shell, name } => Command::Completions(shell, name),
            RawCommand::Man { dir, name } => Command::Man(dir, name),
        };
        Ok(Invocation {
            state_dir: self.state_dir,
            no_color: self.no_color,
            command,
        })
    }
}

impl RawPairing {
    fn meaning(self, target: TargetOptions) -> Result<Command, UsageError> {
        let (command, json) = match self {
            Self::List(RawList { channel, options }) => {
                let at = options.place(channel)?;
                (PairingCommand::List(at.channel, at.account), at.json)
            }
            Self::Watch(RawAll { json }) => (PairingCommand::Watch, json),
            Self::Approve(RawApprove {
                channel,
                code,
                notify,
                make_owner,
                options,
            }) => {
                let at = options.place(channel)?;
                let no_code = PairingCode::parse(&code).err();
                let lone = known_channel(&code).filter(|_| at.channel.is_none());
                if let (Some(channel), true) = (lone, no_code.is_some()) {
                    return Err(UsageError::LoneChannel(channel));
                }
                let approving = Approving {
                    subject: code,
                    no_code,
                    notify,
                    make_owner,
                };
                (
                    PairingCommand::Approve(at.channel, at.account, approving),
                    at.json,
                )
            }
            Self::Reject(RawReject {
                channel,
                request,
                options,
            }) => {
                let at = options.place(channel)?;
                (
                    PairingCommand::Reject(at.channel, at.account, request),
                    at.json,
                )
            }
            Self::Allowed { command } => command.meaning()?,
            Self::Invite(RawInvite {
                channel,
                principal,
                end,
                options,
            }) => {
                let (channel, account, json) = options.place(channel)?.one()?;
                let command = match end {
                    Some(id) => PairingCommand::EndInvite(channel, id),
                    None => PairingCommand::Invite(channel, account, principal),
                };
                (command, json)
            }
            Self::Invites(RawInvites { channel, options }) => {
                let at = options.place(channel)?;
                let account = at.account.clone();
                let (channel, _, json) = at.one()?;
                (PairingCommand::Invites(channel, account), json)
            }
            Self::Request(RawRequest {
                channel,
                sender,
                meta,
                options,
            }) => {
                let at = options.place(channel)?;
                let meta = meta
                    .iter()
                    .map(|pair| pair_of(pair))
                    .collect::<Result<_, _>>()?;
                let (channel, account, json) = at.one()?;
                let asking = Asking { sender, meta };
                (PairingCommand::Request(channel, account, asking), json)
            }
        };
        Ok(Command::Pairing {
            command,
            target,
            json,
        })
    }
}

impl RawAllowed {
    fn meaning(self) -> Result<(PairingCommand, bool), UsageError> {
        let (place, command) = match self {
            Self::List(RawAllowedList { channel, options }) => {
                (options.place(channel)?, AllowedCommand::List)
            }
            Self::Add(RawAllowedEntry {
                channel,
                entry,
                options,
            }) => (options.place(channel)?, AllowedCommand::Add(entry)),
            Self::Remove(RawAllowedEntry {
                channel,
                entry,
                options,
            }) => (options.place(channel)?, AllowedCommand::Remove(entry)),
        };
        let (channel, account, json) = place.one()?;
        Ok((PairingCommand::Allowed(channel, account, command), json))
    }
}

/// What the command is about, and how to answer.
struct Place {
    channel: Option<ChannelId>,
    account: Option<AccountId>,
    json: bool,
}

impl Place {
    /// One account of one channel. Without a channel the form was wrong already.
    fn one(self) -> Result<(ChannelId, AccountId, bool), UsageError> {
        let channel = self
            .channel
            .ok_or(UsageError::Channel(NameError::Channel))?;
        Ok((channel, self.account.unwrap_or_default(), self.json))
    }
}

impl RawOptions {
    fn place(self, positional: Option<String>) -> Result<Place, UsageError> {
        let channel = positional.or(self.channel);
        let channel = channel.map(|name| ChannelId::parse(&name)).transpose();
        let account = self.account.map(|name| AccountId::parse(&name)).transpose();
        Ok(Place {
            channel: channel.map_err(UsageError::Channel)?,
            account: account.map_err(UsageError::Account)?,
            json: self.json,
        })
    }
}

/// The built-in channel of this name.
fn known_channel(name: &str) -> Option<ChannelId> {
    let id = ChannelId::parse(name).ok()?;
    Channels::builtin().get(&id).map(|_| id)
}

fn pair_of(text: &str) -> Result<(String, String), UsageError> {
    let (key, value) = text
        .split_once('=')
        .filter(|(key, _)| !key.trim().is_empty())
        .ok_or_else(|| UsageError::Meta(text.to_owned()))?;
    if key.trim() == Metadata::ACCOUNT_KEY {
        return Err(UsageError::MetaAccount);
    }
    Ok((key.to_owned(), value.to_owned()))
}
