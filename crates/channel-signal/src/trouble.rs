//! Logs failures: each kind once, until the connection works again.

use std::time::Duration;

use channel_kit::SaveError;
use channel_kit::http::HttpError;
use pairing_core::{AccountId, Chain};

use crate::rpc::{About, CallError};

/// No messages can be received.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(crate) enum ListenError {
    #[error(transparent)]
    Call(#[from] CallError),
    /// The stream of events has ended.
    #[error("the daemon has closed the connection")]
    Closed,
    /// The account was logged out.
    #[error("the account was logged out")]
    LoggedOut,
    /// Nothing was heard for too long.
    #[error("the daemon does not answer any more")]
    Silent,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Account,
    Away,
    NoDaemon,
    Stream,
}

impl ListenError {
    fn kind(&self) -> Kind {
        match self {
            Self::LoggedOut => Kind::Account,
            Self::Call(error) if error.about() == About::Account => Kind::Account,
            Self::Call(CallError::Http {
                error: HttpError::Connect,
                ..
            }) => Kind::Away,
            Self::Call(CallError::Elsewhere { .. } | CallError::Malformed { .. }) => Kind::NoDaemon,
            _ => Kind::Stream,
        }
    }
}

impl Kind {
    fn advice(self) -> &'static str {
        match self {
            Self::Account => {
                "link the account with `openclaw channels login signal`, or set `account` to one that `signal-cli listAccounts` names: \
                 it is looked for again by itself"
            }
            Self::Away => {
                "start it with `signal-cli daemon --http 127.0.0.1:8080 --receive-mode on-connection`, or set autoStart"
            }
            Self::NoDaemon => "check httpUrl: something else answers there",
            Self::Stream => "nothing to do, unless it lasts: look at the daemon's own log",
        }
    }
}

/// What was logged since all was well.
pub(crate) struct Troubles {
    account: AccountId,
    said: Vec<Kind>,
    not_noted: bool,
}

impl Troubles {
    pub(crate) fn new(account: &AccountId) -> Self {
        Self {
            account: account.clone(),
            said: Vec::new(),
            not_noted: false,
        }
    }

    pub(crate) fn met(&mut self, error: &ListenError, wait: Duration) {
        let kind = error.kind();
        // A daemon that is started anew closes its streams.
        if *error == ListenError::Closed && self.said.is_empty() || self.said.contains(&kind) {
            tracing::debug!(
                account = self.account.as_str(), error = %error, wait = ?wait,
                "signal: connecting again"
            );
            return;
        }
        self.said.push(kind);
        let advice = kind.advice();
        tracing::warn!(
            account = self.account.as_str(), error = %error, advice,
            "signal: no messages, retrying"
        );
    }

    pub(crate) fn over(&mut self) {
        if !self.said.is_empty() {
            self.said.clear();
            tracing::info!(
                account = self.account.as_str(),
                "signal: messages come again"
            );
        }
    }

    /// A phone number was seen with another person than before. Whose it is, is in no log.
    pub(crate) fn number_moved(&self) {
        let advice = "they are known by their id alone from now on: approve them again if you know them, and remove the \
                      number from allowFrom and ownerAllowFrom if it is listed there";
        tracing::warn!(
            account = self.account.as_str(),
            advice,
            "signal: a phone number has moved to another person, whom no approval of the number admits"
        );
    }

    pub(crate) fn not_noted(&mut self, error: &SaveError) {
        if !std::mem::replace(&mut self.not_noted, true) {
            tracing::error!(
                account = self.account.as_str(), error = %Chain(error), advice = error.advice(),
                "signal: what was received cannot be noted, a restart may repeat messages"
            );
        }
    }

    pub(crate) fn noted(&mut self) {
        self.not_noted = false;
    }
}
