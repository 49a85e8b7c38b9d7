use std::os::unix::fs::PermissionsExt as _;

use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::pki_types::{ServerName, UnixTime};
use tokio_rustls::rustls::{
    ClientConfig, DigitallySignedStruct, ProtocolVersion, RootCertStore, SignatureScheme,
    SupportedProtocolVersion,
};

use super::*;

fn now() -> Timestamp {
    Timestamp::parse("2026-11-22T13:27:57.013Z").unwrap()
}

fn certificate(dir: &Path) -> CertificateDer<'static> {
    let path = dir.join("cert.pem");
    certificates(&path).unwrap().remove(0)
}

#[test]
fn made_once_and_for_the_owner_alone() {
    let dir = tempfile::tempdir().unwrap();
    let tls = dir.path().join("tls");
    let one = Tls::self_made(&tls, now()).unwrap();
    let two = Tls::self_made(&tls, now() + Duration::from_secs(1)).unwrap();
    assert_eq!(one.fingerprint(), two.fingerprint());
    assert_eq!(one.fingerprint(), Fingerprint::of(&certificate(&tls)));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&tls), 0o700);
    assert_eq!(mode(&tls.join("key.pem")), 0o600);
    assert_eq!(fs::read_dir(&tls).unwrap().count(), 2);
}

#[test]
fn many_at_once_end_with_one_pair() {
    let dir = tempfile::tempdir().unwrap();
    let tls = dir.path().join("tls");
    let prints: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| Tls::self_made(&tls, now()).unwrap().fingerprint()))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert!(prints.iter().all(|print| *print == prints[0]));
}

#[test]
fn a_key_that_a_crash_left_alone_is_used() {
    let dir = tempfile::tempdir().unwrap();
    Tls::self_made(dir.path(), now()).unwrap();
    let key = fs::read(dir.path().join("key.pem")).unwrap();
    fs::remove_file(dir.path().join("cert.pem")).unwrap();
    Tls::self_made(dir.path(), now()).unwrap();
    assert_eq!(fs::read(dir.path().join("key.pem")).unwrap(), key);
}

#[test]
fn errors_name_the_file_and_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (dir.path().join("one"), dir.path().join("two"));
    Tls::self_made(&one, now()).unwrap();
    Tls::self_made(&two, now()).unwrap();
    let (cert, key) = (one.join("cert.pem"), one.join("key.pem"));
    let (empty, garbage, broken) = (
        dir.path().join("empty"),
        dir.path().join("garbage"),
        dir.path().join("broken"),
    );
    fs::write(&empty, "").unwrap();
    fs::write(&garbage, b"\xff\xfe").unwrap();
    fs::write(
        &broken,
        "-----BEGIN PRIVATE KEY-----\nhunter2!\n-----END PRIVATE KEY-----\n",
    )
    .unwrap();
    let gone = dir.path().join("gone.pem");
    for (certificate, key, named, advice) in [
        (&gone, &key, "gone.pem", "gateway.tls.certPath"),
        (&cert, &gone, "gone.pem", "gateway.tls.keyPath"),
        (&garbage, &key, "garbage", "permissions"),
        (&empty, &key, "no certificate in", "PEM"),
        (&key, &key, "no certificate in", "PEM"),
        (&cert, &empty, "no private key in", "PEM"),
        (&cert, &cert, "no private key in", "PEM"),
        (&cert, &broken, "no private key in", "PEM"),
        (
            &cert,
            &two.join("key.pem"),
            "do not go together",
            "the key that the certificate",
        ),
    ] {
        let error = Tls::load(certificate, key).unwrap_err();
        assert!(error.to_string().contains(named), "{error}");
        assert!(
            error.advice().contains(advice),
            "{error}: {}",
            error.advice()
        );
        assert!(!format!("{error:?}").contains("hunter2"));
    }
    fs::remove_file(&key).unwrap();
    let error = Tls::self_made(&one, now()).unwrap_err();
    assert!(error.to_string().contains("key.pem"), "{error}");
}

#[tokio::test]
async fn both_versions_are_spoken_by_every_name() {
    let dir = tempfile::tempdir().unwrap();
    let tls = Tls::self_made(dir.path(), now()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate(dir.path())).unwrap();
    let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    for name in names.into_iter().chain(host_name()) {
        for version in [&version::TLS13, &version::TLS12] {
            let client = client(version).with_root_certificates(roots.clone());
            let negotiated = handshake(&tls, client.with_no_client_auth(), &name).await;
            assert_eq!(
                negotiated.unwrap(),
                (version.version, Some(b"http/1.1".to_vec()))
            );
        }
    }
    let other = client(&version::TLS13)
        .with_root_certificates(roots)
        .with_no_client_auth();
    assert!(handshake(&tls, other, "evil.example").await.is_err());
}

#[tokio::test]
async fn t102_what_is_shown_has_the_fingerprint() {
    let dir = tempfile::tempdir().unwrap();
    let tls = Tls::self_made(dir.path(), now()).unwrap();
    let other = Tls::self_made(&dir.path().join("other"), now()).unwrap();
    for (pinned, is_shown) in [(tls.fingerprint(), true), (other.fingerprint(), false)] {
        let pinned = Arc::new(Pinned(pinned));
        let client = client(&version::TLS13)
            .dangerous()
            .with_custom_certificate_verifier(pinned);
        let shaken = handshake(&tls, client.with_no_client_auth(), "any.example").await;
        assert_eq!(shaken.is_ok(), is_shown);
    }
}

fn client(
    version: &'static SupportedProtocolVersion,
) -> rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier> {
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
}

/// A handshake through memory: what client and gateway agree on.
async fn handshake(
    tls: &Tls,
    mut config: ClientConfig,
    name: &str,
) -> io::Result<(ProtocolVersion, Option<Vec<u8>>)> {
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    let (accepted, connected) =
        tokio::join!(tls.acceptor().accept(ours), connector.connect(name, theirs));
    connected?;
    let accepted = accepted?;
    let (_, session) = accepted.get_ref();
    let protocol = session.alpn_protocol().map(<[u8]>::to_vec);
    Ok((session.protocol_version().unwrap(), protocol))
}

/// Believes one certificate, by its fingerprint.
#[derive(Debug)]
struct Pinned(Fingerprint);

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if Fingerprint::of(end_entity) == self.0 {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(rustls::Error::General("another certificate".to_owned()))
        }
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("not asked for".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = ring::default_provider().signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = ring::default_provider().signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}
