//! The owner's socket: commands of the same user, without a secret, whatever happens on TCP.

use std::path::Path;

use gateway_client::{Client, Connect, ConnectError, Events, OwnerSocketError};
use gateway_protocol::GatewayUrl;
use gateway_protocol::listener_proof::{ASK, ListenerProof, proof_key};
use pairing_core::{Clock as _, ScopeSet};
use pairing_fs::SystemClock;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderName;

use crate::serving::{options, try_serve};
use crate::support::{Device, NEVER, Raw, operator_params};

/// The key of a request, which is the client's nonce.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

pub(crate) async fn owner(state: &Path) -> Result<(Client, Events), ConnectError> {
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

/// Over TCP, loopback is wherever somebody forwards to it from. The socket is somebody's own.
#[tokio::test]
async fn t112_over_tcp_a_client_without_a_device_is_no_admin_whatever_it_knows() {
    let config = |more: &str| format!("{{ gateway: {{ auth: {{ token: 'known' }}, {more} }} }}");
    let adopted =
        "{ gateway: { auth: { token: 'known' } }, meta: { lastTouchedVersion: '2026.9.6' } }";
    for (config, scopes) in [
        (config(""), "operator.read"),
        (config("localAdmin: true"), "operator.admin"),
        (config("localAdmin: 'yes'"), "operator.read"),
        (
            config("nodes: { pairing: { autoApproveLocal: false } }"),
            "",
        ),
        // The other program lets such clients in, and there may be some.
        (adopted.to_owned(), "operator.admin"),
        (
            adopted.replace("token: 'known' }", "token: 'known' }, localAdmin: false"),
            "operator.read",
        ),
        (
            adopted.replace(
                "token: 'known' }",
                "token: 'known' }, nodes: { pairing: { autoApproveLocal: false } }",
            ),
            "",
        ),
    ] {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("openclaw.json"), &config).unwrap();
        let served = try_serve(options(dir.path())).await.unwrap();
        let (client, _events) = served.admin("known").await.unwrap();
        let given = &client.hello().auth.scopes;
        let given: Vec<_> = given.iter().map(pairing_core::Scope::as_str).collect();
        assert_eq!(given.join(" "), scopes, "{config}");
        let listed = client.call::<_, Value>("device.pair.list", json!({})).await;
        assert_eq!(listed.is_ok(), scopes == "operator.admin", "{config}");
        let (owner, _events) = owner(dir.path()).await.unwrap();
        assert!(owner.hello().auth.scopes.allows("operator.admin"));
        drop((client, owner));
        served.stop().await;
    }
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

/// Over TCP, a client that asks is shown that the gateway knows the secret, for this connection alone.
#[tokio::test]
async fn t103_the_gateway_proves_that_it_knows_a_secret_that_nobody_can_guess() {
    let long = "a-token-as-long-as-those-that-are-made";
    let about = |nonce: &str, address| {
        let client_nonce = KEY;
        ListenerProof {
            client_nonce,
            nonce,
            address,
        }
        .make(&proof_key(long))
    };
    for (token, headers, is_proven) in [
        (long, vec![(ASK, "1")], true),
        (long, vec![], false),
        // It would give the secret to whoever tries words.
        ("short", vec![(ASK, "1")], false),
        // It is not known where these come from.
        (long, vec![(ASK, "1"), ("Origin", "http://{own}")], false),
        (long, vec![(ASK, "1"), ("Host", "gateway.local")], false),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let config = format!("{{ gateway: {{ auth: {{ token: '{token}' }} }} }}");
        std::fs::write(dir.path().join("openclaw.json"), config).unwrap();
        let served = try_serve(options(dir.path())).await.unwrap();
        let address = served.address();
        let mut request = format!("ws://{address}").into_client_request().unwrap();
        request
            .headers_mut()
            .insert("sec-websocket-key", KEY.parse().unwrap());
        for (name, value) in headers {
            let name: HeaderName = name.parse().unwrap();
            request.headers_mut().insert(
                name,
                value
                    .replace("{own}", &address.to_string())
                    .parse()
                    .unwrap(),
            );
        }
        let stream = TcpStream::connect(address).await.unwrap();
        let (mut ws, _) = tokio_tungstenite::client_async(request, stream)
            .await
            .unwrap();
        let first = futures_util::StreamExt::next(&mut ws)
            .await
            .unwrap()
            .unwrap();
        let challenge: Value = serde_json::from_str(first.to_text().unwrap()).unwrap();
        let payload = &challenge["payload"];
        let proof = is_proven.then(|| about(payload["nonce"].as_str().unwrap(), address));
        assert_eq!(payload["proof"].as_str(), proof.as_deref(), "{payload}");
        drop(ws);
        served.stop().await;
    }
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
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n{header}\r\n\r\n"
        );
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut status = [0; 12];
        let read = socket.read_exact(&mut status);
        tokio::time::timeout(NEVER, read).await.unwrap().unwrap();
        assert_eq!(&status, b"HTTP/1.1 403");
    }
    served.stop().await;
}

/// A link that signs a browser in holds no secret of the gateway, and is worth nothing anywhere but on its page.
#[tokio::test]
async fn t103_a_link_signs_one_browser_in_on_the_page_of_this_gateway() {
    let dir = tempfile::tempdir().unwrap();
    let config = "{ gateway: { auth: { token: 'the-secret' } } }";
    std::fs::write(dir.path().join("openclaw.json"), config).unwrap();
    let served = try_serve(options(dir.path())).await.unwrap();
    let address = served.address();
    let (owner, _events) = owner(dir.path()).await.unwrap();
    let told: Value = owner.call("dashboard.link", json!({})).await.unwrap();
    let link = told["url"].as_str().unwrap();
    let (page, ticket) = link.split_once("/#token=").unwrap();
    assert_eq!(page, format!("http://{address}"));
    assert!(!link.contains("the-secret"));

    let (one, other) = (Device::numbered(1), Device::numbered(2));
    // What came of it: the code of the refusal.
    let comes = async |who: &Device, origin: Option<&str>, host: &str| {
        let mut request = format!("ws://{host}").into_client_request().unwrap();
        if let Some(origin) = origin {
            request
                .headers_mut()
                .insert("origin", origin.parse().unwrap());
        }
        let stream = TcpStream::connect(address).await.unwrap();
        let (ws, _) = tokio_tungstenite::client_async(request, stream)
            .await
            .unwrap();
        let mut raw = Raw(ws);
        let nonce = raw.challenge().await;
        let mut params = operator_params();
        params["auth"] = json!({ "token": ticket, "password": ticket });
        params["device"] = who.claim(&nonce, SystemClock.now(), &params);
        raw.request("connect", params).await;
        raw.answer().await["error"]["details"]["code"].clone()
    };
    let local = address.to_string();
    // Not without the page, and not on a page of another name of this machine.
    let by_name = format!("localhost:{}", address.port());
    let page_by_name = format!("http://{by_name}");
    assert_eq!(comes(&one, None, &local).await, "AUTH_TOKEN_MISMATCH");
    assert_eq!(
        comes(&one, Some(&page_by_name), &by_name).await,
        "AUTH_TOKEN_MISMATCH"
    );
    // It has to be approved, as any other, and asks again until it is; another browser comes too late.
    assert_eq!(comes(&one, Some(page), &local).await, "PAIRING_REQUIRED");
    assert_eq!(comes(&one, Some(page), &local).await, "PAIRING_REQUIRED");
    assert_eq!(
        comes(&other, Some(page), &local).await,
        "AUTH_TOKEN_MISMATCH"
    );
    let listed: Value = owner.call("device.pair.list", json!({})).await.unwrap();
    assert_eq!(listed["pending"].as_array().unwrap().len(), 1);
    let request = json!({ "requestId": listed["pending"][0]["requestId"] });
    owner
        .call::<_, Value>("device.pair.approve", request)
        .await
        .unwrap();
    assert_eq!(comes(&one, Some(page), &local).await, Value::Null);
    drop(owner);

    // Nobody else is told a link.
    let allowed = "{ gateway: { auth: { token: 'the-secret' }, localAdmin: true } }";
    served.stop().await;
    std::fs::write(dir.path().join("openclaw.json"), allowed).unwrap();
    let served = try_serve(options(dir.path())).await.unwrap();
    let (admin, _events) = served.admin("the-secret").await.unwrap();
    let told = admin.call::<_, Value>("dashboard.link", json!({})).await;
    assert!(told.is_err());
    drop(admin);
    served.stop().await;
}
