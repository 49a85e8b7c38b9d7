//! Logs failures: each kind once, until the connection works again.

use std::time::Duration;

use channel_kit::SaveError;
use channel_kit::http::HttpError;
use pairing_core::{AccountId, Chain};

use crate::api::CallError;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Away,
    NoServer,
    Other,
}

impl Kind {
    fn of(error: &CallError) -> Self {
        match error {
            CallError::Http {
                error: HttpError::Connect,
                ..
            } => Self::Away,
            CallError::Elsewhere { .. } | CallError::Malformed { .. } => Self::NoServer,
            _ => Self::Other,
        }
    }

    fn advice(self) -> &'static str {
        match self {
            Self::Away => {
                "start BlueBubbles on the Mac, and see that this machine reaches it at serverUrl"
            }
            Self::NoServer => "check serverUrl: something else answers there",
            Self::Other => "nothing to do, unless it lasts: look at the server's own log",
        }
    }
}

/// What was logged since all was well.
pub(crate) struct Troubles {
    account: AccountId,
    said: Vec<Kind>,
    not_noted: bool,
    not_registered: bool,
}

impl Troubles {
    pub(crate) fn new(account: &AccountId) -> Self {
        Self {
            account: account.clone(),
            said: Vec::new(),
            not_noted: false,
            not_registered: false,
        }
    }

    pub(crate) fn met(&mut self, error: &CallError, wait: Duration) {
        let kind = Kind::of(error);
        if self.said.contains(&kind) {
            tracing::debug!(
                account = self.account.as_str(), error = %error, wait = ?wait,
                "bluebubbles: asking again"
            );
            return;
        }
        self.said.push(kind);
        let advice = kind.advice();
        tracing::warn!(
            account = self.account.as_str(), error = %error, advice,
            "bluebubbles: no messages, retrying"
        );
    }

    pub(crate) fn over(&mut self) {
        if !self.said.is_empty() {
            self.said.clear();
            tracing::info!(
                account = self.account.as_str(),
                "bluebubbles: messages come again"
            );
        }
    }

    pub(crate) fn final_error(&self, error: &CallError) {
        tracing::error!(
            account = self.account.as_str(), error = %error,
            advice = "set `password` to the one in the BlueBubbles app, under API & Webhooks",
            "bluebubbles: the password is not accepted, the account is off"
        );
    }

    pub(crate) fn not_registered(&mut self, error: &CallError) {
        if !std::mem::replace(&mut self.not_registered, true) {
            tracing::warn!(
                account = self.account.as_str(), error = %error,
                advice = "add it in the BlueBubbles app, under API & Webhooks; until then messages come once a minute",
                "bluebubbles: the webhook cannot be registered"
            );
        }
    }

    pub(crate) fn registered(&mut self) {
        self.not_registered = false;
    }

    pub(crate) fn not_noted(&mut self, error: &SaveError) {
        if !std::mem::replace(&mut self.not_noted, true) {
            tracing::error!(
                account = self.account.as_str(), error = %Chain(error), advice = error.advice(),
                "bluebubbles: what was received cannot be noted, a restart may repeat messages"
            );
        }
    }

    pub(crate) fn noted(&mut self) {
        self.not_noted = false;
    }
}
