//! Logs failures: each kind once, until the connection works again.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use channel_kit::{Recent, SaveError, StatusCell};
use pairing_core::{AccountId, Chain, Timestamp};

use super::store::KeysError;

/// How long nothing is said of the same thing again.
const TOLD: (Duration, usize) = (Duration::from_secs(3600), 4);

/// Why no messages are received.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SessionError {
    #[error("no phone has linked this account")]
    NotLinked,
    #[error("the phone has removed this device")]
    LoggedOut,
    #[error("WhatsApp has locked the account")]
    Locked,
    #[error("another program has connected with the same keys")]
    Replaced,
    #[error("WhatsApp has banned the account for {} min", after.as_secs().div_ceil(60))]
    Banned { after: Duration },
    #[error("WhatsApp does not take this version any more")]
    Outdated,
    #[error("WhatsApp refuses the connection: {reason}")]
    Refused { reason: String },
    #[error("no connection: {reason}")]
    Lost { reason: String },
    #[error(transparent)]
    Keys(#[from] KeysError),
    #[error("the account cannot be set up: {reason}")]
    Setup { reason: String },
}

impl SessionError {
    pub(crate) fn advice(&self) -> &'static str {
        match self {
            Self::NotLinked => "link it: `openclaw channels login whatsapp`, or Health on the page",
            Self::LoggedOut => {
                "link it again: `openclaw channels login whatsapp`, or Health on the page; its keys here were removed"
            }
            Self::Locked => {
                "open WhatsApp on the phone, which says what to do; then restart this program"
            }
            Self::Replaced => {
                "stop the other program, which has a copy of the keys; then restart this one, or link the account again"
            }
            Self::Banned { .. } => {
                "wait: it is tried again then. Write to fewer people who have not written to you"
            }
            Self::Outdated => "update this program",
            Self::Refused { .. } | Self::Lost { .. } => {
                "nothing to do, unless it lasts: it is tried again by itself"
            }
            Self::Keys(KeysError::InUse) => "stop the other program that uses this account",
            Self::Keys(_) | Self::Setup { .. } => {
                "see that the directory credentials/whatsapp can be read and written, and that its disk is not full"
            }
        }
    }

    /// Whether only a person can mend it: it is not tried again by itself.
    pub(crate) fn is_lasting(&self) -> bool {
        matches!(
            self,
            Self::NotLinked | Self::LoggedOut | Self::Locked | Self::Replaced
        )
    }

    fn kind(&self) -> std::mem::Discriminant<Self> {
        std::mem::discriminant(self)
    }
}

/// What was logged since all was well.
pub(crate) struct Troubles {
    account: AccountId,
    state: Mutex<State>,
}

struct State {
    said: Vec<std::mem::Discriminant<SessionError>>,
    not_noted: bool,
    told: Recent,
}

impl Troubles {
    pub(crate) fn new(account: &AccountId) -> Self {
        Self {
            account: account.clone(),
            state: Mutex::new(State {
                said: Vec::new(),
                not_noted: false,
                told: Recent::new(TOLD.0, TOLD.1),
            }),
        }
    }

    pub(crate) fn met(&self, error: &SessionError) {
        let account = self.account.as_str();
        let mut state = self.state();
        if state.said.contains(&error.kind()) {
            tracing::debug!(account, error = %Chain(error), "whatsapp-web: connecting again");
            return;
        }
        state.said.push(error.kind());
        tracing::warn!(
            account, error = %Chain(error), advice = error.advice(),
            "whatsapp-web: no messages"
        );
    }

    pub(crate) fn over(&self) {
        let mut state = self.state();
        if !state.said.is_empty() {
            state.said.clear();
            tracing::info!(
                account = self.account.as_str(),
                "whatsapp-web: messages come again"
            );
        }
    }

    /// Somebody wrote whose number is not known.
    pub(crate) fn nameless(&self, status: &StatusCell, now: Timestamp) {
        status.noted("somebody wrote whose number WhatsApp does not tell");
        if self.state().told.is_new("nameless", now) {
            tracing::warn!(
                account = self.account.as_str(),
                advice = "they are heard once WhatsApp tells their number, which it does when you write to them",
                "whatsapp-web: somebody wrote whose number WhatsApp does not tell"
            );
        }
    }

    pub(crate) fn noted(&self, saved: Result<(), SaveError>) {
        let mut state = self.state();
        let Err(error) = saved else {
            state.not_noted = false;
            return;
        };
        if !std::mem::replace(&mut state.not_noted, true) {
            tracing::error!(
                account = self.account.as_str(), error = %Chain(&error), advice = error.advice(),
                "whatsapp-web: what was received cannot be noted, a restart may repeat messages"
            );
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
