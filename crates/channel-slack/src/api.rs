//! Requests to Slack's Web API, within its rate limits.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use channel_kit::Backoff;
use channel_kit::http::{Body, HttpClient, HttpError, Method, Request, Response};
use channel_kit::proxy::Proxies;
use pairing_core::{Entropy, Timestamp, escape};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tokio::time::{Instant, sleep};
use zeroize::Zeroizing;

use crate::token::hide;
use crate::{ApiRoot, AppToken, BotToken, Pace};

const AGENT: &str = concat!("openclaw-pairing-rs/", env!("CARGO_PKG_VERSION"));

/// Attempts when the server fails.
const TRIES: u32 = 3;

/// The longest wait that is believed.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);

/// The longest error and list of scopes that are passed on, in characters.
const EXPLANATION: usize = 200;

/// A request failed. Holds no token, and what the server says is escaped.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(crate) enum CallError {
    /// The server refuses it, as Slack does.
    #[error("{method}: {error}{}", Scopes(needed.as_deref(), provided.as_deref()))]
    Refused {
        method: &'static str,
        error: String,
        /// The scope that is missing.
        needed: Option<String>,
        /// The scopes of the token.
        provided: Option<String>,
    },
    /// There were too many requests. Nothing was done.
    #[error("{method}: too many requests, the next is allowed in {} s", after.as_secs_f32().ceil())]
    Limited {
        method: &'static str,
        after: Duration,
    },
    /// Something stands between, or the server fails.
    #[error("{method}: the server answers with status {status}, and not as Slack does")]
    Elsewhere { method: &'static str, status: u16 },
    /// The response lacks what it should have.
    #[error("{method}: the server's answer lacks what it should have")]
    Malformed { method: &'static str },
    /// There was no response.
    #[error("{method}: {error}")]
    Http {
        method: &'static str,
        error: HttpError,
    },
}

struct Scopes<'e>(Option<&'e str>, Option<&'e str>);

impl fmt::Display for Scopes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(needed) = self.0 {
            write!(f, " (needed: {needed}")?;
            if let Some(provided) = self.1 {
                write!(f, "; there are: {provided}")?;
            }
            f.write_str(")")?;
        }
        Ok(())
    }
}

impl CallError {
    /// The `error` member of a refusal.
    pub(crate) fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { error, .. } => Some(error),
            _ => None,
        }
    }

    /// How long the server asks to wait.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Limited { after, .. } => Some(*after),
            _ => None,
        }
    }

    /// The server does not accept the token, or what the app may do. Trying again is useless.
    pub(crate) fn is_final(&self) -> bool {
        matches!(
            self.code(),
            Some(
                "invalid_auth"
                    | "not_authed"
                    | "account_inactive"
                    | "token_revoked"
                    | "token_expired"
                    | "user_removed_from_team"
                    | "team_disabled"
                    | "missing_scope"
                    | "not_allowed_token_type"
                    | "no_permission"
                    | "org_login_required"
                    | "ekm_access_denied"
                    | "access_denied"
                    | "two_factor_setup_required"
                    | "forbidden_team"
                    | "app_missing_action_url"
                    | "invalid_app_id"
            )
        )
    }

    /// The server failed to do it, and says so by an error of its own.
    pub(crate) fn is_servers(&self) -> bool {
        matches!(
            self.code(),
            Some(
                "internal_error"
                    | "fatal_error"
                    | "service_unavailable"
                    | "team_added_to_org"
                    | "request_timeout"
                    | "ratelimited"
                    | "rate_limited"
            )
        )
    }

    /// It was not done, and may be later. What was lost on its way may have been done; it counts only where repeating it
    /// does no harm.
    fn is_passing(&self, is_repeatable: bool) -> bool {
        match self {
            Self::Limited { .. }
            | Self::Http {
                error: HttpError::Connect | HttpError::Proxy(_),
                ..
            } => true,
            // A server that fails may have done it.
            Self::Refused { .. } => self.is_servers() && is_repeatable,
            Self::Elsewhere { status, .. } => *status == 503 || (*status >= 500 && is_repeatable),
            Self::Http {
                error: HttpError::Lost | HttpError::Deadline { .. },
                ..
            } => is_repeatable,
            Self::Http { .. } | Self::Malformed { .. } => false,
        }
    }
}

/// A method, and whose token it takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call {
    method: &'static str,
    is_app: bool,
    is_repeatable: bool,
}

impl Call {
    /// A method of the bot.
    pub(crate) const fn new(method: &'static str) -> Self {
        Self {
            method,
            is_app: false,
            is_repeatable: false,
        }
    }

    /// The same, where twice does no more than once.
    pub(crate) const fn repeatable(self) -> Self {
        Self {
            is_repeatable: true,
            ..self
        }
    }

    /// The same, with the token of the app.
    pub(crate) const fn of_app(self) -> Self {
        Self {
            is_app: true,
            ..self
        }
    }
}

/// The client of one bot.
pub(crate) struct Api {
    client: HttpClient,
    pub(crate) root: ApiRoot,
    bot: BotToken,
    app: AppToken,
    /// Methods that may not be called until then.
    limited: Mutex<HashMap<&'static str, Instant>>,
}

impl Api {
    /// Reads the certificates that this machine trusts, unless the server is not encrypted: it blocks.
    pub(crate) fn new(
        root: ApiRoot,
        bot: BotToken,
        app: AppToken,
        proxies: &Proxies,
    ) -> io::Result<Self> {
        let client = if root.is_encrypted() {
            HttpClient::encrypted(proxies)?
        } else {
            HttpClient::unencrypted(proxies)?
        };
        Ok(Self {
            client,
            root,
            bot,
            app,
            limited: Mutex::default(),
        })
    }

    /// Calls a method once, unless its limit is used up.
    pub(crate) async fn once(
        &self,
        call: Call,
        params: Body,
        within: Duration,
    ) -> Result<Response, CallError> {
        let method = call.method;
        if let Some(after) = self.limited(method) {
            return Err(CallError::Limited { method, after });
        }
        let token = if call.is_app {
            self.app.expose()
        } else {
            self.bot.expose()
        };
        let url = format!("{}/{method}", self.root.as_str());
        let authorization = Zeroizing::new(format!("Bearer {token}"));
        let request = Request::new(Method::Post, &url)
            .header("authorization", &authorization)
            .header("user-agent", AGENT)
            .body(params);
        let response = self.client.send(request, within).await;
        let response = response.map_err(|error| CallError::Http { method, error })?;
        self.checked(method, response)
    }

    /// Calls a method, and repeats that while it may help: when there were too many, for as long as patience lasts; when
    /// the server fails or cannot be reached, a few times.
    pub(crate) async fn patient(
        &self,
        call: Call,
        params: &Value,
        pace: &Pace,
        entropy: &Arc<dyn Entropy>,
    ) -> Result<Response, CallError> {
        self.patient_with(call, || json(params), pace, entropy)
            .await
    }

    /// The same, with parameters that are no JSON.
    pub(crate) async fn patient_with(
        &self,
        call: Call,
        params: impl Fn() -> Body,
        pace: &Pace,
        entropy: &Arc<dyn Entropy>,
    ) -> Result<Response, CallError> {
        let mut backoff = Backoff::new(Arc::clone(entropy), pace.backoff);
        let until = Instant::now() + pace.patience;
        let mut tries = 0;
        loop {
            let sent = self.once(call, params(), pace.call).await;
            let Err(error) = &sent else {
                return sent;
            };
            tries += u32::from(error.retry_after().is_none());
            let wait = error.retry_after().unwrap_or_else(|| backoff.failed(None));
            let is_late = wait > until.saturating_duration_since(Instant::now());
            if !error.is_passing(call.is_repeatable) || tries >= TRIES || is_late {
                return sent;
            }
            sleep(wait).await;
        }
    }

    /// Uploads bytes to an address that the server has named for it; no token goes with them.
    pub(crate) async fn upload(
        &self,
        url: &str,
        bytes: Vec<u8>,
        within: Duration,
    ) -> Result<(), CallError> {
        let method = "upload";
        if !self.root.names(url, ["https", "http"]) {
            return Err(CallError::Malformed { method });
        }
        let body = Body {
            content_type: "application/octet-stream".to_owned(),
            bytes,
        };
        let sent = self.client.post(url, body, within).await;
        let sent = sent.map_err(|error| CallError::Http { method, error })?;
        match sent.status {
            200..300 => Ok(()),
            status => Err(CallError::Elsewhere { method, status }),
        }
    }

    /// What the server's clock shows now.
    pub(crate) fn server_time(&self) -> Option<Timestamp> {
        self.client.server_time()
    }

    fn checked(&self, method: &'static str, response: Response) -> Result<Response, CallError> {
        #[derive(Deserialize)]
        struct Answer {
            ok: bool,
            #[serde(default)]
            error: Option<String>,
            #[serde(default)]
            needed: Option<String>,
            #[serde(default)]
            provided: Option<String>,
        }
        let status = response.status;
        let answer: Option<Answer> = serde_json::from_slice(&response.bytes).ok();
        let error = answer.as_ref().and_then(|answer| answer.error.as_deref());
        if status == 429 || matches!(error, Some("ratelimited" | "rate_limited")) {
            // A wait that is no number, or none at all.
            let after = response.retry_after().unwrap_or(Duration::from_secs(1));
            let after = after.min(LONGEST_WAIT);
            let mut limited = self.limited.lock().unwrap_or_else(PoisonError::into_inner);
            limited.insert(method, Instant::now() + after);
            return Err(CallError::Limited { method, after });
        }
        let Some(answer) = answer else {
            return Err(CallError::Elsewhere { method, status });
        };
        if answer.ok && (200..300).contains(&status) {
            return Ok(response);
        }
        if answer.ok {
            return Err(CallError::Elsewhere { method, status });
        }
        let shown = |text: String| {
            let text = hide(self.app.expose(), &hide(self.bot.expose(), &text));
            escape(&text).limit(EXPLANATION).to_string()
        };
        Err(CallError::Refused {
            method,
            error: shown(
                answer
                    .error
                    .unwrap_or_else(|| "an error without a name".to_owned()),
            ),
            needed: answer.needed.map(shown),
            provided: answer.provided.map(shown),
        })
    }

    /// How long a method may not be called.
    fn limited(&self, method: &'static str) -> Option<Duration> {
        let mut limited = self.limited.lock().unwrap_or_else(PoisonError::into_inner);
        let until = *limited.get(method)?;
        let after = until.saturating_duration_since(Instant::now());
        if after.is_zero() {
            limited.remove(method);
        }
        (!after.is_zero()).then_some(after)
    }

    /// A hash that differs for another app, another bot or another server.
    pub(crate) fn fingerprint(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        // None of them holds a zero.
        for part in [self.root.as_str(), self.bot.expose(), self.app.expose()] {
            hash.update(part);
            hash.update([0]);
        }
        hash.finalize().into()
    }
}

/// Parameters as JSON. Without the character set, Slack warns of its absence.
pub(crate) fn json(params: &Value) -> Body {
    let mut body = Body::json(params);
    body.content_type.push_str("; charset=utf-8");
    body
}

/// Reads the answer of a method.
pub(crate) fn read<T: DeserializeOwned>(
    response: &Response,
    method: &'static str,
) -> Result<T, CallError> {
    serde_json::from_slice(&response.bytes).map_err(|_| CallError::Malformed { method })
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api")
            .field("root", &self.root)
            .finish_non_exhaustive()
    }
}
