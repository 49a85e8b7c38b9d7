//! Why a call failed, and what Meta's codes mean.

use channel_kit::http::HttpError;

/// A request failed. Holds no secret, and what the server says is escaped.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(crate) enum CallError {
    /// Meta refuses it.
    #[error("{call}: {text} (code {code}){}", meaning(*code))]
    Refused {
        call: &'static str,
        code: i64,
        text: String,
    },
    /// Something stands between, or the server fails.
    #[error("{call}: the server answers with status {status}, and not as the Graph API does")]
    Elsewhere { call: &'static str, status: u16 },
    /// The response lacks what it should have.
    #[error("{call}: the server's answer lacks what it should have")]
    Malformed { call: &'static str },
    /// There was no response.
    #[error("{call}: {error}")]
    Http {
        call: &'static str,
        error: HttpError,
    },
}

/// What a code means for the owner, where Meta's text does not say it.
pub(crate) fn meaning(code: i64) -> &'static str {
    match code {
        131_047 => {
            ": more than 24 hours have passed since this person last wrote. WhatsApp lets nobody but them begin again: they \
             have to write first"
        }
        131_026 => {
            ": the number is not on WhatsApp, uses an old version, or has not accepted its terms"
        }
        131_030 => {
            ": a test number writes only to the numbers of its list, on the app's page under WhatsApp, API Setup"
        }
        131_049 | 131_050 => ": WhatsApp or the person does not want this message",
        131_056 => ": too many messages to one person in a short time",
        131_048 => ": people have reported this number too often",
        131_042 => ": the business account has no means of payment that works",
        _ => "",
    }
}

/// Too many requests: of the app, of the business account, of the number, or to one person. Nothing was done.
fn is_limit(code: i64) -> bool {
    matches!(
        code,
        4 | 17 | 32 | 613 | 80_007 | 130_429 | 131_048 | 131_056
    )
}

impl CallError {
    /// The code of a refusal.
    pub(crate) fn code(&self) -> Option<i64> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// The token has expired, was taken back, or is none.
    pub(crate) fn is_about_token(&self) -> bool {
        matches!(self.code(), Some(0 | 102 | 190))
    }

    /// The token may not do it, the number is not one that it may use, or the account is locked. Code 100 says of a
    /// number's own page that there is no such number; of a message it says that a field is wrong.
    pub(crate) fn is_about_permission(&self, call: &str) -> bool {
        match self.code() {
            Some(3 | 10 | 200..=299 | 131_005 | 131_031 | 133_010 | 368) => true,
            Some(33 | 100) => call == super::NUMBER,
            _ => false,
        }
    }

    /// Trying again is useless until the owner has changed something.
    pub(crate) fn is_final(&self) -> bool {
        let call = match self {
            Self::Refused { call, .. } => call,
            _ => "",
        };
        self.is_about_token() || self.is_about_permission(call)
    }

    /// There were too many requests.
    pub(crate) fn is_limited(&self) -> bool {
        self.code().is_some_and(is_limit)
    }

    /// The server failed, and says so by an error of its own.
    fn is_servers(&self) -> bool {
        matches!(
            self.code(),
            Some(1 | 2 | 131_000 | 131_016 | 131_057 | 133_004)
        )
    }

    /// Whether the reason lies with the person or the chat.
    pub(crate) fn is_chats(&self) -> bool {
        self.code().is_some() && !self.is_final() && !self.is_limited() && !self.is_servers()
    }

    /// It was not done, and may be later. What was lost on its way may have been done.
    pub(crate) fn is_passing(&self, is_repeatable: bool) -> bool {
        match self {
            Self::Http {
                error: HttpError::Connect,
                ..
            } => true,
            // A server that fails may have done it.
            Self::Refused { .. } => self.is_limited() || (self.is_servers() && is_repeatable),
            Self::Elsewhere { status, .. } => {
                matches!(*status, 429 | 503) || (*status >= 500 && is_repeatable)
            }
            Self::Http {
                error: HttpError::Lost | HttpError::Deadline { .. },
                ..
            } => is_repeatable,
            Self::Http { .. } | Self::Malformed { .. } => false,
        }
    }

    /// Whether the server may have done it.
    pub(crate) fn may_be_done(&self) -> bool {
        match self {
            Self::Refused { .. } => self.is_servers(),
            Self::Http { error, .. } => !matches!(error, HttpError::Connect | HttpError::Request),
            Self::Elsewhere { status, .. } => *status != 429,
            Self::Malformed { .. } => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(call: &'static str, code: i64) -> CallError {
        let text = "(#1) text".to_owned();
        CallError::Refused { call, code, text }
    }

    #[test]
    fn what_codes_mean() {
        for code in [0, 190, 10, 200, 131_005, 131_031, 133_010] {
            assert!(refused("message", code).is_final(), "{code}");
        }
        for code in [4, 80_007, 130_429, 131_048, 131_056] {
            let error = refused("message", code);
            assert!(error.is_limited() && error.is_passing(false) && !error.is_final());
            assert!(!error.may_be_done() && !error.is_chats());
        }
        for code in [131_047, 131_026, 131_030, 100, 131_051] {
            let error = refused("message", code);
            assert!(error.is_chats() && !error.is_passing(true), "{code}");
        }
        assert!(refused(super::super::NUMBER, 100).is_final());
        let window = refused("message", 131_047).to_string();
        assert!(
            window.contains("24 hours") && window.contains("131047"),
            "{window}"
        );
        let failed = refused("message", 131_016);
        assert!(failed.may_be_done() && failed.is_passing(true) && !failed.is_passing(false));
    }
}
