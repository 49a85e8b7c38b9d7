//! The same, encrypted.

use gateway_client::{Connect, ConnectError, Fingerprint};
use gateway_protocol::{GatewayUrl, SetupCode};
use openclaw_gateway::Tls;
use pairing_core::device::Role;
use pairing_core::{Scope, Timestamp};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::sockets::until_closed;
use crate::support::{Running, TOKEN, settings, start_with};

/// A gateway with a certificate of its own, and its fingerprint.
async fn start_encrypted(gateway: &str) -> (Running, String, TempDir) {
    let dir = TempDir::new().unwrap();
    let now = Timestamp::from_millis(1_795_353_726_325);
    let tls = Tls::self_made(&dir.path().join("tls"), now).unwrap();
    let fingerprint = tls.fingerprint().to_string();
    let settings = settings(&format!("tls: {{ enabled: true }}, {gateway}"));
    let gateway = start_with(settings, |builder| builder.tls(tls)).await;
    (gateway, fingerprint, dir)
}

fn url(gateway: &Running) -> GatewayUrl {
    GatewayUrl::parse(&format!("wss://{}", gateway.address)).unwrap()
}

fn operator(gateway: &Running) -> Connect {
    let scopes = [Scope::ADMIN].map(|scope| Scope::parse(scope).unwrap());
    Connect::to(url(gateway))
        .token(TOKEN.into())
        .scopes(scopes.into_iter().collect())
}

#[tokio::test]
async fn t102_a_setup_code_names_the_certificate_and_no_other_is_believed() {
    let (gateway, fingerprint, _dir) = start_encrypted("").await;
    let pinned = Fingerprint::parse(&fingerprint).unwrap();
    let (client, _events) = operator(&gateway).fingerprint(pinned).open().await.unwrap();
    let params = json!({ "url": url(&gateway).as_str(), "profile": "node" });
    let issued: Value = client.call("device.pair.setupCode", params).await.unwrap();
    let code = SetupCode::decode(issued["setupCode"].as_str().unwrap()).unwrap();
    assert_eq!(code.tls_fingerprint.as_deref(), Some(fingerprint.as_str()));
    let named = Fingerprint::parse(&code.tls_fingerprint.unwrap()).unwrap();

    // Somebody else answers at the place that the code leads to.
    let (rogue, other, _other_dir) = start_encrypted("").await;
    assert_ne!(other, fingerprint);
    let device = gateway.device();
    let by_code = |gateway: &Running| {
        Connect::to(url(gateway))
            .identity(device.identity.clone(), device.tokens.clone())
            .role(Role::Node)
            .pairing_token(code.token.expose().into())
            .fingerprint(named)
    };
    let error = by_code(&rogue).open().await.unwrap_err();
    assert!(
        matches!(error, ConnectError::Fingerprint { .. }),
        "{error:?}"
    );
    assert_eq!(rogue.pairing.devices().pairing_tokens().unwrap().len(), 0);
    // Nor is one believed that nobody has named.
    let error = operator(&gateway).open().await.unwrap_err();
    assert!(matches!(error, ConnectError::Tls(_)), "{error:?}");

    let asked = by_code(&gateway).open().await.unwrap_err();
    gateway.approve(asked.request_id().expect("it has to ask"));
    let (node, _events) = by_code(&gateway).open().await.unwrap();
    assert!(node.hello().auth.device_token.is_some());
    rogue.stop().await;
    gateway.stop().await;
}

#[tokio::test]
async fn t130_a_renewed_certificate_is_served_to_the_next_and_half_a_renewal_changes_nothing() {
    let now = Timestamp::from_millis(1_795_353_726_325);
    let state = TempDir::new().unwrap();
    let (served, renewed) = (state.path().join("tls"), state.path().join("new"));
    Tls::self_made(&served, now).unwrap();
    let new = Tls::self_made(&renewed, now).unwrap().fingerprint();
    let config =
        format!("{{ gateway: {{ tls: {{ enabled: true }}, auth: {{ token: '{TOKEN}' }} }} }}");
    std::fs::write(state.path().join("openclaw.json"), config).unwrap();
    let options = crate::serving::options(state.path());
    let reread = options.reread.clone();
    let gateway = crate::serving::try_serve(options).await.unwrap();
    let old = gateway.told.fingerprint.unwrap();
    let url = GatewayUrl::parse(&format!("wss://{}", gateway.address())).unwrap();
    let open = Connect::to(url).token(TOKEN.into());
    let served_now = || async {
        match open.clone().fingerprint(new).open().await {
            Err(ConnectError::Fingerprint { .. }) => old,
            _ => new,
        }
    };
    assert_eq!(served_now().await, old);
    let put = |name: &str| {
        let staged = served.join("staged");
        std::fs::copy(renewed.join(name), &staged).unwrap();
        std::fs::rename(staged, served.join(name)).unwrap();
    };
    put("cert.pem");
    reread.notify_one();
    assert_eq!(served_now().await, old);
    put("key.pem");
    while served_now().await != new {}
    gateway.stop().await;
}

#[tokio::test]
async fn who_does_not_encrypt_gets_nothing() {
    let (gateway, _, _dir) = start_encrypted("").await;
    for bytes in [
        &b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"[..],
        &[0; 100],
        &[0x16, 0x03, 0x01, 0xff, 0xff],
        b"\x16\x03\x01\x00\x05hello",
    ] {
        let mut socket = TcpStream::connect(gateway.address).await.unwrap();
        socket.write_all(bytes).await.unwrap();
        socket.shutdown().await.unwrap();
        let answer = until_closed(&mut socket).await;
        assert!(!answer.contains("HTTP"), "{answer}");
    }
    let connect = Connect::to(gateway.url()).token(TOKEN.into());
    assert!(connect.open().await.is_err());
    gateway.stop().await;
}

#[tokio::test]
async fn t97_who_does_not_shake_hands_is_closed_in_time() {
    let (gateway, fingerprint, _dir) = start_encrypted("limits: { handshakeSeconds: 1 }").await;
    let silent = async |bytes: &[u8]| {
        let mut socket = TcpStream::connect(gateway.address).await.unwrap();
        socket.write_all(bytes).await.unwrap();
        assert_eq!(until_closed(&mut socket).await, "");
    };
    // Nothing at all, and the beginning of a greeting.
    tokio::join!(silent(b""), silent(&[0x16, 0x03, 0x01, 0x02, 0x00, 0x01]));
    let pinned = Fingerprint::parse(&fingerprint).unwrap();
    operator(&gateway).fingerprint(pinned).open().await.unwrap();
    gateway.stop().await;
}
