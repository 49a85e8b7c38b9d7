//! One error for callers that do not tell the operations apart.

use crate::device::AskError;
use crate::{
    AdmitError, AllowlistError, BearerError, BearersOff, ChannelError, ClaimError, ConnectError,
    DecisionError, DeviceError, EntropyError, InviteError, ListError, MissingScope, NameError,
    ParseClaimCodeError, ParseCodeError, RequestError, SenderError, StoreError,
};

/// Any error of an operation of this crate, for callers that treat all of them alike.
///
/// Every operation has an enum of its own, which `?` turns into this one. The predicates name the kinds that a caller
/// acts on; they stay the same when variants are added.
///
/// ```
/// use pairing_core::{Approver, Error, Pairing};
///
/// fn approve(pairing: &Pairing, code: &str) -> Result<(), Error> {
///     let channel = pairing.channel("telegram")?;
///     channel.approve(code, &Approver::operator("page", pairing_core::ScopeSet::admin()))?;
///     Ok(())
/// }
///
/// fn status(error: &Error) -> u16 {
///     match error {
///         error if error.is_locked_out() => 429,
///         error if error.is_unavailable() || error.is_conflict() => 503,
///         _ => 400,
///     }
/// }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[error(transparent)]
pub enum Error {
    /// A name is not valid.
    Name(#[from] NameError),
    /// A text cannot be a sender of the channel.
    Sender(#[from] SenderError),
    /// A text cannot be a code.
    Code(#[from] ParseCodeError),
    /// A text cannot be a claim code.
    ClaimCode(#[from] ParseClaimCodeError),
    /// The approver lacks a scope.
    Scope(#[from] MissingScope),
    /// No randomness.
    Entropy(#[from] EntropyError),
    /// The store failed.
    Store(#[from] StoreError),
    /// A channel could not be opened.
    Channel(#[from] ChannelError),
    /// A message could not be checked.
    Admit(#[from] AdmitError),
    /// No request was made or found.
    Request(#[from] RequestError),
    /// No request was approved or rejected.
    Decision(#[from] DecisionError),
    /// The allowlist was not changed.
    Allowlist(#[from] AllowlistError),
    /// No claim code was issued or ended.
    Invite(#[from] InviteError),
    /// No bearer client was changed.
    Bearer(#[from] BearerError),
    /// The service has no bearer clients.
    BearersOff(#[from] BearersOff),
    /// A claim code admitted nobody.
    Claim(#[from] ClaimError),
    /// A list could not be read.
    List(#[from] ListError),
    /// A connection asks for what does not exist.
    Ask(#[from] AskError),
    /// A device was not admitted.
    Connect(#[from] ConnectError),
    /// No decision about a device was made.
    Device(#[from] DeviceError),
}

impl Error {
    /// Whether others kept changing what the decision rests on. Nothing was changed; trying again may help.
    pub fn is_conflict(&self) -> bool {
        self.store().is_some_and(StoreError::is_conflict)
    }

    /// Whether the store cannot be used at present: it is locked, or cannot be reached, read or written. Nothing is
    /// known about the sender or device; treat a message as refused.
    pub fn is_unavailable(&self) -> bool {
        self.store().is_some_and(StoreError::is_unavailable)
    }

    /// Whether too many wrong codes were entered; [`DecisionError::LockedOut`] and
    /// [`ClaimError::LockedOut`] say until when.
    pub fn is_locked_out(&self) -> bool {
        matches!(
            self,
            Self::Decision(DecisionError::LockedOut { .. })
                | Self::Claim(ClaimError::LockedOut { .. })
        )
    }

    /// Returns the error of the store, if that is the cause.
    pub fn store(&self) -> Option<&StoreError> {
        match self {
            Self::Store(error)
            | Self::Admit(AdmitError::Store(error))
            | Self::Request(RequestError::Store(error))
            | Self::Decision(DecisionError::Store(error))
            | Self::Allowlist(AllowlistError::Store(error))
            | Self::Invite(InviteError::Store(error))
            | Self::Claim(ClaimError::Store(error))
            | Self::Bearer(BearerError::Store(error))
            | Self::List(ListError(error))
            | Self::Connect(ConnectError::Store(error))
            | Self::Device(DeviceError::Store(error)) => Some(error),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ChannelId, Timestamp};

    #[test]
    fn kinds_are_those_of_the_cause() {
        let unreachable = || StoreError::Unreachable {
            resource: "etcd".to_owned(),
            source: "no answer".into(),
        };
        let until = Timestamp::from_millis(0);
        let channel = ChannelId::builtin("telegram");
        for (error, kinds) in [
            (
                Error::from(AdmitError::from(unreachable())),
                [false, true, false],
            ),
            (
                RequestError::from(StoreError::Conflict).into(),
                [true, false, false],
            ),
            (
                DeviceError::from(unreachable()).into(),
                [false, true, false],
            ),
            (
                DecisionError::LockedOut { until }.into(),
                [false, false, true],
            ),
            (
                DecisionError::NotFound { channel }.into(),
                [false, false, false],
            ),
            (
                StoreError::Refused {
                    reason: "too large".to_owned(),
                }
                .into(),
                [false, false, false],
            ),
        ] {
            let found = [
                error.is_conflict(),
                error.is_unavailable(),
                error.is_locked_out(),
            ];
            assert_eq!(found, kinds, "{error}");
        }
    }

    #[test]
    fn the_text_is_that_of_the_operation() {
        let error = Error::from(ConnectError::from(StoreError::Conflict));
        assert_eq!(error.to_string(), StoreError::Conflict.to_string());
    }
}
