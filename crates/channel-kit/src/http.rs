//! HTTP requests to chat systems, each with a deadline.
//!
//! Some chat systems have a token in the URL. No error of the libraries below is passed on, therefore: an
//! [`HttpError`] says at which step a request failed, and repeats nothing of it.

use std::fmt;
use std::io;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::Request;
pub use hyper::body::Bytes;
use hyper::header::CONTENT_TYPE;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio_rustls::rustls::crypto::ring;

/// The longest response, in bytes. A hundred messages of 4096 characters, all of them escaped, are a quarter of it.
const LONGEST: usize = 16 << 20;

/// The time limit for connecting.
const CONNECT: Duration = Duration::from_secs(10);

/// Idle connections are closed after this time, which is before servers close them.
const IDLE: Duration = Duration::from_secs(50);

/// A client with a connection pool. It does not follow redirects, since credentials would go with them.
pub struct HttpClient {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

/// The body of a request.
#[derive(Debug)]
pub struct Body {
    /// Its `Content-Type`.
    pub content_type: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// A response, whatever its status.
#[derive(Debug)]
pub struct Response {
    /// The HTTP status code.
    pub status: u16,
    /// The body.
    pub bytes: Bytes,
}

/// No response arrived. The server may have done what it was asked, unless this is [`Connect`](Self::Connect) or
/// [`Request`](Self::Request).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// No response before the deadline.
    #[error("it does not answer in {} s", after.as_secs_f32())]
    Deadline {
        /// The deadline.
        after: Duration,
    },
    /// The server cannot be reached.
    #[error("no connection can be made")]
    Connect,
    /// The connection was lost after the request was sent.
    #[error("the connection was lost")]
    Lost,
    /// The body is too long, or ends early.
    #[error("the answer is longer than {LONGEST} bytes, or ends early")]
    Body,
    /// The URL is not valid.
    #[error("the request cannot be made")]
    Request,
}

impl HttpClient {
    /// A client for `https://` addresses alone. Reads the certificates that this machine trusts: it blocks.
    pub fn encrypted() -> io::Result<Self> {
        let tls = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(ring::default_provider())?
            .https_only();
        Ok(Self::over(|tcp| tls.enable_http1().wrap_connector(tcp)))
    }

    /// A client for `http://` addresses, which trusts no certificates. Use it on loopback and private networks alone.
    pub fn unencrypted() -> io::Result<Self> {
        // Reading the certificates of the machine takes a while, and none are needed.
        let none = tokio_rustls::rustls::RootCertStore::empty();
        let tls = tokio_rustls::rustls::ClientConfig::builder_with_provider(
            ring::default_provider().into(),
        );
        let tls = tls
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?;
        let tls = tls.with_root_certificates(none).with_no_client_auth();
        let tls = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http();
        Ok(Self::over(|tcp| tls.enable_http1().wrap_connector(tcp)))
    }

    fn over(wrap: impl FnOnce(HttpConnector) -> HttpsConnector<HttpConnector>) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(CONNECT));
        tcp.set_keepalive(Some(IDLE));
        tcp.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .build(wrap(tcp));
        Self { client }
    }

    /// Sends a POST request, and waits at most `within` for the whole response.
    pub async fn post(
        &self,
        url: &str,
        body: Body,
        within: Duration,
    ) -> Result<Response, HttpError> {
        let exchange = self.exchange(url, body);
        let late = HttpError::Deadline { after: within };
        tokio::time::timeout(within, exchange)
            .await
            .unwrap_or(Err(late))
    }

    async fn exchange(&self, url: &str, body: Body) -> Result<Response, HttpError> {
        let request = Request::post(url)
            .header(CONTENT_TYPE, body.content_type)
            .body(Full::from(body.bytes))
            .map_err(|_| HttpError::Request)?;
        let response = self.client.request(request).await;
        let response = response.map_err(|error| {
            if error.is_connect() {
                HttpError::Connect
            } else {
                HttpError::Lost
            }
        })?;
        let status = response.status().as_u16();
        let bytes = Limited::new(response.into_body(), LONGEST).collect().await;
        let bytes = bytes.map_err(|_| HttpError::Body)?.to_bytes();
        Ok(Response { status, bytes })
    }
}

impl Body {
    /// A value as JSON. A value that cannot be serialised (a map whose keys are not text) gives an empty body.
    pub fn json(value: &impl serde::Serialize) -> Self {
        Self {
            content_type: "application/json".to_owned(),
            bytes: serde_json::to_vec(value).unwrap_or_default(),
        }
    }
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient").finish_non_exhaustive()
    }
}
