//! `openclaw nodes`.

use std::collections::BTreeSet;

use clap::{Args, Subcommand};

use pairing_core::Scope;

use super::devices::{RawAll, RawDeviceRequest, chosen};
use super::invoke::{Invoking, Notice, RawInvoke, RawMeant, RawNotify};
use super::{Command, TargetOptions};
use crate::failure::UsageError;
use crate::purpose::Purpose;

/// The commands of `openclaw nodes`.
///
/// Which request or node a text means depends on those that there are; it stays text.
pub(crate) enum NodesCommand {
    List,
    Status,
    Pending,
    Approve(String, Option<BTreeSet<String>>),
    Reject(String),
    Rename(String, String),
    Remove(String),
    Describe(String),
    Invoke(String, Invoking),
    Notify(String, Notice),
}

impl NodesCommand {
    /// What it needs of a gateway.
    pub(crate) fn purpose(&self) -> Purpose {
        let (needs, decides): (&[_], _) = match self {
            Self::List | Self::Pending => (&["node.pair.list"], false),
            Self::Status => (&["node.list"], false),
            Self::Describe(_) => (&["node.list", "node.describe"], false),
            Self::Invoke(..) | Self::Notify(..) => (&["node.list", "node.invoke"], true),
            Self::Approve(..) => (&["node.pair.list", "node.pair.approve"], true),
            Self::Reject(_) => (&["node.pair.list", "node.pair.reject"], true),
            Self::Rename(..) => (&["node.pair.list", "node.rename"], true),
            Self::Remove(_) => (&["node.pair.list", "node.pair.remove"], true),
        };
        let scopes: &[_] = match self {
            Self::Status | Self::Describe(_) => &[Scope::READ],
            Self::Invoke(..) | Self::Notify(..) => &[Scope::READ, Scope::WRITE],
            _ if decides => &[Scope::ADMIN, Scope::PAIRING],
            _ => &[Scope::PAIRING],
        };
        Purpose {
            scopes,
            needs,
            decides,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum RawNodes {
    /// List the nodes that wait, and those that are paired
    List(RawAll),
    /// List whatever is paired as a node, devices too
    Status(RawAll),
    /// List the nodes that wait
    Pending(RawAll),
    /// Let a node in, and print its token: the one time that it is shown
    Approve(RawNodeApprove),
    /// End a request without letting the node in
    Reject(RawDeviceRequest),
    /// Give a node another name
    Rename(RawNodeRename),
    /// Forget a node: its token ends, and it has to ask again
    Remove(RawNode),
    /// Show what the gateway knows of a node
    Describe(RawMeant),
    /// Have a connected node carry out a command
    Invoke(RawInvoke),
    /// Show a notification on a connected node
    Notify(RawNotify),
}

#[derive(Debug, Args)]
pub(super) struct RawNodeApprove {
    /// The request's id, or the beginning of it
    request: String,
    /// Of the commands that the node asks for, approve only these
    #[arg(long, value_name = "COMMAND,…", value_delimiter = ',')]
    commands: Option<Vec<String>>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct RawNodeRename {
    /// The node's id, the beginning of it, or its name
    #[arg(long)]
    node: String,
    /// The new name
    #[arg(long)]
    name: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct RawNode {
    /// The node's id, the beginning of it, or its name
    #[arg(required_unless_present = "node_option")]
    node: Option<String>,
    /// The node, instead of naming it first
    #[arg(
        long = "node",
        id = "node_option",
        value_name = "NODE",
        conflicts_with = "node"
    )]
    option: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl RawNodes {
    pub(super) fn meaning(self, target: TargetOptions) -> Result<Command, UsageError> {
        let (command, json) = match self {
            Self::List(RawAll { json }) => (NodesCommand::List, json),
            Self::Status(RawAll { json }) => (NodesCommand::Status, json),
            Self::Pending(RawAll { json }) => (NodesCommand::Pending, json),
            Self::Approve(RawNodeApprove {
                request,
                commands,
                json,
            }) => {
                let commands = commands.map(chosen);
                (NodesCommand::Approve(request, commands), json)
            }
            Self::Reject(RawDeviceRequest { request, json }) => {
                (NodesCommand::Reject(request), json)
            }
            Self::Rename(RawNodeRename { node, name, json }) => {
                (NodesCommand::Rename(node, name), json)
            }
            // One of the two is there, or the form was wrong already.
            Self::Remove(RawNode { node, option, json }) => (
                NodesCommand::Remove(node.or(option).unwrap_or_default()),
                json,
            ),
            Self::Describe(meant) => {
                let (node, json) = meant.meaning();
                (NodesCommand::Describe(node), json)
            }
            Self::Invoke(invoke) => {
                let (node, invoking, json) = invoke.meaning()?;
                (NodesCommand::Invoke(node, invoking), json)
            }
            Self::Notify(notify) => {
                let (node, notice, json) = notify.meaning()?;
                (NodesCommand::Notify(node, notice), json)
            }
        };
        Ok(Command::Nodes {
            command,
            target,
            json,
        })
    }
}
