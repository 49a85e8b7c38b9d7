//! Requests to Discord's REST API, within its rate limits.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use channel_kit::http::{Body, HttpClient, HttpError, Method, Request, Response, seconds};
use channel_kit::proxy::Proxies;
use channel_kit::{Backoff, ProbeError, Probed};
use pairing_core::{Entropy, Timestamp, escape};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};
use tokio::time::{Instant, sleep};
use zeroize::Zeroizing;

use crate::limits::{Limits, Route};
use crate::{ApiRoot, BotToken, Pace};

/// As Discord wants bots to introduce themselves.
const AGENT: &str = concat!(
    "DiscordBot (https://github.com/openclaw/openclaw-pairing-rs, ",
    env!("CARGO_PKG_VERSION"),
    ")"
);

/// Attempts when the server fails.
const TRIES: u32 = 3;

/// The longest explanation of the server that is passed on, in characters.
const EXPLANATION: usize = 300;

/// A request failed. Holds no token, and what the server says is escaped.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(crate) enum CallError {
    /// The server refuses it, as Discord does.
    #[error("{message} (status {status}, code {code})")]
    Refused {
        status: u16,
        code: u64,
        message: String,
    },
    /// There were too many requests. Nothing was done.
    #[error("too many requests: the next is allowed in {} s", after.as_secs_f32().ceil())]
    Limited { after: Duration },
    /// Something stands between, or the server fails.
    #[error("the server answers with status {status}, and not as Discord does")]
    Elsewhere { status: u16 },
    /// The response lacks what it should have.
    #[error("the server's answer is no {what}")]
    Malformed { what: &'static str },
    /// There was no response.
    #[error(transparent)]
    Http(#[from] HttpError),
}

impl CallError {
    /// The server does not accept the token.
    pub(crate) fn is_wrong_token(&self) -> bool {
        matches!(self, Self::Refused { status: 401, .. })
    }

    pub(crate) fn has_code(&self, wanted: u64) -> bool {
        matches!(self, Self::Refused { code, .. } if *code == wanted)
    }

    /// How long the server asks to wait.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Limited { after } => Some(*after),
            _ => None,
        }
    }

    /// It was not done, and may be later. What was lost on its way may have been done; it counts only where
    /// repeating it does no harm.
    fn is_passing(&self, is_repeatable: bool) -> bool {
        match self {
            Self::Limited { .. } | Self::Http(HttpError::Connect | HttpError::Proxy(_)) => true,
            Self::Refused { status, .. } | Self::Elsewhere { status } => *status >= 500,
            Self::Http(HttpError::Lost | HttpError::Deadline { .. }) => is_repeatable,
            _ => false,
        }
    }
}

/// A request to one route.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    method: Method,
    path: String,
    route: Route,
    is_repeatable: bool,
}

impl Call {
    /// A request whose route has the shape `shape`, which counts for each `chat` of its own.
    pub(crate) fn new(method: Method, path: String, shape: &'static str, chat: &str) -> Self {
        Self {
            // Deleting or setting the same thing twice is the same as once.
            is_repeatable: method != Method::Post,
            method,
            path,
            route: Route::new(shape, chat),
        }
    }

    /// The same, for an interaction: the limit of the whole bot does not count.
    pub(crate) fn of_interaction(self) -> Self {
        Self {
            route: self.route.apart(),
            ..self
        }
    }

    /// The same, where the server recognises a repetition.
    pub(crate) fn repeatable(self) -> Self {
        Self {
            is_repeatable: true,
            ..self
        }
    }
}

/// The client of one bot.
pub(crate) struct Rest {
    client: HttpClient,
    root: ApiRoot,
    pub(crate) token: BotToken,
    limits: Mutex<Limits>,
}

impl Rest {
    /// Reads the certificates that this machine trusts, unless the server is not encrypted: it blocks.
    pub(crate) fn new(root: ApiRoot, token: BotToken, proxies: &Proxies) -> io::Result<Self> {
        let client = if root.is_encrypted() {
            HttpClient::encrypted(proxies)?
        } else {
            HttpClient::unencrypted(proxies)?
        };
        Ok(Self {
            client,
            root,
            token,
            limits: Mutex::default(),
        })
    }

    /// Sends a request once, unless its limit is used up.
    pub(crate) async fn once(
        &self,
        call: &Call,
        body: Option<Body>,
        within: Duration,
    ) -> Result<Response, CallError> {
        let taken = self.limits().take(&call.route, Instant::now());
        taken.map_err(|after| CallError::Limited { after })?;
        let url = Zeroizing::new(format!("{}{}", self.root.as_str(), call.path));
        let authorization = Zeroizing::new(format!("Bot {}", self.token.expose()));
        let mut request = Request::new(call.method, &url)
            .header("authorization", &authorization)
            .header("user-agent", AGENT);
        if let Some(body) = body {
            request = request.body(body);
        }
        let response = self.client.send(request, within).await?;
        self.limits().note(&call.route, &response, Instant::now());
        if (200..300).contains(&response.status) {
            return Ok(response);
        }
        Err(self.refusal(call, &response))
    }

    /// Sends a request, and repeats it while that may help: when there were too many, for as long as patience lasts;
    /// when the server fails or cannot be reached, a few times.
    pub(crate) async fn patient(
        &self,
        call: &Call,
        body: impl Fn() -> Option<Body>,
        pace: &Pace,
        entropy: &Arc<dyn Entropy>,
    ) -> Result<Response, CallError> {
        let mut backoff = Backoff::new(Arc::clone(entropy), pace.backoff);
        let until = Instant::now() + pace.patience;
        let mut tries = 0;
        loop {
            let sent = self.once(call, body(), pace.call).await;
            let Err(error) = &sent else {
                return sent;
            };
            tries += u32::from(error.retry_after().is_none());
            let wait = match error {
                CallError::Limited { after } => *after,
                _ => backoff.failed(None),
            };
            let is_late = wait > until.saturating_duration_since(Instant::now());
            if !error.is_passing(call.is_repeatable) || tries >= TRIES || is_late {
                return sent;
            }
            sleep(wait).await;
        }
    }

    /// What the server's clock shows now.
    pub(crate) fn server_time(&self) -> Option<Timestamp> {
        self.client.server_time()
    }

    fn refusal(&self, call: &Call, response: &Response) -> CallError {
        #[derive(Deserialize)]
        struct Refusal {
            #[serde(default)]
            code: u64,
            message: String,
        }
        #[derive(Deserialize)]
        struct Limited {
            #[serde(default)]
            retry_after: Option<f64>,
            #[serde(default)]
            global: bool,
        }
        let status = response.status;
        if status == 429 {
            let said: Option<Limited> = serde_json::from_slice(&response.bytes).ok();
            let after = said.as_ref().and_then(|said| said.retry_after);
            let after = after.and_then(seconds).or_else(|| response.retry_after());
            // A wait that is no number, or none at all.
            let after = after.unwrap_or(Duration::from_secs(1));
            let is_all = said.is_some_and(|said| said.global)
                || response.header("x-ratelimit-global").is_some();
            let now = Instant::now();
            self.limits().refused(&call.route, after, is_all, now);
            return CallError::Limited { after };
        }
        match serde_json::from_slice::<Refusal>(&response.bytes) {
            Ok(refusal) => {
                let message = self.token.hide_in(&refusal.message);
                CallError::Refused {
                    status,
                    code: refusal.code,
                    message: escape(&message).limit(EXPLANATION).to_string(),
                }
            }
            Err(_) => CallError::Elsewhere { status },
        }
    }

    pub(crate) fn is_encrypted(&self) -> bool {
        self.root.is_encrypted()
    }

    /// A hash that differs for another bot or another server.
    pub(crate) fn fingerprint(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        // No address holds a zero.
        hash.update(self.root.as_str());
        hash.update([0]);
        hash.update(self.token.expose());
        hash.finalize().into()
    }

    fn limits(&self) -> MutexGuard<'_, Limits> {
        self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks Discord who the bot is.
pub(crate) async fn probe(rest: &Rest, pace: &Pace) -> Result<Probed, ProbeError> {
    #[derive(Deserialize)]
    struct Found {
        #[serde(default)]
        username: String,
    }
    let shape = "GET /users/@me";
    let call = Call::new(Method::Get, "/users/@me".to_owned(), shape, "");
    let asked = rest.once(&call, None, pace.call).await;
    let found = asked.and_then(|response| read::<Found>(&response, "user"));
    let found = found.map_err(|error| ProbeError::of(&error, error.is_wrong_token()))?;
    Ok(Probed::named(found.username))
}

/// Reads the body of a response.
pub(crate) fn read<T: DeserializeOwned>(
    response: &Response,
    what: &'static str,
) -> Result<T, CallError> {
    serde_json::from_slice(&response.bytes).map_err(|_| CallError::Malformed { what })
}

impl fmt::Debug for Rest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rest")
            .field("root", &self.root)
            .finish_non_exhaustive()
    }
}
