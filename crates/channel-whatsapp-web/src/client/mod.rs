//! The account, as whatsapp-rust connects it.

mod backend;
mod hook;
mod link;
mod network;
mod send;
mod session;
mod store;
#[cfg(test)]
mod tests;
mod trouble;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use channel_kit::proxy::Proxies;
use channel_kit::{
    Abilities, Adapter, BoxFuture, Inbox, Linked, Login, LoginError, LoginStep, MessageId,
    Outgoing, PhoneNumber, ProbeError, Probed, SavedText, SendError, Status, StatusCell, Stop,
    Target, TextLimit,
};
use pairing_core::{AccountId, ChannelId, Clock, Entropy, NameError, SenderId};
use sha2::{Digest as _, Sha256};
use tokio::sync::Notify;
use whatsapp_rust::Client;

use self::network::Network;

/// A personal WhatsApp account, of which this machine is a linked device.
///
/// - Its keys are in a directory of its own, which no other program can use meanwhile.
/// - A message is noted before it is handed on, and acknowledged after that.
/// - A session that another program has taken over is not fought for.
pub struct WhatsAppWeb {
    channel: ChannelId,
    account: AccountId,
    pub(crate) keys: PathBuf,
    pub(crate) self_chat: bool,
    /// The number of the account, by which it is linked with a pairing code.
    pub(crate) number: Option<PhoneNumber>,
    pub(crate) network: Network,
    pub(crate) seen: Arc<dyn SavedText>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) pace: Pace,
    pub(crate) status: StatusCell,
    /// Locked while the keys are in use, by a connection or by the linking of the account.
    pub(crate) in_use: tokio::sync::Mutex<()>,
    /// Notified when the account was linked: it is connected at once.
    pub(crate) linked: Notify,
    /// The connection, while there is one.
    live: Mutex<Option<Arc<Client>>>,
}

/// The surroundings of an account: where it saves what has to survive a restart, the clock and the randomness.
#[derive(Clone)]
#[non_exhaustive]
pub struct Surroundings {
    /// The directory of the keys. It is created when it is needed, for the owner alone.
    pub keys: PathBuf,
    /// Where the messages that were handed on lately are saved.
    pub seen: Arc<dyn SavedText>,
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
    /// The time limit of opening a connection, of sending a message, and of saying goodbye.
    pub call: Duration,
    /// The first and the longest delay between retries.
    pub backoff: [Duration; 2],
    /// The time limit of linking an account. WhatsApp's own is shorter.
    pub link: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            call: Duration::from_secs(30),
            backoff: [Duration::from_secs(1), Duration::from_secs(300)],
            link: Duration::from_secs(300),
        }
    }
}

/// The account cannot be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WhatsAppWebError {
    /// The certificates of this machine cannot be read.
    #[error("the certificates that this machine trusts cannot be read")]
    Certificates(#[source] io::Error),
    /// Never: `whatsapp` is a valid channel name.
    #[error(transparent)]
    Name(#[from] NameError),
}

impl Surroundings {
    /// All but the proxies.
    pub fn new(
        keys: impl Into<PathBuf>,
        seen: Arc<dyn SavedText>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        Self {
            keys: keys.into(),
            seen,
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

impl WhatsAppWeb {
    /// An account. It reads the certificates that this machine trusts: it blocks.
    pub fn new(account: AccountId, surroundings: Surroundings) -> Result<Self, WhatsAppWebError> {
        let network = Network::of_whatsapp(&surroundings.proxies);
        let network = network.map_err(WhatsAppWebError::Certificates)?;
        Self::over(account, surroundings, network)
    }

    /// An account of a service at other addresses, which may be without encryption: for tests.
    #[doc(hidden)]
    pub fn at(
        account: AccountId,
        surroundings: Surroundings,
        socket: &str,
    ) -> Result<Self, WhatsAppWebError> {
        let network = Network::unencrypted(socket, &surroundings.proxies);
        let network = network.map_err(WhatsAppWebError::Certificates)?;
        Self::over(account, surroundings, network)
    }

    fn over(
        account: AccountId,
        surroundings: Surroundings,
        network: Network,
    ) -> Result<Self, WhatsAppWebError> {
        Ok(Self {
            channel: ChannelId::parse("whatsapp")?,
            account,
            keys: surroundings.keys,
            self_chat: false,
            number: None,
            network,
            seen: surroundings.seen,
            clock: surroundings.clock,
            entropy: surroundings.entropy,
            pace: Pace::default(),
            status: StatusCell::default(),
            in_use: tokio::sync::Mutex::new(()),
            linked: Notify::new(),
            live: Mutex::new(None),
        })
    }

    /// Has messages that the owner writes to themselves heard as theirs.
    pub fn self_chat(self, self_chat: bool) -> Self {
        Self { self_chat, ..self }
    }

    /// Has the account linked by a pairing code, which is typed on the phone with this number, and not by a QR code.
    pub fn by_code(self, number: Option<PhoneNumber>) -> Self {
        Self { number, ..self }
    }

    /// Sets other timeouts and delays.
    pub fn pace(self, pace: Pace) -> Self {
        Self { pace, ..self }
    }

    /// A hash that differs for another account, with other keys, or with other settings.
    pub fn fingerprint(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(self.identity());
        hash.update([u8::from(self.self_chat)]);
        hash.update(self.number.as_ref().map_or("", PhoneNumber::as_str));
        hash.finalize().into()
    }

    /// A hash that differs for an account with other keys.
    pub fn identity(&self) -> [u8; 32] {
        Sha256::digest(self.keys.as_os_str().as_encoded_bytes()).into()
    }

    pub(crate) fn set_live(&self, client: Option<Arc<Client>>) {
        *self.live.lock().unwrap_or_else(PoisonError::into_inner) = client;
    }

    pub(crate) fn live(&self) -> Option<Arc<Client>> {
        let live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        live.clone().filter(|client| client.is_logged_in())
    }
}

impl Adapter for WhatsAppWeb {
    fn channel(&self) -> &ChannelId {
        &self.channel
    }

    fn account(&self) -> &AccountId {
        &self.account
    }

    fn can(&self) -> Abilities {
        Abilities::text().deletion()
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
        Box::pin(async {
            let client = self.live().ok_or_else(|| {
                let reason = self.status.get().last_error;
                let reason = reason.unwrap_or_else(|| "there is no connection".to_owned());
                ProbeError::Unavailable { reason }
            })?;
            let number = client.pn().map(|jid| format!("+{}", jid.user));
            Ok(number.map_or_else(Probed::default, Probed::named))
        })
    }

    fn login(&self) -> Option<&dyn Login> {
        Some(self)
    }

    fn run(self: Arc<Self>, inbox: Inbox, stop: Stop) -> BoxFuture<'static, ()> {
        Box::pin(session::run(self, inbox, stop))
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

impl Login for WhatsAppWeb {
    fn how(&self) -> &'static str {
        if self.number.is_some() {
            "in WhatsApp on the phone: Settings, Linked devices, Link a device, Link with phone number instead"
        } else {
            "in WhatsApp on the phone: Settings, Linked devices, Link a device"
        }
    }

    fn link<'a>(
        &'a self,
        device: &'a str,
        tell: &'a (dyn Fn(LoginStep) + Send + Sync),
    ) -> BoxFuture<'a, Result<Linked, LoginError>> {
        Box::pin(link::link(self, device, tell))
    }
}

impl fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Surroundings")
            .field("keys", &self.keys)
            .field("seen", &self.seen)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for WhatsAppWeb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WhatsAppWeb")
            .field("account", &self.account)
            .field("keys", &self.keys)
            .field("self_chat", &self.self_chat)
            .field("pace", &self.pace)
            .finish_non_exhaustive()
    }
}
