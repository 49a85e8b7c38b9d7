//! `openclaw node`: this machine as a node.

use gateway_protocol::GatewayUrl;
use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Command;
use super::devices::chosen;
use super::gateway::{LogOptions, RawLog};
use super::target::{TargetOptions, fingerprint, gateway_url};
use crate::failure::UsageError;

/// A node that is to run.
#[derive(Debug)]
pub(crate) struct NodeOptions {
    /// Where to: the address that was named, or else that of the setup code.
    pub(crate) target: TargetOptions,
    pub(crate) display_name: Option<String>,
    pub(crate) pair: Option<Pair>,
    /// The setup code is for a node that has no token of the gateway yet.
    pub(crate) only_if_needed: bool,
    /// Of the node's commands, those to offer; all of them if absent.
    pub(crate) commands: Option<BTreeSet<String>>,
    pub(crate) log: LogOptions,
    pub(crate) json: bool,
}

/// Where a setup code comes from.
#[derive(Clone)]
pub(crate) enum Pair {
    /// The command line; it is good for minutes, and asks only.
    Code(String),
    Stdin,
    File(PathBuf),
    /// A URL that a gateway exchanges for a setup code, once.
    Join(String),
}

impl std::fmt::Debug for Pair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Code(_) => "Code(…)",
            Self::Join(_) => "Join(…)",
            Self::Stdin => "Stdin",
            Self::File(_) => "File",
        })
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum RawNode {
    /// Run a small node: it pairs, stays connected, and answers device.info and device.status
    Run(RawNodeRun),
}

#[derive(Args)]
pub(super) struct RawConnect {
    /// What `openclaw devices join-code` printed there, or a setup code
    #[arg(value_name = "URL|CODE")]
    target: String,
    /// SHA-256 of the gateway's certificate: no other is believed
    #[arg(long, value_name = "SHA256")]
    tls_fingerprint: Option<String>,
    /// What the node is called
    #[arg(long, value_name = "NAME")]
    display_name: Option<String>,
    #[command(flatten)]
    log: RawLog,
    /// Print a JSON object for each event
    #[arg(long)]
    json: bool,
}

impl std::fmt::Debug for RawConnect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The target is a secret for as long as it lasts.
        f.debug_struct("RawConnect").finish_non_exhaustive()
    }
}

impl RawConnect {
    pub(super) fn meaning(self) -> Result<Command, UsageError> {
        let pair = if gateway_client::is_join_url(self.target.trim()) {
            Pair::Join(self.target)
        } else {
            Pair::Code(self.target)
        };
        Ok(Command::Node(NodeOptions {
            target: TargetOptions {
                fingerprint: self.tls_fingerprint.map(fingerprint).transpose()?,
                ..TargetOptions::default()
            },
            display_name: self.display_name,
            pair: Some(pair),
            only_if_needed: false,
            commands: None,
            log: self.log.meaning(),
            json: self.json,
        }))
    }
}

#[derive(Args)]
pub(super) struct RawNodeRun {
    /// The gateway's host
    #[arg(long, conflicts_with = "url")]
    host: Option<String>,
    /// The gateway's port
    #[arg(long, conflicts_with = "url")]
    port: Option<u16>,
    /// Encrypt the connection
    #[arg(long, conflicts_with = "url")]
    tls: bool,
    /// The path below which the gateway is, at a proxy that shows it there: /openclaw
    #[arg(long, value_name = "PATH", conflicts_with = "url")]
    context_path: Option<String>,
    /// The gateway's address, instead of host, port and path
    #[arg(long)]
    url: Option<String>,
    /// SHA-256 of the gateway's certificate: no other is believed
    #[arg(long, value_name = "SHA256")]
    tls_fingerprint: Option<String>,
    /// File with the gateway's token
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// File with the gateway's password
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Setup code to pair with, or - to read it from standard input, where no other program sees it
    #[arg(long, value_name = "CODE", allow_hyphen_values = true)]
    pair: Option<String>,
    /// File with the setup code
    #[arg(long, value_name = "FILE", conflicts_with = "pair")]
    pair_file: Option<PathBuf>,
    /// Setup code to pair with unless the node has paired already; - is standard input
    #[arg(
        long,
        value_name = "CODE",
        allow_hyphen_values = true,
        conflicts_with_all = ["pair", "pair_file"]
    )]
    pair_if_needed: Option<String>,
    /// Of the node's commands, offer only these
    #[arg(long, value_name = "COMMAND,…", value_delimiter = ',')]
    commands: Option<Vec<String>>,
    /// What the node is called
    #[arg(long, value_name = "NAME")]
    display_name: Option<String>,
    #[command(flatten)]
    log: RawLog,
    /// Print a JSON object for each event
    #[arg(long)]
    json: bool,
}

impl std::fmt::Debug for RawNodeRun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A setup code is a secret for as long as it lasts.
        f.debug_struct("RawNodeRun").finish_non_exhaustive()
    }
}

impl RawNode {
    pub(super) fn meaning(self) -> Result<Command, UsageError> {
        let Self::Run(RawNodeRun {
            host,
            port,
            tls,
            context_path,
            url,
            tls_fingerprint,
            token_file,
            password_file,
            pair,
            pair_file,
            pair_if_needed,
            commands,
            display_name,
            log,
            json,
        }) = self;
        let url = match (url, host, port, context_path) {
            (Some(url), ..) => Some(gateway_url(&url)?),
            (None, None, None, None) => None,
            (None, host, port, path) => Some(address(host.as_deref(), port, tls, path.as_deref())?),
        };
        let only_if_needed = pair_if_needed.is_some();
        let code = pair.or(pair_if_needed).map(|code| match code.as_str() {
            "-" => Pair::Stdin,
            _ => Pair::Code(code),
        });
        Ok(Command::Node(NodeOptions {
            target: TargetOptions {
                url,
                token_file,
                password_file,
                fingerprint: tls_fingerprint.map(fingerprint).transpose()?,
                ..TargetOptions::default()
            },
            display_name,
            pair: code.or(pair_file.map(Pair::File)),
            only_if_needed,
            commands: commands.map(chosen),
            log: log.meaning(),
            json,
        }))
    }
}

fn address(
    host: Option<&str>,
    port: Option<u16>,
    tls: bool,
    path: Option<&str>,
) -> Result<GatewayUrl, UsageError> {
    let scheme = if tls { "wss" } else { "ws" };
    let host = host.unwrap_or("127.0.0.1");
    let port = port.unwrap_or(openclaw_config::Gateway::PORT);
    let is_bare_v6 = host.contains(':') && !host.starts_with('[');
    let path = path.unwrap_or_default().trim_matches('/');
    let path = if path.is_empty() {
        String::new()
    } else {
        format!("/{path}")
    };
    gateway_url(&if is_bare_v6 {
        format!("{scheme}://[{host}]:{port}{path}")
    } else {
        format!("{scheme}://{host}:{port}{path}")
    })
}
