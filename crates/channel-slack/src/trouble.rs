//! Logs failures: each kind once, until the connection works again.

use std::time::Duration;

use channel_kit::SaveError;
use channel_kit::http::HttpError;
use channel_kit::ws::WsError;
use pairing_core::{AccountId, Chain};

use crate::api::CallError;

/// A connection was not made, or has ended.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(crate) enum SocketError {
    /// Slack does not say who the bot is.
    #[error("the bot token: {0}")]
    Bot(CallError),
    /// Slack does not open a connection for the app.
    #[error("the app token: {0}")]
    App(CallError),
    /// The address is not one to connect to.
    #[error("the server names a connection that is not encrypted, or is no address")]
    Address,
    /// The connection failed, or was closed.
    #[error(transparent)]
    Socket(#[from] WsError),
    /// The server accepted the connection, and said nothing.
    #[error("the server does not say hello")]
    NoHello,
    /// Nothing was heard for too long.
    #[error("the server does not answer any more")]
    Silent,
    /// Socket Mode was turned off.
    #[error("Socket Mode is turned off for the app")]
    LinkDisabled,
}

impl SocketError {
    /// What makes it useless to try again, and what the owner can do about it.
    pub(crate) fn is_final(&self) -> Option<&'static str> {
        match self {
            Self::LinkDisabled => Some(
                "turn it on at api.slack.com/apps, under Socket Mode, and save openclaw.json anew, or restart the gateway",
            ),
            Self::Bot(error) | Self::App(error) if error.code() == Some("missing_scope") => {
                Some(SCOPE)
            }
            Self::Bot(error) if error.is_final() => Some(BOT_TOKEN),
            Self::App(error) if error.is_final() => Some(APP_TOKEN),
            _ => None,
        }
    }

    /// How long the server asks to wait.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Bot(error) | Self::App(error) => error.retry_after(),
            _ => None,
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Bot(CallError::Limited { .. }) | Self::App(CallError::Limited { .. }) => {
                Kind::Limited
            }
            Self::Socket(WsError::Closed { .. }) => Kind::Closed,
            Self::Bot(CallError::Http { error, .. }) | Self::App(CallError::Http { error, .. }) => {
                match error {
                    HttpError::Body | HttpError::Request => Kind::Server,
                    _ => Kind::Network,
                }
            }
            Self::Socket(WsError::Refused { .. } | WsError::Protocol | WsError::TooLong) => {
                Kind::Server
            }
            Self::Socket(_) | Self::Silent => Kind::Network,
            _ => Kind::Server,
        }
    }
}

const BOT_TOKEN: &str = "copy the Bot User OAuth Token (xoxb-) from api.slack.com/apps, under OAuth & Permissions, and set \
     it as botToken or SLACK_BOT_TOKEN: it is read anew when openclaw.json is saved, the variable when the gateway is \
     started";

const APP_TOKEN: &str = "make an app-level token (xapp-) with the scope connections:write at api.slack.com/apps, under Basic \
     Information, and set it as appToken or SLACK_APP_TOKEN: it is read anew when openclaw.json is saved, the variable \
     when the gateway is started";

const SCOPE: &str = "add the scope that is needed at api.slack.com/apps: under OAuth & Permissions for the bot, then install \
     the app anew; under Basic Information, App-Level Tokens, for the app, with a new token";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Limited,
    Closed,
    Server,
    Network,
}

/// What was logged since all was well.
pub(crate) struct Troubles {
    account: AccountId,
    said: Vec<Kind>,
    /// How often the server has closed a connection since one was opened.
    closed: u32,
    not_noted: bool,
}

/// Slack closes connections now and then. More often in a row, it is trouble.
const CLOSED: u32 = 3;

impl Troubles {
    pub(crate) fn new(account: &AccountId) -> Self {
        Self {
            account: account.clone(),
            said: Vec::new(),
            closed: 0,
            not_noted: false,
        }
    }

    pub(crate) fn met(&mut self, error: &SocketError, wait: Duration) {
        let kind = error.kind();
        self.closed += u32::from(kind == Kind::Closed && self.closed < CLOSED);
        let is_usual = kind == Kind::Closed && self.closed < CLOSED;
        if is_usual || self.said.contains(&kind) {
            tracing::debug!(
                account = self.account.as_str(), error = %error, wait = ?wait,
                "slack: connecting again"
            );
            return;
        }
        self.said.push(kind);
        let advice = match kind {
            Kind::Limited => "nothing to do: the server says when to come back",
            Kind::Server | Kind::Closed => {
                "nothing to do, unless it lasts: is apiRoot an address of Slack?"
            }
            Kind::Network => {
                "check this machine's network, and apiRoot and proxy where they are set"
            }
        };
        tracing::warn!(
            account = self.account.as_str(), error = %error, advice,
            "slack: no messages, retrying"
        );
    }

    pub(crate) fn over(&mut self) {
        self.closed = 0;
        if !self.said.is_empty() {
            self.said.clear();
            tracing::info!(
                account = self.account.as_str(),
                "slack: messages come again"
            );
        }
    }

    pub(crate) fn final_error(&self, error: &SocketError, advice: &'static str) {
        tracing::error!(
            account = self.account.as_str(), error = %error, advice,
            "slack: the app is not accepted, the account is off"
        );
    }

    pub(crate) fn not_noted(&mut self, error: &SaveError) {
        if !std::mem::replace(&mut self.not_noted, true) {
            tracing::error!(
                account = self.account.as_str(), error = %Chain(error), advice = error.advice(),
                "slack: what was received cannot be noted, a restart may repeat messages"
            );
        }
    }

    pub(crate) fn noted(&mut self) {
        self.not_noted = false;
    }
}
