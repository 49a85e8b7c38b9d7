//! Dialling: from a URL to an open WebSocket.

use gateway_protocol::GatewayUrl;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use gateway_protocol::{MAX_PAYLOAD, listener_proof};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::http::header::SEC_WEBSOCKET_KEY;
use tokio_tungstenite::tungstenite::http::{HeaderValue, Uri};
use tokio_tungstenite::tungstenite::{self, protocol::WebSocketConfig};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::{ConnectError, Fingerprint, error::Cause, owner, tls};

/// A byte stream, encrypted or not.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

pub(crate) type Socket = WebSocketStream<Box<dyn Stream>>;

/// Both ends of a connection over loopback that is not encrypted.
#[derive(Debug, Clone)]
pub(crate) struct Loopback {
    pub(crate) own: SocketAddr,
    pub(crate) other: SocketAddr,
    /// The key of the WebSocket request: random, and this connection's alone.
    pub(crate) nonce: String,
}

/// Connects, without any proxy. The caller sets the deadline.
pub(crate) async fn dial(
    url: &GatewayUrl,
    pinned: Option<Fingerprint>,
) -> Result<(Socket, Option<Loopback>), ConnectError> {
    let mut target = Target::of(url)?;
    let (stream, ends) = stream(url, target.host, target.port, pinned).await?;
    let loopback = ends.map(|(own, other)| Loopback {
        own,
        other,
        nonce: asking_for_proof(&mut target.request),
    });
    let socket = upgrade(target.request, stream).await?;
    Ok((socket, loopback))
}

/// Asks the listener to prove that it knows the secret. Returns the nonce for the proof.
fn asking_for_proof(request: &mut Request) -> String {
    let headers = request.headers_mut();
    headers.insert(listener_proof::ASK, HeaderValue::from_static("1"));
    let key = headers.get(SEC_WEBSOCKET_KEY);
    let key = key.and_then(|key| key.to_str().ok());
    key.unwrap_or_default().to_owned()
}

/// Connects by the owner's socket in a state directory.
pub(crate) async fn dial_owner(state: &Path) -> Result<Socket, ConnectError> {
    let stream = owner::connect(state).await?;
    let request = "ws://localhost/".into_client_request();
    let request = request.map_err(|error| ConnectError::WebSocket(Cause::of(&error)))?;
    upgrade(request, Box::new(stream)).await
}

async fn upgrade(request: Request, stream: Box<dyn Stream>) -> Result<Socket, ConnectError> {
    // The library's default buffers suit servers and large messages.
    let config = WebSocketConfig::default()
        .read_buffer_size(4096)
        .write_buffer_size(0)
        .max_message_size(Some(MAX_PAYLOAD))
        .max_frame_size(Some(MAX_PAYLOAD));
    match client_async_with_config(request, stream, Some(config)).await {
        Ok((socket, _)) => Ok(socket),
        Err(tungstenite::Error::Io(error)) => Err(ConnectError::Io(error)),
        Err(tungstenite::Error::Http(answer)) => Err(ConnectError::Http {
            status: answer.status().as_u16(),
            body: String::from_utf8_lossy(answer.body().as_deref().unwrap_or_default()).into(),
        }),
        Err(error) => Err(ConnectError::WebSocket(Cause::of(&error))),
    }
}

/// Opens the byte stream to a gateway, encrypted if its URL is. Both ends are returned if it goes over loopback and
/// is not encrypted.
pub(crate) async fn stream(
    url: &GatewayUrl,
    host: String,
    port: u16,
    pinned: Option<Fingerprint>,
) -> Result<(Box<dyn Stream>, Option<(SocketAddr, SocketAddr)>), ConnectError> {
    if pinned.is_some() && !url.is_encrypted() {
        return Err(ConnectError::Url {
            reason: "a certificate is pinned, and ws:// shows none",
        });
    }
    let stream = TcpStream::connect((host.as_str(), port));
    let stream = stream.await.map_err(ConnectError::Io)?;
    // Frames are small and latency matters.
    stream.set_nodelay(true).map_err(ConnectError::Io)?;
    if url.is_encrypted() {
        let stream = encrypt(stream, host, pinned).await?;
        return Ok((Box::new(stream), None));
    }
    let ends = stream
        .local_addr()
        .and_then(|own| Ok((own, stream.peer_addr()?)));
    let ends = ends.map_err(ConnectError::Io)?;
    let is_loopback = ends.1.ip().to_canonical().is_loopback();
    Ok((Box::new(stream), is_loopback.then_some(ends)))
}

async fn encrypt(
    stream: TcpStream,
    host: String,
    pinned: Option<Fingerprint>,
) -> Result<impl Stream, ConnectError> {
    let name = ServerName::try_from(host).map_err(|_| ConnectError::Url {
        reason: "no certificate can be for its host",
    })?;
    // The system's certificates are read from files.
    let config = tokio::task::spawn_blocking(move || tls::config(pinned)).await;
    let config = config.map_err(|_| ConnectError::Tls(Cause::new("it was given up")))??;
    let connecting = TlsConnector::from(Arc::new(config)).connect(name, stream);
    connecting
        .await
        .map_err(|error| tls::failed(&error, pinned))
}

/// Parts of a gateway URL.
pub(crate) struct Target {
    /// Host in the resolver's form: an IPv6 address without brackets and with its zone.
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) request: Request,
}

impl Target {
    /// Splits a URL. It has been validated, but is stored as it was written.
    pub(crate) fn of(url: &GatewayUrl) -> Result<Self, ConnectError> {
        let unreadable = || ConnectError::Url {
            reason: "it cannot be taken apart",
        };
        let (_, rest) = url.as_str().split_once("://").ok_or_else(unreadable)?;
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (host, after) = match authority.strip_prefix('[') {
            Some(literal) => literal.split_once(']').ok_or_else(unreadable)?,
            None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
        };
        let (scheme, default_port) = if url.is_encrypted() {
            ("wss", 443)
        } else {
            ("ws", 80)
        };
        let port = match after.strip_prefix(':') {
            Some(port) => port.parse().map_err(|_| unreadable())?,
            None => default_port,
        };
        // An IPv6 zone selects a local interface, and means nothing to the other side.
        let (address, zone) = match host.split_once('%') {
            Some((address, zone)) => (address, Some(zone.strip_prefix("25").unwrap_or(zone))),
            None => (host.strip_suffix('.').unwrap_or(host), None),
        };
        let named = if authority.starts_with('[') {
            format!("[{address}]")
        } else {
            address.to_owned()
        };
        let uri: Uri = format!("{scheme}://{named}{after}{path}")
            .parse()
            .map_err(|_| unreadable())?;
        Ok(Self {
            host: zone.map_or_else(|| address.to_owned(), |zone| format!("{address}%{zone}")),
            port,
            request: uri.into_client_request().map_err(|_| unreadable())?,
        })
    }
}

#[cfg(test)]
mod tests {
    use tokio_tungstenite::tungstenite::http::HeaderName;

    use super::*;

    fn target(url: &str) -> (String, u16, String, String) {
        let target = Target::of(&GatewayUrl::parse(url).unwrap()).unwrap();
        let header = target.request.headers()["host"]
            .to_str()
            .unwrap()
            .to_owned();
        let path = target.request.uri().path_and_query().unwrap().to_string();
        (target.host, target.port, header, path)
    }

    #[test]
    fn urls_are_taken_apart_as_they_were_meant() {
        for (url, host, port, header, path) in [
            (
                "ws://127.0.0.1:18789",
                "127.0.0.1",
                18789,
                "127.0.0.1:18789",
                "/",
            ),
            ("wss://gw.example", "gw.example", 443, "gw.example", "/"),
            (
                "WSS://gw.example./a?b=c",
                "gw.example",
                443,
                "gw.example",
                "/a?b=c",
            ),
            ("ws://localhost?b", "localhost", 80, "localhost", "/?b"),
            ("ws://[::1]:7/x", "::1", 7, "[::1]:7", "/x"),
            (
                "ws://[fe80::1%25wlan0]:7",
                "fe80::1%wlan0",
                7,
                "[fe80::1]:7",
                "/",
            ),
        ] {
            let expected = (host.to_owned(), port, header.to_owned(), path.to_owned());
            assert_eq!(target(url), expected, "{url}");
        }
    }

    #[test]
    fn nothing_is_said_beyond_what_a_websocket_needs() {
        let target = Target::of(&GatewayUrl::parse("ws://localhost").unwrap()).unwrap();
        let mut names: Vec<_> = target
            .request
            .headers()
            .keys()
            .map(HeaderName::as_str)
            .collect();
        names.sort_unstable();
        assert_eq!(
            names,
            [
                "connection",
                "host",
                "sec-websocket-key",
                "sec-websocket-version",
                "upgrade"
            ]
        );
    }
}
