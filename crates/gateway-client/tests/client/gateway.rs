//! A scripted gateway, and test doubles for a device's keys and tokens.

use gateway_protocol::GatewayUrl;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use gateway_client::{Client, Connect, ConnectError, Events, HeldToken, KeepError, TokenKeeper};
use gateway_protocol::{ConnectParams, Event, Refusal, Request, Response};
use pairing_core::device::{Identity, PayloadVersion, Role};
use pairing_core::{Challenge, Entropy, EntropyError, SignedFields, Timestamp, signed_token};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request as Upgrade, Response as Upgraded};
use tokio_tungstenite::tungstenite::http::HeaderMap;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::{WebSocketStream, accept_hdr_async};

pub(crate) const NONCE: &str = "9fa15699-d8bb-44fe-9267-8cf83c7cf09a";

/// The gateway's time, far from any real one.
pub(crate) const TS: i64 = 1_000_000_000_000;

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

pub(crate) struct Gateway {
    pub(crate) listener: TcpListener,
    tls: Option<TlsAcceptor>,
}

impl Gateway {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self {
            listener,
            tls: None,
        }
    }

    pub(crate) async fn encrypted(acceptor: TlsAcceptor) -> Self {
        Self {
            tls: Some(acceptor),
            ..Self::start().await
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }

    pub(crate) fn url(&self) -> GatewayUrl {
        let scheme = if self.tls.is_some() { "wss" } else { "ws" };
        GatewayUrl::parse(&format!("{scheme}://{}", self.address())).unwrap()
    }

    pub(crate) fn connect(&self) -> Connect {
        Connect::to(self.url())
    }

    /// Accepts the next connection, as a WebSocket.
    pub(crate) async fn accept(&self) -> Peer {
        self.try_accept().await.expect("a client that connects")
    }

    /// Accepts the next connection, or returns `None` if the client gives up.
    pub(crate) async fn try_accept(&self) -> Option<Peer> {
        let (stream, _) = self.listener.accept().await.unwrap();
        let stream: Box<dyn Stream> = match &self.tls {
            Some(tls) => Box::new(tls.accept(stream).await.ok()?),
            None => Box::new(stream),
        };
        let mut headers = HeaderMap::new();
        #[expect(clippy::result_large_err, reason = "the library's own")]
        let callback = |request: &Upgrade, response: Upgraded| {
            headers = request.headers().clone();
            Ok(response)
        };
        let socket = accept_hdr_async(stream, callback).await.ok()?;
        Some(Peer { socket, headers })
    }

    /// Accepts and challenges the next connection, and returns its `connect` request.
    pub(crate) async fn greet(&self) -> (Peer, String, ConnectParams) {
        let mut peer = self.accept().await;
        peer.challenge().await;
        let (id, params) = peer.connect().await;
        (peer, id, params)
    }

    /// Admits the next connection with this `hello-ok`.
    pub(crate) async fn admit(&self, hello: Value) -> (Peer, ConnectParams) {
        let (mut peer, id, params) = self.greet().await;
        peer.answer(&id, hello).await;
        (peer, params)
    }

    /// Refuses the next connection.
    pub(crate) async fn refuse(&self, refusal: &Refusal) -> ConnectParams {
        let (mut peer, id, params) = self.greet().await;
        peer.refuse(&id, refusal).await;
        params
    }
}

pub(crate) struct Peer {
    socket: WebSocketStream<Box<dyn Stream>>,
    pub(crate) headers: HeaderMap,
}

impl Peer {
    pub(crate) async fn challenge(&mut self) {
        self.event("connect.challenge", json!({ "nonce": NONCE, "ts": TS }))
            .await;
    }

    /// Reads the first request, which has to be `connect`.
    pub(crate) async fn connect(&mut self) -> (String, ConnectParams) {
        let request = self.request().await;
        assert_eq!(request.method, "connect");
        let params = ConnectParams::parse(request.params.as_deref()).unwrap();
        (request.id, params)
    }

    pub(crate) async fn request(&mut self) -> Request {
        let message = self.message().await.expect("a request");
        Request::parse(&message.into_data()).unwrap()
    }

    /// Reads the next message; `None` once the client has closed.
    pub(crate) async fn message(&mut self) -> Option<Message> {
        match self.socket.next().await {
            Some(Ok(message)) => Some(message),
            _ => None,
        }
    }

    pub(crate) async fn send(&mut self, message: impl Into<Message>) {
        self.socket.send(message.into()).await.unwrap();
    }

    /// Sends a message; the client may be gone already.
    pub(crate) async fn try_send(&mut self, message: Message) {
        let _ = self.socket.send(message).await;
    }

    pub(crate) async fn event(&mut self, event: &str, payload: Value) {
        let event = Event {
            event,
            payload: Some(payload),
            seq: None,
            state_version: None,
        };
        self.send(serde_json::to_string(&event).unwrap()).await;
    }

    pub(crate) async fn answer(&mut self, id: &str, payload: Value) {
        let response = Response::new(id, Ok(payload));
        self.send(serde_json::to_string(&response).unwrap()).await;
    }

    pub(crate) async fn refuse(&mut self, id: &str, refusal: &Refusal) {
        let error = refusal.error();
        let response = Response::<()>::new(id, Err(&error));
        self.send(serde_json::to_string(&response).unwrap()).await;
        self.close(refusal.close_code(), &error.message).await;
    }

    pub(crate) async fn close(&mut self, code: u16, reason: &str) {
        let frame = CloseFrame {
            code: code.into(),
            reason: reason.into(),
        };
        self.send(Message::Close(Some(frame))).await;
    }
}

/// Returns a `hello-ok` for this role.
pub(crate) fn hello(role: Role, token: Option<&str>) -> Value {
    let scopes = match role {
        Role::Operator => json!(["operator.pairing"]),
        Role::Node => json!([]),
    };
    let mut hello = json!({
        "type": "hello-ok",
        "protocol": 4,
        "server": { "version": "test", "connId": "c" },
        "features": { "methods": [], "events": [] },
        "snapshot": { "presence": [], "health": {}, "stateVersion": { "presence": 1, "health": 1 },
            "uptimeMs": 1 },
        "auth": { "role": role, "scopes": scopes },
        "policy": { "maxPayload": 26_214_400, "maxBufferedBytes": 52_428_800, "tickIntervalMs": 30_000 },
    });
    if let Some(token) = token {
        hello["auth"]["deviceToken"] = token.into();
        hello["auth"]["issuedAtMs"] = TS.into();
    }
    hello
}

pub(crate) fn operator() -> Value {
    hello(Role::Operator, None)
}

/// Returns a connected client and its gateway.
pub(crate) async fn connected(hello: Value) -> (Client, Events, Peer) {
    let gateway = Gateway::start().await;
    let connect = gateway.connect();
    let (opened, (peer, _)) = tokio::join!(connect.open(), gateway.admit(hello));
    let (client, events) = opened.unwrap();
    (client, events, peer)
}

/// Returns the error of a connect while the gateway runs this script.
pub(crate) async fn failing<T>(
    connect: &Connect,
    gateway: impl Future<Output = T>,
) -> ConnectError {
    let (opened, _) = tokio::join!(connect.open(), gateway);
    opened.expect_err("a connection that is not made")
}

/// Entropy that repeats one byte.
pub(crate) struct Draw(pub(crate) u8);

impl Entropy for Draw {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        bytes.fill(self.0);
        Ok(())
    }
}

pub(crate) fn no_jitter() -> Arc<dyn Entropy> {
    Arc::new(Draw(0))
}

/// Advances the paused clock while a link sleeps.
pub(crate) async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time + Duration::from_millis(2)).await;
    tokio::time::resume();
}

pub(crate) fn identity() -> Arc<Identity> {
    Arc::new(Identity::generate(&Draw(7)).unwrap())
}

/// Keeps tokens in memory, and can be made to fail.
#[derive(Default)]
pub(crate) struct Drawer {
    pub(crate) held: Mutex<Vec<(Role, HeldToken)>>,
    pub(crate) full: bool,
}

impl Drawer {
    pub(crate) fn holding(role: Role, token: &str) -> Arc<Self> {
        let drawer = Self::default();
        let held = HeldToken {
            token: token.into(),
            scopes: ["operator.read"].into_iter().map(scope).collect(),
            issued_at_ms: None,
        };
        drawer.store(role, &held).unwrap();
        Arc::new(drawer)
    }

    pub(crate) fn token(&self, role: Role) -> Option<String> {
        let held = self.load(role).unwrap()?;
        Some(held.token.expose().to_owned())
    }
}

pub(crate) fn scope(name: &str) -> pairing_core::Scope {
    pairing_core::Scope::parse(name).unwrap()
}

impl TokenKeeper for Drawer {
    fn load(&self, role: Role) -> Result<Option<HeldToken>, KeepError> {
        let held = self.held.lock().unwrap();
        let found = held.iter().rev().find(|(of, _)| *of == role);
        Ok(found.map(|(_, token)| token.clone()))
    }

    fn store(&self, role: Role, token: &HeldToken) -> Result<(), KeepError> {
        if self.full {
            return Err(KeepError::new("no space left"));
        }
        self.held.lock().unwrap().push((role, token.clone()));
        Ok(())
    }
}

/// Verifies the proof of a `connect` as the gateway does, accepting only v3 with the gateway's own time.
pub(crate) fn prove(params: &ConnectParams) {
    assert_eq!(proven(params), PayloadVersion::V3);
}

/// Checks the proof of a `connect`, and returns its form.
pub(crate) fn proven(params: &ConnectParams) -> PayloadVersion {
    let device = params.device.as_ref().expect("a device");
    let auth = params.auth.clone().unwrap_or_default();
    let (token, held, pairing) = (auth.token, auth.device_token, auth.bootstrap_token);
    let scopes = params.scopes();
    let fields = SignedFields {
        device_id: &device.id,
        client_id: &params.client.id,
        client_mode: &params.client.mode,
        role: params.role(),
        scopes: &scopes,
        signed_at: device.signed_at,
        token: signed_token(
            token.as_ref().map(gateway_protocol::Secret::expose),
            held.as_ref().map(gateway_protocol::Secret::expose),
            pairing.as_ref().map(gateway_protocol::Secret::expose),
        ),
        nonce: &device.nonce,
        platform: Some(&params.client.platform),
        device_family: params.client.device_family.as_deref(),
    };
    let challenge = Challenge {
        nonce: NONCE,
        now: Timestamp::from_millis(TS),
        tolerance: Duration::ZERO,
        v3_only: false,
    };
    fields
        .verify(&device.public_key, &device.signature, &challenge)
        .expect("a valid proof")
        .version()
}
