//! `openclaw qr`.

use gateway_protocol::GatewayUrl;
use std::path::PathBuf;

use clap::Args;
use pairing_core::Scope;
use pairing_core::device::SetupProfile;

use super::Command;
use crate::failure::UsageError;
use crate::purpose::Purpose;

/// A setup code that is asked for, and how it is shown.
#[expect(
    clippy::struct_excessive_bools,
    reason = "one for each flag that goes by itself"
)]
pub(crate) struct SetupOptions {
    pub(crate) url: Option<GatewayUrl>,
    /// The address of the remote gateway, whatever else is configured.
    pub(crate) remote: bool,
    pub(crate) profile: SetupProfile,
    pub(crate) code_only: bool,
    pub(crate) ascii: bool,
    pub(crate) png: Option<PathBuf>,
    pub(crate) json: bool,
    /// On the files, gateway or not.
    pub(crate) local: bool,
}

impl SetupOptions {
    /// What it needs of a gateway.
    pub(crate) const PURPOSE: Purpose = Purpose {
        scopes: &[Scope::ADMIN, Scope::PAIRING],
        needs: &["device.pair.setupCode"],
        decides: true,
    };
}

#[derive(Debug, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "one for each flag, as written"
)]
pub(super) struct RawQr {
    /// The gateway's address, instead of the configured one
    #[arg(long, visible_alias = "public-url")]
    url: Option<String>,
    /// The address in gateway.remote.url, whatever else is configured
    #[arg(long, conflicts_with = "url")]
    remote: bool,
    /// The device may ask for everything
    #[arg(long, conflicts_with_all = ["limited", "node_only", "voice_node"])]
    full: bool,
    /// The device may ask to be a node, and an operator who cannot administer: as without this
    #[arg(long, conflicts_with_all = ["node_only", "voice_node"])]
    limited: bool,
    /// The device may ask to be a node alone
    #[arg(long, conflicts_with = "voice_node")]
    node_only: bool,
    /// The device may ask to be a node that is spoken to: as an operator it reads and talks
    #[arg(long)]
    voice_node: bool,
    /// Print the setup code and nothing else
    #[arg(long, conflicts_with = "json")]
    setup_code_only: bool,
    /// Write the QR code to this new file, as a picture
    #[arg(long, value_name = "FILE")]
    png: Option<PathBuf>,
    /// Draw no QR code on the terminal
    #[arg(long)]
    no_ascii: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Go to the state directory, whether a gateway runs or not
    #[arg(long)]
    local: bool,
}

impl RawQr {
    pub(super) fn meaning(self) -> Result<Command, UsageError> {
        let Self {
            url,
            remote,
            full,
            limited: _,
            node_only,
            voice_node,
            setup_code_only,
            png,
            no_ascii,
            json,
            local,
        } = self;
        let url = url.map(|url| GatewayUrl::parse(&url)).transpose()?;
        Ok(Command::Setup(SetupOptions {
            url,
            remote,
            profile: if full {
                SetupProfile::Full
            } else if node_only {
                SetupProfile::Node
            } else if voice_node {
                SetupProfile::Voice
            } else {
                SetupProfile::Limited
            },
            code_only: setup_code_only,
            ascii: !no_ascii,
            png,
            json,
            local,
        }))
    }
}
