//! `state`: where the records of pairing are kept.

use std::sync::Arc;
use std::time::Duration;

use crate::read::{Given, Reader, Section};
use crate::{Fault, Part, Secret};

/// Where the records of pairing are kept.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct State {
    /// The kind of store.
    pub store: Store,
    /// Whether device tokens in clear that OpenClaw wrote to its database stay in clear.
    pub keep_clear_tokens: bool,
    /// The cluster; used if [`store`](Self::store) is [`Store::Etcd`].
    pub etcd: Etcd,
}

/// A kind of store for the records of pairing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Store {
    /// OpenClaw's database where the state directory has one with these records, otherwise files: what the
    /// release that made the install reads.
    #[default]
    Found,
    /// The files of the state directory.
    Files,
    /// OpenClaw's database in the state directory.
    OpenClaw,
    /// A database of our own in the state directory.
    Sqlite,
    /// An etcd cluster, which several gateways share.
    Etcd,
}

/// An etcd cluster, and the credentials for it.
///
/// The store checks endpoints and prefix when it opens the cluster.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Etcd {
    /// The addresses of its members; not empty if it keeps the records.
    pub endpoints: Vec<String>,
    /// The prefix of the keys of this install.
    pub prefix: String,
    /// The user to log in as, if the cluster has users.
    pub user: Option<String>,
    /// The password.
    pub password: Option<Secret>,
    /// Encryption.
    pub tls: EtcdTls,
    /// How long approved senders are served while the cluster cannot be reached.
    pub grace: Duration,
    /// The address at which the other gateways reach this one, as it is written.
    pub peer_url: Option<String>,
}

/// The files that an encrypted connection to a cluster needs.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct EtcdTls {
    /// Certificates of the authorities that sign the members' certificates.
    pub ca_path: Option<String>,
    /// The certificate to present; needs its key.
    pub cert_path: Option<String>,
    /// The certificate's key.
    pub key_path: Option<String>,
    /// The name in the members' certificates, if it is not the endpoint's host.
    pub server_name: Option<String>,
}

impl Default for Etcd {
    fn default() -> Self {
        Self {
            endpoints: Vec::new(),
            prefix: "openclaw".to_owned(),
            user: None,
            password: None,
            tls: EtcdTls::default(),
            grace: Duration::from_secs(30),
            peer_url: None,
        }
    }
}

impl State {
    pub(crate) fn read(mut at: Section<'_>, reader: &mut Reader<'_>) -> Self {
        const STORES: [(&str, Store); 4] = [
            ("files", Store::Files),
            ("openclaw", Store::OpenClaw),
            ("sqlite", Store::Sqlite),
            ("etcd", Store::Etcd),
        ];
        let store = at.choice("store", &STORES, reader);
        let store = reader.or_close(Part::Store, store).unwrap_or_default();
        // What cannot be understood keeps no token in clear.
        let keep_clear_tokens = at.flag("keepClearTokens", reader);
        let keep_clear_tokens = keep_clear_tokens.ok().flatten().unwrap_or_default();
        let faults = Faults {
            closes: store == Store::Etcd,
        };
        let etcd = etcd(&mut at, faults, reader);
        at.finish(reader);
        Self {
            store,
            keep_clear_tokens,
            etcd,
        }
    }
}

/// Faults of the keys about a cluster: they close the store where a cluster is what keeps the records.
#[derive(Clone, Copy)]
struct Faults {
    closes: bool,
}

impl Faults {
    fn of<T>(self, given: Given<T>, reader: &mut Reader<'_>) -> Option<T> {
        given.unwrap_or_else(|fault| {
            self.close(&fault, reader);
            None
        })
    }

    fn close(self, fault: &Arc<Fault>, reader: &mut Reader<'_>) {
        if self.closes {
            reader.close(Part::Store, fault);
        }
    }

    fn add(self, at: &Section<'_>, key: &str, detail: &str, reader: &mut Reader<'_>) {
        let fault = at.fault(key, detail, reader);
        self.close(&fault, reader);
    }
}

fn etcd(at: &mut Section<'_>, faults: Faults, reader: &mut Reader<'_>) -> Etcd {
    let usual = Etcd::default();
    let endpoints = at.checked_texts("endpoints", reader, |endpoint| {
        // Addresses are shown, and this may be a password.
        let detail = "has a user in it: that goes into state.user and state.password";
        let is_good = !endpoint.contains('@');
        is_good.then_some(()).ok_or_else(|| detail.to_owned())
    });
    let endpoints = faults.of(endpoints.keeping_out(), reader);
    let endpoints = endpoints.unwrap_or_default();
    if faults.closes && endpoints.is_empty() && !reader.closed.contains_key(&Part::Store) {
        if at.has("endpoints") {
            faults.add(at, "endpoints", "names no member of the cluster", reader);
        } else {
            let detail = "needs state.endpoints, which is not set";
            faults.add(at, "store", detail, reader);
        }
    }
    let prefix = at.text("prefix", reader);
    let user = at.text("user", reader);
    let password = at.secret("password", reader);
    if matches!(user, Ok(Some(_))) && !at.has("password") {
        let detail = "needs state.password, which is not set";
        faults.add(at, "user", detail, reader);
    }
    if matches!(user, Ok(None)) && at.has("password") {
        let detail = "needs state.user, which is not set";
        faults.add(at, "password", detail, reader);
    }
    let tls = tls(at.child("tls", reader), faults, reader);
    let grace = at.count("graceSeconds", 0..=3600, reader);
    let peer_url = at.text("peerUrl", reader);
    Etcd {
        endpoints,
        prefix: faults.of(prefix, reader).unwrap_or(usual.prefix),
        user: faults.of(user, reader),
        password: faults.of(password, reader),
        tls,
        // While the cluster is away, nobody is served by a guess.
        grace: Duration::from_secs(grace.unwrap_or(Some(0)).unwrap_or(usual.grace.as_secs())),
        peer_url: faults.of(peer_url, reader),
    }
}

fn tls(mut at: Section<'_>, faults: Faults, reader: &mut Reader<'_>) -> EtcdTls {
    let ca_path = at.text("caPath", reader);
    let cert_path = at.text("certPath", reader);
    let key_path = at.text("keyPath", reader);
    let server_name = at.text("serverName", reader);
    if matches!((&cert_path, &key_path), (Ok(Some(_)), Ok(None))) {
        let detail = "needs state.tls.keyPath, which is not set";
        faults.add(&at, "certPath", detail, reader);
    }
    if matches!((&cert_path, &key_path), (Ok(None), Ok(Some(_)))) {
        let detail = "needs state.tls.certPath, which is not set";
        faults.add(&at, "keyPath", detail, reader);
    }
    at.finish(reader);
    EtcdTls {
        ca_path: faults.of(ca_path, reader),
        cert_path: faults.of(cert_path, reader),
        key_path: faults.of(key_path, reader),
        server_name: faults.of(server_name, reader),
    }
}
