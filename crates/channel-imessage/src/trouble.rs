//! Logs failures: each kind once, until the connection works again.

use std::time::Duration;

use channel_kit::SaveError;
use pairing_core::{AccountId, Chain};

use crate::calls::CallError;

/// No messages can be received. What the program says is escaped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ListenError {
    /// The program cannot be started.
    #[error("imsg cannot be started: {reason}")]
    Start { reason: String },
    /// The program has ended; `said` is the last line of its standard error.
    #[error("imsg has ended: {status}{}{said}", if said.is_empty() { "" } else { ": " })]
    Ended { status: String, said: String },
    /// It does not watch for messages.
    #[error(transparent)]
    Call(#[from] CallError),
    /// It does not watch any more.
    #[error("imsg watches no more: {reason}")]
    Watch { reason: String },
    /// Messages come faster than they are handed on.
    #[error("messages come faster than they are handed on")]
    Flood,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Start,
    Access,
    Refused,
    Ended,
    Silent,
    Flood,
}

impl ListenError {
    fn kind(&self) -> Kind {
        let text = self.to_string().to_lowercase();
        // Without its permission, macOS does not let a program read the database of Messages.
        let is_access = [
            "authorization denied",
            "not permitted",
            "unable to open",
            "full disk access",
        ];
        match self {
            Self::Start { .. } => Kind::Start,
            Self::Flood => Kind::Flood,
            _ if is_access.iter().any(|part| text.contains(part)) => Kind::Access,
            Self::Call(CallError::Silent { .. } | CallError::Busy { .. }) => Kind::Silent,
            Self::Call(CallError::Refused { .. }) | Self::Watch { .. } => Kind::Refused,
            Self::Call(_) | Self::Ended { .. } => Kind::Ended,
        }
    }
}

impl Kind {
    fn advice(self) -> &'static str {
        match self {
            Self::Start => {
                "install imsg on the Mac of Messages (`brew install steipete/tap/imsg`), and set cliPath to where it is; \
                 elsewhere, set remoteHost to that Mac"
            }
            Self::Access => {
                "allow Full Disk Access for the program that runs the gateway, or sshd for remoteHost: System Settings, \
                 Privacy & Security"
            }
            Self::Refused => "bring imsg up to date: it does not watch for messages",
            Self::Ended => {
                "run it by hand to see why: `imsg rpc`, or `ssh -T <remoteHost> imsg rpc`"
            }
            Self::Silent => {
                "whatever cliPath runs must pass each line on at once, both ways, as `ssh -T` does"
            }
            Self::Flood => "nothing to do: what was left out is asked for again",
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
        if self.said.contains(&kind) {
            tracing::debug!(
                account = self.account.as_str(), error = %error, wait = ?wait,
                "imessage: starting imsg again"
            );
            return;
        }
        self.said.push(kind);
        tracing::warn!(
            account = self.account.as_str(), error = %error, advice = kind.advice(),
            "imessage: no messages, retrying"
        );
    }

    /// All is well: what was said may be said again.
    pub(crate) fn over(&mut self) {
        if !self.said.is_empty() {
            self.said.clear();
            tracing::info!(
                account = self.account.as_str(),
                "imessage: messages come again"
            );
        }
    }

    pub(crate) fn not_noted(&mut self, error: &SaveError) {
        if !std::mem::replace(&mut self.not_noted, true) {
            tracing::error!(
                account = self.account.as_str(), error = %Chain(error), advice = error.advice(),
                "imessage: what was received cannot be noted, a restart may repeat messages"
            );
        }
    }

    pub(crate) fn noted(&mut self) {
        self.not_noted = false;
    }
}
