//! What the servers of all stand-ins share: they accept connections, and take requests for WebSocket connections.

use std::error::Error;
use std::sync::Arc;

use http_body_util::Full;
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::Upgraded;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

/// A WebSocket connection, from the server's side.
pub(crate) type Stream = WebSocketStream<TokioIo<Upgraded>>;

/// Answers every request by `handle`, until it is dropped. An error closes the connection without an answer.
pub(crate) async fn serve<S, F, B, E>(
    listener: TcpListener,
    shared: Arc<S>,
    handle: fn(Request<Incoming>, Arc<S>) -> F,
) where
    S: Send + Sync + 'static,
    F: Future<Output = Result<Response<B>, E>> + Send + 'static,
    B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
    E: Into<Box<dyn Error + Send + Sync>> + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        let (tcp, _) = listener.accept().await.unwrap();
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            let service = service_fn(move |request| handle(request, Arc::clone(&shared)));
            // Clients go away as they like.
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(tcp), service)
                .with_upgrades()
                .await;
        });
        while connections.try_join_next().is_some() {}
    }
}

/// Whether a request asks for a WebSocket.
pub(crate) fn is_websocket(request: &Request<Incoming>) -> bool {
    request.headers().contains_key(SEC_WEBSOCKET_KEY)
}

/// Accepts a request for a WebSocket. `talk` gets the connection once the answer has been sent.
pub(crate) fn websocket<F>(
    request: &mut Request<Incoming>,
    talk: impl FnOnce(Stream) -> F + Send + 'static,
) -> Response<Full<Bytes>>
where
    F: Future<Output = ()> + Send + 'static,
{
    let key = request.headers().get(SEC_WEBSOCKET_KEY);
    let accept = derive_accept_key(key.unwrap().as_bytes());
    let upgrading = hyper::upgrade::on(request);
    tokio::spawn(async move {
        let Ok(upgraded) = upgrading.await else {
            return;
        };
        let io = TokioIo::new(upgraded);
        talk(WebSocketStream::from_raw_socket(io, Role::Server, None).await).await;
    });
    let response = Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(CONNECTION, "Upgrade")
        .header(UPGRADE, "websocket")
        .header(SEC_WEBSOCKET_ACCEPT, accept);
    response.body(Full::default()).unwrap()
}
