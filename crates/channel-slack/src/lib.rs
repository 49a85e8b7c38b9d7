#![doc = include_str!("../README.md")]

mod api;
mod commands;
mod envelope;
#[doc(hidden)]
pub mod fuzzing;
mod id;
mod me;
mod names;
mod plain;
mod root;
mod send;
mod socket;
mod token;
mod trouble;

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use channel_kit::proxy::Proxies;
use channel_kit::ws::WsConnector;
use channel_kit::{
    Abilities, Adapter, BoxFuture, Inbox, MessageId, Outgoing, ProbeError, Probed, SavedText,
    SendError, Status, StatusCell, Stop, Target, TextLimit,
};
use pairing_core::{AccountId, ChannelId, Clock, Entropy, NameError, SenderId};

use envelope::Me;
pub use root::{AddressError, ApiRoot};
pub use token::{AppToken, BotToken};

/// A Slack app with its bot.
///
/// - Its tokens are in no error, no log line and no `Debug` output.
/// - Every request and every connection has a deadline. A failed request is retried only if repeating it does no harm.
/// - An event is noted before it is handed on, so that none is delivered twice.
pub struct Slack {
    channel: ChannelId,
    account: AccountId,
    api: api::Api,
    sockets: WsConnector,
    saved: Arc<dyn SavedText>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    pace: Pace,
    allows_bots: bool,
    /// The bot's own ids, once Slack has told them.
    me: Mutex<Option<Me>>,
    lacking: me::Lacking,
    chats: send::Chats,
    commands: commands::Commands,
    status: StatusCell,
}

/// The surroundings of an app: where it saves what has to survive a restart, the clock and the randomness.
#[derive(Clone)]
#[non_exhaustive]
pub struct Surroundings {
    /// Where the events that were handed on lately are saved.
    pub saved: Arc<dyn SavedText>,
    /// The clock, for the state of the connection and for how long ids of events are remembered.
    pub clock: Arc<dyn Clock>,
    /// The randomness that spreads retries.
    pub entropy: Arc<dyn Entropy>,
    /// The proxies by which the service is reached; none unless set.
    pub proxies: Proxies,
}

/// Timeouts, delays and retries of an app.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Pace {
    /// The time limit of a request, of opening a connection, and of its greeting.
    pub call: Duration,
    /// The first and the longest delay between retries.
    pub backoff: [Duration; 2],
    /// How long sending retries while the server limits the rate, fails, or cannot be reached.
    pub patience: Duration,
    /// A connection on which nothing was heard for so long is asked whether it is alive.
    pub ping: Duration,
    /// A connection on which nothing was heard for so long is dropped.
    pub silence: Duration,
    /// A connection that has held for so long is replaced without a delay.
    pub steady: Duration,
    /// How long a connection that was replaced is still listened to, unless the server closes it.
    pub linger: Duration,
    /// At the end, the longest time for closing connections, and for handing on what is acknowledged.
    pub goodbye: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            call: Duration::from_secs(20),
            backoff: [Duration::from_millis(500), Duration::from_secs(60)],
            patience: Duration::from_secs(30),
            ping: Duration::from_secs(15),
            silence: Duration::from_secs(30),
            steady: Duration::from_secs(10),
            linger: Duration::from_secs(15),
            goodbye: Duration::from_secs(1),
        }
    }
}

/// The app cannot be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SlackError {
    /// The certificates of this machine cannot be read.
    #[error("the certificates that this machine trusts cannot be read")]
    Certificates(#[source] io::Error),
    /// Never: `slack` is a valid channel name.
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

impl Slack {
    /// An app by its two tokens. Reads the certificates that this machine trusts: it blocks.
    pub fn new(
        account: AccountId,
        bot: BotToken,
        app: AppToken,
        root: ApiRoot,
        surroundings: Surroundings,
    ) -> Result<Self, SlackError> {
        let sockets = if root.is_encrypted() {
            WsConnector::encrypted(&surroundings.proxies)
        } else {
            WsConnector::unencrypted(&surroundings.proxies)
        };
        Ok(Self {
            channel: ChannelId::parse("slack")?,
            account,
            sockets: sockets.map_err(SlackError::Certificates)?,
            api: api::Api::new(root, bot, app, &surroundings.proxies)
                .map_err(SlackError::Certificates)?,
            saved: surroundings.saved,
            clock: surroundings.clock,
            entropy: surroundings.entropy,
            pace: Pace::default(),
            allows_bots: false,
            me: Mutex::default(),
            lacking: me::Lacking::default(),
            chats: send::Chats::default(),
            commands: commands::Commands::default(),
            status: StatusCell::default(),
        })
    }

    /// Sets other timeouts and delays.
    pub fn pace(self, pace: Pace) -> Self {
        Self { pace, ..self }
    }

    /// Sets whether messages of other bots are received. Its own never are.
    pub fn allow_bots(self, allows_bots: bool) -> Self {
        Self {
            allows_bots,
            ..self
        }
    }

    /// A hash that differs for an app with other tokens or at another server.
    pub fn fingerprint(&self) -> [u8; 32] {
        self.api.fingerprint()
    }

    /// The mark of this app in what it saves: a part of its fingerprint.
    fn mark(&self) -> String {
        channel_kit::mark(&self.fingerprint())
    }
}

impl Adapter for Slack {
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
        plain::TEXT
    }

    fn direct<'a>(&'a self, sender: &'a SenderId) -> BoxFuture<'a, Result<Target, SendError>> {
        Box::pin(send::direct(self, sender))
    }

    fn status(&self) -> Status {
        let service = self.api.server_time();
        self.status
            .get()
            .with_service_time(service, self.clock.now())
    }

    fn probe(&self) -> BoxFuture<'_, Result<Probed, ProbeError>> {
        Box::pin(me::probe(self))
    }

    fn run(self: Arc<Self>, inbox: Inbox, stop: Stop) -> BoxFuture<'static, ()> {
        Box::pin(socket::run(self, inbox, stop))
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

impl fmt::Debug for Slack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slack")
            .field("account", &self.account)
            .field("api", &self.api)
            .field("pace", &self.pace)
            .finish_non_exhaustive()
    }
}
