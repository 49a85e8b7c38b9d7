//! Encrypted, by the certificates that the machine trusts. Which those are is said by the environment, so
//! this test runs itself again in a process with another one.

use std::process::Command;
use std::sync::Arc;

use channel_kit::{Adapter, Outgoing, SendError};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use super::server::BOT_TOKEN;
use super::{Rig, chat};

/// Set for the process that is to do it, to the address of the server.
const ROOT: &str = "TEST_TELEGRAM_TLS_ROOT";

#[tokio::test]
async fn a_server_is_believed_by_its_certificate_alone() {
    if let Ok(root) = std::env::var(ROOT) {
        return send_to(&root).await;
    }
    let ours = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let root = serve(&ours).await;
    for (trusted, is_believed) in [(&ours, true), (&other, false)] {
        let file = dir.path().join("trusted.pem");
        std::fs::write(&file, trusted.cert.pem()).unwrap();
        let mut again = Command::new(std::env::current_exe().unwrap());
        again
            .args(["--exact", "--nocapture"])
            .arg("telegram::tls::a_server_is_believed_by_its_certificate_alone")
            .env(ROOT, &root)
            .env("SSL_CERT_FILE", &file)
            .env_remove("SSL_CERT_DIR");
        let output = tokio::task::spawn_blocking(move || again.output());
        let output = output.await.unwrap().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{text}");
        assert_eq!(text.contains("SENT"), is_believed, "{text}");
        assert_eq!(text.contains("NO CONNECTION"), !is_believed, "{text}");
    }
}

#[expect(
    clippy::print_stdout,
    reason = "the process that started this one reads it"
)]
async fn send_to(root: &str) {
    let rig = Rig::new().await;
    let adapter = rig.adapter_at(root, BOT_TOKEN);
    match adapter.send(&chat(5), &Outgoing::text("a")).await {
        Ok(_) => println!("SENT"),
        Err(SendError::Unavailable { reason }) => {
            assert_eq!(reason, "no connection can be made");
            println!("NO CONNECTION");
        }
        Err(error) => panic!("{error}"),
    }
}

/// One answer for everything; its address.
async fn serve(certificate: &rcgen::CertifiedKey<rcgen::KeyPair>) -> String {
    let key = PrivateKeyDer::try_from(certificate.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            let Ok(mut socket) = acceptor.accept(socket).await else {
                continue;
            };
            let _ = socket.read(&mut [0; 4096]).await;
            let body = r#"{"ok":true,"result":{"message_id":1}}"#;
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
            let _ = socket.write_all((head + body).as_bytes()).await;
            let _ = socket.shutdown().await;
        }
    });
    format!("https://localhost:{port}")
}
