//! Options that many commands share.

use clap::Args;

/// What nearly every command takes.
#[derive(Debug, Args)]
pub(super) struct RawOptions {
    /// The channel, instead of naming it first
    #[arg(
        long = "channel",
        id = "channel_option",
        value_name = "CHANNEL",
        conflicts_with = "channel"
    )]
    pub(super) channel: Option<String>,
    /// The bot account that was written to, where a channel has several
    #[arg(long, value_name = "ACCOUNT")]
    pub(super) account: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}
