//! WebSocket connections to chat systems: bounded, with deadlines, and without secrets in errors.
//!
//! The URL of a connection may hold a ticket, and a close reason may repeat what was sent. A [`WsError`] says at which
//! step a connection failed and, where the server closed it, by which code and with what reason, shortened and escaped.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use pairing_core::escape;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::error::{CapacityError, Error};
use tokio_tungstenite::tungstenite::http::header::ORIGIN;
use tokio_tungstenite::tungstenite::http::{HeaderValue, Uri};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message, WebSocketConfig};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::proxy::{ConnectError, Connector, Proxies, ProxyError};

/// The longest time that sending a frame, or saying goodbye, may take.
const SEND: Duration = Duration::from_secs(10);

/// The longest reason of a close frame that is kept, in characters.
const REASON: usize = 120;

/// Opens WebSocket connections.
#[derive(Clone)]
pub struct WsConnector {
    tls: Arc<ClientConfig>,
    tcp: Connector,
    is_encrypted: bool,
}

/// An open connection. Dropping it closes the socket without a goodbye.
pub struct WebSocket {
    stream: WebSocketStream<Box<dyn Stream>>,
}

/// A byte stream, encrypted or not.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Something that the server sent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Frame {
    /// A text.
    Text(String),
    /// Bytes.
    Binary(Vec<u8>),
    /// A ping or a pong: the connection is alive. A ping has been answered.
    Alive,
}

/// A connection could not be opened, or has ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WsError {
    /// The URL is not `wss://`, or not `ws://` where that is allowed.
    #[error("the address is no WebSocket address that may be used")]
    Url,
    /// It was not opened, or a frame was not sent, in time.
    #[error("it does not answer in {} s", after.as_secs_f32())]
    Deadline {
        /// The time limit.
        after: Duration,
    },
    /// The server cannot be reached.
    #[error("no connection can be made")]
    Connect,
    /// The proxy makes no connection to the server.
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    /// The server's certificate is not trusted, or encryption failed otherwise.
    #[error("no encrypted connection can be made")]
    Tls,
    /// The server answered, and opened no WebSocket.
    #[error("the server opens no WebSocket (status {status})")]
    Refused {
        /// The HTTP status code.
        status: u16,
    },
    /// The server does not follow the protocol.
    #[error("the server does not speak the WebSocket protocol")]
    Protocol,
    /// A message is longer than allowed.
    #[error("the server sends a message that is too long")]
    TooLong,
    /// The server closed the connection.
    #[error("the server closed the connection: {}", Closed(*code, reason))]
    Closed {
        /// Its close code, if it gave one.
        code: Option<u16>,
        /// Its reason, shortened and escaped.
        reason: String,
    },
    /// The connection was lost.
    #[error("the connection was lost")]
    Lost,
}

struct Closed<'e>(Option<u16>, &'e str);

impl fmt::Display for Closed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0, self.1) {
            (Some(code), "") => write!(f, "code {code}"),
            (Some(code), reason) => write!(f, "code {code}, {reason}"),
            (None, _) => f.write_str("without a code"),
        }
    }
}

impl WsConnector {
    /// For `wss://` addresses alone. Reads the certificates that this machine trusts: it blocks.
    pub fn encrypted(proxies: &Proxies) -> io::Result<Self> {
        let mut roots = RootCertStore::empty();
        // Many systems have some certificate that cannot be parsed.
        let (added, _) =
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if added == 0 {
            return Err(io::Error::other("this machine trusts no certificates"));
        }
        Self::trusting(roots, true, proxies)
    }

    /// For `ws://` addresses, which trusts no certificates. Use it on loopback and private networks alone.
    pub fn unencrypted(proxies: &Proxies) -> io::Result<Self> {
        Self::trusting(RootCertStore::empty(), false, proxies)
    }

    fn trusting(roots: RootCertStore, is_encrypted: bool, proxies: &Proxies) -> io::Result<Self> {
        let tls = ClientConfig::builder_with_provider(ring::default_provider().into());
        let tls = tls
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?;
        let tls = tls.with_root_certificates(roots).with_no_client_auth();
        Ok(Self {
            tls: Arc::new(tls),
            tcp: Connector::new(proxies),
            is_encrypted,
        })
    }

    /// Opens a connection on which no message is longer than `longest` bytes. The whole of it, from the look-up of the
    /// name to the upgrade, takes at most the time `within`.
    pub async fn connect(
        &self,
        url: &str,
        longest: usize,
        within: Duration,
    ) -> Result<WebSocket, WsError> {
        let late = WsError::Deadline { after: within };
        timeout(within, self.open(url, None, longest))
            .await
            .unwrap_or(Err(late))
    }

    /// The same, for a server that asks which site the connection is made for.
    pub async fn connect_from(
        &self,
        url: &str,
        origin: &'static str,
        longest: usize,
        within: Duration,
    ) -> Result<WebSocket, WsError> {
        let late = WsError::Deadline { after: within };
        timeout(within, self.open(url, Some(origin), longest))
            .await
            .unwrap_or(Err(late))
    }

    async fn open(
        &self,
        url: &str,
        origin: Option<&'static str>,
        longest: usize,
    ) -> Result<WebSocket, WsError> {
        let uri: Uri = url.parse().map_err(|_| WsError::Url)?;
        let is_encrypted = match uri.scheme_str() {
            Some("wss") => true,
            Some("ws") if !self.is_encrypted => false,
            _ => return Err(WsError::Url),
        };
        let host = uri.host().ok_or(WsError::Url)?;
        let host = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let scheme = if is_encrypted { "https" } else { "http" };
        let authority = uri.authority().ok_or(WsError::Url)?;
        let server = format!("{scheme}://{authority}/").parse();
        let server: Uri = server.map_err(|_| WsError::Url)?;
        let mut request = uri.into_client_request().map_err(|_| WsError::Url)?;
        if let Some(origin) = origin {
            let origin = HeaderValue::from_static(origin);
            request.headers_mut().insert(ORIGIN, origin);
        }
        let tcp = self.tcp.clone().connect(server).await;
        let tcp = tcp.map_err(|error| match error {
            ConnectError::Direct => WsError::Connect,
            ConnectError::Proxy(error) => WsError::Proxy(error),
        })?;
        let tcp = tcp.into_inner();
        let stream: Box<dyn Stream> = if is_encrypted {
            let name = ServerName::try_from(host).map_err(|_| WsError::Url)?;
            let connecting = TlsConnector::from(self.tls.clone()).connect(name, tcp);
            Box::new(connecting.await.map_err(|_| WsError::Tls)?)
        } else {
            Box::new(tcp)
        };
        // The library's default buffers suit servers and large messages.
        let config = WebSocketConfig::default()
            .read_buffer_size(16 << 10)
            .write_buffer_size(0)
            .max_message_size(Some(longest))
            .max_frame_size(Some(longest));
        let opened = client_async_with_config(request, stream, Some(config)).await;
        let (stream, _) = opened.map_err(|error| of(&error))?;
        Ok(WebSocket { stream })
    }
}

impl WebSocket {
    /// The next frame. Dropping the future before it is ready loses nothing. After an error there is no other.
    pub async fn next(&mut self) -> Result<Frame, WsError> {
        loop {
            return match self.stream.next().await {
                Some(Ok(Message::Text(text))) => Ok(Frame::Text(text.as_str().to_owned())),
                Some(Ok(Message::Binary(bytes))) => Ok(Frame::Binary(bytes.into())),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(Frame::Alive),
                Some(Ok(Message::Close(frame))) => Err(closed(frame.as_ref())),
                // Only a writer of raw frames gets these.
                Some(Ok(Message::Frame(_))) => continue,
                Some(Err(error)) => Err(of(&error)),
                None => Err(WsError::Lost),
            };
        }
    }

    /// Sends a text.
    pub async fn send_text(&mut self, text: String) -> Result<(), WsError> {
        self.send(Message::text(text)).await
    }

    /// Sends bytes.
    pub async fn send_binary(&mut self, bytes: Vec<u8>) -> Result<(), WsError> {
        self.send(Message::binary(bytes)).await
    }

    /// Sends a ping; its answer is a [`Frame::Alive`].
    pub async fn ping(&mut self) -> Result<(), WsError> {
        self.send(Message::Ping(Vec::new().into())).await
    }

    /// Closes the connection with a code. Chat systems that resume sessions end them at 1000 and 1001.
    pub async fn close(mut self, code: u16) {
        let frame = CloseFrame {
            code: CloseCode::from(code),
            reason: "".into(),
        };
        // The connection ends either way.
        let _ = timeout(SEND, self.stream.close(Some(frame))).await;
    }

    async fn send(&mut self, message: Message) -> Result<(), WsError> {
        match timeout(SEND, self.stream.send(message)).await {
            Ok(sent) => sent.map_err(|error| of(&error)),
            Err(_) => Err(WsError::Deadline { after: SEND }),
        }
    }
}

fn closed(frame: Option<&CloseFrame>) -> WsError {
    let reason = frame.map_or("", |frame| frame.reason.as_str());
    WsError::Closed {
        code: frame.map(|frame| frame.code.into()),
        reason: escape(reason).limit(REASON).to_string(),
    }
}

fn of(error: &Error) -> WsError {
    match error {
        Error::Http(answer) => WsError::Refused {
            status: answer.status().as_u16(),
        },
        Error::Capacity(CapacityError::MessageTooLong { .. }) => WsError::TooLong,
        Error::Protocol(
            tokio_tungstenite::tungstenite::error::ProtocolError::ResetWithoutClosingHandshake
            | tokio_tungstenite::tungstenite::error::ProtocolError::SendAfterClosing,
        )
        | Error::Io(_)
        | Error::ConnectionClosed
        | Error::AlreadyClosed => WsError::Lost,
        _ => WsError::Protocol,
    }
}

impl fmt::Debug for WsConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WsConnector")
            .field("is_encrypted", &self.is_encrypted)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for WebSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocket").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    const SOON: Duration = Duration::from_secs(20);

    async fn listen() -> (TcpListener, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}/?ticket=hunter2", listener.local_addr().unwrap());
        (listener, url)
    }

    async fn connect(url: &str) -> Result<WebSocket, WsError> {
        let connector = WsConnector::unencrypted(&Proxies::default()).unwrap();
        connector.connect(url, 1000, SOON).await
    }

    #[tokio::test]
    async fn both_ways_and_closed_by_a_code() {
        let (listener, url) = listen().await;
        let server = tokio::spawn(async move {
            let (tcp, _) = listener.accept().await.unwrap();
            let mut socket = tokio_tungstenite::accept_async(tcp).await.unwrap();
            let heard = socket.next().await.unwrap().unwrap();
            socket.send(heard).await.unwrap();
            let heard = socket.next().await.unwrap().unwrap();
            socket.send(heard).await.unwrap();
            let frame = CloseFrame {
                code: CloseCode::from(4004),
                reason: "no\u{1b}[31m".into(),
            };
            socket.close(Some(frame)).await.unwrap();
        });
        let mut socket = connect(&url).await.unwrap();
        socket.send_text("ä".to_owned()).await.unwrap();
        assert_eq!(socket.next().await, Ok(Frame::Text("ä".to_owned())));
        socket.send_binary(vec![0, 255]).await.unwrap();
        assert_eq!(socket.next().await, Ok(Frame::Binary(vec![0, 255])));
        let Err(WsError::Closed { code, reason }) = socket.next().await else {
            panic!("it is open");
        };
        assert_eq!(code, Some(4004));
        assert!(!reason.contains('\u{1b}'), "{reason}");
        server.await.unwrap();
    }

    #[tokio::test]
    async fn what_is_no_websocket_is_named_and_no_ticket_repeated() {
        let (listener, url) = listen().await;
        tokio::spawn(async move {
            for answer in [
                "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n",
                "ticket=hunter2\r\n\r\n",
            ] {
                let (mut tcp, _) = listener.accept().await.unwrap();
                let _ = tcp.read(&mut [0; 4096]).await;
                let _ = tcp.write_all(answer.as_bytes()).await;
            }
        });
        let expected = [WsError::Refused { status: 403 }, WsError::Protocol];
        for expected in expected {
            let error = connect(&url).await.unwrap_err();
            assert_eq!(error, expected);
            assert!(!format!("{error} {error:?}").contains("hunter2"));
        }
        // The listener is gone by now, or goes.
        for url in ["", "http://127.0.0.1", "127.0.0.1", "wss://", "ws:///x"] {
            assert_eq!(connect(url).await.unwrap_err(), WsError::Url, "{url}");
        }
    }

    #[tokio::test]
    async fn t136_websockets_go_through_the_proxy_and_its_faults_are_named() {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = server.local_addr().unwrap();
        tokio::spawn(async move {
            let (tcp, _) = server.accept().await.unwrap();
            let mut socket = tokio_tungstenite::accept_async(tcp).await.unwrap();
            let heard = socket.next().await.unwrap().unwrap();
            socket.send(heard).await.unwrap();
        });
        let proxy = test_support::Proxy::start(Some("ann:hunter2")).await;
        proxy.knows("api.example:80", at);
        let connect = async |credentials| {
            let proxies = Proxies::all("proxy", &proxy.address(credentials)).unwrap();
            let connector = WsConnector::unencrypted(&proxies).unwrap();
            connector.connect("ws://api.example/x", 1000, SOON).await
        };
        let place = "proxy";
        let refused = connect("ann:hunter3").await.unwrap_err();
        assert_eq!(refused, WsError::Proxy(ProxyError::Credentials { place }));
        let mut socket = connect("ann:hunter2").await.unwrap();
        socket.send_text("a".to_owned()).await.unwrap();
        assert_eq!(socket.next().await, Ok(Frame::Text("a".to_owned())));
        assert_eq!(proxy.asked(), ["api.example:80"; 2]);
        proxy.stop().await;
        let gone = connect("ann:hunter2").await.unwrap_err();
        assert_eq!(gone, WsError::Proxy(ProxyError::Unreachable { place }));
    }

    #[tokio::test]
    async fn nothing_in_clear_for_a_connector_that_encrypts() {
        let encrypting =
            WsConnector::trusting(RootCertStore::empty(), true, &Proxies::default()).unwrap();
        let refused = encrypting.connect("ws://127.0.0.1:9", 1000, SOON).await;
        assert_eq!(refused.unwrap_err(), WsError::Url);
    }

    #[tokio::test]
    async fn a_message_that_is_too_long_and_half_a_frame_end_it() {
        let (listener, url) = listen().await;
        tokio::spawn(async move {
            let (tcp, _) = listener.accept().await.unwrap();
            let mut socket = tokio_tungstenite::accept_async(tcp).await.unwrap();
            socket.send(Message::text("x".repeat(1001))).await.unwrap();
            let _ = socket.next().await;
            let (tcp, _) = listener.accept().await.unwrap();
            let mut socket = tokio_tungstenite::accept_async(tcp).await.unwrap();
            // A text of five bytes, of which two arrive.
            let half = [0x81, 5, b'a', b'b'];
            socket.get_mut().write_all(&half).await.unwrap();
        });
        let mut socket = connect(&url).await.unwrap();
        assert_eq!(socket.next().await, Err(WsError::TooLong));
        drop(socket);
        let mut socket = connect(&url).await.unwrap();
        assert_eq!(socket.next().await, Err(WsError::Lost));
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_accepts_and_says_nothing_is_given_up() {
        let (_listener, url) = listen().await;
        let late = connect(&url).await.unwrap_err();
        assert_eq!(late, WsError::Deadline { after: SOON });
    }
}
