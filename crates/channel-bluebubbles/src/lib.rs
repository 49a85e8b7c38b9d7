#![doc = include_str!("../README.md")]

mod address;
mod api;
#[doc(hidden)]
pub mod fuzzing;
mod hook;
mod listen;
mod message;
mod password;
mod progress;
mod register;
mod send;
mod trouble;
mod webhook_url;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use channel_kit::http::HttpClient;
use channel_kit::proxy::Proxies;
use channel_kit::{
    Abilities, Adapter, BoxFuture, Inbox, MessageId, Outgoing, ProbeError, Probed, SavedText,
    SendError, Status, StatusCell, Stop, Target, TextLimit, Webhook,
};
use pairing_core::{AccountId, ChannelId, Clock, Entropy, NameError, SenderId};
use sha2::{Digest as _, Sha256};

pub use address::{AddressError, ServerUrl};
pub use channel_kit::{WebhookPath, WebhookPathError};
pub use password::Password;
pub use webhook_url::WebhookUrl;

/// The path of the webhook, unless another is set.
pub const WEBHOOK_PATH: WebhookPath = WebhookPath::usual("/bluebubbles-webhook");

/// An account of iMessage at a BlueBubbles server.
///
/// - Every request has a deadline.
/// - A message is noted before it is handed on, so that none is delivered twice.
/// - A message is sent once: a request that may have arrived is not repeated.
pub struct BlueBubbles {
    channel: ChannelId,
    account: AccountId,
    api: api::Api,
    webhook_path: WebhookPath,
    webhook_url: Option<WebhookUrl>,
    /// Whether the senders of text messages count as authenticated.
    trusts_sms: bool,
    deliveries: hook::Deliveries,
    seen: Arc<dyn SavedText>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    pace: Pace,
    status: StatusCell,
}

/// The surroundings of an account: where it saves what has to survive a restart, the clock and the randomness.
#[derive(Clone)]
#[non_exhaustive]
pub struct Surroundings {
    /// Where the messages that were handed on lately are saved.
    pub seen: Arc<dyn SavedText>,
    /// The clock, for the state of the connection and for how far back messages are asked for.
    pub clock: Arc<dyn Clock>,
    /// The randomness that spreads retries, and names messages that are sent.
    pub entropy: Arc<dyn Entropy>,
    /// The proxies by which the service is reached; none unless set.
    pub proxies: Proxies,
}

/// Timeouts and delays of an account.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Pace {
    /// The time limit of a request. Sending takes a while, since the server waits for Messages.
    pub call: Duration,
    /// The first and the longest delay between retries.
    pub backoff: [Duration; 2],
    /// How often the server is asked for messages that no webhook delivered.
    pub poll: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            call: Duration::from_secs(60),
            backoff: [Duration::from_millis(500), Duration::from_secs(60)],
            poll: Duration::from_secs(60),
        }
    }
}

/// The account cannot be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BlueBubblesError {
    /// The certificates of this machine cannot be read.
    #[error("the certificates that this machine trusts cannot be read")]
    Certificates(#[source] io::Error),
    /// Never: `bluebubbles` is a valid channel name.
    #[error(transparent)]
    Name(#[from] NameError),
}

impl Surroundings {
    /// All three.
    pub fn new(seen: Arc<dyn SavedText>, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self {
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

impl BlueBubbles {
    /// An account at a server, whose webhook has the usual path. For an `https://` address it reads the certificates that
    /// this machine trusts: it blocks.
    pub fn new(
        account: AccountId,
        url: ServerUrl,
        password: Password,
        surroundings: Surroundings,
    ) -> Result<Self, BlueBubblesError> {
        let http = if url.is_encrypted() {
            HttpClient::encrypted(&surroundings.proxies)
        } else {
            HttpClient::unencrypted(&surroundings.proxies)
        };
        let http = http.map_err(BlueBubblesError::Certificates)?;
        Ok(Self {
            channel: ChannelId::parse("bluebubbles")?,
            account,
            api: api::Api::new(http, url, password),
            webhook_path: WEBHOOK_PATH,
            webhook_url: None,
            trusts_sms: false,
            deliveries: hook::Deliveries::default(),
            seen: surroundings.seen,
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

    /// Has the adapter register the webhook at the server: the URL by which the server reaches it.
    pub fn register(self, url: WebhookUrl) -> Self {
        Self {
            webhook_url: Some(url),
            ..self
        }
    }

    /// Sets whether the senders of text messages (SMS) count as authenticated. They can be forged, so they do not unless
    /// this is set.
    pub fn trusts_sms(self, trusts_sms: bool) -> Self {
        Self { trusts_sms, ..self }
    }

    /// Sets other timeouts and delays.
    pub fn pace(self, pace: Pace) -> Self {
        Self { pace, ..self }
    }

    /// A hash that differs for another server: each has one iMessage account.
    pub fn identity(&self) -> [u8; 32] {
        Sha256::digest(self.api.url().as_str()).into()
    }

    /// A hash that differs for another server, password, webhook or trust in text messages.
    pub fn fingerprint(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        let parts = [
            self.api.url().as_str(),
            &self.api.password().in_query(),
            &self.webhook_path,
            self.webhook_url.as_deref().unwrap_or_default(),
            if self.trusts_sms { "sms" } else { "" },
        ];
        for part in parts {
            hash.update(part);
            hash.update([0]);
        }
        hash.finalize().into()
    }
}

impl Adapter for BlueBubbles {
    fn channel(&self) -> &ChannelId {
        &self.channel
    }

    fn account(&self) -> &AccountId {
        &self.account
    }

    fn can(&self) -> Abilities {
        Abilities {
            pictures: true,
            buttons: false,
            deletion: false,
        }
    }

    fn longest_text(&self) -> TextLimit {
        send::TEXT
    }

    fn direct<'a>(&'a self, sender: &'a SenderId) -> BoxFuture<'a, Result<Target, SendError>> {
        // The chat is looked for when something is sent: the same person may be on iMessage today and on SMS tomorrow.
        Box::pin(async { Ok(Target::chat(sender.as_str())) })
    }

    fn status(&self) -> Status {
        self.status.get()
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
}

impl fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Surroundings")
            .field("seen", &self.seen)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for BlueBubbles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlueBubbles")
            .field("account", &self.account)
            .field("url", self.api.url())
            .field("webhook_path", &self.webhook_path)
            .field("pace", &self.pace)
            .finish_non_exhaustive()
    }
}
