//! Reasons why a command failed, each with its exit code and advice.

mod first_run;
mod gateway;
mod service;
mod theirs;
mod usage;

pub(crate) use first_run::FirstRunError;
pub(crate) use gateway::advice_of;
pub(crate) use service::ServiceError;
pub(crate) use theirs::TheirsError;
pub(crate) use usage::UsageError;

use gateway_protocol::{GatewayUrlError, SetupCodeError};
use std::io;

use gateway_channels::FirstOwnerError;
use gateway_client::{CallError, Closed, ConnectError, JoinError, ParseFingerprintError};
use gateway_protocol::{Advise as _, ErrorShape};
use openclaw_config::{Fault, LoadError};
use openclaw_gateway::store::OpenError;
use openclaw_gateway::{LinkingError, LoggingOutError, ServeError, TokenFileError};
use pairing_core::device::Role;
use pairing_core::{
    AllowlistError, ChannelError, ChannelId, DecisionError, DeviceError, EntropyError, InviteError,
    ListError, NameError, RequestError, SenderError, StoreError, escape,
};
use pairing_fs::export::ExportError;
use pairing_fs::{IdentityError, NoStateDir};

use crate::Exit;
use crate::config::ConfigCommandError;
use crate::subject::SubjectError;
use crate::text;

const OF_FILTER: &str =
    "write error, warn, info, debug or trace, or a list such as info,openclaw_gateway=debug";

#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Usage(#[from] UsageError),
    #[error(transparent)]
    State(#[from] NoStateDir),
    #[error(transparent)]
    Config(#[from] LoadError),
    #[error(transparent)]
    ConfigCommand(#[from] ConfigCommandError),
    #[error(transparent)]
    FirstRun(#[from] FirstRunError),
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// A fault of the configuration closes the channel or setting that the command is about.
    #[error("closed, because {0}")]
    Closed(Fault),
    #[error(transparent)]
    Channel(#[from] ChannelError),
    #[error(transparent)]
    Account(#[from] NameError),
    #[error(transparent)]
    List(#[from] ListError),
    #[error(transparent)]
    Decision(#[from] DecisionError),
    #[error(transparent)]
    Allowlist(#[from] AllowlistError),
    #[error(transparent)]
    Invite(#[from] InviteError),
    #[error(transparent)]
    Request(#[from] RequestError),
    /// No channel was named, and no channel has this code.
    #[error("no pending request of any channel has this {0}")]
    InNoChannel(&'static str),
    /// No channel was named, and several channels have this code.
    #[error("requests of several channels match: {}", names(.0))]
    InSeveralChannels(Vec<ChannelId>),
    /// The named channel has no such request.
    #[error("no pending {0} request has this code or sender")]
    NothingToReject(ChannelId),
    #[error("{entry} is not on the allowlist of {list}")]
    NotAllowed {
        entry: String,
        list: String,
        /// The command that lists who is paired.
        see: String,
    },
    /// No claim code with this id is good.
    #[error("no {channel} invitation has the id {}", escape(.id))]
    NoInvitation { channel: ChannelId, id: String },
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The same about legacy nodes.
    #[error(transparent)]
    Node(DeviceError),
    #[error(transparent)]
    Subject(#[from] SubjectError),
    #[error("the request does not ask for the command {}", escape(.0).limit(64))]
    NotAskedFor(String),
    #[error("this node has no command {}", escape(.0).limit(64))]
    NoSuchCommand(String),
    #[error("no device request is pending")]
    NoDeviceWaits,
    #[error("nothing is removed without --yes: {}", at_stake(*.devices, *.requests))]
    Unconfirmed {
        devices: usize,
        /// `None` if the command leaves requests alone.
        requests: Option<usize>,
    },
    #[error("device {device} was never approved as {role}")]
    NeverApproved { device: String, role: Role },
    #[error("device {device} is revoked as {role}")]
    Revoked { device: String, role: Role },
    #[error("device {device} was not approved for all of these scopes, but for {approved}")]
    Beyond { device: String, approved: String },
    #[error("no address is configured that a phone could reach")]
    NoUrl,
    #[error("{key} is an address that no phone could use")]
    ConfiguredUrl {
        key: &'static str,
        source: GatewayUrlError,
    },
    #[error("{key} is no address of a gateway")]
    ConfiguredGateway {
        key: &'static str,
        source: GatewayUrlError,
    },
    #[error("{key} pins no certificate")]
    ConfiguredFingerprint {
        key: &'static str,
        source: ParseFingerprintError,
    },
    #[error("cannot connect to the gateway at {url}")]
    Connect {
        url: String,
        source: Box<ConnectError>,
        /// Whether the shared secret was sent to it.
        showed: bool,
    },
    /// The connection failed, or the answer cannot be understood.
    #[error("cannot have the gateway do `{method}`")]
    Call {
        method: &'static str,
        source: Box<CallError>,
    },
    #[error("the connection to the gateway at {url} ended: {closed}")]
    Ended { url: String, closed: Closed },
    /// The gateway refused the call.
    #[error("the gateway refuses `{method}`: {}", escape(&.error.message).limit(400))]
    Answer {
        method: &'static str,
        error: Box<ErrorShape>,
        /// Whether the connection was made without a secret, because the gateway is on this machine or knows
        /// this machine's key.
        proven: bool,
    },
    /// The account that was to be linked is not, for this reason.
    #[error("the account is not linked: {}", escape(.error).limit(400))]
    NotLinked {
        error: String,
        advice: Option<String>,
    },
    /// The configuration does not say how to link the account.
    #[error("the account cannot be linked")]
    Linking(#[from] LinkingError),
    #[error("the account is not logged out")]
    LoggingOut(#[from] LoggingOutError),
    #[error("no gateway runs that could do that")]
    NoGateway,
    #[error("the gateway has no `{method}`")]
    Lacks { method: &'static str },
    #[error(transparent)]
    Theirs(#[from] TheirsError),
    #[error("the first owner is made on the gateway's own machine")]
    OwnerElsewhere,
    #[error("nobody was made an owner")]
    FirstOwner(#[from] FirstOwnerError),
    #[error("a sender asks through its channel: there is no asking through a gateway")]
    AskedElsewhere,
    #[error("cannot read the secret in {path}")]
    SecretFile { path: String, source: io::Error },
    #[error("there is no secret in {path}: {reason}")]
    NoSecret { path: String, reason: &'static str },
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error(transparent)]
    Serve(#[from] ServeError),
    #[error(transparent)]
    TokenFile(#[from] TokenFileError),
    #[error("{filter:?} is no filter of a log")]
    LogFilter {
        filter: String,
        source: tracing_subscriber::filter::ParseError,
    },
    #[error("the gateway's token is set {at}")]
    TokenIsSet { at: String },
    #[error("the gateway asks for no secret: gateway.auth.mode is \"none\"")]
    NoSecretAsked,
    #[error("the gateway has no token yet")]
    NoTokenYet,
    /// The gateway does not serve the page.
    #[error("gateway.controlUi.enabled is false: there is no page")]
    NoPage,
    #[error("cannot make a token")]
    Entropy(#[from] EntropyError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("cannot read {path}")]
    StateFile { path: String, source: io::Error },
    #[error("nothing of {path} was taken in")]
    Export { path: String, source: ExportError },
    /// The configured store cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("no node can pair with this setup code")]
    SetupCode(#[from] SetupCodeError),
    #[error(transparent)]
    Join(#[from] JoinError),
    #[error("cannot wait for anything")]
    Runtime(#[source] io::Error),
    #[error("setup codes are turned off: plugins.entries.device-pair.enabled is false")]
    SetupDisabled,
    #[error("cannot write {path}")]
    NewFile { path: String, source: io::Error },
    #[error("cannot write the answer")]
    Output(#[from] io::Error),
}

impl Failure {
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Usage(_)
            | Self::Channel(_)
            | Self::Account(_)
            | Self::AskedElsewhere
            | Self::FirstRun(_)
            | Self::OwnerElsewhere
            | Self::Theirs(TheirsError::Owner)
            | Self::LogFilter { .. }
            | Self::SetupCode(_) => Exit::Usage,
            Self::Service(error) => error.exit(),
            Self::Join(error) => of_join(error),
            Self::State(_)
            | Self::Config(_)
            | Self::Closed(_)
            | Self::ConfigCommand(_)
            | Self::Open(_)
            | Self::StateFile { .. }
            | Self::Export { .. }
            | Self::ConfiguredUrl { .. }
            | Self::ConfiguredGateway { .. }
            | Self::ConfiguredFingerprint { .. }
            | Self::Call { .. }
            | Self::Ended { .. }
            | Self::SecretFile { .. }
            | Self::NoSecret { .. }
            | Self::Identity(_)
            | Self::Runtime(_)
            | Self::TokenFile(_)
            | Self::Entropy(_)
            | Self::NewFile { .. }
            | Self::Output(_) => Exit::State,
            Self::List(ListError(error)) | Self::Store(error) => of_store(error),
            Self::Decision(error) => match error {
                DecisionError::Code(_) => Exit::Usage,
                DecisionError::Store(error) => of_store(error),
                _ => Exit::Refused,
            },
            Self::Allowlist(error) => match error {
                AllowlistError::Entry(_) => Exit::Usage,
                AllowlistError::Store(error) => of_store(error),
                _ => Exit::Refused,
            },
            Self::Invite(error) => match error {
                InviteError::Store(error) => of_store(error),
                InviteError::Entropy(_) => Exit::State,
                _ => Exit::Refused,
            },
            Self::Request(error) => match error {
                RequestError::Sender(_) => Exit::Usage,
                RequestError::Store(error) => of_store(error),
                _ => Exit::State,
            },
            Self::Device(error) | Self::Node(error) => match error {
                DeviceError::Name => Exit::Usage,
                DeviceError::Store(error) => of_store(error),
                DeviceError::Entropy(_) => Exit::State,
                _ => Exit::Refused,
            },
            Self::FirstOwner(error) => match error {
                FirstOwnerError::Present => Exit::Refused,
                _ => Exit::State,
            },
            Self::Connect { source, .. } => gateway::exit_of(source),
            Self::Serve(error) => gateway::exit_of_serve(error),
            Self::InNoChannel(_)
            | Self::InSeveralChannels(_)
            | Self::Theirs(_)
            | Self::Answer { .. }
            | Self::Lacks { .. }
            | Self::NoGateway
            | Self::NotLinked { .. }
            | Self::Linking(_)
            | Self::LoggingOut(_)
            | Self::TokenIsSet { .. }
            | Self::NoSecretAsked
            | Self::NoTokenYet
            | Self::NoPage
            | Self::NothingToReject(_)
            | Self::NotAllowed { .. }
            | Self::NoInvitation { .. }
            | Self::Subject(_)
            | Self::NoDeviceWaits
            | Self::NotAskedFor(_)
            | Self::NoSuchCommand(_)
            | Self::Unconfirmed { .. }
            | Self::NeverApproved { .. }
            | Self::Revoked { .. }
            | Self::Beyond { .. }
            | Self::NoUrl
            | Self::SetupDisabled => Exit::Refused,
        }
    }

    pub(crate) fn advice(&self) -> Option<String> {
        match self {
            Self::Usage(error) => error.advice(),
            Self::State(_) => Some("name the directory with `--state-dir`".to_owned()),
            Self::ConfigCommand(error) => error.advice(),
            Self::Service(error) => error.advice(),
            Self::FirstRun(error) => Some(error.advice()),
            Self::Config(_) | Self::Closed(_) => Some("`openclaw doctor` lists all that is wrong with it".to_owned()),
            Self::Channel(error) => meant_channel(error).or_else(|| error.advice()),
            Self::List(error) => error.advice(),
            Self::Decision(error) => error.advice(),
            Self::Allowlist(AllowlistError::Entry(error))
            | Self::Request(RequestError::Sender(error)) => Some(of_sender(error)),
            Self::Allowlist(error) => error.advice(),
            Self::Request(error) => error.advice(),
            Self::Invite(error) => error.advice(),
            Self::InNoChannel(_) => {
                Some("see what is pending with `openclaw pairing list`".to_owned())
            }
            Self::InSeveralChannels(_) => Some("name the channel with `--channel`".to_owned()),
            Self::NothingToReject(channel) => Some(format!(
                "see what is pending with `openclaw pairing list {channel}`"
            )),
            Self::NoInvitation { channel, .. } => Some(format!(
                "it was used, ended, or has expired; see which are good with `openclaw pairing invites {channel}`"
            )),
            Self::NotAllowed { see, .. } => Some(format!("see who is with `{see}`")),
            Self::Device(error) | Self::Node(error) => of_device(error, self),
            Self::Subject(error) => Some(error.advice()),
            Self::NoDeviceWaits => Some(
                "a request lasts for 5 minutes after its device last tried: let it connect again"
                    .to_owned(),
            ),
            Self::Unconfirmed { requests, .. } => Some(format!(
                "if that is meant: `openclaw devices clear --yes{}`",
                if requests.is_some() { " --pending" } else { "" }
            )),
            Self::NeverApproved { .. } | Self::Revoked { .. } => Some(
                "let the device ask for it, then approve it with `openclaw devices approve`"
                    .to_owned(),
            ),
            Self::Beyond { .. } => Some(
                "let the device ask for more, then approve it with `openclaw devices approve`"
                    .to_owned(),
            ),
            Self::NoUrl => Some(
                "name it with `--url wss://…`, or set `plugins.entries.device-pair.config.publicUrl` \
                 in openclaw.json"
                    .to_owned(),
            ),
            Self::SetupDisabled => Some("set it to true in openclaw.json".to_owned()),
            Self::NewFile { source, .. } if source.kind() == io::ErrorKind::AlreadyExists => {
                Some("name a file that does not exist yet".to_owned())
            }
            Self::Connect { source, showed, .. } => gateway::advice_of(source, *showed),
            Self::Answer { error, proven, .. } => gateway::advice_of_answer(error, *proven),
            Self::NoGateway | Self::NotAskedFor(_) | Self::NoSuchCommand(_) | Self::Join(_) => {
                Some(of_newer(self).to_owned())
            }
            Self::Lacks { method } => Some(gateway::advice_of_lack(method)),
            Self::Call { source, .. } => gateway::advice_of_call(source),
            Self::NotLinked { advice, .. } => advice.clone(),
            Self::Linking(error) => error.advice().map(str::to_owned),
            Self::LoggingOut(error) => error.advice().map(str::to_owned),
            Self::Serve(error) => error.advice(),
            Self::TokenFile(error) => Some(error.advice().to_owned()),
            Self::LogFilter { .. } => Some(OF_FILTER.to_owned()),
            Self::TokenIsSet { .. } | Self::NoSecretAsked | Self::NoPage | Self::NoTokenYet => {
                Some(of_secret(self).to_owned())
            }
            Self::SetupCode(_) => {
                Some("make a new one with `openclaw qr` on the gateway's machine".to_owned())
            }
            Self::Theirs(error) => Some(error.advice()),
            Self::OwnerElsewhere => Some("leave out `--url`, and run it there".to_owned()),
            Self::FirstOwner(error) => Some(error.advice().to_owned()),
            Self::AskedElsewhere => Some(
                "leave out `--url`, and run it where the channel's adapter runs".to_owned(),
            ),
            Self::SecretFile { .. } | Self::NoSecret { .. } => Some(
                "`openclaw gateway token` on the gateway's machine says where it is".to_owned(),
            ),
            Self::Store(error) | Self::Identity(IdentityError::Store(error)) => error.advice(),
            Self::Open(error) => error.advice(),
            Self::Export { .. } => {
                Some("take one as `openclaw state export` has made it".to_owned())
            }
            Self::StateFile { .. }
            | Self::ConfiguredUrl { .. }
            | Self::ConfiguredGateway { .. }
            | Self::ConfiguredFingerprint { .. }
            | Self::Ended { .. }
            | Self::Identity(_)
            | Self::Runtime(_)
            | Self::Entropy(_)
            | Self::NewFile { .. }
            | Self::Account(_)
            | Self::Output(_) => None,
        }
    }

    /// Converts a gateway's refusal into the store's refusal of the same kind.
    pub(crate) fn refused(method: &'static str, error: ErrorShape, proven: bool) -> Self {
        gateway::refused(method, error, proven)
    }

    /// Whether a gateway answered with a refusal.
    pub(crate) fn is_refusal(&self) -> bool {
        matches!(self, Self::Connect { source, .. } if matches!(**source, ConnectError::Refused(_)))
    }

    /// Whether the reader of the output has gone (a broken pipe).
    pub(crate) fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

/// The advice for commands that need a gateway, or a node's request.
fn of_newer(failure: &Failure) -> &'static str {
    match failure {
        Failure::NotAskedFor(_) => {
            "`openclaw devices approve` alone shows what the newest asks for"
        }
        Failure::NoSuchCommand(_) => "its commands are device.info and device.status",
        Failure::Join(_) => {
            "make a new one with `openclaw devices join-code` at the gateway: each is good once"
        }
        _ => "start it with `openclaw gateway run`, or name one with `--url`",
    }
}

/// The advice for commands about the shared secret and the page that asks for it.
fn of_secret(failure: &Failure) -> &'static str {
    match failure {
        Failure::TokenIsSet { .. } => "change it there",
        Failure::NoSecretAsked => {
            "without one it listens on this machine only; set gateway.auth.token for others"
        }
        Failure::NoPage => "set it to true in openclaw.json, or leave it out",
        _ => "`openclaw gateway run` makes one",
    }
}

fn of_join(error: &JoinError) -> Exit {
    match error {
        JoinError::Url(_) | JoinError::NoCode => Exit::Usage,
        JoinError::Gone | JoinError::Limited { .. } => Exit::Refused,
        _ => Exit::State,
    }
}

fn of_store(error: &StoreError) -> Exit {
    match error {
        StoreError::Refused { .. } => Exit::Refused,
        _ => Exit::State,
    }
}

fn of_device(error: &DeviceError, failure: &Failure) -> Option<String> {
    let list = match failure {
        Failure::Node(_) => "openclaw nodes list",
        _ => "openclaw devices list",
    };
    match error {
        // It existed when the command began.
        DeviceError::UnknownRequest | DeviceError::UnknownDevice | DeviceError::UnknownRole => {
            Some(format!("somebody else has decided meanwhile: see `{list}`"))
        }
        error => error.advice(),
    }
}

fn at_stake(devices: usize, requests: Option<usize>) -> String {
    let mut at_stake = text::count(devices as u64, "device");
    if let Some(requests) = requests {
        at_stake.push_str(" and ");
        at_stake.push_str(&text::count(requests as u64, "request"));
    }
    at_stake
}

/// Returns the known channel whose name is nearest to an unknown one.
fn meant_channel(error: &ChannelError) -> Option<String> {
    let ChannelError::Unknown { channel, known } = error else {
        return None;
    };
    let known: Vec<_> = known.iter().map(ChannelId::as_str).collect();
    let meant = openclaw_config::did_you_mean(channel.as_str(), &known)?;
    Some(format!("did you mean {meant}?"))
}

fn of_sender(error: &SenderError) -> String {
    match error {
        SenderError::Wildcard => {
            "to let everybody in, set `dmPolicy` to `open` and `allowFrom` to `[\"*\"]` in openclaw.json"
        }
        _ => "give the id by which the channel knows the sender",
    }
    .to_owned()
}

fn names(channels: &[ChannelId]) -> String {
    let names: Vec<_> = channels.iter().map(ChannelId::as_str).collect();
    names.join(", ")
}
