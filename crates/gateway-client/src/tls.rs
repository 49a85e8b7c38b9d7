//! TLS, trusting the certificates that this machine trusts or one pinned certificate.

use std::fmt;
use std::sync::Arc;

use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{self, CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    CertificateError, ClientConfig, ConfigBuilder, DigitallySignedStruct, Error, OtherError,
    RootCertStore, SignatureScheme, WantsVerifier,
};

use crate::{ConnectError, Fingerprint, error::Cause};

/// Returns the TLS configuration. Blocks to read the system's certificates unless one is pinned.
pub(crate) fn config(pinned: Option<Fingerprint>) -> Result<ClientConfig, ConnectError> {
    let failed = |error| ConnectError::Tls(Cause::of(&error));
    if let Some(expected) = pinned {
        return self::pinned(expected).map_err(failed);
    }
    let builder = builder(ring::default_provider().into()).map_err(failed)?;
    let builder = builder.with_root_certificates(roots()?);
    Ok(builder.with_no_client_auth())
}

/// Returns a TLS configuration that accepts only the certificate with this fingerprint, whoever signed it and
/// whatever name it bears.
pub fn pinned(expected: Fingerprint) -> Result<ClientConfig, Error> {
    let provider = Arc::new(ring::default_provider());
    let verifier = Arc::new(Pinned {
        expected,
        provider: Arc::clone(&provider),
    });
    let builder = builder(provider)?.dangerous();
    let builder = builder.with_custom_certificate_verifier(verifier);
    Ok(builder.with_no_client_auth())
}

fn builder(
    provider: Arc<CryptoProvider>,
) -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, Error> {
    ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()
}

fn roots() -> Result<RootCertStore, ConnectError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // Many systems have some certificate that cannot be parsed.
    let (added, _) = roots.add_parsable_certificates(found.certs);
    match added {
        0 => Err(ConnectError::Tls(Cause::new(
            "this machine has no certificates to trust: install ca-certificates, or pin the \
             gateway's fingerprint",
        ))),
        _ => Ok(roots),
    }
}

/// Accepts only one certificate. Whether the other side holds its key is verified as usual.
#[derive(Debug)]
struct Pinned {
    expected: Fingerprint,
    provider: Arc<CryptoProvider>,
}

/// Fingerprint of the certificate that was presented instead.
#[derive(Debug)]
struct Mismatch(Fingerprint);

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "another certificate: {}", self.0)
    }
}

impl std::error::Error for Mismatch {}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let found = Fingerprint::of(certificate);
        if found == self.expected {
            return Ok(ServerCertVerified::assertion());
        }
        let mismatch = OtherError(Arc::new(Mismatch(found)));
        Err(CertificateError::Other(mismatch).into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = &self.provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}

/// Converts the error of a failed TLS handshake.
pub(crate) fn failed(error: &std::io::Error, pinned: Option<Fingerprint>) -> ConnectError {
    let found = error
        .get_ref()
        .and_then(|inner| match inner.downcast_ref::<Error>()? {
            Error::InvalidCertificate(CertificateError::Other(OtherError(other))) => {
                other.downcast_ref::<Mismatch>().map(|mismatch| mismatch.0)
            }
            _ => None,
        });
    match (pinned, found) {
        (Some(expected), Some(found)) => ConnectError::Fingerprint { expected, found },
        _ => ConnectError::Tls(Cause::of(error)),
    }
}
