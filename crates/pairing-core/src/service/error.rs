//! One error enum per operation. Each has an `advice`: a line for a person that says what to do next.

use crate::device::CredentialError;
use crate::store::StoreError;
use crate::{
    AccountId, ChannelId, EntropyError, MissingScope, NameError, ParseCodeError, SenderError,
    Timestamp,
};

/// No handle to a channel.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChannelError {
    /// The name cannot be a channel's.
    #[error(transparent)]
    Name(NameError),
    /// No rules are known for it.
    #[error("unknown channel {channel}")]
    Unknown {
        /// The name.
        channel: ChannelId,
        /// The channels that are known.
        known: Vec<ChannelId>,
    },
}

impl ChannelError {
    /// What to do next.
    pub fn advice(&self) -> Option<String> {
        match self {
            Self::Name(_) => None,
            Self::Unknown { known, .. } => {
                let known: Vec<_> = known.iter().map(ChannelId::as_str).collect();
                Some(format!("known channels: {}", known.join(", ")))
            }
        }
    }
}

/// A message could not be admitted or refused: treat it as refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdmitError {
    /// The sender's id can be nobody's.
    #[error(transparent)]
    Sender(#[from] SenderError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// No request was made or found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The sender's id can be nobody's.
    #[error(transparent)]
    Sender(#[from] SenderError),
    /// No code could be drawn.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Nothing was approved or rejected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecisionError {
    /// The text can be no code.
    #[error(transparent)]
    Code(#[from] ParseCodeError),
    /// No request is pending under this code or for this sender: mistyped, used, rejected or expired.
    #[error("no pending {channel} request has this code")]
    NotFound {
        /// The channel.
        channel: ChannelId,
    },
    /// The request is there, but its time is over.
    #[error("the {channel} request with this code has expired")]
    Expired {
        /// The channel.
        channel: ChannelId,
    },
    /// The request came in through another account than the one named.
    #[error("the request came in through the account {account}")]
    OtherAccount {
        /// The account it came in through.
        account: AccountId,
    },
    /// Requests of several accounts match; nothing tells which is meant.
    #[error("requests of several accounts match: {}", names(.accounts))]
    Ambiguous {
        /// The accounts.
        accounts: Vec<AccountId>,
    },
    /// This approver sent too many wrong codes.
    #[error("too many wrong codes, refused until {until}")]
    LockedOut {
        /// When it ends.
        until: Timestamp,
    },
    /// The approver may not decide this.
    #[error(transparent)]
    Scope(#[from] MissingScope),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl DecisionError {
    /// What to do next.
    pub fn advice(&self) -> Option<String> {
        match self {
            Self::Code(_) => Some("type the code as the sender received it".to_owned()),
            Self::NotFound { channel } => Some(format!(
                "see what is pending with `openclaw pairing list {channel}`"
            )),
            Self::Expired { .. } => {
                Some("ask the sender to write to the bot again for a new code".to_owned())
            }
            Self::OtherAccount { account } => Some(format!("add `--account {account}`")),
            Self::Ambiguous { .. } => Some("name the account with `--account`".to_owned()),
            Self::LockedOut { .. } => {
                Some("wait, or decide on the machine itself with `openclaw pairing`".to_owned())
            }
            Self::Scope(_) => Some("ask an operator who holds that scope".to_owned()),
            Self::Store(error) => error.advice(),
        }
    }
}

/// The allowlist was not changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AllowlistError {
    /// The entry can match nobody.
    #[error(transparent)]
    Entry(#[from] SenderError),
    /// The approver may not decide this.
    #[error(transparent)]
    Scope(#[from] MissingScope),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A device was neither admitted nor asked about.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// What it shows besides its key is not good.
    #[error(transparent)]
    Credential(#[from] CredentialError),
    /// No token or id could be drawn.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Nothing was decided about a device.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// No such request waits, as far as this approver is concerned.
    #[error("unknown requestId")]
    UnknownRequest,
    /// No such device is paired, as far as this approver is concerned.
    #[error("unknown deviceId")]
    UnknownDevice,
    /// The device has no such role, or this approver may not decide about it.
    #[error("unknown deviceId/role")]
    UnknownRole,
    /// No name for a device.
    #[error("a name has 1 to 128 characters, none of them a control character")]
    Name,
    /// The approver may not decide this.
    #[error(transparent)]
    Scope(#[from] MissingScope),
    /// No token could be drawn.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<ListError> for DeviceError {
    fn from(ListError(error): ListError) -> Self {
        Self::Store(error)
    }
}

/// Nothing could be listed.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct ListError(#[from] pub StoreError);

impl ListError {
    /// What to do next.
    pub fn advice(&self) -> Option<String> {
        self.0.advice()
    }
}

macro_rules! store_advice {
    ($($error:ident),*) => {
        $(impl $error {
            /// What to do next.
            pub fn advice(&self) -> Option<String> {
                match self {
                    Self::Store(error) => error.advice(),
                    _ => None,
                }
            }
        })*
    };
}

store_advice!(
    AdmitError,
    RequestError,
    AllowlistError,
    ConnectError,
    DeviceError
);

fn names(accounts: &[AccountId]) -> String {
    let names: Vec<_> = accounts.iter().map(AccountId::as_str).collect();
    names.join(", ")
}
