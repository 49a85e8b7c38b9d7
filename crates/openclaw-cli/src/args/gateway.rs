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
    Service(ServiceCommand),
}

/// The commands about the gateway as a service of the system.
#[derive(Debug)]
pub(crate) enum ServiceCommand {
    Install(InstallOptions),
    Uninstall {
        scope: Option<ServiceScope>,
        /// Also one that this program did not write.
        force: bool,
    },
    Start(Option<ServiceScope>),
    Stop(Option<ServiceScope>),
    Restart(Option<ServiceScope>),
    Logs(LogsOptions),
}

/// Whose service it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ServiceScope {
    User,
    System,
}

/// How the service is installed.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "one for each flag that goes by itself"
)]
pub(crate) struct InstallOptions {
    pub(crate) scope: ServiceScope,
    pub(crate) user: Option<String>,
    pub(crate) port: Option<u16>,
    pub(crate) program: Option<PathBuf>,
    pub(crate) start: bool,
    pub(crate) force: bool,
    pub(crate) print: bool,
    pub(crate) launchd: bool,
    /// Whether systemd listens for the gateway.
    pub(crate) socket: bool,
    /// Whether the command line says where the state is.
    pub(crate) state_dir_is_named: bool,
}

#[derive(Debug)]
pub(crate) struct LogsOptions {
    pub(crate) scope: Option<ServiceScope>,
    pub(crate) follow: bool,
    pub(crate) lines: u32,
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
    /// Have the system run the gateway: it starts with the machine, and again if it ends
    Install(RawInstall),
    /// Take the service away again; the state stays
    Uninstall {
        #[command(flatten)]
        service: RawService,
        /// Also a service that this program did not write
        #[arg(long)]
        force: bool,
    },
    /// Start the service
    Start(RawService),
    /// Stop the service, until it is started or the machine is
    Stop(RawService),
    /// Stop the service and start it again
    Restart(RawService),
    /// Show what the service has logged
    Logs(RawLogs),
}

#[derive(Debug, Args)]
pub(super) struct RawService {
    /// The service of the system, and not one of yours
    #[arg(long)]
    system: bool,
    /// The service of yours, and not one of the system
    #[arg(long, conflicts_with = "system")]
    user: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "one for each flag, as written"
)]
pub(super) struct RawInstall {
    /// Port, instead of the configured one
    #[arg(long)]
    port: Option<u16>,
    /// A service of the system, which runs as a user of its own; needs root
    #[arg(long)]
    system: bool,
    /// With --system: the user that it runs as, instead of openclaw
    #[arg(long, value_name = "USER", requires = "system")]
    run_as: Option<String>,
    /// The program that the service runs, instead of this one
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// Have systemd listen on loopback for the gateway, so that clients wait while it starts again
    #[arg(long)]
    socket: bool,
    /// Install it, and start it later
    #[arg(long)]
    no_start: bool,
    /// Replace a service that this program did not write
    #[arg(long)]
    force: bool,
    /// Print the definition of the service, and change nothing
    #[arg(long, conflicts_with = "json")]
    print: bool,
    /// With --print: the one for macOS
    #[arg(long, requires = "print", conflicts_with = "socket")]
    launchd: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct RawLogs {
    /// The service of the system, and not one of yours
    #[arg(long)]
    system: bool,
    /// The service of yours, and not one of the system
    #[arg(long, conflicts_with = "system")]
    user: bool,
    /// Go on with new lines until Ctrl-C
    #[arg(long, short)]
    follow: bool,
    /// How many lines
    #[arg(
        long,
        short = 'n',
        visible_alias = "limit",
        value_name = "N",
        default_value_t = 200
    )]
    lines: u32,
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
    pub(super) fn meaning(self, state_dir_is_named: bool) -> Result<Command, UsageError> {
        let service = |command| GatewayCommand::Service(command);
        let (command, target, json) = match self {
            Self::Install(raw) => {
                let json = raw.json;
                let options = raw.meaning(state_dir_is_named);
                (service(ServiceCommand::Install(options)), None, json)
            }
            Self::Uninstall {
                service: raw,
                force,
            } => {
                let scope = raw.scope();
                let command = ServiceCommand::Uninstall { scope, force };
                (service(command), None, raw.json)
            }
            Self::Start(raw) => (service(ServiceCommand::Start(raw.scope())), None, raw.json),
            Self::Stop(raw) => (service(ServiceCommand::Stop(raw.scope())), None, raw.json),
            Self::Restart(raw) => (
                service(ServiceCommand::Restart(raw.scope())),
                None,
                raw.json,
            ),
            Self::Logs(RawLogs {
                system,
                user,
                follow,
                lines,
            }) => {
                let options = LogsOptions {
                    scope: scope(system, user),
                    follow,
                    lines,
                };
                (service(ServiceCommand::Logs(options)), None, false)
            }
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

impl RawService {
    fn scope(&self) -> Option<ServiceScope> {
        scope(self.system, self.user)
    }
}

impl RawInstall {
    fn meaning(self, state_dir_is_named: bool) -> InstallOptions {
        let scope = scope(self.system, false).unwrap_or(ServiceScope::User);
        InstallOptions {
            scope,
            user: self.run_as,
            port: self.port,
            program: self.program,
            start: !self.no_start,
            force: self.force,
            print: self.print,
            launchd: self.launchd,
            socket: self.socket,
            state_dir_is_named,
        }
    }
}

fn scope(system: bool, user: bool) -> Option<ServiceScope> {
    match (system, user) {
        (true, _) => Some(ServiceScope::System),
        (false, true) => Some(ServiceScope::User),
        (false, false) => None,
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
