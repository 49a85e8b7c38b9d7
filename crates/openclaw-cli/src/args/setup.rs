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
    /// The device may ask for everything
    #[arg(long, conflicts_with_all = ["limited", "node_only"])]
    full: bool,
    /// The device may ask to be a node, and an operator who cannot administer: as without this
    #[arg(long, conflicts_with = "node_only")]
    limited: bool,
    /// The device may ask to be a node alone
    #[arg(long)]
    node_only: bool,
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
            full,
            limited: _,
            node_only,
            setup_code_only,
            png,
            no_ascii,
            json,
            local,
        } = self;
        let url = url.map(|url| GatewayUrl::parse(&url)).transpose()?;
        Ok(Command::Setup(SetupOptions {
            url,
            profile: match (full, node_only) {
                (true, _) => SetupProfile::Full,
                (_, true) => SetupProfile::Node,
                (false, false) => SetupProfile::Limited,
            },
            code_only: setup_code_only,
            ascii: !no_ascii,
            png,
            json,
            local,
        }))
    }
}
