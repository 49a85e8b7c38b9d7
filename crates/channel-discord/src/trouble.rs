//! Logs failures: each kind once, until the connection works again.

use std::time::Duration;

use channel_kit::SaveError;
use channel_kit::ws::WsError;
use pairing_core::{AccountId, Chain};

use crate::rest::CallError;

/// A connection to the gateway was not made, or has ended.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(crate) enum GatewayError {
    /// The address of the gateway cannot be learnt.
    #[error("the gateway's address: {0}")]
    Call(#[from] CallError),
    /// The address is not one to which a token may be sent.
    #[error("the server names a gateway that is not encrypted, or is no address")]
    Address,
    /// The connection failed, or was closed.
    #[error(transparent)]
    Socket(#[from] WsError),
    /// The gateway accepted the connection, and said nothing.
    #[error("the gateway does not say hello")]
    NoHello,
    /// The gateway did not answer to a session that was begun or resumed.
    #[error("the gateway does not begin the session")]
    NoSession,
    /// A heartbeat was not acknowledged.
    #[error("the gateway does not answer any more")]
    Zombie,
    /// The gateway wants to be connected to anew.
    #[error("the gateway asks for another connection")]
    Replaced,
    /// The session is over.
    #[error("the session is not accepted")]
    InvalidSession,
    /// No session may be begun for now.
    #[error("no more sessions may be begun today: the next in {} s", after.as_secs())]
    NoSessionsLeft { after: Duration },
}

impl GatewayError {
    /// What makes it useless to try again, and what the owner can do about it.
    pub(crate) fn is_final(&self) -> Option<&'static str> {
        match self {
            Self::Call(error) if error.is_wrong_token() => Some(TOKEN),
            Self::Socket(WsError::Closed { code, .. }) => match code {
                Some(4004) => Some(TOKEN),
                Some(4010 | 4011) => Some(
                    "the bot is in too many servers for one connection: use a bot that only serves this gateway",
                ),
                Some(4012) => Some("this program is too old for Discord: update it"),
                Some(4013) => {
                    Some("Discord knows no such intents as this program asks for: update it")
                }
                Some(4014) => Some(
                    "Discord does not allow the bot the intents it asks for (direct messages): enable them \
                     in the Developer Portal, under Bot, Privileged Gateway Intents",
                ),
                _ => None,
            },
            _ => None,
        }
    }

    /// The error as the status shows it. A close code that refuses an intent tells which one the bot asked for.
    pub(crate) fn named(&self) -> String {
        match self {
            Self::Socket(WsError::Closed {
                code: Some(4013 | 4014),
                ..
            }) => {
                format!("{self}: the intent for direct messages (DIRECT_MESSAGES) is not allowed")
            }
            _ => self.to_string(),
        }
    }

    /// Whether the session cannot be resumed after it.
    pub(crate) fn ends_session(&self) -> bool {
        match self {
            Self::InvalidSession => true,
            // Not authenticated, a wrong sequence number, and a session that is too old.
            Self::Socket(WsError::Closed { code, .. }) => {
                matches!(code, Some(4003 | 4007 | 4009))
            }
            _ => false,
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Call(CallError::Limited { .. }) | Self::NoSessionsLeft { .. } => Kind::Limited,
            Self::Socket(WsError::Closed { .. }) | Self::Replaced | Self::InvalidSession => {
                Kind::Closed
            }
            Self::Socket(WsError::Refused { .. } | WsError::Protocol | WsError::TooLong) => {
                Kind::Server
            }
            Self::Call(CallError::Http(_)) | Self::Zombie | Self::Socket(_) => Kind::Network,
            _ => Kind::Server,
        }
    }
}

const TOKEN: &str = "get a token in the Developer Portal, under Bot, Reset Token, and set it as token, tokenFile or \
     DISCORD_BOT_TOKEN: it is read anew when openclaw.json is saved, the variable when the gateway is started";

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
    /// How often the gateway has closed the connection since a session was begun or resumed.
    closed: u32,
    not_noted: bool,
}

/// Discord replaces connections now and then. More often in a row, it is trouble.
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

    pub(crate) fn met(&mut self, error: &GatewayError, wait: Duration) {
        let kind = error.kind();
        self.closed += u32::from(kind == Kind::Closed && self.closed < CLOSED);
        let is_usual = kind == Kind::Closed && self.closed < CLOSED;
        if is_usual || self.said.contains(&kind) {
            tracing::debug!(
                account = self.account.as_str(), error = %error, wait = ?wait,
                "discord: connecting again"
            );
            return;
        }
        self.said.push(kind);
        let advice = match kind {
            Kind::Limited => "nothing to do: the server says when to come back",
            Kind::Server | Kind::Closed => {
                "nothing to do, unless it lasts: are apiRoot and gatewayUrl addresses of Discord?"
            }
            Kind::Network => {
                "check this machine's network, and apiRoot, gatewayUrl and proxy where they are set"
            }
        };
        tracing::warn!(
            account = self.account.as_str(), error = %error, advice,
            "discord: no messages, retrying"
        );
    }

    pub(crate) fn over(&mut self) {
        self.closed = 0;
        if !self.said.is_empty() {
            self.said.clear();
            tracing::info!(
                account = self.account.as_str(),
                "discord: messages come again"
            );
        }
    }

    pub(crate) fn final_error(&self, error: &GatewayError, advice: &'static str) {
        tracing::error!(
            account = self.account.as_str(), error = %error, advice,
            "discord: the bot is not accepted, the account is off"
        );
    }

    pub(crate) fn not_noted(&mut self, error: &SaveError) {
        if !std::mem::replace(&mut self.not_noted, true) {
            tracing::error!(
                account = self.account.as_str(), error = %Chain(error), advice = error.advice(),
                "discord: the session cannot be saved, a restart may miss or repeat messages"
            );
        }
    }

    pub(crate) fn noted(&mut self) {
        self.not_noted = false;
    }
}

#[cfg(test)]
mod tests {
    use test_support::Logs;

    use super::*;

    fn closed(code: u16) -> GatewayError {
        let (code, reason) = (Some(code), String::new());
        GatewayError::Socket(WsError::Closed { code, reason })
    }

    #[test]
    fn a_connection_that_is_closed_again_and_again_is_trouble() {
        let logs = Logs::default();
        logs.during(|| {
            let mut troubles = Troubles::new(&AccountId::default());
            for _ in 0..10 {
                troubles.met(&GatewayError::Replaced, Duration::ZERO);
                troubles.over();
            }
            assert_eq!(logs.count("retrying"), 0);
            for _ in 0..10 {
                troubles.met(&closed(4000), Duration::ZERO);
            }
            troubles.over();
        });
        assert_eq!(logs.count("discord: no messages, retrying"), 1);
        assert_eq!(logs.count("messages come again"), 1);
    }

    #[test]
    fn close_codes_are_final_end_the_session_or_neither() {
        for code in [4004, 4010, 4011, 4012, 4013, 4014] {
            assert!(closed(code).is_final().is_some(), "{code}");
        }
        for code in [1000, 1001, 1006, 4000, 4001, 4002, 4005, 4008, 4999] {
            assert!(closed(code).is_final().is_none(), "{code}");
            assert!(!closed(code).ends_session(), "{code}");
        }
        for code in [4003, 4007, 4009] {
            assert!(closed(code).is_final().is_none(), "{code}");
            assert!(closed(code).ends_session(), "{code}");
        }
    }
}
