//! Logs failures: each kind once, until the connection works again.

use std::fmt;
use std::time::Duration;

use channel_kit::http::HttpError;
use channel_kit::{Recent, SaveError};
use pairing_core::{AccountId, Chain, Timestamp};

use crate::api::{CallError, meaning};
use crate::event::Failure;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Limited,
    Network,
    Server,
}

impl Kind {
    fn of(error: &CallError) -> Self {
        match error {
            CallError::Http { error, .. } => match error {
                HttpError::Body | HttpError::Request => Self::Server,
                _ => Self::Network,
            },
            error if error.is_limited() => Self::Limited,
            _ => Self::Server,
        }
    }

    fn advice(self) -> &'static str {
        match self {
            Self::Limited => "nothing to do: Meta limits how often it is asked",
            Self::Network => "check this machine's network, and apiRoot where it is set",
            Self::Server => {
                "nothing to do, unless it lasts: see https://metastatus.com, and apiRoot where it is set"
            }
        }
    }
}

/// What was logged about the check of the number since all was well.
pub(crate) struct Troubles {
    account: AccountId,
    said: Vec<Kind>,
}

impl Troubles {
    pub(crate) fn new(account: &AccountId) -> Self {
        Self {
            account: account.clone(),
            said: Vec::new(),
        }
    }

    pub(crate) fn met(&mut self, error: &CallError, wait: Duration) {
        let kind = Kind::of(error);
        if self.said.contains(&kind) {
            tracing::debug!(
                account = self.account.as_str(), error = %error, wait = ?wait,
                "whatsapp: asking again"
            );
            return;
        }
        self.said.push(kind);
        let advice = kind.advice();
        tracing::warn!(
            account = self.account.as_str(), error = %error, advice,
            "whatsapp: Meta does not answer, retrying"
        );
    }

    /// Meta has answered.
    pub(crate) fn over(&mut self) {
        if !self.said.is_empty() {
            self.said.clear();
            tracing::info!(
                account = self.account.as_str(),
                "whatsapp: Meta answers again"
            );
        }
    }

    pub(crate) fn final_error(&self, error: &CallError) {
        let advice = if error.is_about_token() {
            "make a token of a system user that does not expire, and set it as accessToken: business settings, Users, \
             System users. A token of the page API Setup lasts a day"
        } else {
            "see that phoneNumberId is the id under WhatsApp, API Setup, and not the number; that the system user may manage \
             the app and the WhatsApp account, with whatsapp_business_messaging and whatsapp_business_management; and that \
             the account is not locked"
        };
        tracing::error!(
            account = self.account.as_str(), error = %error, advice,
            "whatsapp: the number is not accepted, the account is off"
        );
    }
}

/// What was told the owner lately: each failure once an hour.
pub(crate) struct Telling {
    account: AccountId,
    told: Recent,
}

/// How long nothing is said of the same failure, and how many are remembered.
const TOLD: (Duration, usize) = (Duration::from_secs(3600), 64);

impl Telling {
    pub(crate) fn new(account: &AccountId) -> Self {
        Self {
            account: account.clone(),
            told: Recent::new(TOLD.0, TOLD.1),
        }
    }

    /// Meta took a message, and could not deliver it.
    pub(crate) fn not_delivered(&mut self, failure: &Failure, now: Timestamp) {
        if self.told.is_new(&failure.code.to_string(), now) {
            tracing::warn!(
                account = self.account.as_str(), error = %failure,
                "whatsapp: a message was not delivered"
            );
        } else {
            tracing::debug!(
                account = self.account.as_str(), error = %failure,
                "whatsapp: another message was not delivered"
            );
        }
    }

    pub(crate) fn nameless(&mut self, now: Timestamp) {
        if self.told.is_new("nameless", now) {
            tracing::warn!(
                account = self.account.as_str(),
                advice = "people with a user name may hide their number; they are heard once they show it to the business",
                "whatsapp: somebody wrote whose number WhatsApp does not tell"
            );
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { code, text, .. } = self;
        write!(f, "{text} (code {code}){}", meaning(*code))
    }
}

/// What was logged about the file of messages, until it can be written again.
pub(crate) struct Noting {
    account: AccountId,
    has_failed: bool,
}

impl Noting {
    pub(crate) fn new(account: &AccountId) -> Self {
        Self {
            account: account.clone(),
            has_failed: false,
        }
    }

    pub(crate) fn failed(&mut self, error: &SaveError) {
        if !std::mem::replace(&mut self.has_failed, true) {
            tracing::error!(
                account = self.account.as_str(), error = %Chain(error), advice = error.advice(),
                "whatsapp: what was received cannot be noted, a restart may repeat messages"
            );
        }
    }

    pub(crate) fn done(&mut self) {
        self.has_failed = false;
    }
}
