//! HTTP requests to chat systems, each with a deadline.
//!
//! Some chat systems have a token in the URL. No error of the libraries below is passed on, therefore: an
//! [`HttpError`] says at which step a request failed, and repeats nothing of it.

use std::fmt;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, UNIX_EPOCH};

use http_body_util::{BodyExt as _, Full, Limited};
pub use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, DATE, HeaderMap, HeaderValue, RETRY_AFTER};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use pairing_core::Timestamp;
use tokio_rustls::rustls::crypto::ring;

use crate::proxy::{Connector, Proxies, ProxyError};

/// The longest response, in bytes. A hundred messages of 4096 characters, all of them escaped, are a quarter of it.
const LONGEST: usize = 16 << 20;

/// Idle connections are closed after this time, which is before servers close them.
const IDLE: Duration = Duration::from_secs(50);

/// How long a server's time counts.
const COUNTS: Duration = Duration::from_secs(60 * 60);

/// A client with a connection pool. It does not follow redirects, since credentials would go with them.
pub struct HttpClient {
    client: Client<HttpsConnector<Connector>, Full<Bytes>>,
    /// The server's own time in its last response, and when that came.
    dated: Mutex<Option<(Timestamp, Instant)>>,
}

/// The body of a request.
#[derive(Debug)]
pub struct Body {
    /// Its `Content-Type`.
    pub content_type: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// The method of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Method {
    /// `GET`.
    Get,
    /// `POST`.
    Post,
    /// `PUT`.
    Put,
    /// `PATCH`.
    Patch,
    /// `DELETE`.
    Delete,
}

/// A request: its address, headers and body. Its `Debug` shows the method alone.
pub struct Request<'r> {
    method: Method,
    url: &'r str,
    headers: Vec<(&'static str, &'r str)>,
    body: Option<Body>,
}

/// A response, whatever its status.
#[derive(Debug)]
pub struct Response {
    /// The HTTP status code.
    pub status: u16,
    /// The body.
    pub bytes: Bytes,
    headers: HeaderMap,
}

/// A response whose body is read piece by piece, while the server writes it.
pub struct Streamed {
    /// The HTTP status code.
    pub status: u16,
    headers: HeaderMap,
    body: hyper::body::Incoming,
}

/// No response arrived. The server may have done what it was asked, unless this is [`Connect`](Self::Connect),
/// [`Proxy`](Self::Proxy) or [`Request`](Self::Request).
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
    /// The proxy makes no connection to the server.
    #[error(transparent)]
    Proxy(#[from] ProxyError),
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
    pub fn encrypted(proxies: &Proxies) -> io::Result<Self> {
        let tls = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(ring::default_provider())?
            .https_only()
            .enable_http1();
        Ok(Self::over(tls.wrap_connector(Connector::new(proxies))))
    }

    /// A client for `http://` addresses, which trusts no certificates. Use it on loopback and private networks alone.
    pub fn unencrypted(proxies: &Proxies) -> io::Result<Self> {
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
            .https_or_http()
            .enable_http1();
        Ok(Self::over(tls.wrap_connector(Connector::new(proxies))))
    }

    fn over(connector: HttpsConnector<Connector>) -> Self {
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .build(connector);
        Self {
            client,
            dated: Mutex::default(),
        }
    }

    /// What the server's clock shows now, by its last response with a date, if that is not an hour old. The client of an
    /// account talks to one service alone.
    pub fn server_time(&self) -> Option<Timestamp> {
        let (date, at) = (*self.dated())?;
        shown(date, at.elapsed())
    }

    fn dated(&self) -> MutexGuard<'_, Option<(Timestamp, Instant)>> {
        self.dated.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a POST request, and waits at most `within` for the whole response.
    pub async fn post(
        &self,
        url: &str,
        body: Body,
        within: Duration,
    ) -> Result<Response, HttpError> {
        let request = Request::new(Method::Post, url).body(body);
        self.send(request, within).await
    }

    /// Sends a request, and waits at most `within` for the whole response.
    pub async fn send(
        &self,
        request: Request<'_>,
        within: Duration,
    ) -> Result<Response, HttpError> {
        let exchange = self.exchange(request);
        let late = HttpError::Deadline { after: within };
        tokio::time::timeout(within, exchange)
            .await
            .unwrap_or(Err(late))
    }

    /// Sends a request, and waits at most `within` for the head of the response. Its body is read by
    /// [`Streamed::next`], which has no deadline of its own.
    pub async fn open(
        &self,
        request: Request<'_>,
        within: Duration,
    ) -> Result<Streamed, HttpError> {
        let late = HttpError::Deadline { after: within };
        let response = tokio::time::timeout(within, self.response(request)).await;
        let (head, body) = response.unwrap_or(Err(late))?.into_parts();
        Ok(Streamed {
            status: head.status.as_u16(),
            headers: head.headers,
            body,
        })
    }

    async fn response(
        &self,
        request: Request<'_>,
    ) -> Result<hyper::Response<hyper::body::Incoming>, HttpError> {
        let response = self.client.request(request.build()?).await;
        response.map_err(|error| match ProxyError::in_chain(&error) {
            Some(error) => HttpError::Proxy(error),
            None if error.is_connect() => HttpError::Connect,
            None => HttpError::Lost,
        })
    }

    async fn exchange(&self, request: Request<'_>) -> Result<Response, HttpError> {
        let response = self.response(request).await?;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let bytes = Limited::new(response.into_body(), LONGEST).collect().await;
        let bytes = bytes.map_err(|_| HttpError::Body)?.to_bytes();
        let response = Response {
            status,
            bytes,
            headers,
        };
        if let Some(date) = response.date() {
            *self.dated() = Some((date, Instant::now()));
        }
        Ok(response)
    }
}

/// What a clock shows that showed `date` a while ago. What counts the time since then may have stood still while the
/// machine slept, and clocks run differently.
fn shown(date: Timestamp, since: Duration) -> Option<Timestamp> {
    (since < COUNTS).then(|| date + since)
}

impl<'r> Request<'r> {
    /// A request without headers and body.
    pub fn new(method: Method, url: &'r str) -> Self {
        Self {
            method,
            url,
            headers: Vec::new(),
            body: None,
        }
    }

    /// Adds a header. Its name is in lower case.
    pub fn header(mut self, name: &'static str, value: &'r str) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Sets the body, and `Content-Type` with it.
    pub fn body(self, body: Body) -> Self {
        Self {
            body: Some(body),
            ..self
        }
    }

    fn build(self) -> Result<hyper::Request<Full<Bytes>>, HttpError> {
        let mut request = hyper::Request::builder()
            .method(self.method.name())
            .uri(self.url);
        for (name, value) in self.headers {
            let mut value = HeaderValue::from_str(value).map_err(|_| HttpError::Request)?;
            // It may be a token; the connection does not log it then.
            value.set_sensitive(true);
            request = request.header(name, value);
        }
        let bytes = match self.body {
            Some(body) => {
                request = request.header(CONTENT_TYPE, body.content_type);
                body.bytes
            }
            None => Vec::new(),
        };
        request
            .body(Full::from(bytes))
            .map_err(|_| HttpError::Request)
    }
}

impl Method {
    fn name(self) -> hyper::Method {
        match self {
            Self::Get => hyper::Method::GET,
            Self::Post => hyper::Method::POST,
            Self::Put => hyper::Method::PUT,
            Self::Patch => hyper::Method::PATCH,
            Self::Delete => hyper::Method::DELETE,
        }
    }
}

impl Response {
    /// A header, by its name in lower case. `None` if it is missing or is not text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The server's own time when it answered, by `Date`, to the second. `None` where it does not tell.
    pub fn date(&self) -> Option<Timestamp> {
        let date = httpdate::parse_http_date(self.header(DATE.as_str())?).ok()?;
        let since = date.duration_since(UNIX_EPOCH).ok()?;
        let millis = i64::try_from(since.as_millis()).ok()?;
        Some(Timestamp::from_millis(millis))
    }

    /// How long the server asks to wait, by `Retry-After` in seconds, which may have a fraction. `None` where it does
    /// not say so by a number.
    pub fn retry_after(&self) -> Option<Duration> {
        let text = self.header(RETRY_AFTER.as_str())?;
        seconds(text.trim().parse().ok()?)
    }
}

impl Streamed {
    /// A header, by its name in lower case. `None` if it is missing or is not text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The next piece of the body; `None` at its end. Nothing is lost if the future is dropped.
    pub async fn next(&mut self) -> Result<Option<Bytes>, HttpError> {
        while let Some(frame) = self.body.frame().await {
            // Trailers are left out.
            if let Ok(bytes) = frame.map_err(|_| HttpError::Lost)?.into_data() {
                return Ok(Some(bytes));
            }
        }
        Ok(None)
    }
}

/// A number of seconds as a duration. `None` where it is negative, not finite or too large.
pub fn seconds(number: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(number).ok()
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

impl fmt::Debug for Streamed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Streamed")
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient").finish_non_exhaustive()
    }
}

impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    /// Answers one request by these bytes; gives the head of the request.
    async fn exchange(request: impl FnOnce(&str) -> String, answer: &str) -> (String, Response) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = request(&listener.local_addr().unwrap().to_string());
        let answer = answer.to_owned();
        let server = tokio::spawn(async move {
            let (mut tcp, _) = listener.accept().await.unwrap();
            let mut head = vec![0; 4096];
            let read = tcp.read(&mut head).await.unwrap();
            tcp.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8_lossy(&head[..read]).into_owned()
        });
        let client = HttpClient::unencrypted(&Proxies::default()).unwrap();
        let request = Request::new(Method::Delete, &url).header("authorization", "Bot hunter2");
        assert!(!format!("{request:?}").contains("hunter2"));
        let response = client.send(request, Duration::from_secs(20)).await.unwrap();
        (server.await.unwrap(), response)
    }

    #[tokio::test]
    async fn headers_go_both_ways() {
        let answer =
            "HTTP/1.1 429 Too Many\r\nretry-after: 1.5\r\nx-bucket: b\r\ncontent-length: 0\r\n\r\n";
        let (head, response) = exchange(|at| format!("http://{at}/x"), answer).await;
        assert!(head.starts_with("DELETE /x HTTP/1.1"), "{head}");
        assert!(head.contains("authorization: Bot hunter2"), "{head}");
        assert_eq!(response.status, 429);
        assert_eq!(response.header("x-bucket"), Some("b"));
        assert_eq!(response.retry_after(), Some(Duration::from_millis(1500)));
    }

    #[tokio::test]
    async fn waits_that_are_no_number_are_none() {
        for asked in [
            "soon",
            "-1",
            "NaN",
            "inf",
            "1e300",
            "",
            "Fri, 27 Nov 2026 22:00:00 GMT",
        ] {
            let answer = format!(
                "HTTP/1.1 429 Too Many\r\nretry-after: {asked}\r\ncontent-length: 0\r\n\r\n"
            );
            let (_, response) = exchange(|at| format!("http://{at}/"), &answer).await;
            assert_eq!(response.retry_after(), None, "{asked}");
        }
    }

    #[tokio::test]
    async fn t132_the_server_tells_its_own_time() {
        for (date, told) in [
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777_000)),
            ("784111777", None),
            ("yesterday", None),
            ("Sun, 06 Nov 1894 08:49:37 GMT", None),
        ] {
            let answer = format!("HTTP/1.1 200 OK\r\ndate: {date}\r\ncontent-length: 0\r\n\r\n");
            let (_, response) = exchange(|at| format!("http://{at}/"), &answer).await;
            assert_eq!(response.date().map(Timestamp::as_millis), told, "{date}");
        }
    }

    /// Asks for a page of `api.example`, which `proxy` knows.
    async fn by_proxy(address: &str, path: &str) -> Result<Response, HttpError> {
        let proxies = Proxies::all("proxy", address).unwrap();
        let client = HttpClient::unencrypted(&proxies).unwrap();
        let url = format!("http://api.example/{path}");
        let request = Request::new(Method::Get, &url);
        client.send(request, Duration::from_secs(20)).await
    }

    #[tokio::test]
    async fn t136_requests_go_through_the_proxy_and_its_faults_are_named() {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = server.local_addr().unwrap();
        let answering = tokio::spawn(async move {
            let (mut tcp, _) = server.accept().await.unwrap();
            let mut head = vec![0; 4096];
            let read = tcp.read(&mut head).await.unwrap();
            let answer = b"HTTP/1.1 204 No Content\r\n\r\n";
            tcp.write_all(answer).await.unwrap();
            String::from_utf8_lossy(&head[..read]).into_owned()
        });
        let proxy = test_support::Proxy::start(Some("ann:hunter2")).await;
        proxy.knows("api.example:80", at);
        let logs = test_support::Logs::default();
        let listening = logs.listen();
        let place = "proxy";
        for (address, error) in [
            (
                proxy.address("ann:hunter3"),
                ProxyError::Credentials { place },
            ),
            (proxy.address(""), ProxyError::Credentials { place }),
        ] {
            let refused = by_proxy(&address, "x").await.unwrap_err();
            assert_eq!(refused, HttpError::Proxy(error));
        }
        let address = proxy.address("ann:hunter2");
        let response = by_proxy(&address, "x").await.unwrap();
        assert_eq!(response.status, 204);
        // The server sees nothing of the proxy, and the proxy only where it leads.
        let head = answering.await.unwrap();
        assert!(head.starts_with("GET /x HTTP/1.1"), "{head}");
        assert!(!head.to_ascii_lowercase().contains("proxy-"), "{head}");
        assert_eq!(proxy.asked(), ["api.example:80"; 3]);

        // Nobody listens at the server any more, then at the proxy.
        let refused = by_proxy(&address, "y").await.unwrap_err();
        assert_eq!(refused, HttpError::Proxy(ProxyError::Refused { place }));
        proxy.stop().await;
        let gone = by_proxy(&address, "z").await.unwrap_err();
        assert_eq!(gone, HttpError::Proxy(ProxyError::Unreachable { place }));
        drop(listening);
        let logged = logs.text();
        for secret in ["hunter", "YW5u"] {
            assert!(!logged.contains(secret), "{logged}");
        }
    }

    #[tokio::test]
    async fn a_header_that_cannot_be_sent_is_refused() {
        let client = HttpClient::unencrypted(&Proxies::default()).unwrap();
        let request = Request::new(Method::Get, "http://127.0.0.1:9/").header("x", "a\r\nb: c");
        let sent = client.send(request, Duration::from_secs(20)).await;
        assert_eq!(sent.unwrap_err(), HttpError::Request);
    }
    #[test]
    fn a_servers_time_counts_for_an_hour() {
        let date = Timestamp::from_millis(1_000_000);
        let minute = Duration::from_secs(60);
        assert_eq!(shown(date, minute), Some(date + minute));
        assert_eq!(shown(date, 60 * minute), None);
    }
}
