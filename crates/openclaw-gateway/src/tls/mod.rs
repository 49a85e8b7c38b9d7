//! TLS: a certificate and its key, from files or made here.

mod facts;

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use gateway_protocol::{Advise as _, Fingerprint};
use pairing_core::{Chain, StoreError, Timestamp};
use pairing_fs::owned;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{self, ServerConfig, crypto::ring, version};
use zeroize::Zeroizing;

pub use facts::CertificateFacts;

/// The gateway's certificate and key. Clones share them.
///
/// - TLS 1.2 and 1.3, HTTP/1.1. The cryptographic provider is named here; the process-wide default is not used.
/// - A renewed pair is taken from its files by [`reload`](Self::reload), for the connections that come then.
#[derive(Clone)]
pub struct Tls {
    config: Arc<ServerConfig>,
    served: Arc<Served>,
    certificate: PathBuf,
    key: PathBuf,
}

/// The pair that the next connection gets, and why a newer one cannot be used, escaped, since when.
struct Served(ArcSwap<Pair>, Mutex<Option<(Instant, String)>>);

/// The certificate and its key are replaced one after the other. This long they need not go together.
const REPLACING: Duration = Duration::from_secs(10);

struct Pair {
    key: Arc<CertifiedKey>,
    facts: CertificateFacts,
}

impl Served {
    fn unfit(&self) -> MutexGuard<'_, Option<(Instant, String)>> {
        self.1.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ResolvesServerCert for Served {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.load().key))
    }
}

impl fmt::Debug for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.load().facts.fmt(f)
    }
}

/// TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file is missing or cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file contains no certificate, or none that can be understood.
    #[error("no certificate in {}", path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// The file contains no private key, or none that can be understood.
    #[error("no private key in {}", path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// The key does not belong to the certificate, or one of them cannot be used.
    #[error("{} and {} do not go together", certificate.display(), key.display())]
    Unfit {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// Why.
        source: rustls::Error,
    },
    /// A certificate could not be made.
    #[error("cannot make a certificate")]
    Make(#[source] rcgen::Error),
    /// The certificate was made, and could not be saved.
    #[error(transparent)]
    Keep(#[from] StoreError),
}

impl TlsError {
    /// A line that says what to do next, for a person.
    pub fn advice(&self) -> String {
        match self {
            Self::Read { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                "check gateway.tls.certPath and gateway.tls.keyPath; without both, and with tls/ removed, \
                 the gateway makes a certificate of its own, which clients have to be told anew"
                    .to_owned()
            }
            Self::Read { .. } => "check the owner and permissions of the file".to_owned(),
            Self::NoCertificate { .. } => {
                "it has to be PEM: the certificate first, then those that lead to its issuer".to_owned()
            }
            Self::NoKey { .. } => "it has to be PEM, and not encrypted".to_owned(),
            Self::Unfit { .. } => {
                "take the key that the certificate was made for; a pair that the gateway made is made \
                 anew when both files are removed"
                    .to_owned()
            }
            Self::Make(_) => "set gateway.tls.certPath and gateway.tls.keyPath".to_owned(),
            Self::Keep(error) => error.advice().unwrap_or_default(),
        }
    }
}

/// Lifetime of a certificate that is made here. It is long, because clients know the certificate by its
/// fingerprint, and every client would have to be told of a new one.
const LASTS: Duration = Duration::from_secs(3650 * 24 * 60 * 60);

/// It is valid from the past, for clients whose clocks are behind.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Tls {
    /// Reads a certificate, with those that lead to its issuer, and its key.
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let served = Arc::new(Served(
            ArcSwap::from_pointee(pair(certificate, key)?),
            Mutex::default(),
        ));
        let config = server_config(served.clone()).map_err(|source| TlsError::Unfit {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            source,
        })?;
        Ok(Self {
            config: Arc::new(config),
            served,
            certificate: certificate.to_owned(),
            key: key.to_owned(),
        })
    }

    /// Reads the files again; returns whether they hold another certificate than before. Connections that stand are not
    /// touched, and on an error neither is what the next ones get.
    pub fn reload(&self) -> Result<bool, TlsError> {
        let pair = pair(&self.certificate, &self.key);
        let mut unfit = self.served.unfit();
        *unfit = pair.as_ref().err().map(|error| {
            let since = unfit
                .as_ref()
                .map_or_else(Instant::now, |(since, _)| *since);
            (since, Chain(error).to_string())
        });
        drop(unfit);
        let pair = pair?;
        let before = self.served.0.swap(Arc::new(pair));
        Ok(before.facts != self.facts())
    }

    /// Why the certificate that its files hold cannot be served.
    pub(crate) fn fault(&self, now: Instant) -> Option<String> {
        let unfit = self.served.unfit();
        let (since, why) = unfit.as_ref()?;
        let is_over = now.saturating_duration_since(*since) > REPLACING;
        is_over.then(|| format!("the new one cannot be used: {why}"))
    }

    /// The files of the certificate and of the key.
    pub fn files(&self) -> [&Path; 2] {
        [&self.certificate, &self.key]
    }

    /// Uses the pair in `cert.pem` and `key.pem` of a directory, which is made and saved if it is missing.
    ///
    /// - The directory is 0700, its files 0600. What is there stays as it is.
    /// - Of several processes at once, and after a crash, all end with the same pair: the first key
    ///   stays, and so does the first certificate for it.
    pub fn self_made(dir: &Path, now: Timestamp) -> Result<Self, TlsError> {
        let (certificate, key) = (dir.join("cert.pem"), dir.join("key.pem"));
        if !certificate.exists() {
            owned::create_dir(dir)?;
            if !key.exists() {
                let pair = KeyPair::generate().map_err(TlsError::Make)?;
                owned::create_file(&key, &Zeroizing::new(pair.serialize_pem()))?;
            }
            let pair = KeyPair::from_pem(&read(&key)?);
            let pair = pair.map_err(|_| TlsError::NoKey { path: key.clone() })?;
            owned::create_file(&certificate, &certify(&pair, now).map_err(TlsError::Make)?)?;
        }
        Self::load(&certificate, &key)
    }

    /// The fingerprint of the certificate that is served now.
    pub fn fingerprint(&self) -> Fingerprint {
        self.facts().fingerprint
    }

    /// Facts about the certificate that is served now.
    pub fn facts(&self) -> CertificateFacts {
        self.served.0.load().facts
    }

    /// Returns what accepts connections. Cheap. Give each connection a time limit, because a client may say
    /// nothing at all.
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.config))
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("served", &self.served)
            .finish_non_exhaustive()
    }
}

fn read(path: &Path) -> Result<Zeroizing<String>, TlsError> {
    let text = fs::read_to_string(path).map_err(|source| TlsError::Read {
        path: path.to_owned(),
        source,
    })?;
    Ok(Zeroizing::new(text))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = read(path)?;
    let certificates = CertificateDer::pem_slice_iter(text.as_bytes());
    let certificates = certificates.collect::<Result<_, _>>();
    certificates.map_err(|_| TlsError::NoCertificate {
        path: path.to_owned(),
    })
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let key = PrivateKeyDer::from_pem_slice(read(path)?.as_bytes());
    // The parser's error may repeat what it read.
    key.map_err(|_| TlsError::NoKey {
        path: path.to_owned(),
    })
}

/// Reads a pair, and checks that its parts belong together.
fn pair(certificate: &Path, key: &Path) -> Result<Pair, TlsError> {
    let (chain, private) = (certificates(certificate)?, private_key(key)?);
    let leaf = chain.first().ok_or_else(|| TlsError::NoCertificate {
        path: certificate.to_owned(),
    })?;
    let facts = CertificateFacts::of(leaf);
    let pair = CertifiedKey::from_der(chain, private, &ring::default_provider());
    let pair = pair.map_err(|source| TlsError::Unfit {
        certificate: certificate.to_owned(),
        key: key.to_owned(),
        source,
    })?;
    Ok(Pair {
        key: Arc::new(pair),
        facts,
    })
}

fn server_config(served: Arc<Served>) -> Result<ServerConfig, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])?
        .with_no_client_auth()
        .with_cert_resolver(served);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Makes a certificate for this machine, as PEM.
fn certify(key: &KeyPair, now: Timestamp) -> Result<String, rcgen::Error> {
    let mut names = ["localhost", "127.0.0.1", "::1"]
        .map(str::to_owned)
        .to_vec();
    names.extend(host_name().filter(|name| !names.contains(name)));
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, "OpenClaw gateway");
    let seconds = now.as_millis().div_euclid(1000);
    if let Ok(now) = time::OffsetDateTime::from_unix_timestamp(seconds) {
        params.not_before = now.saturating_sub(signed(DAY));
        params.not_after = now.saturating_add(signed(LASTS));
    }
    Ok(params.self_signed(key)?.pem())
}

fn signed(duration: Duration) -> time::Duration {
    time::Duration::try_from(duration).unwrap_or(time::Duration::ZERO)
}

/// This machine's name, if certificates can have it.
pub(crate) fn host_name() -> Option<String> {
    let uname = rustix::system::uname();
    let name = uname.nodename().to_str().ok()?.to_ascii_lowercase();
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.');
    (!name.is_empty() && name.bytes().all(plain)).then_some(name)
}

#[cfg(test)]
mod tests;
