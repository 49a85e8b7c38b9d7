//! Why a call failed, and what Feishu's codes mean.

use std::time::Duration;

use channel_kit::http::HttpError;

/// A request failed. Holds no secret, and what the server says is escaped.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(crate) enum CallError {
    /// The server refuses it, as Feishu does.
    #[error("{call}: {text} (code {code})")]
    Refused {
        call: &'static str,
        code: i64,
        text: String,
    },
    /// There were too many requests. Nothing was done.
    #[error("{call}: too many requests, the next is allowed in {} s", after.as_secs_f32().ceil())]
    Limited { call: &'static str, after: Duration },
    /// Something stands between, or the server fails.
    #[error("{call}: the server answers with status {status}, and not as Feishu does")]
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

/// Too many requests: of the app, of the whole service, to the same person or group.
pub(super) fn is_limit(code: i64) -> bool {
    matches!(code, 99_991_400 | 11_232 | 11_233 | 11_247 | 230_020)
}

impl CallError {
    /// The code of a refusal.
    pub(crate) fn code(&self) -> Option<i64> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// How long the server asks to wait.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Limited { after, .. } => Some(*after),
            _ => None,
        }
    }

    /// The token has expired, or the server does not know it. Nothing was done.
    pub(crate) fn is_about_token(&self) -> bool {
        matches!(
            self.code(),
            Some(99_991_661 | 99_991_663 | 99_991_664 | 99_991_665 | 99_991_668 | 99_991_671)
        )
    }

    /// The server does not accept the app's id or secret, or the app as it is. Trying again is useless.
    pub(crate) fn is_final(&self) -> bool {
        matches!(
            self.code(),
            Some(
                // Forbidden, and the id or the secret is wrong: for a connection,
                403 | 514 | 1_000_040_345
                // and for a token.
                | 10_003 | 10_012 | 10_013 | 10_014 | 10_015 | 10_019 | 99_991_543
                // The app is turned off, or not installed.
                | 99_991_662 | 99_991_673
            )
        )
    }

    /// The app lacks a permission, or is no bot.
    pub(crate) fn is_about_permission(&self) -> bool {
        matches!(
            self.code(),
            Some(99_991_672 | 99_991_679 | 230_006 | 230_027)
        )
    }

    /// More connections are open for the app than it may have.
    pub(crate) fn is_crowded(&self) -> bool {
        self.code() == Some(1_000_040_350)
    }

    /// The server failed to do it, and says so by an error of its own.
    pub(crate) fn is_servers(&self) -> bool {
        matches!(
            self.code(),
            Some(1 | 1_000_040_343 | 2200 | 5000 | 55_001 | 99_991_500 | 1_500 | 1_663 | 1_642)
        )
    }

    /// It was not done, and may be later. What was lost on its way may have been done; it counts only where repeating it
    /// does no harm.
    pub(super) fn is_passing(&self, is_repeatable: bool) -> bool {
        match self {
            Self::Limited { .. }
            | Self::Http {
                error: HttpError::Connect | HttpError::Proxy(_),
                ..
            } => true,
            // A server that fails may have done it.
            Self::Refused { .. } => self.is_servers() && is_repeatable,
            Self::Elsewhere { status, .. } => *status == 503 || (*status >= 500 && is_repeatable),
            Self::Http {
                error: HttpError::Lost | HttpError::Deadline { .. },
                ..
            } => is_repeatable,
            Self::Http { .. } | Self::Malformed { .. } => false,
        }
    }
}
