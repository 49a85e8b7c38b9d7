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
    /// Feishu does not open a connection for the app.
    #[error("the app: {0}")]
    App(CallError),
    /// The address is not one to connect to.
    #[error("the server names a connection that is not encrypted, or is no address")]
    Address,
    /// The connection failed, or was closed.
    #[error(transparent)]
    Socket(#[from] WsError),
    /// Nothing was heard for too long.
    #[error("the server does not answer any more")]
    Silent,
}

impl SocketError {
    /// What makes it useless to try again, and what the owner can do about it.
    pub(crate) fn is_final(&self) -> Option<&'static str> {
        match self {
            Self::App(error) if error.is_final() => Some(APP),
            _ => None,
        }
    }

    /// How long the server asks to wait.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::App(error) => error.retry_after(),
            _ => None,
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::App(error) if error.is_crowded() => Kind::Crowded,
            Self::App(CallError::Limited { .. }) => Kind::Limited,
            Self::App(CallError::Http { error, .. }) => match error {
                HttpError::Body | HttpError::Request => Kind::Server,
                _ => Kind::Network,
            },
            // Feishu says so when the connection is opened, too.
            Self::Socket(WsError::Refused { status: 403 | 514 }) => Kind::Crowded,
            Self::Socket(WsError::Refused { .. } | WsError::Protocol | WsError::TooLong) => {
                Kind::Server
            }
            Self::Socket(WsError::Closed { .. }) => Kind::Closed,
            Self::Socket(_) | Self::Silent => Kind::Network,
            Self::App(_) | Self::Address => Kind::Server,
        }
    }
}

const APP: &str = "copy App ID and App Secret from the developer console, under Credentials & Basic Info, and set them as \
     appId and appSecret, or FEISHU_APP_ID and FEISHU_APP_SECRET; an app of Lark needs domain lark. They are read anew \
     when openclaw.json is saved, the variables when the gateway is started";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Crowded,
    Limited,
    Closed,
    Server,
    Network,
}

/// What was logged since all was well.
pub(crate) struct Troubles {
    account: AccountId,
    said: Vec<Kind>,
    /// How often the server has closed a connection since an event came.
    closed: u32,
}

/// Feishu closes connections now and then. More often in a row, it is trouble.
const CLOSED: u32 = 3;

impl Troubles {
    pub(crate) fn new(account: &AccountId) -> Self {
        Self {
            account: account.clone(),
            said: Vec::new(),
            closed: 0,
        }
    }

    pub(crate) fn met(&mut self, error: &SocketError, wait: Duration) {
        let kind = error.kind();
        self.closed += u32::from(kind == Kind::Closed && self.closed < CLOSED);
        let is_usual = kind == Kind::Closed && self.closed < CLOSED;
        if is_usual || self.said.contains(&kind) {
            tracing::debug!(
                account = self.account.as_str(), error = %error, wait = ?wait,
                "feishu: connecting again"
            );
            return;
        }
        self.said.push(kind);
        let advice = match kind {
            Kind::Crowded => {
                "other programs are connected with this app, as many as it may have: stop them, or give this gateway an \
                 app of its own"
            }
            Kind::Limited => "nothing to do: the server says when to come back",
            Kind::Server | Kind::Closed => {
                "nothing to do, unless it lasts: is the long connection chosen in the developer console, under Events & \
                 Callbacks, and is domain right?"
            }
            Kind::Network => {
                "check this machine's network, and domain, apiRoot or proxy where they are set"
            }
        };
        tracing::warn!(
            account = self.account.as_str(), error = %error, advice,
            "feishu: no messages, retrying"
        );
    }

    /// A connection was opened.
    pub(crate) fn over(&mut self) {
        if !self.said.is_empty() {
            self.said.clear();
            tracing::info!(
                account = self.account.as_str(),
                "feishu: messages come again"
            );
        }
    }

    /// A connection has held.
    pub(crate) fn held(&mut self) {
        self.closed = 0;
    }

    pub(crate) fn final_error(&self, error: &SocketError, advice: &'static str) {
        tracing::error!(
            account = self.account.as_str(), error = %error, advice,
            "feishu: the app is not accepted, the account is off"
        );
    }
}

/// What was logged about the file of events, until it can be written again.
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
                "feishu: what was received cannot be noted, a restart may repeat messages"
            );
        }
    }

    pub(crate) fn done(&mut self) {
        self.has_failed = false;
    }
}
