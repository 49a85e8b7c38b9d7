//! Reasons why a machine could not be set up.

use pairing_core::{ChannelId, escape};

/// A question cannot be answered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FirstRunError {
    #[error("nobody is here to answer: {question}")]
    Unanswered {
        question: &'static str,
        option: &'static str,
    },
    #[error("{} is no owner on {channel}", escape(.owner).limit(64))]
    Owner { owner: String, channel: ChannelId },
    #[error("an owner without a channel could be anybody")]
    OwnerOfNoChannel,
}

impl FirstRunError {
    pub(crate) fn advice(&self) -> String {
        match self {
            Self::Unanswered { option, .. } => format!("answer by `{option}`"),
            Self::Owner { channel, .. } => {
                format!(
                    "write the owner's id as `openclaw pairing list {channel}` shows ids, or none"
                )
            }
            Self::OwnerOfNoChannel => "name the channel too, by `--channel`".to_owned(),
        }
    }
}
