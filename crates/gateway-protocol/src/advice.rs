//! What a person can do about an error of the core: the one table from which the command line, the page and the chat
//! take it.

use pairing_core::{
    AdmitError, AllowlistError, Chain, ChannelError, ChannelId, ConnectError, DecisionError,
    DeviceError, InviteError, ListError, MissingScope, RequestError, StoreError,
};

use crate::DetailCode;

/// What to do about an error of `pairing-core`, whose own text says only what has happened.
///
/// ```
/// use gateway_protocol::Advise as _;
/// use pairing_core::StoreError;
///
/// let advice = StoreError::Conflict.advice();
/// assert_eq!(advice.as_deref(), Some("try again: others were changing the same state"));
/// ```
pub trait Advise {
    /// Returns a line for a person that says what to do next; `None` if the error's own text leaves nothing to add.
    ///
    /// Texts that differ only by where they are read (a code that was mistyped, one that has expired) are those of
    /// [`DetailCode::advice`].
    fn advice(&self) -> Option<String>;
}

impl Advise for StoreError {
    fn advice(&self) -> Option<String> {
        let advice = match self {
            Self::Conflict => "try again: others were changing the same state",
            Self::Busy { .. } => "wait for that process, or end it if it hangs, and try again",
            Self::Unreadable { .. } => {
                "run `openclaw doctor` to see what is wrong with it; nothing was changed"
            }
            Self::Unwritable { source, .. }
                if Chain(&**source).to_string().contains("space exceeded") =>
            {
                "its members have no space left: compact and defragment them, then `etcdctl alarm disarm`"
            }
            Self::Unwritable { .. } => "check free space and permissions, then try again",
            Self::Unreachable { .. } => {
                "check that most of its members run and can be reached from here, then try again"
            }
            _ => return None,
        };
        Some(advice.to_owned())
    }
}

impl Advise for ChannelError {
    fn advice(&self) -> Option<String> {
        let Self::Unknown { known, .. } = self else {
            return None;
        };
        let known: Vec<_> = known.iter().map(ChannelId::as_str).collect();
        Some(format!("known channels: {}", known.join(", ")))
    }
}

impl Advise for DecisionError {
    fn advice(&self) -> Option<String> {
        Some(match self {
            Self::Code(_) => DetailCode::InvalidCode.advice().to_owned(),
            Self::NotFound { channel } => {
                format!("see what is pending with `openclaw pairing list {channel}`")
            }
            Self::Expired { .. } => DetailCode::RequestExpired.advice().to_owned(),
            Self::OtherAccount { account } => format!("add `--account {account}`"),
            Self::Ambiguous { .. } => "name the account with `--account`".to_owned(),
            Self::LockedOut { .. } => {
                "wait, or decide on the machine itself with `openclaw pairing`".to_owned()
            }
            Self::Scope(missing) => return missing.advice(),
            Self::Store(error) => return error.advice(),
            _ => return None,
        })
    }
}

impl Advise for InviteError {
    fn advice(&self) -> Option<String> {
        Some(match self {
            Self::NotOffered(_) => {
                "set the account's dmPolicy to pairing, or name the sender in its allowFrom"
                    .to_owned()
            }
            Self::TooMany { .. } => "wait until one has been used or has expired".to_owned(),
            Self::Scope(missing) => return missing.advice(),
            Self::Store(error) => return error.advice(),
            _ => return None,
        })
    }
}

impl Advise for MissingScope {
    fn advice(&self) -> Option<String> {
        Some("ask an operator who holds that scope".to_owned())
    }
}

impl Advise for ListError {
    fn advice(&self) -> Option<String> {
        self.0.advice()
    }
}

/// Errors for which there is something to do only if the store or a missing scope caused them.
macro_rules! by_cause {
    ($($error:ident: $($cause:ident),*;)*) => {
        $(impl Advise for $error {
            fn advice(&self) -> Option<String> {
                match self {
                    $(Self::$cause(cause) => cause.advice(),)*
                    _ => None,
                }
            }
        })*
    };
}

by_cause! {
    AdmitError: Store;
    RequestError: Store;
    AllowlistError: Scope, Store;
    ConnectError: Store;
    DeviceError: Scope, Store;
}

#[cfg(test)]
mod tests {
    use pairing_core::{AccountId, Timestamp};

    use super::*;

    #[test]
    fn causes_keep_their_advice_under_every_operation() {
        let conflict = StoreError::Conflict.advice();
        assert_eq!(AdmitError::from(StoreError::Conflict).advice(), conflict);
        assert_eq!(RequestError::from(StoreError::Conflict).advice(), conflict);
        assert_eq!(DecisionError::from(StoreError::Conflict).advice(), conflict);
        assert_eq!(ListError::from(StoreError::Conflict).advice(), conflict);
        let missing = || MissingScope {
            scope: "operator.admin",
        };
        assert_eq!(
            DeviceError::from(missing()).advice(),
            missing().advice(),
            "a missing scope"
        );
        assert_eq!(DeviceError::UnknownRequest.advice(), None);
    }

    #[test]
    fn what_differs_by_its_subject_names_it() {
        let channel = ChannelId::parse("telegram").unwrap();
        let unknown = ChannelError::Unknown {
            channel: ChannelId::parse("telegran").unwrap(),
            known: vec![ChannelId::parse("signal").unwrap(), channel.clone()],
        };
        let account = AccountId::parse("work").unwrap();
        let until = Timestamp::from_millis(0);
        for (advice, expected) in [
            (unknown.advice(), "known channels: signal, telegram"),
            (
                DecisionError::NotFound { channel }.advice(),
                "see what is pending with `openclaw pairing list telegram`",
            ),
            (
                DecisionError::OtherAccount { account }.advice(),
                "add `--account work`",
            ),
            (
                DecisionError::LockedOut { until }.advice(),
                "wait, or decide on the machine itself with `openclaw pairing`",
            ),
        ] {
            assert_eq!(advice.as_deref(), Some(expected));
        }
    }
}
