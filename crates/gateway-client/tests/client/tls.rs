//! Tests of TLS and pinned certificates.

use std::sync::Arc;

use gateway_client::{ConnectError, Fingerprint};
use rcgen::{CertificateParams, CertifiedKey, KeyPair};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::{ServerConfig, SupportedProtocolVersion, sign, version};

use crate::gateway::{Gateway, failing, operator};

/// Returns a self-signed certificate, for a name that no test asks for, and long expired.
fn certificate() -> CertifiedKey<KeyPair> {
    let signing_key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["somewhere.invalid".to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(2001, 1, 1);
    params.not_after = rcgen::date_time_ymd(2002, 1, 1);
    let cert = params.self_signed(&signing_key).unwrap();
    CertifiedKey { cert, signing_key }
}

/// Presents a certificate and signs with a key that need not match it.
#[derive(Debug)]
struct Shows(Arc<sign::CertifiedKey>);

impl ResolvesServerCert for Shows {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<sign::CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

fn acceptor(
    shown: &CertifiedKey<KeyPair>,
    key: &KeyPair,
    version: &'static SupportedProtocolVersion,
) -> TlsAcceptor {
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let key = ring::sign::any_supported_type(&key).unwrap();
    let shown = sign::CertifiedKey::new(vec![shown.cert.der().clone()], key);
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Shows(Arc::new(shown))));
    TlsAcceptor::from(Arc::new(config))
}

const VERSIONS: [&SupportedProtocolVersion; 2] = [&version::TLS12, &version::TLS13];

#[tokio::test]
async fn t102_the_named_certificate_is_taken_whoever_signed_it() {
    for version in VERSIONS {
        let own = certificate();
        let gateway = Gateway::encrypted(acceptor(&own, &own.signing_key, version)).await;
        let fingerprint = Fingerprint::of(own.cert.der());
        let connect = gateway.connect().fingerprint(fingerprint);
        let (opened, (_peer, _)) = tokio::join!(connect.open(), gateway.admit(operator()));
        opened.unwrap();
    }
}

#[tokio::test]
async fn t102_another_certificate_is_refused_and_both_are_shown() {
    for version in VERSIONS {
        let (own, rogue) = (certificate(), certificate());
        let gateway = Gateway::encrypted(acceptor(&rogue, &rogue.signing_key, version)).await;
        let connect = gateway
            .connect()
            .fingerprint(Fingerprint::of(own.cert.der()));
        let mut got_in = false;
        let error = failing(&connect, async {
            got_in = gateway.try_accept().await.is_some();
        })
        .await;
        assert!(!got_in);
        assert!(error.is_final());
        let ConnectError::Fingerprint { expected, found } = error else {
            panic!("{error:?}")
        };
        assert_eq!(expected, Fingerprint::of(own.cert.der()));
        assert_eq!(found, Fingerprint::of(rogue.cert.der()));
    }
}

#[tokio::test]
async fn t102_the_certificate_without_its_key_is_worth_nothing() {
    for version in VERSIONS {
        let (own, rogue) = (certificate(), certificate());
        let gateway = Gateway::encrypted(acceptor(&own, &rogue.signing_key, version)).await;
        let connect = gateway
            .connect()
            .fingerprint(Fingerprint::of(own.cert.der()));
        let mut got_in = false;
        let error = failing(&connect, async {
            got_in = gateway.try_accept().await.is_some();
        })
        .await;
        assert!(!got_in);
        assert!(matches!(error, ConnectError::Tls(_)), "{error:?}");
    }
}

#[tokio::test]
async fn t102_a_fingerprint_is_never_ignored() {
    let gateway = Gateway::start().await;
    let connect = gateway.connect().fingerprint(Fingerprint::of(b"any"));
    let error = connect.open().await.err().unwrap();
    assert!(matches!(error, ConnectError::Url { .. }), "{error:?}");
    assert!(error.is_final());
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_needs_to_be_named() {
    let own = certificate();
    let gateway = Gateway::encrypted(acceptor(&own, &own.signing_key, &version::TLS13)).await;
    let connect = gateway.connect();
    let mut got_in = false;
    let error = failing(&connect, async {
        got_in = gateway.try_accept().await.is_some();
    })
    .await;
    assert!(!got_in);
    assert!(matches!(error, ConnectError::Tls(_)), "{error:?}");
    assert!(error.advice().unwrap().contains("fingerprint"));
}
