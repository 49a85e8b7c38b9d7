//! Logs failures: each kind once, until the connection works again.

use std::time::Duration;

use channel_kit::SaveError;
use pairing_core::AccountId;

use super::api::CallError;
use pairing_core::Chain;

/// What was said since all was well.
pub(super) struct Troubles {
    account: AccountId,
    said: Vec<Kind>,
    not_noted: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Webhook,
    Another,
    Limited,
    Server,
    Network,
}

impl Troubles {
    pub(super) fn new(account: &AccountId) -> Self {
        Self {
            account: account.clone(),
            said: Vec::new(),
            not_noted: false,
        }
    }

    pub(super) fn met(&mut self, error: &CallError, wait: Duration) {
        let kind = Kind::of(error);
        if self.said.contains(&kind) {
            tracing::debug!(
                account = self.account.as_str(), error = %error, wait = ?wait,
                "telegram: still no updates"
            );
            return;
        }
        self.said.push(kind);
        tracing::warn!(
            account = self.account.as_str(), error = %error, advice = kind.advice(),
            "telegram: no updates, retrying"
        );
    }

    pub(super) fn over(&mut self) {
        if !self.said.is_empty() {
            self.said.clear();
            tracing::info!(
                account = self.account.as_str(),
                "telegram: updates come again"
            );
        }
    }

    pub(super) fn wrong_token(&self, error: &CallError) {
        tracing::error!(
            account = self.account.as_str(), error = %error,
            advice = "get the token from @BotFather and set it as botToken, tokenFile or \
                      TELEGRAM_BOT_TOKEN: it is read anew when openclaw.json is saved, the variable when \
                      the gateway is started",
            "telegram: the bot token is not accepted, the account is off"
        );
    }

    pub(super) fn not_noted(&mut self, error: &SaveError) {
        if !std::mem::replace(&mut self.not_noted, true) {
            tracing::error!(
                account = self.account.as_str(), error = %Chain(error), advice = error.advice(),
                "telegram: the number of the last update cannot be noted, a restart may repeat messages"
            );
        }
    }

    pub(super) fn noted(&mut self) {
        self.not_noted = false;
    }
}

impl Kind {
    fn of(error: &CallError) -> Self {
        match error {
            CallError::Refused { description, .. } if error.is_conflict() => {
                if description.to_ascii_lowercase().contains("webhook") {
                    Self::Webhook
                } else {
                    Self::Another
                }
            }
            _ if error.is_limit() => Self::Limited,
            CallError::Http(_) => Self::Network,
            _ => Self::Server,
        }
    }

    fn advice(self) -> &'static str {
        match self {
            // Taking it away would silence whoever set it.
            Self::Webhook => {
                "a webhook is set for this bot, and gets its updates: if nothing needs it, remove it \
                 with the method deleteWebhook"
            }
            Self::Another => {
                "another program polls with this token: stop it, or get the bot a new token"
            }
            Self::Limited => "nothing to do: the server says when to come back",
            Self::Server => "nothing to do, unless it lasts: is apiRoot a Bot API server?",
            Self::Network => {
                "check this machine's network, and apiRoot and proxy where they are set"
            }
        }
    }
}
