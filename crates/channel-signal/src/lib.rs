#![doc = include_str!("../README.md")]

mod address;
mod child;
mod envelope;
mod events;
#[doc(hidden)]
pub mod fuzzing;
mod link;
mod listen;
mod logout;
mod people;
mod rpc;
mod send;
mod trouble;
mod uuid;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use channel_kit::http::HttpClient;
use channel_kit::proxy::Proxies;
use channel_kit::{
    Abilities, Adapter, BoxFuture, Inbox, Linked, LoggedOut, Login, LoginError, LoginStep,
    LogoutError, MessageId, Outgoing, ProbeError, Probed, SavedText, SendError, Status, StatusCell,
    Stop, Target, TextLimit,
};
use pairing_core::{AccountId, ChannelId, Clock, Entropy, NameError, SenderId};
use sha2::{Digest as _, Sha256};
use tokio::sync::{Notify, watch};

pub use address::{AddressError, DaemonUrl};
pub use channel_kit::{PhoneNumber as Number, PhoneNumberError as NumberError};
pub use child::Daemon;

/// A Signal account at a daemon of signal-cli.
///
/// - Every request has a deadline, and so has the stream of events: the daemon sends a sign of life every 15 seconds.
/// - A message is noted before it is handed on, so that none is delivered twice.
/// - A message is sent once: a request that may have arrived is not repeated.
pub struct Signal {
    channel: ChannelId,
    account: AccountId,
    /// The account at the daemon; `None` if the daemon has only one.
    number: Option<Number>,
    rpc: rpc::Rpc,
    daemon: Option<Daemon>,
    seen: Arc<dyn SavedText>,
    people: Arc<dyn SavedText>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    pace: Pace,
    status: StatusCell,
    /// Notified when the account was linked: it is looked for again at once.
    linked: Notify,
    /// Notified when it was linked behind the back of the daemon, which knows only the accounts that were there when it was
    /// started.
    outdated: Notify,
    /// Changed when the account was logged out: a stream of events that was begun before is dropped.
    logged_out: watch::Sender<()>,
}

/// The surroundings of an account: where it saves what has to survive a restart, the clock and the randomness.
#[derive(Clone)]
#[non_exhaustive]
pub struct Surroundings {
    /// Where the messages that were handed on lately are saved.
    pub seen: Arc<dyn SavedText>,
    /// Where it is saved which number and id name the same person.
    pub people: Arc<dyn SavedText>,
    /// The clock, for the state of the connection.
    pub clock: Arc<dyn Clock>,
    /// The randomness that spreads retries.
    pub entropy: Arc<dyn Entropy>,
    /// The proxies by which the service is reached; none unless set.
    pub proxies: Proxies,
}

/// Timeouts and delays of an account.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Pace {
    /// The time limit of a request. Sending takes a while, since the daemon waits for Signal's servers.
    pub call: Duration,
    /// The first and the longest delay between retries.
    pub backoff: [Duration; 2],
    /// A stream of events on which nothing was heard for so long is dropped.
    pub silence: Duration,
    /// A stream that has held for so long is replaced without a delay.
    pub steady: Duration,
    /// The time limit of linking an account, in which a person has to scan a code. Signal's own is shorter.
    pub link: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            call: Duration::from_secs(60),
            backoff: [Duration::from_millis(500), Duration::from_secs(60)],
            silence: Duration::from_secs(45),
            steady: Duration::from_secs(10),
            link: Duration::from_secs(180),
        }
    }
}

/// The account cannot be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignalError {
    /// The certificates of this machine cannot be read.
    #[error("the certificates that this machine trusts cannot be read")]
    Certificates(#[source] io::Error),
    /// Never: `signal` is a valid channel name.
    #[error(transparent)]
    Name(#[from] NameError),
}

impl Surroundings {
    /// Surroundings of these four parts, without proxies.
    pub fn new(
        seen: Arc<dyn SavedText>,
        people: Arc<dyn SavedText>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        Self {
            seen,
            people,
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

impl Signal {
    /// An account at a daemon. `number` is `None` if the daemon has one account alone. For an `https://` address it reads
    /// the certificates that this machine trusts: it blocks.
    pub fn new(
        account: AccountId,
        number: Option<Number>,
        url: DaemonUrl,
        surroundings: Surroundings,
    ) -> Result<Self, SignalError> {
        let http = if url.is_encrypted() {
            HttpClient::encrypted(&surroundings.proxies)
        } else {
            HttpClient::unencrypted(&surroundings.proxies)
        };
        let http = http.map_err(SignalError::Certificates)?;
        Ok(Self {
            channel: ChannelId::parse("signal")?,
            account,
            rpc: rpc::Rpc::new(http, url, number.clone()),
            number,
            daemon: None,
            seen: surroundings.seen,
            people: surroundings.people,
            clock: surroundings.clock,
            entropy: surroundings.entropy,
            pace: Pace::default(),
            status: StatusCell::default(),
            linked: Notify::new(),
            outdated: Notify::new(),
            logged_out: watch::Sender::default(),
        })
    }

    /// Has the adapter start the daemon, as a child process that ends with it.
    pub fn start(self, daemon: Daemon) -> Self {
        Self {
            daemon: Some(daemon),
            ..self
        }
    }

    /// Sets other timeouts and delays.
    pub fn pace(self, pace: Pace) -> Self {
        Self { pace, ..self }
    }

    /// A hash that differs for another account or daemon: two accounts with the same would receive every message twice.
    pub fn identity(&self) -> [u8; 32] {
        Sha256::digest(self.mark()).into()
    }

    /// A hash that differs for another account, at another daemon, or with another way to start it.
    pub fn fingerprint(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(self.mark());
        hash.update(format!("{:?}", self.daemon));
        hash.finalize().into()
    }

    /// The mark of this account in what it saves.
    fn mark(&self) -> String {
        let number = self.number.as_ref().map_or("", Number::as_str);
        format!("{number}@{}", self.rpc.url().as_str())
    }
}

impl Adapter for Signal {
    fn channel(&self) -> &ChannelId {
        &self.channel
    }

    fn account(&self) -> &AccountId {
        &self.account
    }

    fn can(&self) -> Abilities {
        Abilities::text().pictures().deletion()
    }

    fn longest_text(&self) -> TextLimit {
        send::TEXT
    }

    fn direct<'a>(&'a self, sender: &'a SenderId) -> BoxFuture<'a, Result<Target, SendError>> {
        // A person is their own chat.
        Box::pin(async { Ok(Target::chat(sender.as_str())) })
    }

    fn status(&self) -> Status {
        self.status.get()
    }

    fn probe(&self) -> BoxFuture<'_, Result<Probed, ProbeError>> {
        Box::pin(rpc::probe(&self.rpc, self.pace.call))
    }

    fn login(&self) -> Option<&dyn Login> {
        Some(self)
    }

    fn run(self: Arc<Self>, inbox: Inbox, stop: Stop) -> BoxFuture<'static, ()> {
        Box::pin(listen::run(self, inbox, stop))
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
}

impl Login for Signal {
    fn how(&self) -> &'static str {
        "in Signal on the phone: Settings, Linked devices, Link a new device"
    }

    fn link<'a>(
        &'a self,
        device: &'a str,
        tell: &'a (dyn Fn(LoginStep) + Send + Sync),
    ) -> BoxFuture<'a, Result<Linked, LoginError>> {
        Box::pin(link::link(self, device, tell))
    }

    fn log_out(&self) -> BoxFuture<'_, Result<LoggedOut, LogoutError>> {
        Box::pin(logout::log_out(self))
    }
}

impl fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Surroundings")
            .field("seen", &self.seen)
            .field("people", &self.people)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signal")
            .field("account", &self.account)
            .field("url", self.rpc.url())
            .field("pace", &self.pace)
            .finish_non_exhaustive()
    }
}
