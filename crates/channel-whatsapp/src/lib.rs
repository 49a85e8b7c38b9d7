#![doc = include_str!("../README.md")]

mod api;
mod event;
#[doc(hidden)]
pub mod fuzzing;
mod hook;
mod listen;
mod number;
mod progress;
mod root;
mod secrets;
mod send;
mod signature;
mod trouble;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use channel_kit::proxy::Proxies;
use channel_kit::{
    Abilities, Adapter, BoxFuture, Inbox, MessageId, Outgoing, ProbeError, Probed, SavedText,
    SendError, Status, StatusCell, Stop, Target, TextLimit, Webhook, WebhookPath,
};
use pairing_core::{AccountId, ChannelId, Clock, Entropy, NameError, SenderId};
use sha2::{Digest as _, Sha256};

pub use number::PhoneNumberId;
pub use root::{AddressError, ApiRoot};
pub use secrets::{AccessToken, AppSecret, VerifyToken};

/// The path of the webhook, unless another is set.
pub const WEBHOOK_PATH: WebhookPath = WebhookPath::usual("/whatsapp-webhook");

/// A WhatsApp business number at the Cloud API.
///
/// - Every request has a deadline.
/// - A message is noted before it is handed on, so that none is delivered twice.
/// - A message is sent once: a request that may have arrived is not repeated.
pub struct WhatsApp {
    channel: ChannelId,
    account: AccountId,
    api: api::Api,
    app_secret: AppSecret,
    verify_token: VerifyToken,
    webhook_path: WebhookPath,
    deliveries: hook::Deliveries,
    /// Wakes the check of the number: sending has found that the token is not accepted.
    doubts: tokio::sync::Notify,
    saved: Arc<dyn SavedText>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    pace: Pace,
    status: StatusCell,
}

/// The secrets of a number: the token that sends, and what the webhook is recognised by.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Credentials {
    /// The token of a system user, with which requests are made.
    pub access_token: AccessToken,
    /// The secret of the app, by which webhooks are signed.
    pub app_secret: AppSecret,
    /// The text that Meta shows when the webhook is set up.
    pub verify_token: VerifyToken,
}

/// The surroundings of an account: where it saves what has to survive a restart, the clock and the randomness.
#[derive(Clone)]
#[non_exhaustive]
pub struct Surroundings {
    /// Where the messages that were handed on lately are saved.
    pub saved: Arc<dyn SavedText>,
    /// The clock, for the state of the connection and for the age of messages.
    pub clock: Arc<dyn Clock>,
    /// The randomness that spreads retries.
    pub entropy: Arc<dyn Entropy>,
    /// The proxies by which the service is reached; none unless set.
    pub proxies: Proxies,
}

/// Timeouts, delays and retries of an account.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Pace {
    /// The time limit of a request.
    pub call: Duration,
    /// The first and the longest delay between retries.
    pub backoff: [Duration; 2],
    /// How long sending retries while the rate is limited, or the server fails.
    pub patience: Duration,
    /// How often Meta is asked whether it still accepts the token.
    pub check: Duration,
    /// At the end, the longest time for handing on what was taken.
    pub goodbye: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            call: Duration::from_secs(20),
            backoff: [Duration::from_millis(500), Duration::from_secs(60)],
            patience: Duration::from_secs(30),
            check: Duration::from_secs(15 * 60),
            goodbye: Duration::from_secs(1),
        }
    }
}

/// The account cannot be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WhatsAppError {
    /// The certificates of this machine cannot be read.
    #[error("the certificates that this machine trusts cannot be read")]
    Certificates(#[source] io::Error),
    /// Never: `whatsapp` is a valid channel name.
    #[error(transparent)]
    Name(#[from] NameError),
}

impl Credentials {
    /// All three.
    pub fn new(
        access_token: AccessToken,
        app_secret: AppSecret,
        verify_token: VerifyToken,
    ) -> Self {
        Self {
            access_token,
            app_secret,
            verify_token,
        }
    }
}

impl Surroundings {
    /// All three; no proxies.
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

impl WhatsApp {
    /// A number, whose webhook has the usual path. For an `https://` address it reads the certificates that this machine
    /// trusts: it blocks.
    pub fn new(
        account: AccountId,
        number: PhoneNumberId,
        credentials: Credentials,
        root: ApiRoot,
        surroundings: Surroundings,
    ) -> Result<Self, WhatsAppError> {
        let api = api::Api::new(
            root,
            number,
            credentials.access_token,
            &surroundings.proxies,
        );
        Ok(Self {
            channel: ChannelId::parse("whatsapp")?,
            account,
            api: api.map_err(WhatsAppError::Certificates)?,
            app_secret: credentials.app_secret,
            verify_token: credentials.verify_token,
            webhook_path: WEBHOOK_PATH,
            deliveries: hook::Deliveries::default(),
            doubts: tokio::sync::Notify::new(),
            saved: surroundings.saved,
            clock: surroundings.clock,
            entropy: surroundings.entropy,
            pace: Pace::default(),
            status: StatusCell::default(),
        })
    }

    /// Sets the path of the webhook.
    pub fn webhook_path(self, webhook_path: WebhookPath) -> Self {
        Self {
            webhook_path,
            ..self
        }
    }

    /// Sets other timeouts and delays.
    pub fn pace(self, pace: Pace) -> Self {
        Self { pace, ..self }
    }

    /// A hash that differs for another number, or at another server.
    pub fn identity(&self) -> [u8; 32] {
        hash(&[self.api.root().as_str(), self.api.number().as_str()])
    }

    /// A hash that differs for another number, secret, webhook or server.
    pub fn fingerprint(&self) -> [u8; 32] {
        hash(&[
            self.api.root().as_str(),
            self.api.number().as_str(),
            self.api.token().expose(),
            self.app_secret.expose(),
            self.verify_token.expose(),
            &self.webhook_path,
        ])
    }

    /// The mark of this number in what it saves: a part of its identity, since a new token changes nothing about what was
    /// received.
    fn mark(&self) -> String {
        channel_kit::mark(&self.identity())
    }
}

/// None of the parts holds a zero.
fn hash(parts: &[&str]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
        hash.update([0]);
    }
    hash.finalize().into()
}

impl Adapter for WhatsApp {
    fn channel(&self) -> &ChannelId {
        &self.channel
    }

    fn account(&self) -> &AccountId {
        &self.account
    }

    fn can(&self) -> Abilities {
        Abilities::text().pictures().buttons()
    }

    fn longest_text(&self) -> TextLimit {
        send::TEXT
    }

    fn direct<'a>(&'a self, sender: &'a SenderId) -> BoxFuture<'a, Result<Target, SendError>> {
        Box::pin(async { Ok(Target::chat(sender.as_str())) })
    }

    fn status(&self) -> Status {
        let service = self.api.server_time();
        self.status
            .get()
            .with_service_time(service, self.clock.now())
    }

    fn probe(&self) -> BoxFuture<'_, Result<Probed, ProbeError>> {
        Box::pin(api::probe(&self.api, self.pace.call))
    }

    fn webhook(&self) -> Option<&dyn Webhook> {
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

    /// WhatsApp has no way to change a message: the text is sent as a reply to it.
    fn replace<'a>(
        &'a self,
        at: &'a Target,
        message: &'a MessageId,
        text: &'a str,
    ) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(send::reply(self, at, message, text))
    }
}

impl fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Surroundings")
            .field("saved", &self.saved)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for WhatsApp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WhatsApp")
            .field("account", &self.account)
            .field("number", self.api.number())
            .field("root", self.api.root())
            .field("webhook_path", &self.webhook_path)
            .field("pace", &self.pace)
            .finish_non_exhaustive()
    }
}
