//! Errors of the command line itself.

use gateway_client::ParseFingerprintError;
use gateway_protocol::GatewayUrlError;
use openclaw_config::KeyPathError;
use pairing_core::{ChannelId, Channels, Metadata, NameError, ParseCodeError, ParseScopeError};

/// An invalid command line.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UsageError {
    /// The parser rejected it.
    #[error("{}", .0.render())]
    Form(clap::Error),
    #[error(transparent)]
    Channel(NameError),
    #[error(transparent)]
    Account(NameError),
    #[error(transparent)]
    Code(#[from] ParseCodeError),
    /// `approve telegram`: a channel without a code.
    #[error("the code is missing after the channel {0}")]
    LoneChannel(ChannelId),
    #[error("metadata is written KEY=VALUE, this is {0:?}")]
    Meta(String),
    #[error("`{}` is not metadata, it names the account", Metadata::ACCOUNT_KEY)]
    MetaAccount,
    #[error("{0:?} is no role")]
    Role(String),
    #[error("{name:?} is no scope")]
    Scope {
        name: String,
        source: ParseScopeError,
    },
    #[error("no phone could use this URL")]
    Url(#[from] GatewayUrlError),
    #[error("no gateway is at this URL")]
    Gateway(#[source] GatewayUrlError),
    #[error("{text:?} pins no certificate")]
    Fingerprint {
        text: String,
        source: ParseFingerprintError,
    },
    #[error("the parameters of the command are not JSON")]
    Params(#[source] serde_json::Error),
    #[error("{0:?} is no length of time between 1 ms and an hour")]
    Time(String),
    #[error("a gateway does not listen on {0:?}")]
    Bind(String),
    #[error("`--local` and `--url` name two places")]
    TwoPlaces,
    #[error("{0:?} is no store")]
    Store(String),
    #[error("`--from` and `--to` name the same store")]
    SameStore,
    #[error(transparent)]
    Key(KeyPathError),
}

impl UsageError {
    pub(crate) fn advice(&self) -> Option<String> {
        match self {
            // The texts of these contain the advice.
            Self::Form(_) | Self::Url(_) | Self::Gateway(_) | Self::Key(_) => None,
            Self::Fingerprint { .. } => {
                Some("the gateway's log says it at the start, and setup codes carry it".to_owned())
            }
            Self::Time(_) => Some("write milliseconds, or seconds as 10s".to_owned()),
            Self::Bind(_) => Some(
                "write loopback, lan, tailnet, auto, or one of this machine's addresses".to_owned(),
            ),
            Self::Params(_) => Some("write them like `--params '{\"name\": 1}'`".to_owned()),
            Self::TwoPlaces => Some("leave out one of them".to_owned()),
            Self::Store(_) => Some("write files, files:DIR or etcd".to_owned()),
            Self::SameStore => Some("name another directory, or etcd".to_owned()),
            Self::Channel(_) => {
                let channels = Channels::builtin();
                let known: Vec<_> = channels.iter().map(|rules| rules.id().as_str()).collect();
                Some(format!("known channels: {}", known.join(", ")))
            }
            Self::Account(_) => {
                Some("leave `--account` out where a channel has one account only".to_owned())
            }
            Self::Code(_) => Some("type the code as the sender received it".to_owned()),
            Self::LoneChannel(channel) => Some(format!(
                "see what is pending with `openclaw pairing list {channel}`"
            )),
            Self::Meta(_) => Some("write it as `--meta username=ann`".to_owned()),
            Self::MetaAccount => Some("name it with `--account`".to_owned()),
            Self::Role(_) => Some("the roles are operator and node".to_owned()),
            Self::Scope { .. } => {
                Some("see what was approved with `openclaw devices list`".to_owned())
            }
        }
    }
}
