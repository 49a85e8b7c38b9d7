//! One error enum per operation. Their texts say what is; what to do about it is for the program that shows them.

use crate::device::CredentialError;
use crate::store::StoreError;
use crate::{
    AccountId, ChannelId, EntropyError, MissingScope, NameError, ParseClaimCodeError,
    ParseCodeError, Refusal, SenderError, Timestamp,
};

/// The channel could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChannelError {
    /// The name is not a valid channel name.
    #[error(transparent)]
    Name(NameError),
    /// The service has no rules for the channel.
    #[error("unknown channel {channel}")]
    Unknown {
        /// The name.
        channel: ChannelId,
        /// The known channels.
        known: Vec<ChannelId>,
    },
}

/// A message could not be checked; treat it as refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdmitError {
    /// The sender id is not valid for the channel.
    #[error(transparent)]
    Sender(#[from] SenderError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// No request was created or found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The sender id is not valid for the channel.
    #[error(transparent)]
    Sender(#[from] SenderError),
    /// No code could be generated.
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
    /// The text cannot be a code.
    #[error(transparent)]
    Code(#[from] ParseCodeError),
    /// The text cannot be a sender of the channel.
    #[error(transparent)]
    Sender(#[from] SenderError),
    /// No request is pending for this code or sender: it was mistyped, used, rejected or has expired.
    #[error("no pending {channel} request has this code")]
    NotFound {
        /// The channel.
        channel: ChannelId,
    },
    /// The request exists, but has expired.
    #[error("the {channel} request with this code has expired")]
    Expired {
        /// The channel.
        channel: ChannelId,
    },
    /// The request belongs to an account other than the one named.
    #[error("the request came in through the account {account}")]
    OtherAccount {
        /// The account of the request.
        account: AccountId,
    },
    /// Requests of several accounts match, so the account must be named.
    #[error("requests of several accounts match: {}", names(.accounts))]
    Ambiguous {
        /// The accounts.
        accounts: Vec<AccountId>,
    },
    /// This approver entered too many wrong codes.
    #[error("too many wrong codes, refused until {until}")]
    LockedOut {
        /// The end of the lock-out.
        until: Timestamp,
    },
    /// The approver lacks the scope for this decision.
    #[error(transparent)]
    Scope(#[from] MissingScope),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// No claim code was issued or ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InviteError {
    /// The policy lets nobody in by approvals, so a code would admit nobody.
    #[error(transparent)]
    NotOffered(#[from] Refusal),
    /// Too many codes of the channel are valid.
    #[error("{max} claim codes are valid, at most {max} may be at a time")]
    TooMany {
        /// The maximum.
        max: usize,
    },
    /// The approver lacks the scope for this decision.
    #[error(transparent)]
    Scope(#[from] MissingScope),
    /// No code could be generated.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A presented claim code admitted nobody.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClaimError {
    /// The text cannot be a claim code.
    #[error(transparent)]
    Code(#[from] ParseClaimCodeError),
    /// The sender id is not valid for the channel.
    #[error(transparent)]
    Sender(#[from] SenderError),
    /// The policy lets nobody in by approvals. The code was not spent.
    #[error(transparent)]
    NotOffered(#[from] Refusal),
    /// No such code is valid for this account: it was mistyped, presented before, or has expired.
    #[error("no {channel} invitation has this code")]
    NotFound {
        /// The channel.
        channel: ChannelId,
    },
    /// The code was issued, but has expired.
    #[error("the {channel} invitation with this code has expired")]
    Expired {
        /// The channel.
        channel: ChannelId,
    },
    /// This sender presented too many wrong codes.
    #[error("too many wrong codes, refused until {until}")]
    LockedOut {
        /// The end of the lock-out.
        until: Timestamp,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// No bearer client was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BearerError {
    /// The text is not a valid name for a client.
    #[error("a name has 1 to 128 characters, none of them a control character")]
    Name,
    /// A client has this token already.
    #[error("a client has this token already")]
    Known,
    /// There are too many clients.
    #[error("there are {max} bearer clients, at most {max} may be")]
    TooMany {
        /// The maximum.
        max: usize,
    },
    /// The approver lacks a scope, or would give one that it does not hold.
    #[error(transparent)]
    Scope(#[from] MissingScope),
    /// No token could be generated.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The service has no bearer clients: [`PairingBuilder::bearer_clients`](crate::PairingBuilder::bearer_clients) turns
/// them on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("bearer clients are turned off")]
pub struct BearersOff;

/// The allowlist was not changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AllowlistError {
    /// The entry cannot match any sender.
    #[error(transparent)]
    Entry(#[from] SenderError),
    /// The approver lacks the scope for this decision.
    #[error(transparent)]
    Scope(#[from] MissingScope),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A device was not admitted, and no request was made for it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The credential that it presented in addition to its key is not valid.
    #[error(transparent)]
    Credential(#[from] CredentialError),
    /// No token or id could be generated.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// The owner would have to be asked, and [may not be](crate::device::Connecting::without_asking).
    #[error("too many requests came from there: try again later")]
    TooManyRequests,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// No decision about a device was made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// No such request is pending, or this approver may not see it.
    #[error("unknown requestId")]
    UnknownRequest,
    /// No such device is paired, or this approver may not see it.
    #[error("unknown deviceId")]
    UnknownDevice,
    /// The device has no such role, or this approver may not decide about it.
    #[error("unknown deviceId/role")]
    UnknownRole,
    /// The text is not a valid name for a device.
    #[error("a name has 1 to 128 characters, none of them a control character")]
    Name,
    /// The approver lacks the scope for this decision.
    #[error(transparent)]
    Scope(#[from] MissingScope),
    /// No token could be generated.
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

/// The list could not be read.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct ListError(#[from] pub StoreError);

fn names(accounts: &[AccountId]) -> String {
    let names: Vec<_> = accounts.iter().map(AccountId::as_str).collect();
    names.join(", ")
}
