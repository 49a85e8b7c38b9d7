#![doc = include_str!("../README.md")]

mod errands;
mod event;
#[doc(hidden)]
pub mod fuzzing;
mod gateway;
mod id;
mod interactions;
mod limits;
mod plain;
mod rest;
mod root;
mod saved;
mod send;
mod token;
mod trouble;

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use channel_kit::proxy::Proxies;
use channel_kit::ws::WsConnector;
use channel_kit::{
    Abilities, Adapter, BoxFuture, Inbox, MessageId, Outgoing, ProbeError, Probed, SavedText,
    SendError, Status, StatusCell, Stop, Target, TextLimit,
};
use pairing_core::{AccountId, ChannelId, Clock, Entropy, NameError, SenderId};

use id::Id;
pub use root::{AddressError, ApiRoot, GatewayAddress};
pub use token::BotToken;

/// A Discord bot.
///
/// - Its token is in no error, no log line and no `Debug` output.
/// - Every request and every connection has a deadline, and stays within Discord's rate limits. A failed request is
///   retried only if repeating it does no harm.
/// - The number of an event is saved before the event is handed on, so that none is delivered twice.
pub struct Discord {
    channel: ChannelId,
    account: AccountId,
    rest: rest::Rest,
    sockets: WsConnector,
    proxies: Proxies,
    gateway: Option<GatewayAddress>,
    saved: Arc<dyn SavedText>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    pace: Pace,
    commands: Vec<(&'static str, &'static str)>,
    allows_bots: bool,
    /// The application that the bot belongs to, once the gateway has told it.
    application: Mutex<Option<Id>>,
    chats: send::Chats,
    interactions: interactions::Interactions,
    status: StatusCell,
}

/// The surroundings of a bot: where it saves what has to survive a restart, the clock and the randomness.
#[derive(Clone)]
#[non_exhaustive]
pub struct Surroundings {
    /// Where the session with the gateway is saved.
    pub saved: Arc<dyn SavedText>,
    /// The clock, for the state of the connection and for how long ids of messages are remembered.
    pub clock: Arc<dyn Clock>,
    /// The randomness that spreads heartbeats and retries.
    pub entropy: Arc<dyn Entropy>,
    /// The proxies by which the service is reached; none unless set.
    pub proxies: Proxies,
}

/// Timeouts, delays and retries of a bot.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Pace {
    /// The time limit of a request, of opening a connection, and of each step until a session has begun.
    pub call: Duration,
    /// The first and the longest delay between retries.
    pub backoff: [Duration; 2],
    /// How long sending retries while the server limits the rate, fails, or cannot be reached.
    pub patience: Duration,
    /// The shortest time between two sessions that are begun anew. Discord allows one in five seconds.
    pub identify: Duration,
    /// The shortest and the longest delay after a session was not accepted.
    pub invalid: [Duration; 2],
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            call: Duration::from_secs(20),
            backoff: [Duration::from_millis(500), Duration::from_secs(60)],
            patience: Duration::from_secs(30),
            identify: Duration::from_secs(5),
            invalid: [Duration::from_secs(1), Duration::from_secs(5)],
        }
    }
}

/// The bot cannot be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DiscordError {
    /// The certificates of this machine cannot be read.
    #[error("the certificates that this machine trusts cannot be read")]
    Certificates(#[source] io::Error),
    /// Never: `discord` is a valid channel name.
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

impl Discord {
    /// A bot. Reads the certificates that this machine trusts: it blocks.
    pub fn new(
        account: AccountId,
        token: BotToken,
        root: ApiRoot,
        surroundings: Surroundings,
    ) -> Result<Self, DiscordError> {
        let proxies = surroundings.proxies;
        let sockets =
            connector(root.is_encrypted(), &proxies).map_err(DiscordError::Certificates)?;
        Ok(Self {
            channel: ChannelId::parse("discord")?,
            rest: rest::Rest::new(root, token, &proxies).map_err(DiscordError::Certificates)?,
            proxies,
            sockets,
            gateway: None,
            account,
            saved: surroundings.saved,
            clock: surroundings.clock,
            entropy: surroundings.entropy,
            pace: Pace::default(),
            commands: Vec::new(),
            allows_bots: false,
            application: Mutex::default(),
            chats: send::Chats::default(),
            interactions: interactions::Interactions::default(),
            status: StatusCell::default(),
        })
    }

    /// Sets other timeouts and delays.
    pub fn pace(self, pace: Pace) -> Self {
        Self { pace, ..self }
    }

    /// Sets the gateway to connect to, in place of the one that the REST API names. Reads the certificates that this
    /// machine trusts: it blocks.
    pub fn gateway(self, address: GatewayAddress) -> Result<Self, DiscordError> {
        let sockets = connector(address.is_encrypted(), &self.proxies);
        let sockets = sockets.map_err(DiscordError::Certificates)?;
        Ok(Self {
            gateway: Some(address),
            sockets,
            ..self
        })
    }

    /// Sets the commands that apps offer in direct chats with the bot, each without its slash and with a description.
    /// They are registered when the bot has connected.
    pub fn commands(
        self,
        commands: impl IntoIterator<Item = (&'static str, &'static str)>,
    ) -> Self {
        Self {
            commands: commands.into_iter().collect(),
            ..self
        }
    }

    /// Sets whether messages of other bots are received. Its own never are.
    pub fn allow_bots(self, allows_bots: bool) -> Self {
        Self {
            allows_bots,
            ..self
        }
    }

    /// A hash that differs for a bot with another token or at another server.
    pub fn fingerprint(&self) -> [u8; 32] {
        self.rest.fingerprint()
    }

    /// The mark of this bot in its saved session.
    fn mark(&self) -> String {
        channel_kit::mark(&self.fingerprint())
    }

    /// An address that the server names, if a token may be sent there.
    fn checked(&self, named: &str) -> Option<GatewayAddress> {
        let address = GatewayAddress::parse(named).ok()?;
        // Who has asked for encryption gets it, whatever the server says.
        let is_clear_expected = match &self.gateway {
            Some(own) => !own.is_encrypted(),
            None => !self.rest.is_encrypted(),
        };
        (address.is_encrypted() || is_clear_expected).then_some(address)
    }

    fn application(&self) -> Option<Id> {
        let application = self.application.lock();
        application.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_application(&self, id: &Id) {
        let application = self.application.lock();
        *application.unwrap_or_else(PoisonError::into_inner) = Some(id.clone());
    }

    /// A random number from 0 to 1; 1 if there is no randomness.
    fn jitter(&self) -> f64 {
        let mut bytes = [0; 4];
        match self.entropy.fill(&mut bytes) {
            Ok(()) => f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX),
            Err(_) => 1.0,
        }
    }

    /// A random mark of a message, of the 25 characters that Discord allows at most. `None` without randomness.
    fn nonce(&self) -> Option<String> {
        let mut bytes = [0; 12];
        self.entropy.fill(&mut bytes).ok()?;
        let [a, b, c, d, head @ ..] = bytes;
        let (head, tail) = (u64::from_be_bytes(head), u32::from_be_bytes([a, b, c, d]));
        Some(format!("{head:016x}{tail:08x}"))
    }
}

fn connector(is_encrypted: bool, proxies: &Proxies) -> io::Result<WsConnector> {
    if is_encrypted {
        WsConnector::encrypted(proxies)
    } else {
        WsConnector::unencrypted(proxies)
    }
}

impl Adapter for Discord {
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
        let service = self.rest.server_time();
        self.status
            .get()
            .with_service_time(service, self.clock.now())
    }

    fn probe(&self) -> BoxFuture<'_, Result<Probed, ProbeError>> {
        Box::pin(rest::probe(&self.rest, &self.pace))
    }

    fn run(self: Arc<Self>, inbox: Inbox, stop: Stop) -> BoxFuture<'static, ()> {
        Box::pin(gateway::run(self, inbox, stop))
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

impl fmt::Debug for Discord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Discord")
            .field("account", &self.account)
            .field("rest", &self.rest)
            .field("pace", &self.pace)
            .finish_non_exhaustive()
    }
}
