//! Why a command did not do what it was asked to: exit code and advice.

use std::io;

use openclaw_config::LoadError;
use pairing_core::{
    AllowlistError, ChannelError, ChannelId, DecisionError, ListError, NameError, RequestError,
    SenderError, StoreError,
};
use pairing_fs::NoStateDir;

use crate::Exit;
use crate::args::UsageError;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Usage(#[from] UsageError),
    #[error(transparent)]
    State(#[from] NoStateDir),
    #[error(transparent)]
    Config(#[from] LoadError),
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
    Request(#[from] RequestError),
    /// No channel was named, and none has it.
    #[error("no pending request of any channel has this {0}")]
    InNoChannel(&'static str),
    /// No channel was named, and more than one has it.
    #[error("requests of several channels match: {}", names(.0))]
    InSeveralChannels(Vec<ChannelId>),
    /// A channel was named, and it has no such request.
    #[error("no pending {0} request has this code or sender")]
    NothingToReject(ChannelId),
    #[error("{entry} is not on the allowlist of {list}")]
    NotAllowed {
        entry: String,
        list: String,
        /// The command that shows who is.
        see: String,
    },
    #[error("cannot write the answer")]
    Output(#[from] io::Error),
}

impl Failure {
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) | Self::Channel(_) | Self::Account(_) => Exit::Usage,
            Self::State(_) | Self::Config(_) | Self::Output(_) => Exit::State,
            Self::List(ListError(error)) => of_store(error),
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
            Self::Request(error) => match error {
                RequestError::Sender(_) => Exit::Usage,
                RequestError::Store(error) => of_store(error),
                _ => Exit::State,
            },
            Self::InNoChannel(_)
            | Self::InSeveralChannels(_)
            | Self::NothingToReject(_)
            | Self::NotAllowed { .. } => Exit::Refused,
        }
    }

    pub(crate) fn advice(&self) -> Option<String> {
        match self {
            Self::Usage(error) => error.advice(),
            Self::State(_) => Some("name the directory with `--state-dir`".to_owned()),
            Self::Config(_) => Some("`openclaw doctor` lists all that is wrong with it".to_owned()),
            Self::Channel(error) => error.advice(),
            Self::List(error) => error.advice(),
            Self::Decision(error) => error.advice(),
            Self::Allowlist(AllowlistError::Entry(error))
            | Self::Request(RequestError::Sender(error)) => Some(of_sender(error)),
            Self::Allowlist(AllowlistError::Scope(_)) => {
                Some("ask an operator who holds that scope".to_owned())
            }
            Self::Allowlist(error) => error.advice(),
            Self::Request(error) => error.advice(),
            Self::InNoChannel(_) => {
                Some("see what is pending with `openclaw pairing list`".to_owned())
            }
            Self::InSeveralChannels(_) => Some("name the channel with `--channel`".to_owned()),
            Self::NothingToReject(channel) => Some(format!(
                "see what is pending with `openclaw pairing list {channel}`"
            )),
            Self::NotAllowed { see, .. } => Some(format!("see who is with `{see}`")),
            Self::Account(_) | Self::Output(_) => None,
        }
    }

    /// Has whoever read the answer stopped reading?
    pub(crate) fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

fn of_store(error: &StoreError) -> Exit {
    match error {
        StoreError::Refused { .. } => Exit::Refused,
        _ => Exit::State,
    }
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
