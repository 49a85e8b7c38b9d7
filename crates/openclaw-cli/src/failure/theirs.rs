//! Failures that occur only at gateways of the other program.

use pairing_core::ChannelId;

/// A decision that was not made at a gateway which lists requests by public ids instead of codes.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TheirsError {
    #[error("no pending {channel} request has this id or sender")]
    NotNamed { channel: ChannelId },
    #[error("several pending {channel} requests match this id or sender")]
    Ambiguous { channel: ChannelId },
    #[error("this gateway names its first owner in its own configuration")]
    Owner,
}

impl TheirsError {
    pub(crate) fn advice(&self) -> String {
        match self {
            Self::NotNamed { channel } => format!(
                "this gateway tells nobody the codes: name the request or its sender, as \
                 `openclaw pairing list {channel}` shows them"
            ),
            Self::Ambiguous { .. } => "write the whole id, or name the account".to_owned(),
            Self::Owner => {
                "leave out `--make-owner`, and add the sender to commands.ownerAllowFrom there"
                    .to_owned()
            }
        }
    }
}
