//! Linking: making this machine a device of an account that a person has on their phone; and logging out, which ends that.

use std::fmt;

use zeroize::Zeroizing;

use crate::BoxFuture;

/// A chat system on which an account is linked by scanning a code.
pub trait Login: Send + Sync {
    /// Where the code is scanned, for a person, such as `in Signal on the phone: Settings, Linked devices`.
    fn how(&self) -> &'static str;

    /// Links the account; the chat system shows `device` as the name of this machine. Steps on the way are passed to `tell`.
    ///
    /// What must hold:
    /// - It ends by itself within some minutes, and dropping the future gives up.
    /// - A code is passed to `tell` and to nobody else: whoever has it can take the account. No error and no log line
    ///   holds it.
    /// - It works whether the adapter runs or not. An adapter that runs uses the account from then on.
    fn link<'a>(
        &'a self,
        device: &'a str,
        tell: &'a (dyn Fn(LoginStep) + Send + Sync),
    ) -> BoxFuture<'a, Result<Linked, LoginError>>;

    /// Logs out: this machine receives nothing for the account any more, and has no keys of it. The phone may go on listing
    /// it as a device; say so in [`LoggedOut::remark`].
    ///
    /// What must hold:
    /// - It ends by itself within four minutes. Where it fails, it can be called again.
    /// - The account itself is not deleted, nor is a device other than this machine.
    /// - It works whether the adapter runs or not. An adapter that runs looks for the account again from then on.
    ///
    /// By default, it says that only the phone can do it.
    fn log_out(&self) -> BoxFuture<'_, Result<LoggedOut, LogoutError>> {
        Box::pin(async {
            Err(LogoutError::Refused {
                reason: "the account cannot be logged out from here".to_owned(),
                advice: "remove this device on the phone, in its list of linked devices",
            })
        })
    }
}

/// A step on the way to a linked account.
#[derive(Debug)]
#[non_exhaustive]
pub enum LoginStep {
    /// This is to be scanned. A later code takes the place of an earlier one.
    Code(LoginCode),
    /// This is to be typed on the phone. A later code takes the place of an earlier one.
    Typed(LoginCode),
    /// The code was scanned or typed, and the account is being set up.
    Scanned,
}

/// The text of a code. Whoever scans it can link the account, so `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct LoginCode(Zeroizing<String>);

/// An account was linked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Linked {
    /// The account's name on the chat system, such as its number. It is not escaped.
    pub account: String,
    /// Something that is left to do, such as a setting that names another account.
    pub remark: Option<String>,
}

/// An account was not linked. Texts are escaped, and hold no secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LoginError {
    /// Nobody has scanned the code, or it was not confirmed on the phone.
    #[error("the code was not used in time")]
    TimedOut,
    /// The chat system does not link the account.
    #[error("{reason}")]
    Refused {
        /// Its reason.
        reason: String,
        /// What to do about it.
        advice: &'static str,
    },
    /// Something that is needed is not there: a program, a service, the network.
    #[error("{reason}")]
    Unavailable {
        /// What it is.
        reason: String,
        /// What to do about it.
        advice: &'static str,
    },
}

/// An account is logged out.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoggedOut {
    /// The account's name on the chat system, such as its number. It is not escaped.
    pub account: String,
    /// Whether it was linked until now.
    pub was_linked: bool,
    /// Something that is left to do, such as what has to be done on the phone.
    pub remark: Option<String>,
}

/// An account was not logged out. Texts are escaped, and hold no secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LogoutError {
    /// It cannot be logged out like this.
    #[error("{reason}")]
    Refused {
        /// The reason.
        reason: String,
        /// What to do instead.
        advice: &'static str,
    },
    /// Something that is needed is not there: a program, a service, the network.
    #[error("{reason}")]
    Unavailable {
        /// What it is.
        reason: String,
        /// What to do about it.
        advice: &'static str,
    },
    /// The account is not linked any more, and something of it is still here.
    #[error("{reason}")]
    HalfDone {
        /// What is here, and why.
        reason: String,
        /// What to do about it.
        advice: &'static str,
    },
}

impl LoginCode {
    /// A code with this text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text. Keep it out of logs and errors.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for LoginCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LoginCode(…)")
    }
}

impl Linked {
    /// This account, with nothing left to do.
    pub fn to(account: impl Into<String>) -> Self {
        Self {
            account: account.into(),
            remark: None,
        }
    }

    /// The same, with something that is left to do.
    pub fn remark(self, remark: Option<String>) -> Self {
        Self { remark, ..self }
    }
}

impl LoginError {
    /// A line that says what to do next, for a person.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::TimedOut => "begin again, and scan or type the code while it is shown",
            Self::Refused { advice, .. } | Self::Unavailable { advice, .. } => advice,
        }
    }
}

impl LoggedOut {
    /// An account that was linked until now, with nothing left to do.
    pub fn of(account: impl Into<String>) -> Self {
        Self {
            account: account.into(),
            was_linked: true,
            remark: None,
        }
    }

    /// The same, of an account that was not linked.
    pub fn was_not_linked(self) -> Self {
        Self {
            was_linked: false,
            ..self
        }
    }

    /// The same, with something that is left to do.
    pub fn remark(self, remark: Option<String>) -> Self {
        Self { remark, ..self }
    }
}

impl LogoutError {
    /// A line that says what to do next, for a person.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Refused { advice, .. }
            | Self::Unavailable { advice, .. }
            | Self::HalfDone { advice, .. } => advice,
        }
    }

    /// Whether the account is not linked any more all the same.
    pub fn is_half_done(&self) -> bool {
        matches!(self, Self::HalfDone { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_not_shown() {
        let code = LoginCode::new("sgnl://hunter2");
        assert_eq!(code.expose(), "sgnl://hunter2");
        let shown = format!("{:?}", LoginStep::Code(code));
        assert_eq!(shown, "Code(LoginCode(…))");
    }
}
