//! Telegram, over its Bot API: one bot, by long polling and plain HTTP.

mod api;
mod backoff;
mod http;
#[cfg(test)]
pub(crate) mod logs;
mod multipart;
mod offset;
mod poll;
mod root;
mod send;
mod split;
mod token;
mod trouble;
pub(crate) mod update;

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use openclaw_config::Account;
use pairing_core::{AccountId, ChannelId, Clock, Entropy, NameError};
use pairing_fs::{StateDir, SystemEntropy};

use super::{Abilities, Adapter, Inbox, Later, MessageId, Outgoing, SendError, Stop, Target};
pub use root::{ApiRoot, ApiRootError};
pub use token::{BotToken, BotTokenError};

/// A bot of Telegram.
///
/// - Its token is in no error, no log line and no `Debug`.
/// - Every request has a deadline; what fails is asked again only where asking twice does no harm.
/// - What was taken in is noted in the state directory, under `telegram/`, before it is handed on.
pub struct Telegram {
    channel: ChannelId,
    account: AccountId,
    http: http::Http,
    offsets: PathBuf,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    pace: Pace,
    commands: Vec<(&'static str, &'static str)>,
    /// Where the commands are told.
    owners: Vec<i64>,
}

/// How long things take.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Pace {
    /// A poll hangs for so long if nothing comes in; whole seconds.
    pub poll: Duration,
    /// The next poll waits so long after one that was answered sooner than that, and with nothing new.
    pub gap: Duration,
    /// Any other request takes no longer, and a poll so much longer than it hangs.
    pub call: Duration,
    /// The first wait after what failed, and the longest.
    pub backoff: [Duration; 2],
    /// Sending waits so long for a server that has too much to do, is not well, or cannot be reached.
    pub patience: Duration,
    /// A message that was sent earlier than so long before the start is history. Telegram keeps what nobody
    /// has taken for a day: what was said while the bot was away is heard, and what is older is a replay.
    pub history: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            poll: Duration::from_secs(30),
            gap: Duration::from_millis(200),
            call: Duration::from_secs(20),
            backoff: [Duration::from_millis(500), Duration::from_secs(60)],
            patience: Duration::from_secs(30),
            history: Duration::from_secs(24 * 3600),
        }
    }
}

/// The bot cannot be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TelegramError {
    /// Its token.
    #[error(transparent)]
    Token(#[from] BotTokenError),
    /// Where its server is.
    #[error(transparent)]
    Root(#[from] ApiRootError),
    /// This machine trusts nobody.
    #[error("the certificates that this machine trusts cannot be read")]
    Certificates(#[source] io::Error),
    /// Never: `telegram` is the name of a channel.
    #[error(transparent)]
    Name(#[from] NameError),
}

impl TelegramError {
    /// A line that says what to do next, for a person.
    pub fn advice(&self) -> Option<&'static str> {
        match self {
            Self::Token(error) => Some(error.advice()),
            Self::Root(error) => Some(error.advice()),
            Self::Certificates(_) => Some("install ca-certificates"),
            Self::Name(_) => None,
        }
    }
}

impl Telegram {
    /// A bot. Reads the certificates that this machine trusts: it blocks.
    pub fn new(
        account: AccountId,
        token: BotToken,
        root: ApiRoot,
        state: &StateDir,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, TelegramError> {
        Ok(Self {
            channel: ChannelId::parse("telegram")?,
            offsets: offset::path(state, &account),
            http: http::Http::new(root, token).map_err(TelegramError::Certificates)?,
            account,
            clock,
            entropy: Arc::new(SystemEntropy),
            pace: Pace::default(),
            commands: Vec::new(),
            owners: Vec::new(),
        })
    }

    /// The bot that is set for an account; `None` where there is no token for it. It blocks.
    pub fn configured(
        account: AccountId,
        settings: &Account,
        var: impl Fn(&str) -> Option<OsString>,
        state: &StateDir,
        clock: Arc<dyn Clock>,
    ) -> Result<Option<Self>, TelegramError> {
        let Some(token) = BotToken::find(&account, settings, var)? else {
            return Ok(None);
        };
        let root = settings.api_root.as_deref().map(ApiRoot::parse);
        let root = root.transpose()?.unwrap_or_default();
        Self::new(account, token, root, state, clock).map(Some)
    }

    /// Another pace.
    pub fn pace(self, pace: Pace) -> Self {
        Self { pace, ..self }
    }

    /// Another source of randomness, for the waits.
    pub fn entropy(self, entropy: Arc<dyn Entropy>) -> Self {
        Self { entropy, ..self }
    }

    /// The commands that apps complete, without slash, and what they do: in the chats of these owners alone,
    /// so that nobody else learns of them. Told once, when the bot begins to run.
    pub fn commands(
        self,
        commands: impl IntoIterator<Item = (&'static str, &'static str)>,
        owners: impl IntoIterator<Item = Target>,
    ) -> Self {
        let owners = owners.into_iter();
        Self {
            commands: commands.into_iter().collect(),
            owners: owners.filter_map(|to| to.chat.parse().ok()).collect(),
            ..self
        }
    }

    /// What tells this bot from one with another token or at another server: a hash.
    pub(crate) fn print(&self) -> [u8; 32] {
        self.http.print()
    }
}

impl Adapter for Telegram {
    fn channel(&self) -> &ChannelId {
        &self.channel
    }

    fn account(&self) -> &AccountId {
        &self.account
    }

    fn can(&self) -> Abilities {
        Abilities {
            pictures: true,
            buttons: true,
            deletion: true,
        }
    }

    fn run(self: Arc<Self>, inbox: Inbox, stop: Stop) -> Later<'static, ()> {
        Box::pin(poll::run(self, inbox, stop))
    }

    fn send<'a>(
        &'a self,
        to: &'a Target,
        what: &'a Outgoing,
    ) -> Later<'a, Result<MessageId, SendError>> {
        Box::pin(send::send(self, to, what))
    }

    fn delete<'a>(
        &'a self,
        from: &'a Target,
        message: &'a MessageId,
    ) -> Later<'a, Result<(), SendError>> {
        Box::pin(send::delete(self, from, message))
    }

    fn replace<'a>(
        &'a self,
        at: &'a Target,
        message: &'a MessageId,
        text: &'a str,
    ) -> Later<'a, Result<(), SendError>> {
        Box::pin(send::replace(self, at, message, text))
    }
}

impl fmt::Debug for Telegram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telegram")
            .field("account", &self.account)
            .field("http", &self.http)
            .field("pace", &self.pace)
            .finish_non_exhaustive()
    }
}
