//! Failures that only gateways of the other program cause.

use pairing_core::ChannelId;

/// Why a decision was not made at a gateway that lists public ids of requests, and no codes.
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
