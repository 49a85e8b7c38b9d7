//! Requests to the Bot API, each with a deadline.
//!
//! The token is part of every URL. So no error of the libraries below is passed on: a failure says at which
//! step it happened, and what the server said of it, less the token should the server repeat it.

use std::fmt;
use std::io;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::header::CONTENT_TYPE;
use hyper::{Request, StatusCode};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use sha2::{Digest as _, Sha256};
use tokio_rustls::rustls::crypto::ring;
use zeroize::Zeroizing;

use super::{ApiRoot, BotToken};

/// The longest answer. A hundred messages of 4096 characters, all of them escaped, are a quarter of it.
const LONGEST: usize = 16 << 20;

/// Connecting takes no longer.
const CONNECT: Duration = Duration::from_secs(10);

/// A connection that nobody needs is closed after so long: before servers do.
const IDLE: Duration = Duration::from_secs(50);

/// A client of one bot. Redirects are not followed: the token would go with them.
pub(super) struct Http {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    root: ApiRoot,
    token: BotToken,
}

/// What is sent.
pub(super) struct Body {
    pub(super) kind: String,
    pub(super) bytes: Vec<u8>,
}

/// What came back, whatever it says.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) bytes: Bytes,
}

/// No answer came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum HttpError {
    #[error("it does not answer in {} s", after.as_secs_f32())]
    Deadline { after: Duration },
    #[error("no connection can be made")]
    Connect,
    #[error("the connection was lost")]
    Lost,
    #[error("the answer is longer than {LONGEST} bytes, or ends early")]
    Body,
    #[error("the request cannot be made")]
    Request,
}

impl Http {
    /// Reads the certificates that this machine trusts, where the server is spoken to encrypted: it blocks.
    pub(super) fn new(root: ApiRoot, token: BotToken) -> io::Result<Self> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(CONNECT));
        tcp.set_keepalive(Some(IDLE));
        tcp.set_nodelay(true);
        let builder = HttpsConnectorBuilder::new();
        let connector = if root.is_encrypted() {
            builder
                .with_provider_and_native_roots(ring::default_provider())?
                .https_only()
        } else {
            // None are needed, and reading them takes a while.
            let none = tokio_rustls::rustls::RootCertStore::empty();
            let tls = tokio_rustls::rustls::ClientConfig::builder_with_provider(
                ring::default_provider().into(),
            );
            let tls = tls
                .with_safe_default_protocol_versions()
                .map_err(io::Error::other)?;
            let tls = tls.with_root_certificates(none).with_no_client_auth();
            builder.with_tls_config(tls).https_or_http()
        };
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .build(connector.enable_http1().wrap_connector(tcp));
        Ok(Self {
            client,
            root,
            token,
        })
    }

    /// Calls a method. An error may mean that the server has done what it was asked.
    pub(super) async fn post(
        &self,
        method: &str,
        body: Body,
        within: Duration,
    ) -> Result<Answer, HttpError> {
        let exchange = self.exchange(method, body);
        let late = HttpError::Deadline { after: within };
        tokio::time::timeout(within, exchange)
            .await
            .unwrap_or(Err(late))
    }

    async fn exchange(&self, method: &str, body: Body) -> Result<Answer, HttpError> {
        let url = Zeroizing::new(format!(
            "{}/bot{}/{method}",
            self.root.as_str(),
            self.token.expose()
        ));
        let request = Request::post(url.as_str())
            .header(CONTENT_TYPE, body.kind)
            .body(Full::from(body.bytes))
            .map_err(|_| HttpError::Request)?;
        let answer = self.client.request(request).await;
        let answer = answer.map_err(|error| {
            if error.is_connect() {
                HttpError::Connect
            } else {
                HttpError::Lost
            }
        })?;
        let status = answer.status();
        let bytes = Limited::new(answer.into_body(), LONGEST).collect().await;
        let bytes = bytes.map_err(|_| HttpError::Body)?.to_bytes();
        Ok(Answer { status, bytes })
    }

    /// What tells it from a client of another bot or another server: a hash.
    pub(super) fn print(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        // No address holds a zero.
        hash.update(self.root.as_str());
        hash.update([0]);
        hash.update(self.token.expose());
        hash.finalize().into()
    }

    /// The bot's number.
    pub(super) fn bot(&self) -> &str {
        self.token.bot()
    }

    /// What a server says, without the token, which it has been told.
    pub(super) fn without_token(&self, text: &str) -> String {
        let secret = self.token.expose();
        let secret_part = secret.split_once(':').map_or(secret, |(_, part)| part);
        text.replace(secret_part, "…")
    }
}

impl Body {
    pub(super) fn json(value: &impl serde::Serialize) -> Self {
        Self {
            kind: "application/json".to_owned(),
            // Nothing that we send has a map whose keys are no text, or fails by itself.
            bytes: serde_json::to_vec(value).unwrap_or_default(),
        }
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http")
            .field("root", &self.root)
            .finish_non_exhaustive()
    }
}
