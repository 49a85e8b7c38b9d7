//! The owner's socket: commands of the same user, without a secret, whatever happens on TCP.

use std::path::Path;

use gateway_client::{Client, Connect, ConnectError, Events, OwnerSocketError};
use gateway_protocol::GatewayUrl;
use pairing_core::ScopeSet;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};

use crate::serving::{options, try_serve};
use crate::support::NEVER;

async fn owner(state: &Path) -> Result<(Client, Events), ConnectError> {
    // The address is nobody's.
    let url = GatewayUrl::parse("ws://127.0.0.1:1").unwrap();
    let connect = Connect::to(url).token("never-sent".to_owned().into());
    let connect = connect.scopes(ScopeSet::admin()).by_owner_socket(state);
    connect.open().await
}

#[tokio::test]
async fn t103_t112_the_owner_is_admin_by_the_socket_and_sends_no_secret() {
    let dir = tempfile::tempdir().unwrap();
    let served = try_serve(options(dir.path())).await.unwrap();
    let (client, _events) = owner(dir.path()).await.unwrap();
    assert!(client.hello().auth.scopes.allows("operator.admin"));
    let listed: Value = client.call("device.pair.list", json!({})).await.unwrap();
    assert_eq!(listed["paired"], json!([]));
    drop(client);
    served.stop().await;
    let gone = owner(dir.path()).await.unwrap_err();
    let ConnectError::OwnerSocket(OwnerSocketError::Nobody { .. }) = gone else {
        panic!("{gone}")
    };
}

/// What the client writes by the socket is looked at by a listener of the test's own.
#[tokio::test]
async fn t103_whoever_listens_on_the_socket_gets_no_secret() {
    let dir = tempfile::tempdir().unwrap();
    let listener = tokio::net::UnixListener::bind(dir.path().join("gateway.sock")).unwrap();
    let looking = tokio::spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        let mut ws = tokio_tungstenite::accept_async(socket).await.unwrap();
        let challenge = json!({ "type": "event", "event": "connect.challenge",
            "payload": { "nonce": "n", "ts": 1 } });
        let message = tokio_tungstenite::tungstenite::Message::text(challenge.to_string());
        futures_util::SinkExt::send(&mut ws, message).await.unwrap();
        let connect = futures_util::StreamExt::next(&mut ws).await.unwrap();
        connect.unwrap().into_text().unwrap().to_string()
    });
    assert!(owner(dir.path()).await.is_err());
    let sent = looking.await.unwrap();
    assert!(
        sent.contains("operator.admin") && !sent.contains("auth"),
        "{sent}"
    );
}

#[tokio::test]
async fn t104_the_owners_places_are_nobody_elses() {
    let dir = tempfile::tempdir().unwrap();
    let served = try_serve(options(dir.path())).await.unwrap();
    let address = served.address();
    // More sockets of this machine than may wait, each with half a request.
    let mut crowd = Vec::new();
    for _ in 0..40 {
        let mut socket = TcpStream::connect(address).await.unwrap();
        let _ = socket.write_all(b"GET / HTTP/1.1\r\n").await;
        crowd.push(socket);
    }
    let last = crowd.last_mut().unwrap();
    assert_eq!(crate::sockets::until_closed(last).await, "");
    let (client, _events) = owner(dir.path()).await.unwrap();
    let health: Value = client.call("health", json!({})).await.unwrap();
    assert_eq!(health["ok"], true);
    drop((crowd, client));
    served.stop().await;
}

#[tokio::test]
async fn t103_a_squatter_on_the_port_keeps_nobody_from_the_gateway_of_the_directory() {
    let squatter = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let served = try_serve(options(dir.path())).await.unwrap();
    let (client, _events) = owner(dir.path()).await.unwrap();
    let health: Value = client.call("health", json!({})).await.unwrap();
    assert_eq!(health["ok"], true);
    drop(client);
    served.stop().await;
    // Nobody has come to it.
    let accepting = tokio::time::timeout(std::time::Duration::ZERO, squatter.accept());
    assert!(accepting.await.is_err());
}

/// A page or a proxy that is made to write to the socket speaks for nobody.
#[tokio::test]
async fn t103_what_a_page_or_a_proxy_would_send_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let served = try_serve(options(dir.path())).await.unwrap();
    for header in ["Origin: http://localhost", "X-Forwarded-For: 192.0.2.1"] {
        let mut socket = UnixStream::connect(dir.path().join("gateway.sock"))
            .await
            .unwrap();
        let request = format!(
            "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{header}\r\n\r\n"
        );
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut status = [0; 12];
        let read = socket.read_exact(&mut status);
        tokio::time::timeout(NEVER, read).await.unwrap().unwrap();
        assert_eq!(&status, b"HTTP/1.1 403");
    }
    served.stop().await;
}
