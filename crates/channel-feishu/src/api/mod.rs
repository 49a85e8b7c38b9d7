//! Requests to Feishu's Open API, within its rate limits, with a token that is renewed in time.

mod error;

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use channel_kit::Backoff;
use channel_kit::http::{Body, HttpClient, Method, Request, Response};
use channel_kit::proxy::Proxies;
use pairing_core::{Entropy, Timestamp, escape};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::time::{Instant, sleep};
use zeroize::Zeroizing;

use crate::token::{Token, is_token};
use crate::{ApiRoot, AppId, AppSecret, Pace};

pub(crate) use error::CallError;

const AGENT: &str = concat!("openclaw-pairing-rs/", env!("CARGO_PKG_VERSION"));

/// Attempts when the server fails.
const TRIES: u32 = 3;

/// The longest wait that is believed.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);

/// The longest explanation of an error that is passed on, in characters.
const EXPLANATION: usize = 300;

/// A call, by the name that errors have for it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call {
    name: &'static str,
    method: Method,
    is_repeatable: bool,
}

impl Call {
    /// A call where twice does more than once.
    pub(crate) const fn new(name: &'static str, method: Method) -> Self {
        Self {
            name,
            method,
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
}

/// The client of one app.
pub(crate) struct Api {
    client: HttpClient,
    pub(crate) root: ApiRoot,
    id: AppId,
    secret: AppSecret,
    token: Token,
    /// One fetches the token while the others wait for it.
    fetching: tokio::sync::Mutex<()>,
    /// Calls that may not be made until then.
    limited: Mutex<HashMap<&'static str, Instant>>,
}

impl Api {
    /// Reads the certificates that this machine trusts, unless the server is not encrypted: it blocks.
    pub(crate) fn new(
        root: ApiRoot,
        id: AppId,
        secret: AppSecret,
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
            id,
            secret,
            token: Token::default(),
            fetching: tokio::sync::Mutex::default(),
            limited: Mutex::default(),
        })
    }

    /// The address of a connection and its settings, for the secret.
    pub(crate) async fn endpoint(&self, within: Duration) -> Result<Response, CallError> {
        const CALL: Call = Call::new("connection", Method::Post);
        let body = json!({ "AppID": self.id.as_str(), "AppSecret": self.secret.expose() });
        let body = Some(Body::json(&body));
        self.raw(CALL, "/callback/ws/endpoint", None, body, within)
            .await
    }

    /// Makes a call once. A token that the server finds expired is renewed, and the call made once more.
    pub(crate) async fn once(
        &self,
        call: Call,
        path: &str,
        body: impl Fn() -> Option<Body>,
        within: Duration,
    ) -> Result<Response, CallError> {
        let token = self.token(within).await?;
        let answer = self.raw(call, path, Some(&token), body(), within).await;
        match answer {
            Err(error) if error.is_about_token() => {
                self.token.forget(&token);
                let token = self.token(within).await?;
                self.raw(call, path, Some(&token), body(), within).await
            }
            answer => answer,
        }
    }

    /// Makes a call, and repeats that while it may help: when there were too many, for as long as patience lasts; when
    /// the server fails or cannot be reached, a few times.
    pub(crate) async fn patient(
        &self,
        call: Call,
        path: &str,
        body: impl Fn() -> Option<Body>,
        pace: &Pace,
        entropy: &Arc<dyn Entropy>,
    ) -> Result<Response, CallError> {
        let mut backoff = Backoff::new(Arc::clone(entropy), pace.backoff);
        let until = Instant::now() + pace.patience;
        let mut tries = 0;
        loop {
            let sent = self.once(call, path, &body, pace.call).await;
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

    /// The token that requests carry; it is fetched where there is none.
    async fn token(&self, within: Duration) -> Result<Zeroizing<String>, CallError> {
        #[derive(Deserialize)]
        struct Given {
            tenant_access_token: Zeroizing<String>,
            expire: u64,
        }
        const NAME: &str = "token";
        const CALL: Call = Call::new(NAME, Method::Post);
        const PATH: &str = "/open-apis/auth/v3/tenant_access_token/internal";
        if let Some(token) = self.token.get() {
            return Ok(token);
        }
        let _fetching = self.fetching.lock().await;
        if let Some(token) = self.token.get() {
            return Ok(token);
        }
        let body = json!({ "app_id": self.id.as_str(), "app_secret": self.secret.expose() });
        let answer = self.raw(CALL, PATH, None, Some(Body::json(&body)), within);
        let given: Given = read(&answer.await?, NAME)?;
        if !is_token(&given.tenant_access_token) {
            return Err(CallError::Malformed { call: NAME });
        }
        let token = given.tenant_access_token;
        self.token.put(token.clone(), given.expire);
        Ok(token)
    }

    async fn raw(
        &self,
        call: Call,
        path: &str,
        token: Option<&str>,
        body: Option<Body>,
        within: Duration,
    ) -> Result<Response, CallError> {
        let name = call.name;
        if let Some(after) = self.limited(name) {
            return Err(CallError::Limited { call: name, after });
        }
        let url = format!("{}{path}", self.root.as_str());
        let authorization = Zeroizing::new(format!("Bearer {}", token.unwrap_or_default()));
        let mut request = Request::new(call.method, &url)
            .header("user-agent", AGENT)
            // Feishu's own clients send it with the secret.
            .header("locale", "zh");
        if token.is_some() {
            request = request.header("authorization", &authorization);
        }
        if let Some(mut body) = body {
            if body.content_type == "application/json" {
                body.content_type.push_str("; charset=utf-8");
            }
            request = request.body(body);
        }
        let response = self.client.send(request, within).await;
        let response = response.map_err(|error| CallError::Http { call: name, error })?;
        self.checked(name, token, response)
    }

    /// What the server's clock shows now.
    pub(crate) fn server_time(&self) -> Option<Timestamp> {
        self.client.server_time()
    }

    fn checked(
        &self,
        call: &'static str,
        token: Option<&str>,
        response: Response,
    ) -> Result<Response, CallError> {
        #[derive(Deserialize)]
        struct Answer {
            code: i64,
            #[serde(default)]
            msg: Option<String>,
        }
        let status = response.status;
        let answer: Option<Answer> = serde_json::from_slice(&response.bytes).ok();
        let code = answer.as_ref().map(|answer| answer.code);
        if status == 429 || code.is_some_and(error::is_limit) {
            // A wait that is no number, or none at all.
            let after = response.retry_after().or_else(|| {
                let seconds = response.header("x-ogw-ratelimit-reset")?.trim().parse();
                channel_kit::http::seconds(seconds.ok()?)
            });
            let after = after.unwrap_or(Duration::from_secs(1)).min(LONGEST_WAIT);
            let mut limited = self.limited.lock().unwrap_or_else(PoisonError::into_inner);
            limited.insert(call, Instant::now() + after);
            return Err(CallError::Limited { call, after });
        }
        match answer {
            Some(Answer { code: 0, .. }) if (200..300).contains(&status) => Ok(response),
            None | Some(Answer { code: 0, .. }) => Err(CallError::Elsewhere { call, status }),
            Some(Answer { code, msg }) => {
                // A server that repeats what it was sent does not spread it.
                let mut text = msg.unwrap_or_default();
                for secret in [Some(self.secret.expose()), token].into_iter().flatten() {
                    text = text.replace(secret, "…");
                }
                let text = escape(&text).limit(EXPLANATION).to_string();
                Err(CallError::Refused { call, code, text })
            }
        }
    }

    /// How long a call may not be made.
    fn limited(&self, call: &'static str) -> Option<Duration> {
        let mut limited = self.limited.lock().unwrap_or_else(PoisonError::into_inner);
        let until = *limited.get(call)?;
        let after = until.saturating_duration_since(Instant::now());
        if after.is_zero() {
            limited.remove(call);
        }
        (!after.is_zero()).then_some(after)
    }

    /// A hash that differs for another app or another server.
    pub(crate) fn fingerprint(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        // None of them holds a zero.
        for part in [self.root.as_str(), self.id.as_str(), self.secret.expose()] {
            hash.update(part);
            hash.update([0]);
        }
        hash.finalize().into()
    }
}

/// Reads the whole answer to a call.
pub(crate) fn read<T: DeserializeOwned>(
    response: &Response,
    call: &'static str,
) -> Result<T, CallError> {
    serde_json::from_slice(&response.bytes).map_err(|_| CallError::Malformed { call })
}

/// Reads the `data` member of the answer to a call.
pub(crate) fn data<T: DeserializeOwned>(
    response: &Response,
    call: &'static str,
) -> Result<T, CallError> {
    #[derive(Deserialize)]
    struct Whole<T> {
        data: T,
    }
    read::<Whole<T>>(response, call).map(|whole| whole.data)
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api")
            .field("root", &self.root)
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
