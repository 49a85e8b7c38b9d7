//! `state`: where the records of pairing are kept.

use std::time::Duration;

use crate::Secret;
use crate::read::{Reader, Section};

/// Where the records of pairing are kept.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct State {
    /// By what they are kept.
    pub store: Store,
    /// Whether device tokens in clear that OpenClaw wrote to its database stay in clear.
    pub keep_clear_tokens: bool,
    /// The cluster; what is written of one counts where [`store`](Self::store) names it.
    pub etcd: Etcd,
}

/// What keeps the records.
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

/// An etcd cluster, and how to get in.
///
/// Endpoints and prefix are checked by who uses them.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Etcd {
    /// The addresses of its members; some, where it is what keeps the records.
    pub endpoints: Vec<String>,
    /// What the keys of this install start with.
    pub prefix: String,
    /// Who logs in, where the cluster asks; there together with the password, where that can be had.
    pub user: Option<String>,
    /// The password.
    pub password: Option<Secret>,
    /// Encryption.
    pub tls: EtcdTls,
    /// How long approved senders are served while it cannot be reached.
    pub grace: Duration,
    /// Where the other gateways reach this one, as it is written.
    pub peer_url: Option<String>,
}

/// What an encrypted connection to a cluster is made with.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct EtcdTls {
    /// The certificates of the authorities that the members' are signed by.
    pub ca_path: Option<String>,
    /// The certificate to show, there together with its key.
    pub cert_path: Option<String>,
    /// The certificate's key.
    pub key_path: Option<String>,
    /// The name in the members' certificates, where it is not the endpoint's host.
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
        let usual = Etcd::default();
        let store = at.choice("store", &STORES, reader).unwrap_or_default();
        let keep_clear_tokens = at.flag("keepClearTokens", reader).unwrap_or_default();
        let endpoints = at.texts("endpoints", reader).unwrap_or_default();
        if store == Store::Etcd && endpoints.is_empty() {
            let detail = "names no member of the cluster";
            if !at.fault("endpoints", detail, reader) {
                at.fault("store", "needs state.endpoints, which is not set", reader);
            }
        }
        for (number, endpoint) in endpoints.iter().enumerate() {
            let path = format!("state.endpoints[{number}]");
            let place = reader.asked.get(&path).copied().flatten();
            if let Some(place) = place.filter(|_| endpoint.contains('@')) {
                // Addresses are shown, and this may be a password.
                let detail = "has a user in it: that goes into state.user and state.password";
                reader.fault(&path, place, detail);
            }
        }
        let prefix = at.text("prefix", reader).unwrap_or(usual.prefix);
        let user = at.text("user", reader);
        let password = at.secret("password", reader);
        if user.is_some() && !at.has("password") {
            at.fault("user", "needs state.password, which is not set", reader);
        }
        if user.is_none() && at.has("password") {
            at.fault("password", "needs state.user, which is not set", reader);
        }
        let tls = tls(at.child("tls", reader), reader);
        let grace = at.count("graceSeconds", 0..=3600, reader);
        let peer_url = at.text("peerUrl", reader);
        at.finish(reader);
        Self {
            store,
            keep_clear_tokens,
            etcd: Etcd {
                endpoints,
                prefix,
                user,
                password,
                tls,
                grace: grace.map_or(usual.grace, Duration::from_secs),
                peer_url,
            },
        }
    }
}

fn tls(mut at: Section<'_>, reader: &mut Reader<'_>) -> EtcdTls {
    let tls = EtcdTls {
        ca_path: at.text("caPath", reader),
        cert_path: at.text("certPath", reader),
        key_path: at.text("keyPath", reader),
        server_name: at.text("serverName", reader),
    };
    if tls.cert_path.is_some() && tls.key_path.is_none() {
        at.fault(
            "certPath",
            "needs state.tls.keyPath, which is not set",
            reader,
        );
    }
    if tls.key_path.is_some() && tls.cert_path.is_none() {
        at.fault(
            "keyPath",
            "needs state.tls.certPath, which is not set",
            reader,
        );
    }
    at.finish(reader);
    tls
}
