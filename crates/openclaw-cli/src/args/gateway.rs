//! `openclaw gateway`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use openclaw_config::Bind;
use pairing_core::Scope;

use super::Command;
use super::devices::RawAll;
use super::target::RawTarget;
use crate::failure::UsageError;
use crate::purpose::Purpose;

/// The commands of `openclaw gateway`.
pub(crate) enum GatewayCommand {
    Run(RunOptions),
    Status,
    Health,
    Token(TokenOptions),
}

/// How a gateway is run, over what is configured.
#[derive(Debug)]
pub(crate) struct RunOptions {
    pub(crate) port: Option<u16>,
    pub(crate) bind: Option<Bind>,
    pub(crate) token_file: Option<PathBuf>,
    pub(crate) log: LogOptions,
}

/// How a program that runs on says what it does.
#[derive(Debug, Clone)]
pub(crate) struct LogOptions {
    pub(crate) format: LogFormat,
    /// A level, or a filter by module; what the environment says where there is none.
    pub(crate) level: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Lines for people
    Human,
    /// A JSON object a line
    Json,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct TokenOptions {
    pub(crate) show: bool,
    pub(crate) new: bool,
}

impl GatewayCommand {
    /// What it needs of a gateway.
    pub(crate) fn purpose(&self) -> Purpose {
        let scopes: &[_] = match self {
            // Pending requests are shown only to callers that may decide about them.
            Self::Status => &[Scope::READ, Scope::PAIRING],
            _ => &[Scope::READ],
        };
        Purpose {
            scopes,
            needs: &[],
            decides: false,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum RawGateway {
    /// Run the gateway, until it is told to stop
    Run(RawRun),
    /// Say whether a gateway runs here, and how it is
    Status(RawAsk),
    /// Ask a gateway whether it is well
    Health(RawAsk),
    /// Say where the gateway's token is
    Token(RawToken),
}

#[derive(Debug, Args)]
pub(super) struct RawRun {
    /// Port, instead of the configured one
    #[arg(long)]
    port: Option<u16>,
    /// Where to listen: loopback, lan, tailnet, auto, or an address
    #[arg(long, value_name = "WHERE")]
    bind: Option<String>,
    /// File with the token that clients have to show, instead of the configured secret
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    #[command(flatten)]
    log: RawLog,
}

/// Of what is said on standard error.
#[derive(Debug, Args)]
pub(super) struct RawLog {
    /// How the log is written
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "human")]
    log: LogFormat,
    #[arg(
        long,
        value_name = "LEVEL",
        help = "What is logged: error, warn, info, debug, trace, or a filter; so does OPENCLAW_LOG"
    )]
    log_level: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct RawAsk {
    #[command(flatten)]
    target: RawTarget,
    #[command(flatten)]
    all: RawAll,
}

#[derive(Debug, Args)]
pub(super) struct RawToken {
    /// Print the token itself
    #[arg(long)]
    show: bool,
    /// Make another one, where none is configured
    #[arg(long)]
    new: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl RawLog {
    pub(super) fn meaning(self) -> LogOptions {
        LogOptions {
            format: self.log,
            level: self.log_level,
        }
    }
}

impl RawGateway {
    pub(super) fn meaning(self) -> Result<Command, UsageError> {
        let (command, target, json) = match self {
            Self::Run(RawRun {
                port,
                bind,
                token_file,
                log,
            }) => {
                let run = RunOptions {
                    port,
                    bind: bind.map(bind_of).transpose()?,
                    token_file,
                    log: log.meaning(),
                };
                (GatewayCommand::Run(run), None, false)
            }
            Self::Status(RawAsk { target, all }) => {
                (GatewayCommand::Status, Some(target), all.json)
            }
            Self::Health(RawAsk { target, all }) => {
                (GatewayCommand::Health, Some(target), all.json)
            }
            Self::Token(RawToken { show, new, json }) => {
                let token = TokenOptions { show, new };
                (GatewayCommand::Token(token), None, json)
            }
        };
        let target = target.map(RawTarget::meaning).transpose()?;
        Ok(Command::Gateway {
            command,
            target: target.unwrap_or_default(),
            json,
        })
    }
}

fn bind_of(text: String) -> Result<Bind, UsageError> {
    Ok(match text.as_str() {
        "loopback" => Bind::Loopback,
        "lan" => Bind::Lan,
        "tailnet" => Bind::Tailnet,
        "auto" => Bind::Auto,
        "" | "custom" => return Err(UsageError::Bind(text)),
        _ => {
            let bare = text.trim_matches(['[', ']']);
            if text != "localhost" && bare.parse::<std::net::IpAddr>().is_err() {
                return Err(UsageError::Bind(text));
            }
            Bind::Custom(text)
        }
    })
}
