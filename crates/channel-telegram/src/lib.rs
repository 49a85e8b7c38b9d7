#![doc = include_str!("../README.md")]

mod api;
#[doc(hidden)]
pub mod fuzzing;
mod http;
mod offset;
mod poll;
mod root;
mod send;
mod token;
mod trouble;
mod update;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use channel_kit::proxy::Proxies;
use channel_kit::{
    Abilities, Adapter, BoxFuture, Inbox, MessageId, Outgoing, ProbeError, Probed, SavedText,
    SendError, Status, StatusCell, Stop, Target, TextLimit,
};
use pairing_core::{AccountId, ChannelId, Clock, Entropy, NameError, SenderId};

pub use root::{ApiRoot, ApiRootError};
pub use token::BotToken;

/// A Telegram bot.
///
/// - Its token is in no error, no log line and no `Debug` output.
/// - Every request has a deadline. A failed request is retried only if repeating it does no harm.
/// - An update is saved as received before it is handed on, so that none is delivered twice.
pub struct Telegram {
    channel: ChannelId,
    account: AccountId,
    http: http::Http,
    saved: Arc<dyn SavedText>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    pace: Pace,
    commands: Vec<(&'static str, &'static str)>,
    /// The direct chats in which the commands are registered.
    owners: Vec<i64>,
    status: StatusCell,
}

/// The surroundings of a bot: where it saves what has to survive a restart, the clock and the randomness.
#[derive(Clone)]
#[non_exhaustive]
pub struct Surroundings {
    /// Where the number of the last received update is saved.
    pub saved: Arc<dyn SavedText>,
    /// The clock, by which old messages are recognised.
    pub clock: Arc<dyn Clock>,
    /// The randomness that spreads retries.
    pub entropy: Arc<dyn Entropy>,
    /// The proxies by which the service is reached; none unless set.
    pub proxies: Proxies,
}

/// Timeouts, delays and retries of a bot.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Pace {
    /// How long a poll waits for the next update; whole seconds.
    pub poll: Duration,
    /// The pause before the next poll, after one that was answered sooner than that and brought nothing new.
    pub gap: Duration,
    /// The time limit of any other request, and of a poll beyond its own waiting time.
    pub call: Duration,
    /// The first and the longest delay between retries.
    pub backoff: [Duration; 2],
    /// How long sending retries while the server limits the rate, fails, or cannot be reached.
    pub patience: Duration,
    /// Messages sent earlier than this before the start are history. Telegram keeps unread updates for a day: messages
    /// sent while the bot was away are delivered, and older ones are a replay.
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
    /// The certificates of this machine cannot be read.
    #[error("the certificates that this machine trusts cannot be read")]
    Certificates(#[source] io::Error),
    /// Never: `telegram` is a valid channel name.
    #[error(transparent)]
    Name(#[from] NameError),
}

impl Surroundings {
    /// All three.
    pub fn new(
        saved: Arc<dyn SavedText>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        Self {
            saved,
            clock,
            entropy,
            proxies: Proxies::default(),
        }
    }

    /// Sets the proxies by which the service is reached.
    pub fn proxies(self, proxies: Proxies) -> Self {
        Self { proxies, ..self }
    }
}

impl Telegram {
    /// A bot. Reads the certificates that this machine trusts: it blocks.
    pub fn new(
        account: AccountId,
        token: BotToken,
        root: ApiRoot,
        surroundings: Surroundings,
    ) -> Result<Self, TelegramError> {
        Ok(Self {
            channel: ChannelId::parse("telegram")?,
            http: http::Http::new(root, token, &surroundings.proxies)
                .map_err(TelegramError::Certificates)?,
            account,
            saved: surroundings.saved,
            clock: surroundings.clock,
            entropy: surroundings.entropy,
            pace: Pace::default(),
            commands: Vec::new(),
            owners: Vec::new(),
            status: StatusCell::default(),
        })
    }

    /// Sets other timeouts and delays.
    pub fn pace(self, pace: Pace) -> Self {
        Self { pace, ..self }
    }

    /// Sets the commands that apps complete, each without its slash and with a description. They are registered when
    /// the bot starts, in the direct chats of these owners alone, so that nobody else learns of them.
    pub fn commands(
        self,
        commands: impl IntoIterator<Item = (&'static str, &'static str)>,
        owners: impl IntoIterator<Item = SenderId>,
    ) -> Self {
        let owners = owners.into_iter();
        Self {
            commands: commands.into_iter().collect(),
            owners: owners
                .filter_map(|owner| owner.as_str().parse().ok())
                .collect(),
            ..self
        }
    }

    /// A hash that differs for a bot with another token or at another server.
    pub fn fingerprint(&self) -> [u8; 32] {
        self.http.fingerprint()
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
        Abilities::text().pictures().buttons().deletion()
    }

    fn longest_text(&self) -> TextLimit {
        send::TEXT
    }

    fn direct<'a>(&'a self, sender: &'a SenderId) -> BoxFuture<'a, Result<Target, SendError>> {
        // A direct chat has the id of the other person.
        Box::pin(async { Ok(Target::chat(sender.as_str())) })
    }

    fn status(&self) -> Status {
        let service = self.http.server_time();
        self.status
            .get()
            .with_service_time(service, self.clock.now())
    }

    fn probe(&self) -> BoxFuture<'_, Result<Probed, ProbeError>> {
        Box::pin(async {
            let me = api::get_me(&self.http, self.pace.call).await;
            let me = me.map_err(|error| ProbeError::of(&error, error.is_wrong_token()))?;
            Ok(Probed::named(format!("@{}", me.username)))
        })
    }

    fn run(self: Arc<Self>, inbox: Inbox, stop: Stop) -> BoxFuture<'static, ()> {
        Box::pin(poll::run(self, inbox, stop))
    }

    fn send<'a>(
        &'a self,
        to: &'a Target,
        what: &'a Outgoing,
    ) -> BoxFuture<'a, Result<MessageId, SendError>> {
        Box::pin(send::send(self, to, what))
    }

    fn delete<'a>(
        &'a self,
        from: &'a Target,
        message: &'a MessageId,
    ) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(send::delete(self, from, message))
    }

    fn replace<'a>(
        &'a self,
        at: &'a Target,
        message: &'a MessageId,
        text: &'a str,
    ) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(send::replace(self, at, message, text))
    }
}

impl fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Surroundings")
            .field("saved", &self.saved)
            .finish_non_exhaustive()
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
