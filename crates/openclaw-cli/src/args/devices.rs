//! `openclaw devices`.

use std::collections::BTreeSet;

use clap::{Args, Subcommand};
use pairing_core::device::Role;
use pairing_core::{Scope, ScopeSet};

use super::{Command, TargetOptions};
use crate::failure::UsageError;
use crate::purpose::Purpose;

/// The commands of `openclaw devices`.
///
/// Which request or device a text means depends on those that there are; it stays text.
pub(crate) enum DevicesCommand {
    List,
    Watch,
    /// Without a request: only a look at the newest.
    Approve(Option<String>, Option<BTreeSet<String>>),
    JoinCode,
    Reject(String),
    Remove(String),
    Clear(Clear),
    Rename(String, String),
    Rotate(String, Role, Option<ScopeSet>),
    Revoke(String, Role),
}

impl DevicesCommand {
    /// The scopes that it needs from a gateway. The scopes of the approver bound what may be approved or ended;
    /// the owner has all of them.
    pub(crate) fn purpose(&self, by_key: bool) -> Purpose {
        let (needs, decides): (&[_], _) = match self {
            Self::Watch if by_key => (
                &[
                    "device.pair.list",
                    "device.pair.approve",
                    "device.pair.reject",
                ],
                true,
            ),
            Self::List | Self::Watch | Self::Approve(None, _) => (&["device.pair.list"], false),
            Self::Clear(clear) if !clear.yes => (&["device.pair.list"], false),
            // The other program has this method, and does not list it.
            Self::JoinCode => (&[], true),
            Self::Approve(Some(_), _) => (&["device.pair.list", "device.pair.approve"], true),
            Self::Reject(_) => (&["device.pair.list", "device.pair.reject"], true),
            Self::Clear(clear) if clear.pending => (
                &[
                    "device.pair.list",
                    "device.pair.reject",
                    "device.pair.remove",
                ],
                true,
            ),
            Self::Remove(_) | Self::Clear(_) => (&["device.pair.list", "device.pair.remove"], true),
            Self::Rename(..) => (&["device.pair.list", "device.pair.rename"], true),
            Self::Rotate(..) => (&["device.pair.list", "device.token.rotate"], true),
            Self::Revoke(..) => (&["device.pair.list", "device.token.revoke"], true),
        };
        let scopes: &[_] = if decides {
            &[Scope::ADMIN, Scope::PAIRING]
        } else {
            &[Scope::PAIRING]
        };
        Purpose {
            scopes,
            needs,
            decides,
        }
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Clear {
    pub(crate) yes: bool,
    pub(crate) pending: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum RawDevices {
    /// List the devices that wait, and those that are paired
    List(RawAll),
    /// Show devices that ask as they come, and decide about them by a key
    Watch(RawAll),
    /// Let a device in; without a request, show what the newest would grant
    Approve(RawDeviceApprove),
    /// Make a short-lived URL with which another machine asks to join as a node
    JoinCode(RawAll),
    /// End a request without letting the device in
    Reject(RawDeviceRequest),
    /// Forget a device: its tokens end, and it has to ask again
    Remove(RawDevice),
    /// Forget all devices
    Clear(RawClear),
    /// Give a device another name
    Rename(RawRename),
    /// End the token of a role; the device gets a new one at its next connect
    Rotate(RawRotate),
    /// End a role of a device until it is approved anew
    Revoke(RawRevoke),
}

/// Commands about nothing in particular.
#[derive(Debug, Args)]
pub(super) struct RawAll {
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct RawDeviceApprove {
    /// The request's id, or the beginning of it
    request: Option<String>,
    /// Show what the newest request would grant, as without a request
    #[arg(long, conflicts_with = "request")]
    latest: bool,
    /// Of the commands that a node asks for, approve only these
    #[arg(
        long,
        value_name = "COMMAND,…",
        value_delimiter = ',',
        requires = "request"
    )]
    commands: Option<Vec<String>>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct RawDeviceRequest {
    /// The request's id, or the beginning of it
    pub(super) request: String,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct RawDevice {
    /// The device's id, the beginning of it, or its name
    device: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct RawClear {
    /// Do it; without, only say what would be forgotten
    #[arg(long)]
    yes: bool,
    /// End all requests, too
    #[arg(long)]
    pending: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct RawRename {
    /// The device's id, the beginning of it, or its name
    device: String,
    /// The new name
    name: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct RawRotate {
    /// The device's id, the beginning of it, or its name
    #[arg(long)]
    device: String,
    /// The role: operator or node
    #[arg(long)]
    role: String,
    /// A scope of the new token, instead of those of the old one; may be given several times
    #[arg(long = "scope", value_name = "SCOPE", value_delimiter = ',')]
    scopes: Vec<String>,
    /// No scopes for the new token
    #[arg(long, conflicts_with = "scopes")]
    no_scopes: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct RawRevoke {
    /// The device's id, the beginning of it, or its name
    #[arg(long)]
    device: String,
    /// The role: operator or node
    #[arg(long)]
    role: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl RawDevices {
    pub(super) fn meaning(self, target: TargetOptions) -> Result<Command, UsageError> {
        let (command, json) = match self {
            Self::List(RawAll { json }) => (DevicesCommand::List, json),
            Self::Watch(RawAll { json }) => (DevicesCommand::Watch, json),
            Self::JoinCode(RawAll { json }) => (DevicesCommand::JoinCode, json),
            Self::Approve(RawDeviceApprove {
                request,
                latest,
                commands,
                json,
            }) => {
                let commands = commands.as_deref().map(chosen);
                let request = request.filter(|_| !latest);
                (DevicesCommand::Approve(request, commands), json)
            }
            Self::Reject(RawDeviceRequest { request, json }) => {
                (DevicesCommand::Reject(request), json)
            }
            Self::Remove(RawDevice { device, json }) => (DevicesCommand::Remove(device), json),
            Self::Clear(RawClear { yes, pending, json }) => {
                (DevicesCommand::Clear(Clear { yes, pending }), json)
            }
            Self::Rename(RawRename { device, name, json }) => {
                (DevicesCommand::Rename(device, name), json)
            }
            Self::Rotate(RawRotate {
                device,
                role,
                scopes,
                no_scopes,
                json,
            }) => {
                let scopes = Some(scopes).filter(|scopes| no_scopes || !scopes.is_empty());
                let scopes = scopes.map(scopes_of).transpose()?;
                let role = role_of(role)?;
                (DevicesCommand::Rotate(device, role, scopes), json)
            }
            Self::Revoke(RawRevoke { device, role, json }) => {
                (DevicesCommand::Revoke(device, role_of(role)?), json)
            }
        };
        Ok(Command::Devices {
            command,
            target,
            json,
        })
    }
}

/// The names of commands that were chosen.
pub(super) fn chosen(names: &[String]) -> BTreeSet<String> {
    let names = names.iter().map(|name| name.trim());
    let names = names.filter(|name| !name.is_empty());
    names.map(str::to_owned).collect()
}

fn role_of(name: String) -> Result<Role, UsageError> {
    Role::parse(&name).map_err(|_| UsageError::Role(name))
}

fn scopes_of(names: Vec<String>) -> Result<ScopeSet, UsageError> {
    let parse =
        |name: String| Scope::parse(&name).map_err(|source| UsageError::Scope { name, source });
    names.into_iter().map(parse).collect()
}
