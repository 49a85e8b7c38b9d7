#![doc = include_str!("../README.md")]

mod calls;
mod child;
mod frame;
#[doc(hidden)]
pub mod fuzzing;
mod launch;
mod listen;
mod send;
mod trouble;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use channel_kit::{
    Abilities, Adapter, BoxFuture, Inbox, MessageId, Outgoing, ProbeError, Probed, SavedText,
    SendError, Status, StatusCell, Stop, Target, TextLimit,
};
use pairing_core::{AccountId, ChannelId, Clock, Entropy, NameError, SenderId};
use sha2::{Digest as _, Sha256};

pub use launch::{Imsg, RemoteHost, RemoteHostError};

/// The account of Messages on a Mac, by `imsg rpc`.
///
/// - Every request has a deadline. A child that ends is started again, with a growing delay.
/// - A message is noted before it is handed on, so that none is delivered twice.
/// - A message is sent once: a request that may have arrived is not repeated.
pub struct IMessage {
    channel: ChannelId,
    account: AccountId,
    imsg: Imsg,
    service: Service,
    region: Option<String>,
    calls: calls::Calls,
    seen: Arc<dyn SavedText>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    pace: Pace,
    status: StatusCell,
}

/// How messages are sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Service {
    /// As iMessage if the person has it, else as a text message.
    #[default]
    Auto,
    /// As iMessage.
    IMessage,
    /// As a text message. Those that are received count as authenticated, too.
    Sms,
}

/// The surroundings of an account: where it saves what has to survive a restart, the clock and the randomness.
#[derive(Clone)]
#[non_exhaustive]
pub struct Surroundings {
    /// Where the messages that were handed on lately are saved.
    pub seen: Arc<dyn SavedText>,
    /// The clock, for the state of the connection and the age of messages.
    pub clock: Arc<dyn Clock>,
    /// The randomness that spreads retries.
    pub entropy: Arc<dyn Entropy>,
}

/// Timeouts and delays of an account.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Pace {
    /// The time limit of a request.
    pub call: Duration,
    /// The time limit of sending, for which Messages itself is started.
    pub send: Duration,
    /// The first and the longest delay before a child is started again.
    pub backoff: [Duration; 2],
    /// A child that has reported nothing for so long is asked whether it still answers.
    pub silence: Duration,
    /// After a child that has run for so long, the delays begin anew.
    pub steady: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            call: Duration::from_secs(20),
            send: Duration::from_secs(60),
            backoff: [Duration::from_millis(500), Duration::from_secs(60)],
            silence: Duration::from_secs(60),
            steady: Duration::from_secs(10),
        }
    }
}

impl Service {
    /// Reads `auto`, `imessage` or `sms`.
    pub fn parse(text: &str) -> Option<Self> {
        let known = [Self::Auto, Self::IMessage, Self::Sms];
        let text = text.trim();
        known
            .into_iter()
            .find(|service| service.as_str().eq_ignore_ascii_case(text))
    }

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::IMessage => "imessage",
            Self::Sms => "sms",
        }
    }
}

impl Surroundings {
    /// All three.
    pub fn new(seen: Arc<dyn SavedText>, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self {
            seen,
            clock,
            entropy,
        }
    }
}

impl IMessage {
    /// An account by this program.
    pub fn new(
        account: AccountId,
        imsg: Imsg,
        surroundings: Surroundings,
    ) -> Result<Self, NameError> {
        Ok(Self {
            channel: ChannelId::parse("imessage")?,
            account,
            imsg,
            service: Service::default(),
            region: None,
            calls: calls::Calls::default(),
            seen: surroundings.seen,
            clock: surroundings.clock,
            entropy: surroundings.entropy,
            pace: Pace::default(),
            status: StatusCell::default(),
        })
    }

    /// Sends by this service.
    pub fn service(self, service: Service) -> Self {
        Self { service, ..self }
    }

    /// Tells the program the country of numbers without one, such as `US`.
    pub fn region(self, region: Option<String>) -> Self {
        Self { region, ..self }
    }

    /// Sets other timeouts and delays.
    pub fn pace(self, pace: Pace) -> Self {
        Self { pace, ..self }
    }

    /// A hash that differs for another program, another way to it, or another way to send.
    pub fn fingerprint(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(format!(
            "{:?} {:?} {:?}",
            self.imsg, self.service, self.region
        ));
        hash.finalize().into()
    }

    /// A hash that differs for another Messages: two accounts with the same would take messages from each other.
    pub fn identity(&self) -> [u8; 32] {
        Sha256::digest(self.mark()).into()
    }

    /// The mark of this account in what it saves.
    fn mark(&self) -> String {
        format!("{:?}", self.imsg)
    }

    fn trusts_sms(&self) -> bool {
        self.service == Service::Sms
    }
}

impl Adapter for IMessage {
    fn channel(&self) -> &ChannelId {
        &self.channel
    }

    fn account(&self) -> &AccountId {
        &self.account
    }

    fn can(&self) -> Abilities {
        Abilities::default()
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
        Box::pin(calls::probe(&self.calls, self.pace.call))
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
}

impl fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Surroundings")
            .field("seen", &self.seen)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for IMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IMessage")
            .field("account", &self.account)
            .field("imsg", &self.imsg)
            .field("service", &self.service)
            .field("pace", &self.pace)
            .finish_non_exhaustive()
    }
}
